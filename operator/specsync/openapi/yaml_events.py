"""Reading YAML exactly as OpenAPI means it, from the events of libyaml, with positions and limits.

Values follow the core schema of YAML 1.2 (``on`` and ``yes`` are strings, so are dates and ``1_000``; so are, because
JSON has no such numbers, ``.inf`` and ``.nan``). Keys are strings as they are written. Merge keys (``<<``) work.
Repeated keys, cyclic aliases and tags of the document's own are refused.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml
from yaml._yaml import CParser

from specsync.openapi.encoding import position
from specsync.openapi.errors import DocumentError
from specsync.openapi.limits import Limits, too_deep, too_many_nodes

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_MAX_DIGITS = 1000  # int() takes quadratic time
_STANDARD = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset(("!", _STANDARD + "str", _STANDARD + "timestamp", _STANDARD + "binary"))
_PLAIN_TAGS = frozenset(_STANDARD + name for name in ("int", "float", "bool", "null"))
_COLLECTION_TAGS = frozenset(("!", *(_STANDARD + name for name in ("map", "seq", "set", "omap", "pairs"))))
_STAND_INS = {"\u0085": "\ue085", "\u2028": "\ue028", "\u2029": "\ue029"}
"""For what ended a line in YAML 1.1, and does to libyaml: characters without a meaning of their own."""
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x84\x86-\x9f]|\xef\xbf[\xbe\xbf]")


class _Open:
    """A list or mapping whose end hasn't come yet."""

    __slots__ = ("anchor", "height", "key", "lines", "merged", "merging", "node", "nodes_before")

    def __init__(self, node: list[Any] | dict[str, Any], anchor: str | None, nodes_before: int) -> None:
        self.node = node
        self.anchor = anchor
        self.nodes_before = nodes_before
        self.height = 1
        self.key: str | None = None  # the one whose value comes next
        self.lines: dict[str, int] = {}  # where each key is
        self.merging = False  # the key is <<
        self.merged: list[dict[str, Any]] = []

    def wants_key(self) -> bool:
        return self.key is None and type(self.node) is dict


class _Anchored:
    """What an anchor stands for, and what it costs to use it."""

    __slots__ = ("height", "nodes", "text", "value")

    def __init__(self, value: Any, text: str | None, nodes: int, height: int) -> None:
        self.value = value
        self.text = text  # of a scalar, for its use as a key
        self.nodes = nodes
        self.height = height


def read_exactly(text: bytes, limits: Limits) -> Any:
    """The tree of UTF-8 YAML. A node with an anchor is in it once, shared by all of its aliases.

    Empty documents beside the one that matters are passed over.
    Raises DocumentError(NotParseable, LimitExceeded), with line and column.
    """
    replaced = {}
    for old_break, stand_in in _STAND_INS.items():
        if old_break.encode() in text and stand_in.encode() not in text:
            text = text.replace(old_break.encode(), stand_in.encode())
            replaced[ord(stand_in)] = old_break
    reader = _Reader(limits)
    parser = CParser(text)
    try:
        while (event := parser.get_event()) is not None and type(event) is not yaml.StreamEndEvent:
            if replaced and type(event) is yaml.ScalarEvent:
                event.value = event.value.translate(replaced)
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error) from None
    except yaml.YAMLError:
        raise _control_character(text) from None
    finally:
        parser.dispose()
    return reader.root


