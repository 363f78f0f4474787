"""enum, const and x-extensible-enum: which values there may be at all."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from specsync.diffing.schemas.graph import Node
from specsync.diffing.schemas.sides import Side
from specsync.openapi.model import Schema, value_key


def compare_values(node: Node) -> None:
    old, new = node.old, node.new
    if old.enum is not None or new.enum is not None or old.const is not UNSET or new.const is not UNSET:
        _compare_enum(node)
    if old.x_extensible_enum != new.x_extensible_enum:
        _compare_extensible_enum(node)


def _compare_enum(node: Node) -> None:
    old, new = node.old, node.new
    if old.enum is None and new.enum is None and _compare_const(node):
        return
    before = allowed_values(node.graph.old, old, node.old_pointer)
    after = allowed_values(node.graph.new, new, node.new_pointer)
    if before is not None and after is not None:
        _compare_allowed(node, before, after)
    elif after is not None:
        node.found("became-enum", "/enum", None, list(after.values()))
        if node.request or restricts_values(old):
            for value in after.values():
                node.found("enum-value-added", "/enum", None, value)
    elif before is not None:
        if not node.request or not restricts_values(new):
            node.found("became-not-enum", "/enum", list(before.values()), None)
            if node.request:
                return
        for value in before.values():
            node.found("enum-value-removed", "/enum", value, None)


def _compare_const(node: Node) -> bool:
    """Whether all is said by what happened to const."""
    before, after = node.old.const, node.new.const
    if before is not UNSET and after is not UNSET:
        if value_key(before) != value_key(after):
            node.found("const-changed", "/const", before, after)
        return True
    other = node.new if after is UNSET else node.old
    if other.one_of or other.any_of:
        return False
    if after is not UNSET:
        node.found("const-added", "/const", None, after)
    else:
        node.found("const-removed", "/const", before, None)
    return True


def _compare_allowed(node: Node, before: dict[bytes, Any], after: dict[bytes, Any]) -> None:
    for key, value in before.items():
        if key not in after:
            node.found("enum-value-removed", "/enum", value, None)
    for key, value in after.items():
        if key not in before:
            node.found("enum-value-added", "/enum", None, value)


def allowed_values(side: Side, schema: Schema, pointer: str) -> dict[bytes, Any] | None:
    """The values that enum and const leave, by their keys; None where they leave every value. const is an enum of one;
    alternatives that each leave some values leave all of these together.
    """
    left: dict[bytes, Any] | None = None
    if schema.const is not UNSET:
        left = {value_key(schema.const): schema.const}
    if schema.enum is not None:
        values = {value_key(value): value for value in schema.enum}
        left = values if left is None else {key: value for key, value in left.items() if key in values}
    if left is not None:
        return left
    for alternatives, keyword in ((schema.one_of, "oneOf"), (schema.any_of, "anyOf")):
        if not alternatives:
            continue
        together: dict[bytes, Any] = {}
        for index, alternative in enumerate(alternatives):
            resolved = side.resolve(alternative, f"{pointer}/{keyword}/{index}")
            if resolved.schema is None or (resolved.schema.enum is None and resolved.schema.const is UNSET):
                return None
            together.update(allowed_values(side, resolved.schema, resolved.pointer) or {})
        return together
    return None


def restricts_values(schema: Schema) -> bool:
    """Whether something else than an enum may restrict the values: then an enum that is gone may only have moved."""
    return bool(
        schema.one_of
        or schema.any_of
        or schema.all_of
        or schema.not_ is not None
        or schema.const is not UNSET
        or schema.if_ is not None
    )


def _compare_extensible_enum(node: Node) -> None:
    before, after = node.old.x_extensible_enum, node.new.x_extensible_enum
    if not isinstance(before, list) or not isinstance(after, list):
        return
    kept = {value_key(value) for value in after}
    for value in before:
        if value_key(value) not in kept:
            node.found("x-extensible-enum-value-removed", "/x-extensible-enum", value, None)
