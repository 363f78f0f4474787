"""A change after which a value is refused is never called safe. What is refused is for another program to say.

For requests: the older schema accepts a value, the newer one refuses it. For responses: the newer schema accepts it,
so that it may be sent, and the older one, by which clients were written, refuses it. Both are judged by
``jsonschema-rs``, under four conventions that ``docs/divergences.md`` argues:

- Nobody sends a property that the schema, by which he sends, doesn't speak of, though most schemas would accept it.
- Who receives a response ignores properties that he doesn't know, also where ``additionalProperties`` is false.
- ``oneOf`` is read as ``anyOf``: that a value fits only one of the alternatives is a promise which few keep.
- A ``format`` is not asserted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import permutations, product
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given

from specsync.diffing import Event, Policy, compare
from tests.unit.diffing.documents import (
    TODAY,
    Tree,
    canonical,
    with_header,
    with_parameter,
    with_request,
    with_response,
)
from tests.unit.diffing.strategies import INTEGER, SCHEMA_PAIRS, SMALL_SCHEMAS, TEXT, effort, values_for

POLICY = Policy(today=TODAY)
PLACES = {"request": with_request, "response": with_response, "parameter": with_parameter, "header": with_header}
OBJECT: Tree = {"type": "object", "properties": {"a": INTEGER}}
NO_SCHEMAS = ("enum", "const", "default", "required", "type", "dependentRequired")
"""Keywords below which there are no schemas."""


def read(schema: Any, *, request: bool) -> Any:
    """The schema that is asserted in one direction."""
    if isinstance(schema, list):
        return [read(item, request=request) for item in schema]
    if not isinstance(schema, dict):
        return schema
    asserted = {("anyOf" if key == "oneOf" else key): read(value, request=request) for key, value in schema.items()}
    for name in unsent_here(asserted, request=request):
        asserted["properties"][name] = True
        asserted["required"] = [other for other in asserted.get("required", ()) if other != name]
    return asserted


def opened(schema: Any) -> Any:
    """The schema with nothing said of properties that it doesn't name."""
    if isinstance(schema, list):
        return [opened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closing = ("additionalProperties", "unevaluatedProperties")
    return {
        key: value if key in ("not", "if") else opened(value)
        for key, value in schema.items()
        if not (key in closing and value is False)
    }


def unsent_here(schema: Tree, *, request: bool) -> list[str]:
    """The properties that aren't sent in this direction."""
    flag = "readOnly" if request else "writeOnly"
    properties = schema.get("properties", {})
    return [name for name, part in properties.items() if isinstance(part, dict) and part.get(flag) is True]


def unsent_names(schema: Any, *, request: bool) -> set[str]:
    if isinstance(schema, list):
        return {name for item in schema for name in unsent_names(item, request=request)}
    if not isinstance(schema, dict):
        return set()
    below = {name for value in schema.values() for name in unsent_names(value, request=request)}
    return below | set(unsent_here(schema, request=request))


def spoken_names(schema: Any) -> set[str] | None:
    """The properties that a schema speaks of; None where it speaks of any."""
    if isinstance(schema, list):
        parts = [spoken_names(item) for item in schema]
        return None if None in parts else set[str]().union(*(part for part in parts if part is not None))
    if not isinstance(schema, dict):
        return set()
    if "patternProperties" in schema or "propertyNames" in schema:
        return None
    for keyword in ("additionalProperties", "unevaluatedProperties"):
        if isinstance(schema.get(keyword), dict) and schema[keyword]:
            return None
    found = {*schema.get("required", ()), *schema.get("properties", ()), *schema.get("dependentSchemas", ())}
    for name, others in schema.get("dependentRequired", {}).items():
        found |= {name, *others}
    for keyword, value in schema.items():
        below = list(value.values()) if keyword in ("properties", "dependentSchemas") else value
        inner = set() if keyword in (*NO_SCHEMAS, "not", "if") else spoken_names(below)
        if inner is None:
            return None
        found |= inner
    return found


def names_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for item in value.values() for name in names_in(item)}
    return {name for item in value for name in names_in(item)} if isinstance(value, list) else set()


