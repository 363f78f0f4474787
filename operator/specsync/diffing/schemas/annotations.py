"""What accompanies a schema without constraining its values: default, deprecation, stability, discriminator."""

from __future__ import annotations

from msgspec import UNSET

from specsync.diffing.schemas.graph import Node
from specsync.openapi.model import Discriminator, Schema, value_key
from specsync.openapi.references import component_name, shown_reference
from specsync.openapi.tolerant import escaped

STABILITY = {"draft": 0, "alpha": 1, "beta": 2, "stable": 3}


def compare_annotations(node: Node) -> None:
    old, new = node.old, node.new
    if old.default is not UNSET or new.default is not UNSET:
        _compare_default(node, old, new)
    if old.deprecated is not new.deprecated:
        if new.deprecated:
            node.found("?deprecated", "/deprecated", None, new.x_sunset)
        else:
            node.found("reactivated", "/deprecated", True, False)
    if old.x_stability != new.x_stability:
        _compare_stability(node)
    if old.discriminator != new.discriminator:
        _compare_discriminator(node, old.discriminator, new.discriminator)


def _compare_default(node: Node, old: Schema, new: Schema) -> None:
    if old.default is UNSET:
        node.found("default-value-added", "/default", None, new.default)
    elif new.default is UNSET:
        node.found("default-value-removed", "/default", old.default, None)
    elif value_key(old.default) != value_key(new.default):
        node.found("default-value-changed", "/default", old.default, new.default)


def _compare_stability(node: Node) -> None:
    before, after = node.old.x_stability, node.new.x_stability
    for value in (before, after):
        if not is_stability(value):
            node.found("?invalid-stability", "/x-stability-level", None, None, name=str(value))
            return
    before, after = before or "stable", after or "stable"
    if before in ("draft", "alpha") or before == after:
        return
    aspect = "stability-decreased" if STABILITY[after] < STABILITY[before] else "stability-increased"
    node.found(aspect, "/x-stability-level", before, after)


def is_stability(value: object) -> bool:
    """Whether ``value`` is a level, or absent."""
    return value is None or (isinstance(value, str) and value in STABILITY)


def _compare_discriminator(node: Node, old: Discriminator | None, new: Discriminator | None) -> None:
    if old is None or new is None:
        if new is not None:
            node.found("discriminator-added", "/discriminator", None, new.property_name)
        elif old is not None:
            node.found("discriminator-removed", "/discriminator", old.property_name, None)
        return
    if old.property_name != new.property_name:
        node.found(
            "discriminator-property-name-changed",
            "/discriminator/propertyName",
            old.property_name,
            new.property_name,
        )
    before, after = old.mapping or {}, new.mapping or {}
    for key in sorted(before.keys() | after.keys()):
        keyword = f"/discriminator/mapping/{escaped(key)}"
        if key not in before:
            node.found("discriminator-mapping-added", keyword, None, _shown(after[key]), name=key)
        elif key not in after:
            node.found("discriminator-mapping-deleted", keyword, _shown(before[key]), None, name=key)
        elif _target(before[key]) != _target(after[key]) and not _lead_to_same(node, before[key], after[key]):
            node.found("discriminator-mapping-changed", keyword, _shown(before[key]), _shown(after[key]), name=key)


def _shown(value: str) -> str:
    return value if value.startswith("#") else shown_reference(value)


def _target(value: str) -> str:
    """The component that a mapping names: by a reference, or by its bare name."""
    return component_name(value, "schemas") if value.startswith("#/components/schemas/") else value


def _lead_to_same(node: Node, before: str, after: str) -> bool:
    """Whether two mappings name schemas that mean the same."""
    old, new = (Schema(ref=f"#/components/schemas/{escaped(_target(value))}") for value in (before, after))
    return node.graph.means_same(old, new, node.old_pointer, node.new_pointer, node.request)
