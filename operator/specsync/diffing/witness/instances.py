"""Small values that a schema accepts: what must be there, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

from msgspec import UNSET

from specsync.diffing.witness.projection import TYPES, Projector
from specsync.diffing.witness.strings import matching
from specsync.openapi.canonical import CanonicalDocument
from specsync.openapi.model import Schema, value_key
from specsync.openapi.references import component_name

Schemas = Sequence[Schema | bool]

_DEEPEST = 12
_MOST_SCHEMAS = 50_000
"""Looked at by one builder: lists of long lists, or a tree of what is required, would take it for ever."""
_LONGEST = 300
"""Characters or items that a witness may have in one place."""
_SAMPLES = {
    "date": "2024-01-01",
    "date-time": "2024-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "a@example.com",
    "uri": "https://example.com",
    "url": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
    "binary": "",
    "byte": "",
}
"""A string for each format, so that a witness looks like a value that somebody might send."""


class Unbuildable(Exception):
    """There is no value, or none that is found so simply."""


class Builder:
    """Values for one document and direction. Of alternatives the first is taken, unless ``picks`` says otherwise."""

    def __init__(self, document: CanonicalDocument, *, request: bool) -> None:
        self._document = document
        self._projector = Projector(document, request=request, strict=False)
        self._left = _MOST_SCHEMAS
        self.picks: dict[tuple[int, str], int] = {}
        """By the ``id`` of a schema and the keyword: which of its alternatives is taken."""
        self.is_tagging = False
        """Objects get their properties with an enum, too, such as a type: so they fit fewer of several alternatives."""

    def parts(self, schemas: Schemas, *, choose: bool = True) -> list[Schema]:
        """All schemas that apply to the same value: what references mean, branches of allOf, and, where there are
        alternatives, one of them if one is to be chosen.

        Raises ``Unbuildable`` where there is no value at all, or where it isn't known.
        """
        found: list[Schema] = []
        self._collect(schemas, found, set(), choose)
        return found

    def _collect(self, schemas: Schemas, found: list[Schema], seen: set[int], choose: bool) -> None:
        for schema in schemas:
            self._left -= 1
            if schema is False or self._left < 0:
                raise Unbuildable
            if not isinstance(schema, Schema) or id(schema) in seen:
                continue
            seen.add(id(schema))
            if schema.ref is not None:
                target = self._document.component("schemas", component_name(schema.ref, "schemas"))
                if target is None:
                    raise Unbuildable
                self._collect([target], found, seen, choose)
            found.append(schema)
            self._collect(schema.all_of or (), found, seen, choose)
            for keyword, alternatives in (("oneOf", schema.one_of), ("anyOf", schema.any_of)):
                if alternatives and choose:
                    pick = self.picks.get((id(schema), keyword), 0)
                    self._collect([alternatives[pick]], found, seen, choose)

    def minimal(self, schemas: Schemas, depth: int = 0, *, only: str = "") -> Any:
        """A small value for ``schemas``, all of which must accept it. ``only``: of this type.

        The result isn't checked. Raises ``Unbuildable``.
        """
        if depth > _DEEPEST:
            raise Unbuildable
        parts = self.parts(schemas)
        for value in allowed_values(parts):
            if not only or is_of_type(value, only):
                return value
        if any(part.enum is not None or part.const is not UNSET for part in parts):
            raise Unbuildable
        name = only or likely_type(parts)
        match name:
            case "object":
                return self.object(parts, {}, depth)
            case "array":
                return self.array(parts, [], depth)
            case "string":
                return text(parts)
            case "integer" | "number":
                return number(parts, whole=name == "integer")
            case "boolean":
                return True
            case _:
                return None

    def object(self, parts: list[Schema], chosen: dict[str, Any], depth: int, without: str = "") -> dict[str, Any]:
        """An object with what is required beside what is ``chosen``; nothing is put at ``without``."""
        value = dict(chosen)
        depending = [
            other for part in parts for name in chosen for other in (part.dependent_required or {}).get(name, ())
        ]
        for name in (*self.required(parts), *depending):
            if name not in value and name != without:
                value[name] = self.minimal(property_schemas(parts, name), depth + 1)
        for name in self.names(parts) if self.is_tagging else ():
            if name not in value and name != without:
                allowed = allowed_values(self.parts(property_schemas(parts, name)))
                value.update({name: allowed[0]} if allowed else {})
        least = max((int(part.min_properties or 0) for part in parts), default=0)
        for name in self.names(parts):
            if len(value) >= least:
                break
            if name not in value and name != without:
                value[name] = self.minimal(property_schemas(parts, name), depth + 1)
        for index in range(min(least - len(value), _LONGEST)):
            value[f"other{index or ''}"] = self.minimal(property_schemas(parts, "other"), depth + 1)
        return value

    def required(self, parts: list[Schema]) -> list[str]:
        """What must be sent in this direction, in the order of its declaration."""
        names = {name for part in parts for name in part.required or ()}
        for part in parts:
            for name, others in (part.dependent_required or {}).items():
                names.update(others if name in names else ())
        hidden = {name for part in parts for name, below in (part.properties or {}).items() if self.is_one_way(below)}
        declared = [name for part in parts for name in part.properties or () if name in names]
        return [name for name in dict.fromkeys([*declared, *sorted(names)]) if name not in hidden]

    def names(self, parts: list[Schema]) -> list[str]:
        """The properties that may be sent in this direction."""
        found = {name: below for part in parts for name, below in (part.properties or {}).items()}
        return [name for name, below in found.items() if not self.is_one_way(below)]

    def is_one_way(self, schema: Schema | bool) -> bool:
        return self._projector.is_one_way(schema)

    def array(self, parts: list[Schema], chosen: list[Any], depth: int, least: int = 0) -> list[Any]:
        """A list that begins with what is ``chosen`` and has at least ``least`` items."""
        value = list(chosen)
        least = max(least, *(int(part.min_items or 0) for part in parts), 0)
        wanted = [part.contains for part in parts if part.contains is not None]
        if wanted and not value:
            value.append(self.minimal(wanted, depth + 1))
        if least > _LONGEST:
            raise Unbuildable
        unique = any(part.unique_items for part in parts)
        while len(value) < least:
            below = item_schemas(parts, len(value))
            item = next(self.distinct(below, value, depth)) if unique else self.minimal(below, depth + 1)
            value.append(item)
        return value

    def distinct(self, schemas: Schemas, others: list[Any], depth: int) -> Iterator[Any]:
        """Values for ``schemas`` that aren't among ``others``. Raises ``Unbuildable`` where there are no more."""
        taken = {value_key(other) for other in others}
        parts = self.parts(schemas)
        values = allowed_values(parts) or [self.minimal(schemas, depth + 1), *variations(parts, len(others) + 2)]
        for value in values:
            if value_key(value) not in taken:
                yield value
        raise Unbuildable


