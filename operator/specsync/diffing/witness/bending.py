"""Values that might tell two schemas apart, at the place and in the way that an event says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from msgspec import UNSET

from specsync.diffing.comparison import Event
from specsync.diffing.witness.embedding import OTHER
from specsync.diffing.witness.instances import (
    Builder,
    Schemas,
    Unbuildable,
    allowed_values,
    common_types,
    item_schemas,
    property_schemas,
    text,
    variations,
)
from specsync.diffing.witness.projection import TYPES
from specsync.openapi.model import Schema

_PLAIN: tuple[Any, ...] = (
    "",
    "a",
    "A",
    "0",
    "-",
    "a b",
    0,
    1,
    -1,
    2,
    0.5,
    1000,
    True,
    False,
    None,
    [],
    {},
    ["a"],
    [0],
    [None],
    [{}],
    2**31,
    2**63,
)
_NAMES = (OTHER, "a", "A", "0", "other name", "a" * 80)
_OF_ANY_TYPE: tuple[Any, ...] = ("a", 0, None, {}, True)
_MOST_ITEMS = 300
_MOST_PROPERTIES = 20
_MOST_VALUES = 12


class Side:
    """What one of the two documents says at the place of the event."""

    def __init__(self, builder: Builder, schemas: Schemas) -> None:
        self.builder = builder
        self.schemas = schemas

    def base(self) -> list[Schema]:
        """All that applies, without alternatives."""
        try:
            return self.builder.parts(self.schemas, choose=False)
        except Unbuildable:
            return []

    def least(self, attribute: str) -> int | float | None:
        return min((b for part in self.base() if (b := getattr(part, attribute)) is not None), default=None)

    def greatest(self, attribute: str) -> int | float | None:
        return max((b for part in self.base() if (b := getattr(part, attribute)) is not None), default=None)


Candidates = Iterator[Any]

_SILENT = (
    "allow-",
    "content-",
    "default-",
    "deprecated",
    "discriminator-",
    "encoding-",
    "explode-",
    "media-type-",
    "optional-",
    "reactivated",
    "reference-",
    "required-added",
    "required-became-",
    "stability-",
    "style-",
    "sunset-",
    "x-extensible-",
)
"""How the aspects begin that no value shows."""


def shows_in_values(aspect: str) -> bool:
    """Whether a change of this kind can be shown by a value."""
    return not aspect.startswith(_SILENT)


def candidates(aspect: str, event: Event, name: str, sender: Side, receiver: Side) -> Candidates:
    """Values that the ``sender``'s schema may accept and the ``receiver``'s may refuse, the most telling first.

    ``aspect``: as in ``rules.tsv``; ``name``: of the property that the event is about, or empty.
    """
    if aspect in ("became-nullable", "became-not-nullable"):
        yield None
        return
    if aspect == "removed":  # a property that is refused now
        yield from _made(_object_with, sender, name)
        return
    if aspect.startswith(("added-required", "became-required", "became-optional", "required-removed")):
        yield from _without(event, name, sender, receiver)
        return
    for beginning, bend in _BENDS:
        if aspect.startswith(beginning):
            yield from _all_made(bend(event, sender, receiver))
            break
    yield from _of_each_alternative(sender)
    yield from _of_each_type(sender)
    yield from _all_made(_of_each_enum(sender))
    yield from _all_made(_near(sender, receiver))
    yield from _PLAIN


def _made(make: Callable[..., Any], *args: Any, **options: Any) -> Candidates:
    """The value that ``make`` makes, if it can."""
    try:
        yield make(*args, **options)
    except Unbuildable:
        return


def _all_made(values: Candidates) -> Candidates:
    """As many of ``values`` as can be made."""
    try:
        yield from values
    except Unbuildable:
        return


def _without(event: Event, name: str, sender: Side, receiver: Side) -> Candidates:
    """An object that lacks what the receiver needs."""
    names = [name]
    if not name:
        before = {name for part in sender.base() for name in part.required or ()}
        after = {name for part in receiver.base() for name in part.required or ()}
        names = sorted(after - before, key=lambda name: (f"/{name}`" not in event.summary, name))
        names.sort(key=lambda name: f"{name}`" not in event.summary)
    for missing in names:
        yield from _made(_object_without, sender, missing)
    for value in _of_each_alternative(sender):
        if isinstance(value, dict):
            for missing in names:
                yield {key: item for key, item in value.items() if key != missing}


def _object_without(sender: Side, name: str) -> dict[str, Any]:
    return sender.builder.object(sender.builder.parts(sender.schemas), {}, 0, without=name)


def _object_with(sender: Side, name: str) -> dict[str, Any]:
    parts = sender.builder.parts(sender.schemas)
    return sender.builder.object(parts, {name: sender.builder.minimal(property_schemas(parts, name), 1)}, 0)


def _of_values(event: Event, sender: Side, _receiver: Side) -> Candidates:
    for value in (event.before, event.after):
        if value is not None and not isinstance(value, list):
            yield value
    for values in (event.before, event.after):
        yield from values if isinstance(values, list) else ()
    parts = sender.builder.parts(sender.schemas)
    yield from allowed_values(parts)
    yield from variations(parts, 4)


def _of_numbers(_: Event, sender: Side, receiver: Side) -> Candidates:
    for side in (receiver, sender):
        for attribute in ("maximum", "exclusive_maximum", "minimum", "exclusive_minimum", "multiple_of"):
            for bound in {side.least(attribute), side.greatest(attribute)} - {None}:
                assert bound is not None
                yield from (bound, bound + 1, bound - 1, bound + 0.5, bound - 0.5, bound * 2)
    step = sender.greatest("multiple_of")
    if step:
        yield from (step, step * 2, step * 3, step * 5, -step)


def _of_lengths(_: Event, sender: Side, receiver: Side) -> Candidates:
    yield from _made(text, sender.base())
    for side in (receiver, sender):
        for bound in (side.least("max_length"), side.greatest("min_length")):
            if bound is None or bound > _MOST_ITEMS:
                continue
            for length in (int(bound) + 1, int(bound) - 1, int(bound)):
                if length >= 0:
                    yield "a" * length
                    yield from _made(text, sender.base(), length)


def _of_counts(_: Event, sender: Side, receiver: Side) -> Candidates:
    """Lists and objects with one item more or less than is allowed."""
    parts = sender.builder.parts(sender.schemas)
    for attribute in ("max_items", "min_items", "max_contains", "min_contains"):
        for bound in (receiver.least(attribute), receiver.greatest(attribute)):
            if bound is None or bound > _MOST_ITEMS:
                continue
            for count in (int(bound) + 1, int(bound) - 1):
                yield from _made(_list, sender, parts, count)
    for attribute in ("max_properties", "min_properties"):
        for bound in (receiver.least(attribute), receiver.greatest(attribute)):
            if bound is None or bound > _MOST_ITEMS:
                continue
            for count in (int(bound) + 1, int(bound) - 1):
                yield from _made(_object, sender, parts, count)


def _list(sender: Side, parts: list[Schema], count: int) -> list[Any]:
    if count < 0:
        raise Unbuildable
    return sender.builder.array(parts, [], 0, count)[: max(count, 0)]


def _object(sender: Side, parts: list[Schema], count: int) -> dict[str, Any]:
    value = sender.builder.object(parts, {}, 0)
    for name in sender.builder.names(parts):
        if len(value) >= count:
            break
        if name not in value:
            value[name] = sender.builder.minimal(property_schemas(parts, name), 1)
    for index in range(count - len(value)):
        value[f"{OTHER}{index or ''}"] = "a"
    return value


def _of_uniqueness(_: Event, sender: Side, _receiver: Side) -> Candidates:
    item = sender.builder.minimal(item_schemas(sender.builder.parts(sender.schemas), 0), 1)
    yield [item, item]


def _of_unknown_properties(_: Event, sender: Side, _receiver: Side) -> Candidates:
    parts = sender.builder.parts(sender.schemas)
    for name, value in product(_NAMES, _OF_ANY_TYPE):
        yield sender.builder.object(parts, {name: value}, 0)


def _of_items(_: Event, sender: Side, _receiver: Side) -> Candidates:
    parts = sender.builder.parts(sender.schemas)
    listed = max((len(part.prefix_items or ()) for part in parts), default=0)
    for place in dict.fromkeys((0, listed)):
        before = [sender.builder.minimal(item_schemas(parts, index), 1) for index in range(place)]
        for value in _items_of_types(sender, item_schemas(parts, place)):
            yield sender.builder.array(parts, [*before, value], 0)
            yield sender.builder.array(parts, [*before, value, value], 0)


def _items_of_types(sender: Side, below: Schemas) -> Candidates:
    for name in ("string", "integer", "boolean", "object", "array", "null"):
        yield from _made(sender.builder.minimal, below, 1, only=name)


def _of_types(_: Event, sender: Side, receiver: Side) -> Candidates:
    """One value of each type that only the sender knows; then strings and numbers for formats."""
    known = common_types(receiver.base()) or TYPES
    for name in sorted((common_types(sender.base()) or TYPES) - known):
        yield from _made(sender.builder.minimal, sender.schemas, only=name)


def _of_each_alternative(sender: Side) -> Candidates:
    """A value of each of the sender's alternatives."""
    builder = sender.builder
    for part in sender.base():
        for keyword, listed in (("oneOf", part.one_of), ("anyOf", part.any_of)):
            for index in range(len(listed or ())):
                builder.picks[id(part), keyword] = index
                yield from _made(builder.minimal, sender.schemas)
                yield from _made(_generous, sender)
            builder.picks.pop((id(part), keyword), None)


