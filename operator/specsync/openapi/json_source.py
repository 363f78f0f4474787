"""Reading JSON: enough to know what it is, without building its tree."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from specsync.openapi.encoding import position
from specsync.openapi.errors import DocumentError
from specsync.openapi.limits import Limits, too_deep, too_many_nodes

_PIECES = (256, 64)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ALL_BUT_BRACKETS_AND_QUOTES = bytes(set(range(256)) - set(b'[]{}"'))
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""Of a character in a JSON string; in the group where it is but half of a surrogate pair."""
_AT_BYTE = re.compile(r"^(?:JSON is malformed: )?(.*?) \(byte (\d+)\)$")


class CutOff(DocumentError):
    """The end of the JSON text is missing."""


class Head(msgspec.Struct):
    """The few fields that tell what a document is; msgspec passes over all else at 1 GB/s."""

    openapi: Any = None
    swagger: Any = None
    info: Any = None


_head = msgspec.json.Decoder(Head)


def read_head(raw: bytes, limits: Limits) -> Head | None:
    """The head of UTF-8 JSON, or None where its root isn't an object. All of the syntax is checked.

    A key that is there twice counts with its last value, as in almost every JSON reader (RFC 8259 leaves it
    open, and looking for such keys would cost more than all other reading). NaN and Infinity are refused.
    Raises DocumentError(NotParseable, LimitExceeded).
    """
    check_limits(raw, limits)
    try:
        return _head.decode(raw)
    except msgspec.ValidationError as error:
        if str(error).startswith("Expected `object`"):
            return None
        raise as_document_error(raw, error, limits) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise as_document_error(raw, error, limits) from None


def read_tree(raw: bytes, limits: Limits) -> Any:
    """The whole tree of UTF-8 JSON. Raises DocumentError(NotParseable, LimitExceeded)."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise as_document_error(raw, error, limits) from None


def with_whole_characters(raw: bytes) -> bytes:
    """JSON with U+FFFD for each half of a surrogate pair.

    JavaScript writes such where a text was cut within a character, and most readers take them (RFC 8259, 8.2).
    """
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], raw)


def as_document_error(raw: bytes, error: Exception, limits: Limits | None = None) -> DocumentError:
    """What msgspec says about JSON text, in words for users, with line and column where it knows them."""
    if isinstance(error, RecursionError):
        return too_deep(limits or Limits())
    text = str(error)
    if "truncated" in text:
        line, column = position(raw, len(raw.rstrip()))
        return CutOff(
            "NotParseable",
            f"The JSON ends too early, at line {line}, column {column}: "
            "the document was cut off. Check that the whole of it is served.",
            line=line,
            column=column,
        )
    match = _AT_BYTE.match(text)
    if match:
        line, column = position(raw, int(match[2]))
        return DocumentError(
            "NotParseable",
            f"The document isn't valid JSON: {match[1]} at line {line}, column {column}. Correct it at its source.",
            line=line,
            column=column,
        )
    what = "a number is out of range" if "out of range" in text else "a string isn't valid Unicode"
    return DocumentError("NotParseable", f"The document isn't valid JSON: {what}. Correct it at its source.")


def check_limits(raw: bytes, limits: Limits) -> None:
    """Refuses what is too deep or too much before it is decoded. Raises DocumentError(LimitExceeded).

    The depth is exact where an estimate by pieces comes near the limit. The estimate takes brackets in
    strings for real ones, so a document made to deceive it passes with more levels, up to those that
    msgspec bears: decoders must still expect RecursionError.
    """
    brackets = raw.translate(_BRACKETS, _ALL_BUT_BRACKETS)
    # A value takes two bytes at least, "1,": it follows a comma, or is the first inside, or is the root.
    if len(raw) > 2 * limits.max_nodes and raw.count(b",") + brackets.count(b"[") >= limits.max_nodes:
        rest = re.sub(rb'"[^"]*"', b"", _without_escapes(raw))
        if rest.count(b",") + rest.count(b"[") + rest.count(b"{") >= limits.max_nodes:
            raise too_many_nodes(limits)
    if _may_be_deeper_than(brackets, limits.max_depth) and _is_deeper_than(raw, limits.max_depth):
        raise too_deep(limits)


def _may_be_deeper_than(brackets: bytes, limit: int) -> bool:
    return all(_may_be_deeper_by(size, brackets, limit) for size in _PIECES)


def _may_be_deeper_by(size: int, brackets: bytes, limit: int) -> bool:
    depth = 0
    for start in range(0, len(brackets), size):
        piece = brackets[start : start + size]
        closed = piece.count(b"]")
        opened = len(piece) - closed
        if depth + opened > limit:
            return True
        depth += opened - closed
    return False


def _is_deeper_than(raw: bytes, limit: int) -> bool:
    """Whether valid JSON has more than ``limit`` levels: innermost pairs of brackets are removed in turn."""
    rest = _without_escapes(raw).translate(_BRACKETS, _ALL_BUT_BRACKETS_AND_QUOTES).replace(b'""', b"")
    rest = re.sub(rb'"[^"]*"', b"", rest)
    for _ in range(limit):
        if not rest:
            return False
        shorter = rest.replace(b"[]", b"")
        if len(shorter) == len(rest):
            return b"[" * (limit + 1) in rest  # not valid JSON: the decoder will say where
        rest = shorter
    return bool(rest)


def _without_escapes(raw: bytes) -> bytes:
    return raw.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in raw else raw