def allowed_values(parts: list[Schema]) -> list[Any]:
    """The values that enum and const leave, also of type, in order; empty where nothing is said."""
    sets = [part.enum for part in parts if part.enum is not None]
    sets += [[part.const] for part in parts if part.const is not UNSET]
    if not sets:
        return []
    common = set.intersection(*({value_key(value) for value in values} for values in sets))
    types = common_types(parts)
    kept = [value for value in sets[0] if value_key(value) in common]
    return [value for value in kept if types is None or any(is_of_type(value, name) for name in types)]


def variations(parts: list[Schema], count: int) -> list[Any]:
    """Other values of the most likely type."""
    match likely_type(parts):
        case "string":
            return [letter * max(1, lower(parts, "min_length")) for letter in "abcdefgh"[:count]] + [
                f"a{index}" for index in range(count)
            ]
        case "integer" | "number":
            start = number(parts, whole=True)
            return [start + index for index in range(count)]
        case "boolean":
            return [True, False]
        case _:
            return []


def lower(parts: list[Schema], attribute: str) -> int:
    """The greatest of the least counts."""
    return max((ceil(getattr(part, attribute) or 0) for part in parts), default=0)


def property_schemas(parts: list[Schema], name: str) -> list[Schema | bool]:
    """All that is said of a property."""
    found: list[Schema | bool] = []
    for part in parts:
        properties = part.properties or {}
        if name in properties:
            found.append(properties[name])
        elif part.additional_properties is not None:
            found.append(part.additional_properties)
    return found


