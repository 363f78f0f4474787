"""Bounds: maximum and minimum of numbers, lengths, items, properties; multipleOf, uniqueItems, pattern."""

from __future__ import annotations

from specsync.diffing.schemas.graph import Node

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

_FROM_ZERO = frozenset(("min_length",))
"""Absent is 0 for these, so that setting one is an increase."""


def compare_bounds(node: Node) -> None:
    old, new = node.old, node.new
    for attribute, keyword, name, kind in BOUNDS:
        before, after = getattr(old, attribute), getattr(new, attribute)
        if before == after or not node.both_can_be(kind):
            continue
        if name.endswith("contains") and (old.contains is None or new.contains is None):
            continue  # it means nothing without `contains`
        if attribute in _FROM_ZERO:
            before, after = before or 0, after or 0
        if before is None:
            node.found(f"{name}-set", f"/{keyword}", None, after)
        elif after is None:
            node.found(f"{name}-unset", f"/{keyword}", before, None)
        elif after > before:
            node.found(f"{name}-increased", f"/{keyword}", before, after)
        else:
            node.found(f"{name}-decreased", f"/{keyword}", before, after)
    if old.multiple_of != new.multiple_of and node.both_can_be("number"):
        _compare_multiple(node, old.multiple_of, new.multiple_of)
    if old.unique_items is not new.unique_items and node.both_can_be("array"):
        aspect = "unique-items-set" if new.unique_items else "unique-items-unset"
        node.found(aspect, "/uniqueItems", old.unique_items, new.unique_items)
    if old.pattern != new.pattern and node.both_can_be("string"):
        _compare_pattern(node, old.pattern, new.pattern)


def _compare_multiple(node: Node, before: float | None, after: float | None) -> None:
    if before is None:
        node.found("multiple-of-set", "/multipleOf", None, after)
    elif after is None:
        node.found("multiple-of-unset", "/multipleOf", before, None)
    else:
        node.found("multiple-of-changed", "/multipleOf", before, after)


def _compare_pattern(node: Node, before: str | None, after: str | None) -> None:
    if not before:
        node.found("pattern-added", "/pattern", None, after)
    elif not after:
        node.found("pattern-removed", "/pattern", before, None)
    elif node.request and after in (".*", "^.*$"):
        node.found("pattern-generalized", "/pattern", before, after)
    else:
        node.found("pattern-changed", "/pattern", before, after)
