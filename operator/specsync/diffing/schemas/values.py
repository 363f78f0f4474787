"""enum, const and x-extensible-enum: which values there may be at all."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from specsync.diffing.schemas.graph import Node
from specsync.openapi.model import Schema, value_key


def compare_values(node: Node) -> None:
    old, new = node.old, node.new
    if old.enum is not new.enum or old.const is not new.const:
        _compare_enum(node)
    if old.x_extensible_enum != new.x_extensible_enum:
        _compare_extensible_enum(node)


def _compare_enum(node: Node) -> None:
    old, new = node.old, node.new
    if old.const is not UNSET and new.const is not UNSET:
        if value_key(old.const) != value_key(new.const):
            node.found("const-changed", "/const", old.const, new.const)
        return
    before, after = allowed_values(old), allowed_values(new)
    if old.enum is None and new.enum is None:
        if old.const is UNSET and new.const is not UNSET:
            node.found("const-added", "/const", None, new.const)
        elif old.const is not UNSET:
            node.found("const-removed", "/const", old.const, None)
        return
    if before is not None and after is not None:
        _compare_allowed(node, before, after)
    elif after is not None:
        node.found("became-enum", "/enum", None, list(after.values()))
        if node.request or restricts_values(old):
            for value in after.values():
                node.found("enum-value-added", "/enum", None, value)
    elif before is not None:
        if not restricts_values(new):
            node.found("became-not-enum", "/enum", list(before.values()), None)
            if node.request:
                return
        for value in before.values():
            node.found("enum-value-removed", "/enum", value, None)


def _compare_allowed(node: Node, before: dict[bytes, Any], after: dict[bytes, Any]) -> None:
    for key, value in before.items():
        if key not in after:
            node.found("enum-value-removed", "/enum", value, None)
    for key, value in after.items():
        if key not in before:
            node.found("enum-value-added", "/enum", None, value)


def allowed_values(schema: Schema) -> dict[bytes, Any] | None:
    """The values that enum or const leave, by their keys; None where every value is left. const is an enum of one."""
    if schema.const is not UNSET:
        return {value_key(schema.const): schema.const}
    if schema.enum is not None:
        return {value_key(value): value for value in schema.enum}
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
