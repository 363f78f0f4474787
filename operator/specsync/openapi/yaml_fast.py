"""Reading YAML with yaml-rs, the fastest there is, where its answer can be trusted.

yaml-rs 0.1.6 crashes on deep nesting, makes null of a cyclic alias, leaves ``<<`` unmerged, drops tags, reads ``1_000``
as a number, and has no positions for repeated keys. What might meet one of these is recognized here, before
or after parsing, and left to the exact reader (yaml_events). It may be left to it for no reason, which costs time only.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml_rs

from specsync.openapi.limits import Limits, too_deep, too_many_nodes

_SAFE_PREFIX = 400  # columns of indentation and indicators: at most twice as many levels; 1,000 fit into 1 MB of stack
_MANY = 20_000
_SAFE_DIGITS = 1000  # int() takes quadratic time
_CONTROL = bytes((*range(9), 11, 12, *range(14, 32), 127))
_CLASSES = bytes.maketrans(b"\t-?:123456789" + _CONTROL, b"    000000000" + b"\0" * len(_CONTROL))
_ALL_BUT_INDICATORS = bytes(set(range(256)) - set(b":-,[{"))
_SPACED = bytes.maketrans(b"\t\n\v\f\r[{,", b"        ")
"""What may stand in front of a value, as spaces."""
_TAG = re.compile(rb"![\w!<\s]")
_IN_FRONT_OF_TAG = re.compile(rb"(?:^|[:?-][ \t]|[\[{,]|&\S+[ \t])[ \t]*\Z", re.MULTILINE)
# Numbers to yaml-rs, but not to the core schema: 1_000, _1, 0b11, 0X1F, -0x1. Patterns begin with a literal, so
# that the search runs at full speed, and can't match overlapping runs, so that it stays linear; what is in front is
# looked at afterwards.
_UNDERSCORE = re.compile(rb"_[0-9a-fA-F.+-]*[ \t]*(?:$|[\]},:#\r])", re.MULTILINE)
_UNDERSCORED = re.compile(rb"[-+]?(?:[0-9.][0-9a-zA-Z._]*|_[0-9a-fA-F_]*)?")
_RADIX = re.compile(rb"0(?<![0-9a-zA-Z]0)[bBXO][0-9a-fA-F]+[ \t]*(?:$|[\]},:#\r])", re.MULTILINE)
_MAYBE_SIGN = re.compile(rb"[-+]?")
_RADIX_OF_SIGNED = re.compile(rb"0(?<![0-9a-zA-Z]0)[xo][0-9a-fA-F]+[ \t]*(?:$|[\]},:#\r])", re.MULTILINE)
_SIGN = re.compile(rb"[-+]")
_NUMBER_ODDLY_WRITTEN = re.compile(
    rb"[-+0](?<![0-9a-zA-Z][-+0])[0-9xo][0-9a-fA-F]*[ \t]*:(?:\s|$)"
)  # as a key: 017, 0x1F
_NOTHING = re.compile(rb"")
_QUESTION_MARK = re.compile(rb"\?(?=\s|$)")
_BEFORE_A_KEY = b"\n\r[{,-"


def read_fast(text: bytes, limits: Limits) -> dict[str, Any] | None:
    """The tree of UTF-8 YAML, all keys strings, or None where the exact reader has to look at it.

    Raises DocumentError(LimitExceeded).
    """
    if not _can_be_trusted(text, limits):
        return None
    try:
        tree = yaml_rs.load(text, parse_datetime=False, encoding="utf-8", encoder_errors="strict")
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException:  # a panic in Rust isn't an Exception
        return None
    return _checked(tree, text, limits)


def _can_be_trusted(text: bytes, limits: Limits) -> bool:
    # A value takes a byte at least, and most have an indicator before them.
    if len(text) > limits.max_nodes and len(text.translate(None, _ALL_BUT_INDICATORS)) > limits.max_nodes:
        return False
    classes = text.translate(_CLASSES)
    if b"\0" in classes or b" " * _SAFE_PREFIX in classes or b"0" * _SAFE_DIGITS in classes:
        return False
    if b"&" in text and b"*" in text:
        anchors = set(re.findall(rb"&([^\s,\[\]{}]+)", text))
        if not anchors.isdisjoint(re.findall(rb"\*([^\s,\[\]{}]+)", text)):
            return False
    return not (
        _found_after(text, _RADIX, _MAYBE_SIGN)
        or _found_after(text, _RADIX_OF_SIGNED, _SIGN)
        or _found_after(text, _UNDERSCORE, _UNDERSCORED)
        or _has_tags(text)
    )


def _found_after(text: bytes, pattern: re.Pattern[bytes], before: re.Pattern[bytes]) -> bool:
    """Whether a match of ``pattern`` begins with, or right behind, a ``before`` that a value may begin with; True also
    where there are too many to look at.
    """
    for number, hit in enumerate(pattern.finditer(text)):
        start = hit.start()
        front = text[max(0, start - _SAFE_PREFIX) : start].translate(_SPACED).rpartition(b" ")[2]
        if number > _MANY or before.fullmatch(front):
            return True
    return False


def _has_tags(text: bytes) -> bool:
    for number, hit in enumerate(_TAG.finditer(text)):
        start = hit.start()
        if number > _MANY or _IN_FRONT_OF_TAG.search(text, max(0, start - _SAFE_PREFIX), start):
            return True
    return False


def _checked(root: Any, text: bytes, limits: Limits) -> dict[str, Any] | None:
    """The tree with keys made strings in place, or None where the exact reader has to look at it."""
    if type(root) is not dict:
        return None
    nodes, depth, numbers_as_keys = 1, 0, False
    level: list[Any] = [root]
    while level:
        depth += 1
        if depth > limits.max_depth:
            raise too_deep(limits)
        below: list[Any] = []
        for node in level:
            nodes += len(node)
            if type(node) is dict:
                for key in node:
                    if type(key) is not str:
                        numbers_as_keys = True
                        if not _keys_to_strings(node):
                            return None
                        break
                if "<<" in node:
                    return None
                values = node.values()
            else:
                values = node
            for value in values:
                kind = type(value)
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    below.append(value)
                elif (kind is float and not math.isfinite(value)) or kind not in _SCALARS:
                    return None
        if nodes > limits.max_nodes:
            raise too_many_nodes(limits)
        level = below
    if numbers_as_keys and (_found_after(text, _NUMBER_ODDLY_WRITTEN, _NOTHING) or _has_explicit_keys(text)):
        return None
    return root


def _has_explicit_keys(text: bytes) -> bool:
    """Whether there may be a key behind a question mark, whose number the patterns above don't see."""
    fronts = (text[max(0, hit.start() - _SAFE_PREFIX) : hit.start()] for hit in _QUESTION_MARK.finditer(text))
    return any((front.rstrip(b" \t") or b"\n")[-1] in _BEFORE_A_KEY for front in fronts)


_SCALARS = frozenset((str, int, float, bool, type(None)))


def _keys_to_strings(node: dict[Any, Any]) -> bool:
    """Whether all keys could be made strings, in place and in their order."""
    items = list(node.items())
    node.clear()
    for key, value in items:
        name = str(key) if type(key) is int else key
        if type(name) is not str or name in node:
            return False
        node[name] = value
    return True