def item_schemas(parts: list[Schema], index: int) -> list[Schema | bool]:
    """All that is said of one item of a list."""
    found: list[Schema | bool] = []
    for part in parts:
        if index < len(part.prefix_items or ()):
            found.append((part.prefix_items or [])[index])
        elif part.items is not None:
            found.append(part.items)
    return found


def common_types(parts: list[Schema]) -> set[str] | None:
    """The types that all parts leave; None where nothing is said."""
    common: set[str] | None = None
    for part in parts:
        names = {name for name in part.types if name in TYPES}
        if names and len(names) == len(part.types):
            if "number" in names:
                names.add("integer")
            common = names if common is None else common & names
    return common


def likely_type(parts: list[Schema]) -> str:
    """The type to take where there is a choice. Raises ``Unbuildable`` where none is left."""
    types = common_types(parts)
    if types is not None:
        if not types:
            raise Unbuildable
        names = ("object", "array", "string", "integer", "number", "boolean", "null")
        chosen = next(name for name in names if name in types)
        return "number" if chosen == "integer" and "number" in types else chosen
    for part in parts:
        if part.properties or part.required or part.additional_properties is not None or part.min_properties:
            return "object"
        if part.items is not None or part.prefix_items or part.min_items or part.contains is not None:
            return "array"
        if part.minimum is not None or part.maximum is not None or part.multiple_of is not None:
            return "number"
    return "string"


def is_of_type(value: Any, name: str) -> bool:
    match name:
        case "null":
            return value is None
        case "boolean":
            return value.__class__ is bool
        case "integer":
            return value.__class__ is int or (value.__class__ is float and value.is_integer())
        case "number":
            return value.__class__ in (int, float)
        case "string":
            return value.__class__ is str
        case "array":
            return value.__class__ is list
        case _:
            return value.__class__ is dict


def text(parts: list[Schema], least: int = 0) -> str:
    """A short string, with at least ``least`` characters."""
    shortest = max(least, lower(parts, "min_length"))
    if shortest > _LONGEST:
        raise Unbuildable
    patterns = [part.pattern for part in parts if part.pattern]
    for pattern in patterns:
        found = matching(pattern, shortest)
        if found is not None and len(found) >= shortest:
            return found
    if patterns:
        raise Unbuildable
    samples = [_SAMPLES[part.format] for part in parts if part.format in _SAMPLES]
    fitting = [sample for sample in samples if len(sample) >= shortest]
    return fitting[0] if fitting else "a" * max(shortest, 1 if not least else 0)


def number(parts: list[Schema], *, whole: bool) -> int | float:
    """A number within all bounds, 0 or 1 where possible."""
    floor = max([float("-inf"), *(part.minimum for part in parts if part.minimum is not None)])
    ceiling = min([float("inf"), *(part.maximum for part in parts if part.maximum is not None)])
    above = max([float("-inf"), *(part.exclusive_minimum for part in parts if part.exclusive_minimum is not None)])
    below = min([float("inf"), *(part.exclusive_maximum for part in parts if part.exclusive_maximum is not None)])
    steps = [part.multiple_of for part in parts if part.multiple_of]
    candidates: list[int | float] = [1, 0, -1, *steps]
    for bound in (floor, ceiling, above, below):
        if abs(bound) != float("inf"):
            candidates += [bound, bound + 1, bound - 1, bound + 0.5, bound - 0.5]
            candidates += [ceil(bound / step) * step for step in steps] + [
                (ceil(bound / step) + 1) * step for step in steps
            ]
    for candidate in candidates:
        fits = floor <= candidate <= ceiling and above < candidate < below
        if fits and (not whole or float(candidate).is_integer()) and all(candidate % step == 0 for step in steps):
            return int(candidate) if float(candidate).is_integer() else candidate
    raise Unbuildable