class Judge:
    """Which values a schema accepts in one place."""

    def __init__(self, schema: Any, place: str) -> None:
        request = place in ("request", "parameter")
        self._is_text = place in ("parameter", "header")
        asserted = read(schema, request=request)
        self._sending = _validator(asserted)
        self._receiving = self._sending if request else _validator(opened(asserted))
        self._names = spoken_names(schema)
        self._unsent = unsent_names(schema, request=request)

    def may_send(self, value: Any) -> bool:
        names = names_in(value)
        is_spoken = self._names is None or names <= self._names
        return is_spoken and not names & self._unsent and self._is_valid(self._sending, value)

    def accepts(self, value: Any) -> bool:
        return self._is_valid(self._sending, value)

    def refuses(self, value: Any) -> bool:
        return not self._is_valid(self._receiving, value)

    def refuses_strictly(self, value: Any) -> bool:
        """Also a property that the schema doesn't know, where it says so."""
        return not self._is_valid(self._sending, value)

    def _is_valid(self, validator: jsonschema_rs.Draft202012Validator, value: Any) -> bool:
        return any(validator.is_valid(reading) for reading in self._readings(value))

    def _readings(self, value: Any) -> list[Any]:
        """In parameters and headers ``1``, ``"1"`` and ``[1]`` look the same, as do ``["a", "b"]`` and ``"a,b"``."""
        if not self._is_text:
            return [value]
        if isinstance(value, list):
            texts = [item if isinstance(item, str) else json.dumps(item) for item in value]
            return [",".join(texts), texts, value]
        text = value if isinstance(value, str) else json.dumps(value)
        return [text, value, [text], [value]]


def _validator(schema: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema if isinstance(schema, dict) else {} if schema else {"not": {}})


def surprises(place: str, old: Any, new: Any, values: Iterable[Any]) -> list[Any]:
    """Those of ``values`` that may be sent by one schema and are refused by the other."""
    sender, receiver = (old, new) if place in ("request", "parameter") else (new, old)
    sending, receiving = Judge(sender, place), Judge(receiver, place)
    return [value for value in values if sending.may_send(value) and receiving.refuses(value)]


def events_of(place: str, old: Any, new: Any) -> list[Event]:
    return compare(canonical(PLACES[place](old)), canonical(PLACES[place](new)), POLICY).events


def is_safe(events: Iterable[Event]) -> bool:
    return all(event.severity == "safe" for event in events)


def described(old: Any, new: Any, value: Any, events: list[Event]) -> str:
    ids = ", ".join(event.id for event in events) or "no event"
    return f"{json.dumps(old)} -> {json.dumps(new)} refuses {json.dumps(value)}: {ids}"


