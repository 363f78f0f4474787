"""The two documents of `specsync diff`: read from files, URLs or standard input, both at a time where that pays."""

from __future__ import annotations

import gc
import os
import re
import sys
from typing import TYPE_CHECKING

from specsync.openapi.canonical import CanonicalDocument, normalize
from specsync.openapi.errors import DocumentError
from specsync.openapi.load import DEFAULT_LIMITS, load

if TYPE_CHECKING:
    from collections.abc import Callable

_WORTH = 40.0
"""Milliseconds of work from which on a process of its own pays: it costs some 15, and 20 MB of memory."""
_PER_MEGABYTE = {"json": 9.0, "yaml": 32.0}
"""Milliseconds to load and normalize a megabyte."""
_MOST_BYTES = DEFAULT_LIMITS.max_bytes
_PIPE_BYTES = 1024 * 1024
_ELSEWHERE = re.compile(rb"""\$ref["']?\s*:\s*["']?[^#"'\s]""")


class Unreadable(Exception):
    """Why there is no document, as one line that begins with its source."""


class SourceText:
    """One document as it was given: where it came from, and its bytes."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name.encode("utf-8", "replace").decode()
        """A file's name (what isn't UTF-8 as ``?``), a URL without user, query and fragment, or ``-``."""
        self.data = data


def may_refer_to_files(data: bytes) -> bool:
    """Whether a document may hold references to other files: sure where it says no, but for odd spellings."""
    return _ELSEWHERE.search(data) is not None


def is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def read_sources(old: str, new: str, *, follow: bool = True) -> tuple[SourceText, SourceText]:
    """The bytes of both documents; with ``follow``, joined with the files that they refer to. Raises ``Unreadable``."""
    if "-" in (old, new):  # nobody knows where standard input is from, and both are read alike
        texts = _read_both(old, new, follow=False)
        if follow and any(may_refer_to_files(text.data) for text in texts):
            print("specsync: references to other files are not followed from standard input.", file=sys.stderr)
        return texts
    return _read_both(old, new, follow=follow)


def _read_both(old: str, new: str, *, follow: bool) -> tuple[SourceText, SourceText]:
    if is_url(old) or is_url(new):
        from specsync.cli.download import download

        fetched = download([source for source in (old, new) if is_url(source)], follow=follow)
        return (
            fetched[old] if is_url(old) else _read(old, follow=follow),
            fetched[new] if is_url(new) else _read(new, follow=follow),
        )
    return _read(old, follow=follow), _read(new, follow=follow)


def read_source(source: str, *, follow: bool = True) -> SourceText:
    """The bytes of one document; as ``read_sources``. Raises ``Unreadable``."""
    if is_url(source):
        from specsync.cli.download import download

        return download([source], follow=follow)[source]
    return _read(source, follow=follow)


def _read(source: str, *, follow: bool) -> SourceText:
    text = _read_alone(source)
    if follow and source != "-" and may_refer_to_files(text.data):
        from specsync.cli.files import with_files_beside

        text.data = with_files_beside(source, text.data)
    return text


def _read_alone(source: str) -> SourceText:
    try:
        if source == "-":
            return SourceText(source, sys.stdin.buffer.read(_MOST_BYTES + 1))
        with open(source, "rb") as file:  # noqa: PTH123 - pathlib takes 2 ms to import
            # One byte more than is read at most, so that the loader refuses what is larger.
            return SourceText(source, file.read(_MOST_BYTES + 1))
    except OSError as error:
        hint = " Is it a file of this folder?" if isinstance(error, FileNotFoundError) else ""
        raise Unreadable(f"{source}: {error.strerror or error}.{hint}") from None


def canonical_pair(
    old: SourceText, new: SourceText, meanwhile: Callable[[], object]
) -> tuple[CanonicalDocument, CanonicalDocument]:
    """Both documents in canonical form. ``meanwhile`` is called once, while another process works if there is one.

    Raises ``Unreadable``; of the older document where neither can be used.
    """
    if min(map(_milliseconds, (old, new))) < _WORTH or not _has_second_core():
        meanwhile()
        return _canonical(old), _canonical(new)
    larger, smaller = (old, new) if _milliseconds(old) > _milliseconds(new) else (new, old)
    other = _Child(larger)
    own: CanonicalDocument | Unreadable
    try:
        meanwhile()
        own = _canonical(smaller)
    except Unreadable as error:
        own = error
    theirs = other.result()
    pair = (theirs, own) if larger is old else (own, theirs)
    for found in pair:
        if isinstance(found, Unreadable):
            raise found
    return pair  # type: ignore[return-value]  # neither is a reason


def _canonical(source: SourceText) -> CanonicalDocument:
    try:
        return normalize(load(source.data))
    except DocumentError as error:
        name = "standard input" if source.name == "-" else source.name
        raise Unreadable(f"{name}: {error.message}") from None


def _milliseconds(source: SourceText) -> float:
    """About how long a document takes to be loaded and normalized."""
    is_json = source.data[:64].lstrip()[:1] == b"{"
    return len(source.data) / 1e6 * _PER_MEGABYTE["json" if is_json else "yaml"]


def _has_second_core() -> bool:
    if not hasattr(os, "fork") or not hasattr(os, "sched_getaffinity"):
        return False  # macOS has fork, but its system libraries don't survive it
    return len(os.sched_getaffinity(0)) > 1


class _Child:
    """A forked process that makes the canonical form of one document and sends it back.

    Nothing else runs in this process yet: no threads, no locks, no event loop.
    """

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._reading, writing = os.pipe()
        _widen(writing)
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            code = 1
            try:
                os.close(self._reading)
                gc.disable()
                _send(writing, source)
                code = 0
            finally:
                os._exit(code)
        os.close(writing)

    def result(self) -> CanonicalDocument | Unreadable:
        """What came of it. Waits for it."""
        with os.fdopen(self._reading, "rb", buffering=0) as pipe:
            answer = pipe.readall()
        _, status = os.waitpid(self._pid, 0)
        if os.waitstatus_to_exitcode(status) == 0:
            kind, content = answer[:1], answer[1:]
            return CanonicalDocument.from_bytes(content) if kind == b"+" else Unreadable(content.decode())
        try:  # it was killed, or had too little memory: find out here
            return _canonical(self._source)
        except Unreadable as error:
            return error


def _send(descriptor: int, source: SourceText) -> None:
    try:
        parts = [b"+", _canonical(source).to_bytes()]
    except Unreadable as error:
        parts = [b"-", str(error).encode()]
    with os.fdopen(descriptor, "wb", buffering=0) as pipe:
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[pipe.write(rest) or 0 :]


def _widen(descriptor: int) -> None:
    """Let a pipe hold more than 64 KiB, where the system does that."""
    try:
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        pass
