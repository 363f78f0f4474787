"""A change after which a value is refused is never called safe. What is refused is for another program to say.

For requests: the older schema accepts a value, the newer one refuses it. For responses: the newer schema accepts it,
so that it may be sent, and the older one, by which clients were written, refuses it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given

from specsync.diffing import Event, Policy, compare
from tests.unit.diffing.counterexamples import COUNTEREXAMPLES, HARMLESS, SAME
from tests.unit.diffing.documents import TODAY, Tree, canonical, with_response
from tests.unit.diffing.judge import PLACES, Judge, surprises
from tests.unit.diffing.strategies import INTEGER, SCHEMA_PAIRS, SMALL_SCHEMAS, TEXT, effort, values_for

POLICY = Policy(today=TODAY)


def events_of(place: str, old: Any, new: Any) -> list[Event]:
    return compare(canonical(PLACES[place](old)), canonical(PLACES[place](new)), POLICY).events


def is_safe(events: Iterable[Event]) -> bool:
    return all(event.severity == "safe" for event in events)


def described(old: Any, new: Any, value: Any, events: list[Event]) -> str:
    ids = ", ".join(event.id for event in events) or "no event"
    return f"{json.dumps(old)} -> {json.dumps(new)} refuses {json.dumps(value)}: {ids}"


@pytest.mark.parametrize("place", ["request", "response"])
@pytest.mark.parametrize(("old", "new"), [pytest.param(*pair, id=number) for number, *pair in SAME])
def test_two_spellings_make_no_event(place: str, old: Any, new: Any) -> None:
    assert events_of(place, old, new) == []
    assert events_of(place, new, old) == []


@pytest.mark.parametrize(("place", "old", "new"), [pytest.param(*pair, id=number) for number, *pair in HARMLESS])
def test_harmless_change_is_safe(place: str, old: Any, new: Any) -> None:
    events = events_of(place, old, new)
    assert events
    assert is_safe(events)


def test_null_that_no_alternative_accepts_is_not_accepted() -> None:  # D28
    events = events_of("response", INTEGER, {"type": ["string", "null"], "anyOf": [False, False]})
    assert "response-body-became-nullable" not in {event.id for event in events}


OPEN: frozenset[str] = frozenset()
"""Those that are still judged wrongly."""


@pytest.mark.parametrize(
    ("place", "old", "new", "value"),
    [
        pytest.param(
            *example,
            id=f"{number}-{index}",
            marks=[pytest.mark.xfail(reason=f"defect {number}", strict=True)] if number in OPEN else [],
        )
        for index, (number, *example) in enumerate(COUNTEREXAMPLES)
    ],
)
def test_counterexample(place: str, old: Any, new: Any, value: Any) -> None:
    if surprises(place, old, new, [value]) != [value]:
        raise RuntimeError("this is no counterexample")
    assert not is_safe(events_of(place, old, new))


@pytest.mark.parametrize("back", [{}, {"back": {"$ref": "#/components/schemas/User"}}])
def test_components_that_swap_their_contents(back: Tree) -> None:
    """Names stay, digests stay: only which name has which digest tells them apart (D21)."""

    def api(a: Tree, b: Tree) -> Tree:
        user = {"properties": {"x": {"$ref": "#/components/schemas/A"}, "y": {"$ref": "#/components/schemas/B"}}}
        parts = {name: {"type": "object", "properties": {"v": v, **back}} for name, v in (("A", a), ("B", b))}
        return with_response({"$ref": "#/components/schemas/User"}, components={"schemas": {"User": user, **parts}})

    events = compare(canonical(api(TEXT, INTEGER)), canonical(api(INTEGER, TEXT)), POLICY).events
    assert {event.id for event in events} == {"response-property-type-changed"}


def is_excused(place: str, old: Any, new: Any, events: list[Event]) -> bool:
    """What these tests read more strictly than anybody means it: a name deep inside of dependentSchemas counts as
    spoken of at the top; an item of a header's array is a number and a text at once.
    """
    text = json.dumps([old, new])
    if place == "header":
        return "prefixItems" in text and any(event.id == "response-header-type-compatible" for event in events)
    return "dependentSchemas" in text and any(event.id.startswith("new-optional-") for event in events)


@pytest.mark.parametrize("place", PLACES)
def test_all_pairs_of_small_schemas(place: str) -> None:
    values = values_for(tuple(SMALL_SCHEMAS), depth=1)
    if place in ("parameter", "header"):  # there, an object is written in many ways, and null in none
        values = [value for value in values if value is not None and not isinstance(value, dict)]
    judges = [Judge(schema, place) for schema in SMALL_SCHEMAS]
    sent = [frozenset(i for i, value in enumerate(values) if judge.may_send(value)) for judge in judges]
    refused = [frozenset(i for i, value in enumerate(values) if judge.refuses(value)) for judge in judges]
    documents = [canonical(PLACES[place](schema)) for schema in SMALL_SCHEMAS]
    found, narrowed = [], 0
    for old, new in permutations(range(len(SMALL_SCHEMAS)), 2):
        sender, receiver = (old, new) if place in ("request", "parameter") else (new, old)
        counterexamples = sent[sender] & refused[receiver]
        if not counterexamples:
            continue
        narrowed += 1
        events = compare(documents[old], documents[new], POLICY).events
        if is_safe(events) and not is_excused(place, SMALL_SCHEMAS[old], SMALL_SCHEMAS[new], events):
            found.append(described(SMALL_SCHEMAS[old], SMALL_SCHEMAS[new], values[min(counterexamples)], events))
    assert found == []
    assert narrowed > 5000


@pytest.mark.parametrize("place", ["request", "response"])
@effort(600)
@given(pair=SCHEMA_PAIRS)
def test_generated_pairs(place: str, pair: tuple[Any, Any]) -> None:
    old, new = pair
    found = surprises(place, old, new, values_for(pair))
    if found:
        events = events_of(place, old, new)
        assert not is_safe(events) or is_excused(place, old, new, events), described(old, new, found[0], events)


ONE_WAY: list[Any] = [
    None,
    INTEGER,
    {**INTEGER, "readOnly": True},
    {**INTEGER, "writeOnly": True},
    {**TEXT, "readOnly": True},
    {**TEXT, "writeOnly": True},
    {"type": "object", "properties": {"a": INTEGER}, "required": ["a"], "readOnly": True},
    {"type": "object", "properties": {"a": INTEGER}, "writeOnly": True},
]


def owner(part: Any, *, required: bool, closed: bool) -> Tree:
    """An object with ``part`` in its property p; without such a property where it is None."""
    schema: Tree = {"type": "object", "properties": {"a": True} if part is None else {"a": True, "p": part}}
    schema |= {"required": ["p"]} if required else {}
    return schema | ({"additionalProperties": False} if closed else {})


@pytest.mark.parametrize("place", ["request", "response"])
def test_properties_that_are_sent_in_one_direction_only(place: str) -> None:
    found = []
    owners = [
        owner(part, required=required, closed=closed)
        for part, required, closed in product(ONE_WAY, (False, True), (False, True))
    ]
    for old, new in permutations(owners, 2):
        counterexamples = surprises(place, old, new, values_for((old, new), depth=2))
        if counterexamples:
            events = events_of(place, old, new)
            if is_safe(events) and not is_excused(place, old, new, events):
                found.append(described(old, new, counterexamples[0], events))
    assert found == []