COUNTEREXAMPLES: list[tuple[str, str, Any, Any, Any]] = [
    ("D1", "request", TEXT, {"anyOf": [{**TEXT, "maxLength": 2}, INTEGER]}, "abc"),
    ("D1", "response", {"anyOf": [{**TEXT, "maxLength": 2}, INTEGER]}, TEXT, "abc"),
    ("D2", "request", {"type": "array"}, {"type": "array", "prefixItems": [TEXT]}, [1]),
    ("D2", "response", {"type": "array", "prefixItems": [TEXT]}, {"type": "array"}, [1]),
    (
        "D31",
        "request",
        {"type": "array", "prefixItems": [INTEGER], "unevaluatedItems": False},
        {"type": "array", "unevaluatedItems": False},
        [1],
    ),
    ("D3", "request", {"required": ["a"]}, {"properties": {"a": TEXT}}, {"a": 1}),
    ("D3", "request", {"additionalProperties": TEXT}, {"properties": {"a": INTEGER}}, {"a": "x"}),
    ("D3", "request", {"patternProperties": {"^a": INTEGER}}, {"properties": {"a": TEXT}}, {"a": 1}),
    ("D3", "response", {"type": "object", "required": ["a"]}, {"type": "object", "properties": {"a": TEXT}}, {}),
    (
        "D3",
        "response",
        {"additionalProperties": TEXT},
        {"properties": {"a": INTEGER}, "additionalProperties": TEXT},
        {"a": 1},
    ),
    (
        "D4",
        "request",
        {"type": "array", "contains": INTEGER, "minContains": 0},
        {"type": "array", "contains": INTEGER},
        [],
    ),
    ("D5", "response", {"enum": ["a"]}, {"not": {"enum": ["a"]}}, 1),
    ("D5", "response", {"enum": ["a"]}, {"anyOf": [TEXT, INTEGER]}, 0),
    ("D6", "response", {**TEXT, "pattern": "^a"}, TEXT, ""),
    ("D6", "response", {"items": {**TEXT, "pattern": "^a"}}, {"items": TEXT}, [""]),
    ("D7", "response", {"anyOf": [{"minimum": 2}]}, {"anyOf": [{"minimum": 2}, {"maximum": 0}]}, 0),
    ("D8", "response", {"allOf": [{"pattern": "^a"}, {"pattern": "b$"}]}, {"pattern": "^a"}, "a"),
    ("D10", "request", {"allOf": [{"type": "array"}, {"maxLength": 4}]}, {"allOf": [False, {"maxLength": 4}]}, []),
    (
        "D10",
        "response",
        {"allOf": [{"properties": {"p": False}}, {"properties": {"p": {"maxLength": 4}}}]},
        {"properties": {"p": {"maxLength": 4}}},
        {"p": 1},
    ),
    ("D11", "response", {"not": True}, {}, None),
    ("D11", "request", {"type": ["string", "null"]}, {"not": True}, None),
    (
        "D12",
        "request",
        {"type": "array", "contains": INTEGER, "maxContains": 1},
        {"type": "array", "contains": {}, "maxContains": 1},
        [None, 0],
    ),
    ("D13", "request", {"const": "a"}, {"const": "a", "enum": [1, 2]}, "a"),
    (
        "D14",
        "request",
        {"properties": {"p": {**TEXT, "readOnly": True}}, "required": ["p"]},
        {"properties": {"p": TEXT}, "required": ["p"]},
        {},
    ),
    ("D14", "request", {"properties": {"p": {**TEXT, "readOnly": True}}, "required": ["p"]}, {"required": ["p"]}, {}),
    (
        "D15",
        "response",
        {"properties": {"p": TEXT}, "required": ["p"]},
        {"properties": {"p": {**TEXT, "writeOnly": True}}, "required": ["p"]},
        {},
    ),
    (
        "D15",
        "response",
        {"required": ["p"]},
        {"properties": {"p": {**TEXT, "writeOnly": True}}, "required": ["p"]},
        {},
    ),
    ("D16", "header", {"enum": ["a"]}, {"not": {"enum": ["a"]}}, "b"),
    ("D16", "parameter", {"type": "array"}, {"type": "array", "prefixItems": [INTEGER]}, ["x"]),
    ("D17", "parameter", {"type": ["integer", "string"]}, INTEGER, "abc"),
    ("D17", "header", INTEGER, {"type": ["integer", "string"]}, "abc"),
    ("D18", "parameter", INTEGER, {**TEXT, "minLength": 2}, 0),
    ("D18", "header", {**TEXT, "minLength": 2}, INTEGER, 0),
    ("D20", "header", {"type": "array", "items": {**TEXT, "maxLength": 2}}, {"type": "array", "items": TEXT}, ["abc"]),
    (
        "D19",
        "parameter",
        {"properties": {"a": INTEGER}},
        {"oneOf": [{**OBJECT, "required": ["a"]}, {**OBJECT, "required": ["b"]}]},
        {},
    ),
    (
        "D26",
        "response",
        {"additionalProperties": {"type": "object"}},
        {"additionalProperties": {"type": "object"}, "patternProperties": {"^a": TEXT}},
        {"a": "a"},
    ),
    (
        "D34",
        "request",
        {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {**OBJECT, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"a": "x"},
    ),
    ("D27", "request", {"type": "boolean"}, {"type": "boolean", "enum": [1, "a"]}, True),
]
"""What these tests have found."""
SAME: list[tuple[str, Any, Any]] = [
    ("D29", {"type": ["integer", "string"]}, {"oneOf": [TEXT, INTEGER]}),
    ("D29", {"type": ["integer", "string"], "maxLength": 3}, {"anyOf": [{**TEXT, "maxLength": 3}, INTEGER]}),
    ("D29", {"type": ["integer", "string"], "maximum": 3}, {"anyOf": [TEXT, {**INTEGER, "maximum": 3}]}),
    ("D29", {"type": ["integer", "string", "null"]}, {"oneOf": [TEXT, INTEGER, {"type": "null"}]}),
    ("D30", {**TEXT, "enum": ["a"]}, {"enum": ["a"]}),
    ("D30", {**INTEGER, "enum": [1, 2]}, {"enum": [1, 2]}),
    ("D31", {"type": "array", "items": TEXT}, {"type": "array", "items": TEXT, "prefixItems": [TEXT]}),
    ("D32", TEXT, {**TEXT, "pattern": ".*"}),
    ("D32", INTEGER, {**INTEGER, "multipleOf": 1}),
    ("D32", INTEGER, {"type": "number", "multipleOf": 1}),
    ("D32", {"type": "array"}, {"type": "array", "contains": TEXT, "minContains": 0}),
]
"""Two spellings of one thing."""
HARMLESS: list[tuple[str, str, Any, Any]] = [
    ("D30", "request", {"const": 1}, INTEGER),
    ("D30", "request", {"enum": ["a"]}, TEXT),
    ("D30", "request", {**TEXT, "enum": ["a"]}, {**TEXT, "minLength": 1}),
    ("D31", "request", {"type": "array", "prefixItems": [TEXT]}, {"type": "array"}),
    ("D31", "response", {"type": "array"}, {"type": "array", "prefixItems": [TEXT]}),
    ("D31", "request", {"items": {"type": "number"}, "prefixItems": [INTEGER]}, {"items": {"type": "number"}}),
    ("D33", "response", {"type": "object", "additionalProperties": False}, {"type": "object"}),
    ("D33", "response", {"type": "object", "unevaluatedProperties": False}, {"type": "object"}),
]
"""Changes by which nothing is refused that was accepted."""


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
