"""From the bytes that a server sent to UTF-8 without a byte order mark, whatever the headers said."""

from __future__ import annotations

import codecs

from specsync.openapi.errors import DocumentError

_MARKS = (  # longest first: the mark of UTF-32-LE begins with that of UTF-16-LE
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHUNK = 1 << 15  # small enough to stay in memory that is there already, whatever characters come


def to_utf8(data: bytes) -> bytes:
    """The same text in UTF-8, without a mark; ``data`` itself where it is that already.

    Without a mark, the zero bytes of the first character or two tell UTF-16 and UTF-32 (YAML 1.2.2, 5.2).
    Raises DocumentError(NotParseable) for text that isn't in the encoding that it seems to be in.
    """
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
        _check_utf8(data)
        return data
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _convert(data[len(mark) :], encoding)
    guessed = _without_mark(data)
    if guessed is not None:
        return _convert(data, guessed)
    _check_utf8(data)
    return data


def position(data: bytes, offset: int) -> tuple[int, int]:
    """Line and column, from 1 and in characters, of a byte offset in UTF-8 text."""
    offset = max(0, min(offset, len(data)))
    start = data.rfind(b"\n", 0, offset) + 1
    return data.count(b"\n", 0, offset) + 1, len(data[start:offset].decode("utf-8", "replace")) + 1


def _without_mark(data: bytes) -> str | None:
    zeros = tuple(byte == 0 for byte in data[:4])
    if zeros == (True, True, True, False):
        return "utf-32-be"
    if zeros == (False, True, True, True):
        return "utf-32-le"
    if zeros[:2] == (True, False):
        return "utf-16-be"
    if zeros[:2] == (False, True):
        return "utf-16-le"
    return None


def _convert(data: bytes, encoding: str) -> bytes:
    try:
        return data.decode(encoding).encode("utf-8")
    except UnicodeError:
        name = encoding.upper().removesuffix("-LE").removesuffix("-BE")
        raise DocumentError(
            "NotParseable",
            f"The document begins like {name} text but isn't valid {name}. Serve it as UTF-8.",
        ) from None


def _check_utf8(data: bytes) -> None:
    if data.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        # In pieces: a whole decode would need up to four times the document's size for a moment.
        for start in range(0, len(data), _CHUNK):
            decoder.decode(data[start : start + _CHUNK], final=start + _CHUNK >= len(data))
    except UnicodeDecodeError as error:
        # The offset counts from the bytes that the decoder kept of the piece before: error.object has them.
        kept = len(error.object) - len(data[start : start + _CHUNK])
        line, column = position(data, start - kept + error.start)
        raise DocumentError(
            "NotParseable",
            f"The document isn't UTF-8 text: invalid byte at line {line}, column {column}. Serve it as UTF-8.",
            line=line,
            column=column,
        ) from None
