"""Each witness is held against the schemas as they are written, by the judge of the soundness tests."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsync.diffing import Comparison, Event, Policy, compare
from specsync.diffing.rules import RULES, Rule
from specsync.diffing.witness import Witness, Witnesses, witness_for, witnesses_for
from tests.unit.diffing.documents import (
    TODAY,
    Tree,
    canonical,
    document,
    with_header,
    with_parameter,
    with_request,
    with_response,
)
from tests.unit.diffing.examples import example
from tests.unit.diffing.judge import PLACES, Judge
from tests.unit.diffing.strategies import INTEGER, SCHEMA_PAIRS, TEXT, effort
from tests.unit.diffing.test_robustness import SCHEMAS, api

POLICY = Policy(today=TODAY)


def first_witness(old: Tree, new: Tree, rule: str) -> Witness | None:
    """The witness for the first event of a rule, which there must be."""
    before, after = canonical(old), canonical(new)
    events = [event for event in compare(before, after, POLICY).events if event.id == rule]
    assert events, rule
    return witness_for(before, after, events[0])


def value_of(old: Tree, new: Tree, rule: str) -> Any:
    witness = first_witness(old, new, rule)
    assert witness is not None
    return witness.value


def owner(**properties: Any) -> Tree:
    return {"type": "object", "properties": properties}


LIST = {"type": "array", "items": TEXT}
OPEN = owner(p=TEXT)
NINE, TWO = {**TEXT, "maxLength": 9}, {**TEXT, "maxLength": 2}
CHOICE = [{**owner(a=TEXT), "required": ["a"]}, {**owner(b=TEXT), "required": ["b"]}, {"type": "array"}]


def having(keyword: str, part: Any) -> Tree:
    return {"type": "object", keyword: part}


REQUESTS: list[tuple[str, Any, Any, Any]] = [
    ("request-body-type-changed", TEXT, INTEGER, "a"),
    ("request-body-became-not-nullable", {"type": ["string", "null"]}, TEXT, None),
    ("request-body-max-length-decreased", NINE, TWO, "aaa"),
    ("request-body-min-length-increased", {**TEXT, "minLength": 1}, {**TEXT, "minLength": 3}, "a"),
    ("request-body-max-decreased", {**INTEGER, "maximum": 9}, {**INTEGER, "maximum": 5}, 6),
    ("request-body-enum-value-removed", {"enum": ["x", "y"]}, {"enum": ["y"]}, "x"),
    ("request-body-became-enum", TEXT, {**TEXT, "enum": ["x"]}, "a"),
    ("request-body-pattern-added", TEXT, {**TEXT, "pattern": "^[0-9]+$"}, "a"),
    ("request-body-multiple-of-set", INTEGER, {**INTEGER, "multipleOf": 5}, 6),
    ("request-body-unique-items-set", LIST, {**LIST, "uniqueItems": True}, ["a", "a"]),
    ("request-property-became-required", OPEN, {**OPEN, "required": ["p"]}, {}),
    ("new-required-request-property", owner(), {**OPEN, "required": ["p"]}, {}),
    ("request-property-type-changed", owner(p=LIST), OPEN, {"p": []}),
    (
        "request-property-enum-value-removed",
        owner(p={"type": "array", "items": {"enum": [1, 2]}}),
        owner(p={"type": "array", "items": {"enum": [2]}}),
        {"p": [1]},
    ),
    ("request-body-additional-properties-added", OPEN, {**OPEN, "additionalProperties": False}, {"other": "a"}),
    (
        "request-property-max-length-decreased",
        having("additionalProperties", NINE),
        having("additionalProperties", TWO),
        {"other": "aaa"},
    ),
    (
        "request-property-max-length-decreased",
        having("patternProperties", {"^x-": NINE}),
        having("patternProperties", {"^x-": TWO}),
        {"x-": "aaa"},
    ),
    ("request-body-one-of-removed", {"oneOf": CHOICE}, {"oneOf": CHOICE[1:]}, {"a": "a"}),
    ("request-body-not-added", TEXT, {**TEXT, "not": {"enum": ["x"]}}, "x"),
]


@pytest.mark.parametrize(("rule", "old", "new", "value"), REQUESTS)
def test_request_and_the_reverse_as_a_response(rule: str, old: Any, new: Any, value: Any) -> None:
    witness = first_witness(with_request(old), with_request(new), rule)
    assert witness is not None
    assert (witness.value, witness.accepted_by, witness.place) == (value, "old", "request body")
    assert Judge(old, "request").may_send(value) or rule == "request-body-additional-properties-added"
    assert Judge(new, "request").refuses(value)
    if rule == "request-body-additional-properties-added":
        return  # who receives a response ignores what he doesn't know
    before, after = canonical(with_response(new)), canonical(with_response(old))
    found = witnesses_for(before, after, compare(before, after, POLICY), severities=("breaking", "risky"))
    assert all(witness.accepted_by == "new" and witness.place == "response 200" for witness in found.values())
    assert value in [witness.value for witness in found.values()]


def test_reason_and_place_are_told() -> None:
    old = {**owner(id=INTEGER, tags={"type": "array", "items": {**TEXT, "enum": ["x", "y"]}}), "required": ["id"]}
    new = {**owner(id=INTEGER, tags={"type": "array", "items": {**TEXT, "enum": ["y"]}}), "required": ["id"]}
    witness = first_witness(with_request(old), with_request(new), "request-property-enum-value-removed")
    assert msgspec.to_builtins(witness) == {
        "place": "request body",
        "mediaType": "application/json",
        "acceptedBy": "old",
        "value": {"id": 1, "tags": ["x"]},
        "refusedAt": "/tags/0",
        "reason": 'value is not one of "y"',
    }


def test_reason_is_that_of_the_event_and_not_of_another_one() -> None:
    old = owner(a=TEXT, b={**TEXT, "maxLength": 9})
    new = {**owner(a=TEXT, b={**TEXT, "maxLength": 2}, c=TEXT), "required": ["a", "c"]}
    expected = {
        "request-property-max-length-decreased": "value is longer than 2 characters",
        "request-property-became-required": '"a" is a required property',
        "new-required-request-property": '"c" is a required property',
    }
    for rule, reason in expected.items():
        witness = first_witness(with_request(old), with_request(new), rule)
        assert witness is not None
        assert witness.reason == reason


def test_of_a_large_body_only_the_part_that_matters_is_shown() -> None:
    many = {f"required_{index}": TEXT for index in range(80)}

    def body(limit: int) -> Tree:
        part = {**owner(name={**TEXT, "maxLength": limit}, id=INTEGER), "required": ["id"]}
        return {**owner(part=part, **many), "required": sorted(many)}

    witness = first_witness(with_request(body(9)), with_request(body(2)), "request-property-max-length-decreased")
    assert witness is not None
    assert (witness.value, witness.at, witness.refused_at) == ({"id": 1, "name": "aaa"}, "/part", "/name")


def test_spellings_of_openapi_3_0() -> None:
    def api(schema: Tree) -> Tree:
        return with_request(schema, version="3.0.3")

    assert value_of(api({**TEXT, "nullable": True}), api(TEXT), "request-body-became-not-nullable") is None
    before, after = canonical(api({**INTEGER, "maximum": 5})), canonical(api({"maximum": 5, "exclusiveMaximum": True}))
    found = witnesses_for(before, after, compare(before, after, POLICY), severities=("breaking", "risky"))
    assert [witness.value for witness in found.values()] == [5]


def test_properties_that_are_not_sent_are_left_out() -> None:
    one_way = {"id": {**TEXT, "readOnly": True}, "secret": {**TEXT, "writeOnly": True}}
    old = {**owner(**one_way, name={**TEXT, "maxLength": 9}), "required": ["id", "secret"]}
    new = {**owner(**one_way, name={**TEXT, "maxLength": 2}), "required": ["id", "secret"]}
    sent = value_of(with_request(old), with_request(new), "request-property-max-length-decreased")
    assert sent == {"name": "aaa", "secret": "a"}
    received = value_of(with_response(new), with_response(old), "response-property-max-length-increased")
    assert received == {"name": "aaa", "id": "a"}


def test_required_elsewhere_in_all_of() -> None:
    base = owner(id={**TEXT, "readOnly": True}, name=TEXT)

    def api(limit: int) -> Tree:
        schema = {
            "allOf": [
                {"$ref": "#/components/schemas/Base"},
                {"required": ["id", "name"]},
                owner(n={**TEXT, "maxLength": limit}),
            ]
        }
        return with_request(schema, components={"schemas": {"Base": base}})

    assert value_of(api(9), api(2), "request-property-max-length-decreased") == {"n": "aaa", "name": "a"}


def test_alternatives_above_are_chosen_so_that_the_value_arrives() -> None:
    def api(kind: Tree) -> Tree:
        cat = {**owner(kind={"enum": ["cat"]}, lives=kind), "required": ["kind"]}
        dog = {**owner(kind={"enum": ["dog"]}), "required": ["kind"]}
        names = [{"$ref": "#/components/schemas/Dog"}, {"$ref": "#/components/schemas/Cat"}]
        schemas = {"Cat": cat, "Dog": dog}
        return with_request({"type": "array", "items": {"oneOf": names}}, components={"schemas": schemas})

    witness = first_witness(api(INTEGER), api({"type": "boolean"}), "request-property-type-changed")
    assert witness is not None
    assert witness.value == [{"lives": 1, "kind": "cat"}]


def test_parameters_and_headers_are_refused_however_they_are_read() -> None:
    witness = first_witness(with_parameter(TEXT), with_parameter(INTEGER), "request-parameter-type-changed")
    assert witness is not None
    assert (witness.place, witness.value) == ("query parameter q", "a")
    assert value_of(with_header(INTEGER), with_header(TEXT), "response-header-type-changed") == "a"
    before = canonical(with_parameter({"type": "array", "items": TEXT}))
    after = canonical(with_parameter({"type": "array", "items": INTEGER}))
    found = witnesses_for(before, after, compare(before, after, POLICY), severities=("breaking", "risky"))
    assert [witness.value for witness in found.values()] == [["a"]]


def test_formats_are_asserted_where_they_are_what_changed() -> None:
    rule = "request-body-type-changed"
    assert value_of(with_request(TEXT), with_request({**TEXT, "format": "date"}), rule) == "a"
    assert value_of(with_request(INTEGER), with_request({**INTEGER, "format": "int32"}), rule) == 2**31
    unknown = first_witness(with_request(TEXT), with_request({**TEXT, "format": "sort-code"}), rule)
    assert unknown is None


def test_what_no_value_shows_has_no_witness() -> None:
    assert first_witness(with_request(TEXT), document(), "api-path-removed-without-deprecation") is None
    old = {"oneOf": [owner(a=TEXT), owner(b=TEXT)]}  # whatever came before it, every object is still accepted
    before, after = canonical(with_request(old)), canonical(with_request({"type": "object"}))
    assert witnesses_for(before, after, compare(before, after, POLICY)) == {}


def test_cycles_and_external_references() -> None:
    def api(limit: int, **rest: Any) -> Tree:
        node = {**owner(name={**TEXT, "maxLength": limit}, next={"$ref": "#/components/schemas/Node"}), **rest}
        return with_request({"$ref": "#/components/schemas/Node"}, components={"schemas": {"Node": node}})

    assert value_of(api(9), api(2), "request-property-max-length-decreased") == {"name": "aaa"}
    endless = {"required": ["next"]}
    assert first_witness(api(9, **endless), api(2, **endless), "request-property-max-length-decreased") is None

    def outside(limit: int) -> Tree:
        return with_request({**owner(a={"$ref": "other.yaml#/A"}, b={**TEXT, "maxLength": limit}), "required": ["a"]})

    assert first_witness(outside(9), outside(2), "request-property-max-length-decreased") is None


@pytest.mark.parametrize(
    "pattern", ["^((a+)+)+$x", "^(a|a)*$b", "[[:alpha:]]", "(?<n>a)\\k<n>", "(", "a{99999}{99999}"]
)
def test_hostile_patterns_cost_nothing(pattern: str) -> None:
    old, new = {**TEXT, "pattern": pattern}, {**TEXT, "pattern": pattern, "maxLength": 50}
    before, after = canonical(with_request(old)), canonical(with_request(new))
    witnesses_for(before, after, compare(before, after, POLICY), severities=("breaking", "risky"))


def test_numbers_of_any_size() -> None:
    for least in (10**400, -(10**400), 1e308, 5e-324):
        before = canonical(with_request({"type": "number"}))
        after = canonical(with_request({"type": "number", "minimum": least, "exclusiveMaximum": least}))
        witnesses_for(before, after, compare(before, after, POLICY), severities=("breaking", "risky"))


def compared_pair(operations: int) -> tuple[Any, Any, Comparison]:
    def api(limit: int) -> Tree:
        content = {"application/json": {"schema": {**TEXT, "maxLength": limit}}}
        operation = {"requestBody": {"content": content}, "responses": {}}
        return document({f"/a/{index}": {"post": operation} for index in range(operations)})

    before, after = canonical(api(9)), canonical(api(2))
    return before, after, compare(before, after, POLICY)


def test_a_batch_keeps_to_its_bounds_and_gives_the_same_each_time() -> None:
    before, after, comparison = compared_pair(30)
    assert len(witnesses_for(before, after, comparison)) == 30
    few = witnesses_for(before, after, comparison, most=7)
    assert list(few) == [event.fingerprint for event in comparison.events if event.severity == "breaking"][:7]
    assert witnesses_for(before, after, comparison, seconds=-1) == {}
    one_by_one = {event.fingerprint: witness_for(before, after, event) for event in comparison.events}
    batch = witnesses_for(before, after, comparison)
    assert batch == {fingerprint: one_by_one[fingerprint] for fingerprint in batch}


EXPECTED = {  # aspects whose example must have a witness in a request's body, and the mirror in a response's
    "enum-value-removed", "became-enum", "became-not-nullable", "type-changed", "max-decreased", "min-increased",
    "max-length-decreased", "min-length-increased", "max-items-decreased", "min-items-increased", "pattern-added",
    "multiple-of-set", "multiple-of-changed", "unique-items-set", "max-properties-decreased", "const-added",
    "min-properties-increased", "additional-properties-added", "items-added", "one-of-removed", "any-of-removed",
    "contains-added", "dependent-required-added", "schema-became-false", "added-required", "became-required",
    "list-of-types-narrowed", "all-of-added", "property-names-added", "pattern-property-added",
}  # fmt: skip


def expected_rules() -> list[Rule]:
    scopes = ("request-body", "request-property")
    rules = [rule for rule in RULES.values() if rule.scope in scopes and rule.severity == "breaking"]
    return [rule for rule in rules if rule.aspect in EXPECTED and rule.id != "request-body-became-required"]


@pytest.mark.parametrize("rule", expected_rules(), ids=lambda rule: rule.id)
def test_smallest_example_of_a_rule_has_a_witness(rule: Rule) -> None:
    old, new, policy = example(rule)
    before, after = canonical(old), canonical(new)
    (event,) = [event for event in compare(before, after, policy).events if event.id == rule.id][:1]
    assert witness_for(before, after, event) is not None


@pytest.mark.parametrize("place", PLACES)
@effort(150)
@given(pair=SCHEMA_PAIRS)
def test_generated_witnesses_are_right(place: str, pair: tuple[Any, Any]) -> None:
    old, new = pair
    before, after = canonical(PLACES[place](old)), canonical(PLACES[place](new))
    events: list[Event] = compare(before, after, POLICY).events
    sender, receiver = (old, new) if place in ("request", "parameter") else (new, old)
    sending, receiving = Judge(sender, place), Judge(receiver, place)
    witnesses = Witnesses(before, after)
    for event in events:
        witness = witnesses.of(event)
        if witness is not None and not witness.at:
            assert sending.accepts(witness.value), event.summary
            assert receiving.refuses_strictly(witness.value), event.summary


@effort(40)
@given(old=st.lists(SCHEMAS, min_size=3, max_size=3), new=st.lists(SCHEMAS, min_size=3, max_size=3))
def test_nothing_makes_the_search_raise(old: list[Any], new: list[Any]) -> None:
    before, after = canonical(api(old)), canonical(api(new))
    comparison = compare(before, after, POLICY)
    found = witnesses_for(before, after, comparison, seconds=60, severities=("breaking", "risky", "safe"))
    assert set(found) <= {event.fingerprint for event in comparison.events}
