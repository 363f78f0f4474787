"""The files that a document at a prompt refers to: those of its folder tree, or of the current one's."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from specsync.cli.documents import Unreadable
from specsync.openapi.bundle import Bundle, pack, shown_name
from specsync.openapi.errors import DocumentError
from specsync.openapi.joining import Wanted, join
from specsync.openapi.load import DEFAULT_LIMITS

_MOST_FILES = 2000


class Joining:
    """Gathers the files of one document; ``data`` is all of them, and the document alone as long as there is none."""

    def __init__(self, shown: str, root: str, data: bytes) -> None:
        self._shown = shown
        self._root = root
        self._files = {root: data}
        self._waiting: list[Wanted] = []
        self.data = data

    @property
    def bytes_left(self) -> int:
        return DEFAULT_LIMITS.max_bytes - sum(map(len, self._files.values()))

    def next_file(self) -> Wanted | None:
        """The next file that is to be added; None where all are there. Raises ``Unreadable``."""
        if not self._waiting:
            self._waiting = self._missing()
        if not self._waiting:
            if len(self._files) > 1:
                self.data = pack(Bundle(root=self._root, files=self._files))
            return None
        return self._waiting.pop(0)

    def add(self, wanted: Wanted, content: bytes) -> None:
        """Raises ``Unreadable`` past the limits."""
        if len(self._files) >= _MOST_FILES or len(content) > self.bytes_left:
            raise Unreadable(f"{self._shown}: it refers to too many or too large files; give a bundled document.")
        self._files[wanted.uri] = content

    def _missing(self) -> list[Wanted]:
        try:
            return join(Bundle(root=self._root, files=self._files), DEFAULT_LIMITS).missing
        except DocumentError as error:
            if len(self._files) == 1:
                return []  # who loads it will say why
            raise Unreadable(f"{self._shown}: {error.message}") from None


def with_files_beside(source: str, data: bytes) -> bytes:
    """A local document with the files that it refers to, as a bundle where there are any. Raises ``Unreadable``.

    Only files below the current folder or the document's own are read: a document isn't to show what else is here.
    """
    document = Path(source).resolve()
    allowed = (Path.cwd().resolve(), document.parent)
    joining = Joining(source, document.as_uri(), data)
    while wanted := joining.next_file():
        name = shown_name(wanted.uri, document.as_uri())
        where = f"{source}: the $ref at {wanted.place} leads to {name}"
        try:
            file = Path(os.fsdecode(unquote_to_bytes(urlsplit(wanted.uri).path))).resolve()
        except (ValueError, RuntimeError):  # a NUL in it; a link to itself
            raise Unreadable(f"{where}, which is no file's name. Correct it, or use --external-refs ignore.") from None
        if not any(file.is_relative_to(folder) for folder in allowed):
            raise Unreadable(
                f"{where}, outside of the document's folder and the current one. Run specsync in a folder that holds "
                "both, or use --external-refs ignore."
            )
        try:
            with file.open("rb") as stream:
                joining.add(wanted, stream.read(joining.bytes_left + 1))
        except OSError as error:
            raise Unreadable(
                f"{where}, which can't be read: {error.strerror or error}. Add the file, or use --external-refs ignore."
            ) from None
    return joining.data