def _generous(sender: Side) -> Any:
    """An object with all properties that may be sent: so it fits fewer of the alternatives."""
    parts = sender.builder.parts(sender.schemas)
    value = sender.builder.minimal(sender.schemas)
    if value.__class__ is dict:
        for name in sender.builder.names(parts)[:_MOST_PROPERTIES]:
            if name not in value:
                value[name] = sender.builder.minimal(property_schemas(parts, name), 1)
    return value


def _of_each_enum(sender: Side) -> Candidates:
    """Objects with each of the values of each property that has an enum, such as a type."""
    parts = sender.builder.parts(sender.schemas)
    for name in sender.builder.names(parts)[:_MOST_PROPERTIES]:
        for value in allowed_values(sender.builder.parts(property_schemas(parts, name)))[1:_MOST_VALUES]:
            yield from _made(sender.builder.object, parts, {name: value}, 0)


def _of_each_type(sender: Side) -> Candidates:
    yield from _made(sender.builder.minimal, sender.schemas)
    for name in ("string", "integer", "boolean", "array", "object", "null", "number"):
        if name in (common_types(sender.base()) or TYPES):
            yield from _made(sender.builder.minimal, sender.schemas, only=name)


def _near(sender: Side, receiver: Side) -> Candidates:
    """What either side speaks of under not, if, contains, dependentRequired; objects with one property each."""
    for part in (*receiver.base(), *sender.base()):
        for spoken in (part.not_, part.if_, part.contains, part.then):
            if spoken is not None:
                yield from _made(sender.builder.minimal, [spoken])
        if part.const is not UNSET:
            yield part.const
    parts = sender.builder.parts(sender.schemas)
    for name in sender.builder.names(parts)[:_MOST_PROPERTIES]:
        alone = sender.builder.minimal(property_schemas(parts, name), 1)
        yield sender.builder.object(parts, {name: alone}, 0)
    for part in (*receiver.base(), *sender.base()):
        for name in (*(part.dependent_required or ()), *(part.dependent_schemas or ())):
            yield sender.builder.object(parts, {name: "a"}, 0)


_Bend = Callable[[Event, Side, Side], Candidates]
_BENDS: list[tuple[str | tuple[str, ...], _Bend]] = [
    (("enum-", "const-", "became-enum", "became-not-enum", "x-extensible"), _of_values),
    (("max-length", "min-length", "pattern-"), _of_lengths),
    (("max-items", "min-items", "max-prop", "min-prop", "max-contains", "min-contains"), _of_counts),
    (("max-", "min-", "exclusive-", "multiple-"), _of_numbers),
    ("unique-", _of_uniqueness),
    (("type-", "list-of-types", "schema-became"), _of_types),
    (("additional-", "unevaluated-properties", "property-names", "pattern-property"), _of_unknown_properties),
    (("items-", "prefix-items", "contains-", "unevaluated-items"), _of_items),
]
"""By how an aspect begins."""
