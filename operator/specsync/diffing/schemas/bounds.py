"""Bounds: maximum and minimum of numbers, lengths, items, properties; and pattern."""

from __future__ import annotations

from specsync.diffing.schemas.graph import Node

UPPER = (
    ("maximum", "maximum", "max"),
    ("exclusive_maximum", "exclusiveMaximum", "exclusive-max"),
    ("max_length", "maxLength", "max-length"),
    ("max_items", "maxItems", "max-items"),
    ("max_properties", "maxProperties", "max-properties"),
    ("max_contains", "maxContains", "max-contains"),
)
LOWER = (
    ("minimum", "minimum", "min"),
    ("exclusive_minimum", "exclusiveMinimum", "exclusive-min"),
    ("min_length", "minLength", "min-length"),
    ("min_items", "minItems", "min-items"),
    ("min_properties", "minProperties", "min-properties"),
    ("min_contains", "minContains", "min-contains"),
)
"""The attribute, the keyword, and its name in rules."""

_FROM_ZERO = frozenset(("min_length",))
"""Absent is 0 for these, so that setting one is an increase."""


def compare_bounds(node: Node) -> None:
    old, new = node.old, node.new
    for attribute, keyword, name in UPPER + LOWER:
        before, after = getattr(old, attribute), getattr(new, attribute)
        if before == after:
            continue
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
    if old.pattern != new.pattern:
        _compare_pattern(node, old.pattern, new.pattern)


def _compare_pattern(node: Node, before: str | None, after: str | None) -> None:
    if not before:
        node.found("pattern-added", "/pattern", None, after)
    elif not after:
        node.found("pattern-removed", "/pattern", before, None)
    elif node.request and after in (".*", "^.*$"):
        node.found("pattern-generalized", "/pattern", before, after)
    else:
        node.found("pattern-changed", "/pattern", before, after)