class _Reader:
    """Builds the tree from events. ``root`` is that of the one document that isn't empty, else None."""

    def __init__(self, limits: Limits) -> None:
        self.root: Any = None
        self._limits = limits
        self._nodes = 0
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Anchored | None] = {}  # None: its node isn't complete yet

    def take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent:
            self._start({}, event)
        elif kind is yaml.SequenceStartEvent:
            self._start([], event)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._end(event)
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent:
            self._anchors.clear()

    def _scalar(self, event: Any) -> None:
        value: Any
        if self._stack and self._stack[-1].wants_key():
            value = event.value
            merge = value == "<<" and event.implicit[0]
            self._key(self._stack[-1], value, event, merge=merge)
        else:
            value = _resolve(event)
            self._count(1, event)
            self._place(value, 0, event)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, event.value, 1, 0)

    def _key(self, parent: _Open, key: str, event: Any, *, merge: bool) -> None:
        parent.key = key
        parent.merging = merge
        if merge:
            return
        line = event.start_mark.line + 1
        if key in parent.lines:
            shown = key if len(key) <= 60 else key[:60] + "…"
            column = event.start_mark.column + 1
            what = f'the key "{shown}" at line {line}, column {column} was there before, at line {parent.lines[key]}'
            raise _not_parseable(what, line, column)
        parent.lines[key] = line

    def _start(self, node: list[Any] | dict[str, Any], event: Any) -> None:
        if self._stack and self._stack[-1].wants_key():
            raise _refusal("a list or mapping as a key", event)
        if not self._stack and self.root is not None:
            raise _several_documents(event)
        if event.tag is not None and event.tag not in _COLLECTION_TAGS:
            raise _unknown_tag(event)
        if len(self._stack) >= self._limits.max_depth:
            raise too_deep(self._limits, *_at(event))
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(node, event.anchor, self._nodes))
        self._count(1, event)

    def _end(self, event: Any) -> None:
        done = self._stack.pop()
        for merged in done.merged:
            for key, value in merged.items():
                done.node.setdefault(key, value)  # type: ignore[union-attr]
        if done.anchor is not None:
            nodes = self._nodes - done.nodes_before
            self._anchors[done.anchor] = _Anchored(done.node, None, nodes, done.height)
        self._place(done.node, done.height, event)

    def _alias(self, event: Any) -> None:
        try:
            target = self._anchors[event.anchor]
        except KeyError:
            raise _refusal("an alias (*name) without an anchor (&name) before it", event) from None
        if target is None:
            raise _refusal("an alias (*name) inside the value that it stands for", event)
        if self._stack and self._stack[-1].wants_key():
            if target.text is None:
                raise _refusal("a list or mapping as a key", event)
            self._key(self._stack[-1], target.text, event, merge=False)
            return
        if len(self._stack) + target.height > self._limits.max_depth:
            raise too_deep(self._limits, *_at(event))
        self._count(target.nodes, event)
        self._place(target.value, target.height, event)

    def _count(self, nodes: int, event: Any) -> None:
        self._nodes += nodes
        if self._nodes > self._limits.max_nodes:
            raise too_many_nodes(self._limits, *_at(event))

    def _place(self, value: Any, height: int, event: Any) -> None:
        if not self._stack:
            if value is not None and self.root is not None:
                raise _several_documents(event)
            self.root = value if self.root is None else self.root
            return
        parent = self._stack[-1]
        if parent.height <= height:
            parent.height = height + 1
        if type(parent.node) is list:
            parent.node.append(value)
        elif parent.merging:
            parent.merged += _merge_sources(value, event)
            parent.key = None
        else:
            assert parent.key is not None
            parent.node[parent.key] = value  # type: ignore[call-overload]
            parent.key = None


def _merge_sources(value: Any, event: Any) -> list[dict[str, Any]]:
    sources = value if type(value) is list else [value]
    if not all(type(source) is dict for source in sources):
        raise _refusal("a merge key (<<) whose value is neither a mapping nor a list of mappings", event)
    return sources


def _resolve(event: Any) -> Any:
    """The value of a scalar by the core schema (YAML 1.2.2, 10.3.2)."""
    text: str = event.value
    tag: str | None = event.tag
    if tag is None and event.implicit[0]:
        return _plain(text, event)
    if tag is None or tag in _TEXT_TAGS:
        return text
    if tag not in _PLAIN_TAGS:
        raise _unknown_tag(event)
    value = _plain(text, event)
    wanted = tag.removeprefix(_STANDARD)
    if wanted == "float" and type(value) is int:
        return float(value)
    if wanted != {int: "int", float: "float", bool: "bool", type(None): "null"}.get(type(value)):
        raise _refusal(f"a value that doesn't fit its tag !!{wanted}", event)
    return value


def _plain(text: str, event: Any) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    if _INT.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            raise _refusal(f"a number with more than {_MAX_DIGITS} digits", event)
        return int(text) if text.lstrip("+-").isdigit() else int(text, 0)
    if _FLOAT.fullmatch(text):
        value = float(text)
        return value if math.isfinite(value) else text
    return text


def _at(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _refusal(what: str, event: Any) -> DocumentError:
    line, column = _at(event)
    return _not_parseable(f"{what} at line {line}, column {column}", line, column)


def _several_documents(event: Any) -> DocumentError:
    line, column = _at(event)
    return DocumentError(
        "NotParseable",
        f"The source holds several YAML documents: another one is at line {line}. Serve one document per source.",
        line=line,
        column=column,
    )


def _unknown_tag(event: Any) -> DocumentError:
    line, column = _at(event)
    shown = event.tag if re.fullmatch(r"[\w!:,./-]{1,60}", event.tag) else "of its own"
    return DocumentError(
        "NotParseable",
        f"The YAML tag {shown} at line {line}, column {column} isn't one that OpenAPI allows. "
        "Bundle the document into plain YAML before it is served.",
        line=line,
        column=column,
    )


def _syntax_error(error: yaml.MarkedYAMLError) -> DocumentError:
    what = " ".join(part for part in (error.problem, error.context) if part)
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return _not_parseable(what, None, None)
    line, column = mark.line + 1, mark.column + 1
    return _not_parseable(f"{what}, at line {line}, column {column}", line, column)


def _control_character(text: bytes) -> DocumentError:
    match = _CONTROL.search(text)
    line, column = position(text, match.start()) if match else (1, 1)
    return _not_parseable(f"a control character at line {line}, column {column}", line, column)


def _not_parseable(what: str, line: int | None, column: int | None) -> DocumentError:
    return DocumentError(
        "NotParseable",
        f"The document isn't valid YAML (nor JSON): {what}. Correct it at its source.",
        line=line,
        column=column,
    )
