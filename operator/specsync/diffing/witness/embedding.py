"""Putting a value into the place of a body that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from specsync.diffing.witness.instances import Builder, Schemas, Unbuildable, item_schemas, property_schemas
from specsync.diffing.witness.routes import Route, Step
from specsync.diffing.witness.strings import matching
from specsync.openapi.model import Schema
from specsync.openapi.references import component_name

OTHER = "other"
"""The name of a property that no schema declares."""

Path = list[str | int]


def embedded(builder: Builder, schemas: Schemas, route: Route, leaf: Any, depth: int = 0) -> tuple[Any, Path]:
    """A value for ``schemas`` that has ``leaf`` at the end of ``route``, and the keys that lead to it there.

    Raises ``Unbuildable``.
    """
    if not route:
        return leaf, []
    step, rest = route[0], route[1:]
    if step.keyword in ("oneOf", "anyOf"):
        pick(builder, schemas, step)
        return embedded(builder, schemas, rest, leaf, depth)
    parts = builder.parts(schemas)
    below = below_schemas(parts, step)
    value, path = embedded(builder, below, rest, leaf, depth + 1)
    if step.keyword in ("items", "prefixItems"):
        position = position_of(parts, step)
        before = [builder.minimal(item_schemas(parts, index), depth + 1) for index in range(position)]
        return builder.array(parts, [*before, value], depth), [position, *path]
    name = name_of(parts, step)
    if any(builder.is_one_way(schema) for schema in below):
        raise Unbuildable
    return builder.object(parts, {name: value}, depth), [name, *path]


def schemas_at(builder: Builder, schemas: Schemas, route: Route) -> Schemas:
    """All schemas that apply at the end of ``route``. Raises ``Unbuildable``."""
    for step in route:
        if step.keyword in ("oneOf", "anyOf"):
            schemas = alternative(builder, schemas, step)
        else:
            schemas = below_schemas(builder.parts(schemas), step)
    return schemas


def alternative(builder: Builder, schemas: Schemas, step: Step) -> Schemas:
    """The alternative that a step means, beside all else that applies in its place; ``schemas`` if there is none."""
    for part, index in _choices(builder, schemas, step):
        listed = (part.one_of if step.keyword == "oneOf" else part.any_of) or []
        return [*(other for other in builder.parts(schemas, choose=False) if other is not part), listed[index]]
    return schemas


def pick(builder: Builder, schemas: Schemas, step: Step) -> None:
    """Have the alternative taken that a step means, if it is there."""
    for part, index in _choices(builder, schemas, step):
        builder.picks[id(part), step.keyword] = index


def _choices(builder: Builder, schemas: Schemas, step: Step) -> Iterator[tuple[Schema, int]]:
    for part in builder.parts(schemas, choose=False):
        listed = (part.one_of if step.keyword == "oneOf" else part.any_of) or []
        names = [
            component_name(below.ref, "schemas") if isinstance(below, Schema) and below.ref else "" for below in listed
        ]
        if step.name in names and step.name:
            yield part, names.index(step.name)
        elif step.position < len(listed):
            yield part, step.position


def below_schemas(parts: list[Schema], step: Step) -> Schemas:
    match step.keyword:
        case "properties":
            return property_schemas(parts, step.name)
        case "patternProperties":
            found = [(part.pattern_properties or {}).get(step.name) for part in parts]
            return [schema for schema in found if schema is not None]
        case "additionalProperties":
            return [part.additional_properties for part in parts if part.additional_properties is not None]
        case _:
            return item_schemas(parts, position_of(parts, step))


def position_of(parts: list[Schema], step: Step) -> int:
    """Which item a step leads to; for ``items``, the first that isn't one of ``prefixItems``."""
    if step.keyword == "prefixItems":
        return step.position
    return max((len(part.prefix_items or ()) for part in parts), default=0)


def name_of(parts: list[Schema], step: Step) -> str:
    """The name of the property that a step leads to."""
    if step.keyword == "properties":
        return step.name
    if step.keyword == "patternProperties":
        name = matching(step.name, 1)
        if name is None:
            raise Unbuildable
        return name
    taken = {name for part in parts for name in part.properties or ()}
    return OTHER if OTHER not in taken else f"{OTHER}2"
