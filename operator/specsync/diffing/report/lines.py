"""The lines of JSON pointers in a document's text: near enough to put a remark there, at 10 MB a second.

A pointer whose own line isn't found has that of what it stands in. Only block YAML and JSON that is spread over lines
are looked through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_JSON_TOKEN = re.compile(rb'"((?:[^"\\\n]|\\.)*)"(\s*:)?|[{}\[\],]|\n')
_YAML_KEY = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*"\s*|'(?:[^']|'')*'\s*|[^\s#\[\]{},"'&*!|>%@`-][^#]*?|-[^\s#][^#]*?):(?:\s|$)"""
)
_ITEM = re.compile(r"-(?:\s+|$)")
_BLOCK_TEXT = re.compile(r"(?:^|[:\s-])[|>][0-9+-]*\s*(?:#.*)?$")


class _Wanted:
    """A tree of the pointers that are looked for."""

    __slots__ = ("below", "pointers")

    def __init__(self) -> None:
        self.below: dict[str, _Wanted] = {}
        self.pointers: list[str] = []


def find_lines(data: bytes, pointers: set[str]) -> dict[str, int]:
    """The line (from 1) of each of ``pointers``, as far as they are found; those that aren't are left out."""
    if data.find(b"\n") < 0 or b"\0" in data[:4]:
        return {}  # all on one line, or UTF-16
    root = _Wanted()
    is_json = re.match(rb"(?:\xef\xbb\xbf)?\s*\{", data) is not None
    for pointer in pointers:
        _want(root, pointer)
    found: dict[str, int] = {}
    for line, node in _json(data, root) if is_json else _yaml(data, root):
        for pointer in _all(node):
            found[pointer] = line  # the deepest comes last
    return found


def _want(root: _Wanted, pointer: str) -> None:
    node = root
    for segment in pointer.split("/")[1:]:
        node = node.below.setdefault(segment.replace("~1", "/").replace("~0", "~"), _Wanted())
    node.pointers.append(pointer)


def _all(node: _Wanted) -> Iterator[str]:
    yield from node.pointers
    for below in node.below.values():
        yield from _all(below)


def _json(data: bytes, root: _Wanted) -> Iterator[tuple[int, _Wanted]]:
    """The nodes that are met, each with its line; what isn't wanted is skipped by counting brackets."""
    line = 1
    stack: list[tuple[_Wanted | None, int]] = []  # for each open bracket: its node, and the index in a list or -1
    here: _Wanted | None = root
    for token in _JSON_TOKEN.finditer(data):
        text = token[0]
        first = text[:1]
        if first == b"\n":
            line += 1
        elif first == b'"':
            if token[2] is not None:
                line_of_key = line
                line += text.count(b"\n")
                owner = stack[-1][0] if stack else None
                here = owner.below.get(_unquoted(token[1])) if owner is not None else None
                if here is not None:
                    yield line_of_key, here
        elif first in b"{[":
            index = 0 if first == b"[" else -1
            stack.append((here, index))
            here = here.below.get("0") if here is not None and index == 0 else None
            if here is not None:
                yield line, here
        elif first in b"}]":
            if stack:
                stack.pop()
            here = None
        elif stack and stack[-1][1] >= 0:  # a comma in a list
            owner, index = stack[-1]
            stack[-1] = (owner, index + 1)
            here = owner.below.get(str(index + 1)) if owner is not None else None
            if here is not None:
                yield line, here
        else:
            here = None


def _unquoted(text: bytes) -> str:
    if b"\\" in text:
        import json  # noqa: PLC0415 - hardly any key has escapes

        try:
            return str(json.loads(b'"' + text + b'"'))
        except ValueError:
            return ""
    return text.decode("utf-8", "replace")


class _Level:
    """A mapping or list of the YAML text that is open, from its column on."""

    __slots__ = ("column", "index", "node")

    def __init__(self, column: int, node: _Wanted | None, index: int = -1) -> None:
        self.column = column
        self.node = node
        self.index = index


def _yaml(data: bytes, root: _Wanted) -> Iterator[tuple[int, _Wanted]]:
    levels: list[_Level] = []
    below: _Wanted | None = root  # what the next deeper level is the content of
    text_column = -1  # where a block of text was opened: deeper lines belong to it
    for number, line in enumerate(data.decode("utf-8-sig", "replace").split("\n"), 1):
        content = line.strip()
        if not content or content[0] == "#":
            continue
        column = len(line) - len(line.lstrip(" "))
        if text_column >= 0:
            if column > text_column:
                continue
            text_column = -1
        while True:
            item = _ITEM.match(content)
            key = None if item else _YAML_KEY.match(content)
            if item is None and key is None:
                break
            while levels and (
                levels[-1].column > column or (levels[-1].column == column and item is None and levels[-1].index >= 0)
            ):
                levels.pop()
            if not levels or levels[-1].column < column or (item is not None and levels[-1].index < 0):
                levels.append(_Level(column, below))
            level = levels[-1]
            if item is not None:
                level.index += 1
                name = str(level.index)
            else:
                assert key is not None
                level.index = -1
                name = _yaml_key(key["key"].rstrip())
            below = level.node.below.get(name) if level.node is not None else None
            if below is not None:
                yield number, below
            if item is None:
                break
            column += item.end()
            content = content[item.end() :]
            if not content:
                break
        if _BLOCK_TEXT.search(content):
            text_column = levels[-1].column if levels else 0


def _yaml_key(text: str) -> str:
    if text[0] == '"':
        return _unquoted(text[1:-1].encode())
    if text[0] == "'":
        return text[1:-1].replace("''", "'")
    return text
