"""A document and the files that it refers to, as one content: a tar archive whose first member says what is in it.

So that it can be stored, told apart by its digest and sent on as a single document is, and unpacked by hand: the same
files always give the same bytes.
"""

from __future__ import annotations

import re

import msgspec

from specsync.openapi.errors import DocumentError

_INDEX = "specsync-bundle.json"
_START = _INDEX.encode() + b"\0"  # the first field of a tar archive is its first member's name


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The files by their URIs, which have no fragments."""

    root: str
    """URI of the document itself, which is the first of the files."""

    files: dict[str, bytes]


class _Index(msgspec.Struct):
    root: str
    files: list[str]
    """URIs, in the order of the members that follow."""


def is_bundle(data: bytes) -> bool:
    return data.startswith(_START)


def pack(bundle: Bundle) -> bytes:
    """The archive. Names within it are those of the URIs, without the server."""
    import tarfile  # noqa: PLC0415 - most documents are one file
    from io import BytesIO  # noqa: PLC0415

    uris = [bundle.root, *sorted(uri for uri in bundle.files if uri != bundle.root)]
    index = msgspec.json.encode(_Index(bundle.root, uris))
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in [(_INDEX, index), *((_member_name(uri), bundle.files[uri]) for uri in uris)]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    return buffer.getvalue()


def unpack(data: bytes) -> Bundle:
    """The files of an archive that ``is_bundle``. Raises DocumentError(NotParseable) where it isn't whole."""
    import tarfile  # noqa: PLC0415
    from io import BytesIO  # noqa: PLC0415

    try:
        with tarfile.open(fileobj=BytesIO(data), mode="r:") as archive:
            contents = []
            for member in archive:
                # What is no plain file, or a sparse one (which may claim any size), counts as empty.
                file = archive.extractfile(member) if member.isreg() and not member.issparse() else None
                contents.append(file.read() if file is not None else b"")
        index = msgspec.json.decode(contents[0], type=_Index)
        return Bundle(root=index.root, files=dict(zip(index.files, contents[1:], strict=True)))
    except (tarfile.TarError, ValueError, IndexError, EOFError, OSError):
        text = "The archive of the document's files is damaged; fetch the document anew."
        raise DocumentError("NotParseable", text) from None


def own_text(data: bytes) -> bytes:
    """The document's own file: ``data`` itself where it isn't a bundle. Raises DocumentError as ``unpack``."""
    if not is_bundle(data):
        return data
    bundle = unpack(data)
    return bundle.files[bundle.root]


def resolve(base: str, reference: str) -> tuple[str, str]:
    """The URI and the fragment that a reference in the file ``base`` means (RFC 3986, section 5)."""
    from urllib.parse import urljoin  # noqa: PLC0415 - slow to import

    uri, _, fragment = reference.partition("#")
    try:
        return (urljoin(base, uri) if uri else base), fragment
    except ValueError:  # no URI at all
        return reference, fragment


def is_same_origin(uri: str, root: str) -> bool:
    """Whether a file is where the document is: same scheme, host and port (RFC 6454)."""
    try:
        return _origin(uri) == _origin(root)
    except ValueError:
        return False


def shown_name(uri: str, root: str) -> str:
    """A file's name for people: its path as seen from the document, without a query."""
    from posixpath import dirname, relpath  # noqa: PLC0415
    from urllib.parse import urlsplit  # noqa: PLC0415

    if not is_same_origin(uri, root):
        return re.sub(r"//[^/]*@", "//", uri.partition("?")[0])
    here, there = (urlsplit(each).path or "/" for each in (root, uri))
    return relpath(there, dirname(here) or "/") if there.strip("/") else "/"


_DEFAULT_PORTS = {"http": 80, "https": 443}


def _origin(uri: str) -> tuple[str, str | None, int | None]:
    from urllib.parse import urlsplit  # noqa: PLC0415

    parts = urlsplit(uri)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _member_name(uri: str) -> str:
    from urllib.parse import urlsplit  # noqa: PLC0415

    parts = urlsplit(uri)
    name = parts.path.lstrip("/")
    if not name or name.endswith("/"):
        name += "index"
    return f"{name}?{parts.query}" if parts.query else name
