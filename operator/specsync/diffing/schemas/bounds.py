"""Bounds: maximum and minimum of numbers, lengths, items, properties; multipleOf, uniqueItems, pattern."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from msgspec import UNSET

from specsync.diffing.schemas.graph import Node
from specsync.diffing.schemas.patterns import Patterns
from specsync.diffing.schemas.types import covers, typed
from specsync.openapi.model import Schema

BOUNDS = (
    ("maximum", "maximum", "max", "number"),
    ("minimum", "minimum", "min", "number"),
    ("exclusive_maximum", "exclusiveMaximum", "exclusive-max", "number"),
    ("exclusive_minimum", "exclusiveMinimum", "exclusive-min", "number"),
    ("max_length", "maxLength", "max-length", "string"),
    ("min_length", "minLength", "min-length", "string"),
    ("max_items", "maxItems", "max-items", "array"),
    ("min_items", "minItems", "min-items", "array"),
    ("max_properties", "maxProperties", "max-properties", "object"),
    ("min_properties", "minProperties", "min-properties", "object"),
    ("max_contains", "maxContains", "max-contains", "array"),
    ("min_contains", "minContains", "min-contains", "array"),
)
"""The attribute, the keyword, its name in rules, and the type that it bounds."""

_of = attrgetter(*(attribute for attribute, *_ in BOUNDS), "multiple_of", "unique_items", "pattern")

_ANY_TEXT = frozenset(("", "^", "$", ".*", "^.*", ".*$"))
"""Patterns that every text has."""
_FROM_ZERO = frozenset(("min_length",))
"""Absent is 0 for these, so that setting one is an increase."""


def compare_bounds(node: Node) -> None:
    old, new = node.old, node.new
    if _of(old) == _of(new) or _enums_say_all(node):
        return
    for attribute, keyword, name, kind in BOUNDS:
        before, after = getattr(old, attribute), getattr(new, attribute)
        if before == after:
            continue
        weak = False
        if not node.both_can_be(kind):
            if kind != "string":
                continue
            weak = True  # in text, what was a number may be a string now
        if name.endswith("contains"):
            if contained(old) is None or contained(new) is None:
                continue  # it means nothing without `contains`
            if attribute == "min_contains":
                before, after = (1 if value is None else value for value in (before, after))
        if attribute in _FROM_ZERO:
            before, after = before or 0, after or 0
        if before is None:
            node.found(f"{name}-set", f"/{keyword}", None, after, weak=weak)
        elif after is None:
            node.found(f"{name}-unset", f"/{keyword}", before, None, weak=weak)
        elif after > before:
            node.found(f"{name}-increased", f"/{keyword}", before, after, weak=weak)
        elif after < before:
            node.found(f"{name}-decreased", f"/{keyword}", before, after, weak=weak)
    if old.multiple_of != new.multiple_of and node.both_can_be("number"):
        _compare_multiple(node, _multiple(old), _multiple(new))
    if old.unique_items is not new.unique_items and node.both_can_be("array"):
        aspect = "unique-items-set" if new.unique_items else "unique-items-unset"
        node.found(aspect, "/uniqueItems", old.unique_items, new.unique_items)
    if old.pattern != new.pattern:
        _compare_pattern(node, old.pattern, new.pattern, weak=not node.both_can_be("string"))


def contained(schema: Schema) -> Schema | bool | None:
    """contains, unless none has to match."""
    return None if schema.min_contains == 0 and schema.max_contains is None else schema.contains


def _enums_say_all(node: Node) -> bool:
    """Whether no bound matters: both sides list their values, and each of these keeps the bounds of both; or who sends
    lists them, and each keeps the bounds of the other side.
    """
    old, new, patterns = node.old, node.new, node.graph.patterns
    before, after = _listed(old), _listed(new)
    if before is None and after is None:
        return False
    if before is not None and after is not None:
        return old.type == new.type and all(
            _keeps_bounds(value, schema, patterns) for value in (*before, *after) for schema in (old, new)
        )
    sent, sender, receiver = (before, old, new) if node.request else (after, new, old)
    return (
        sent is not None
        and covers(receiver.types, typed(sender).types)
        and all(_keeps_bounds(value, receiver, patterns) for value in sent)
    )


def _listed(schema: Schema) -> list[Any] | None:
    return [schema.const] if schema.const is not UNSET else schema.enum


def _keeps_bounds(value: Any, schema: Schema, patterns: Patterns) -> bool:
    """Whether a string, number, boolean or null is within a schema's bounds; False where that isn't known."""
    if isinstance(value, str):
        if len(value) < (schema.min_length or 0):
            return False
        if schema.max_length is not None and len(value) > schema.max_length:
            return False
        return schema.pattern is None or patterns.match(schema.pattern, value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return not (
            (schema.minimum is not None and value < schema.minimum)
            or (schema.maximum is not None and value > schema.maximum)
            or (schema.exclusive_minimum is not None and value <= schema.exclusive_minimum)
            or (schema.exclusive_maximum is not None and value >= schema.exclusive_maximum)
            or (schema.multiple_of is not None and not _is_multiple(value, schema.multiple_of))
        )
    return value is None or isinstance(value, bool)


def _multiple(schema: Schema) -> float | None:
    """multipleOf; None where it is 1 and only says that numbers are whole, which ``types.typed`` reads as a type."""
    is_number = "integer" in schema.types or "number" in schema.types
    return None if schema.multiple_of == 1 and is_number else schema.multiple_of


def _compare_multiple(node: Node, before: float | None, after: float | None) -> None:
    if before == after:
        return
    if before is None:
        node.found("multiple-of-set", "/multipleOf", None, after)
    elif after is None:
        node.found("multiple-of-unset", "/multipleOf", before, None)
    elif _is_multiple(after, before):
        node.found("multiple-of-increased", "/multipleOf", before, after)
    elif _is_multiple(before, after):
        node.found("multiple-of-decreased", "/multipleOf", before, after)
    else:
        node.found("multiple-of-changed", "/multipleOf", before, after)


def _is_multiple(large: float, small: float) -> bool:
    try:
        return small != 0 and (large / small).is_integer()
    except OverflowError:  # JSON has numbers of any size
        return False


def _compare_pattern(node: Node, before: str | None, after: str | None, *, weak: bool) -> None:
    if before in _ANY_TEXT:
        before = None
    if after in _ANY_TEXT and (not after or not before or not node.request):
        after = None
    if before is None and after is None:
        return
    if before is None:
        aspect = "pattern-added"
    elif after is None:
        aspect = "pattern-removed"
    elif node.request and (after in _ANY_TEXT or after == "^.*$"):
        aspect = "pattern-generalized"
    else:
        aspect = "pattern-changed"
    node.found(aspect, "/pattern", before, after, weak=weak)
