"""Requests are contravariant, responses covariant: what is safe in one direction breaks the other."""

from __future__ import annotations

import pytest

from tests.unit.diffing.documents import (
    Tree,
    compared,
    document,
    ids,
    severities,
    with_parameter,
    with_request,
    with_response,
)

TEXT: Tree = {"type": "string"}


def worst(old: Tree, new: Tree) -> str:
    """The worst severity, or ``none``."""
    found = severities(old, new).values()
    return next((severity for severity in ("breaking", "risky", "safe") if severity in found), "none")


NARROWINGS: list[tuple[Tree, Tree]] = [
    ({"type": "number"}, {"type": "integer"}),
    ({"type": ["string", "integer"]}, {"type": "string"}),
    ({"type": ["string", "null"]}, TEXT),
    ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a"]}),
    (TEXT, {"type": "string", "enum": ["a"]}),
    ({"maxLength": 9}, {"maxLength": 5}),
    ({"minimum": 1}, {"minimum": 2}),
    ({"minItems": 1}, {"minItems": 2}),
    ({"multipleOf": 1}, {"multipleOf": 2}),
    (
        {"oneOf": [{"title": "A", "type": "object"}, {"title": "B", "type": "array"}]},
        {"oneOf": [{"title": "A", "type": "object"}]},
    ),
    ({"type": "object", "properties": {"a": TEXT}}, {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}),
    ({"type": "object"}, {"type": "object", "required": ["a"]}),
    ({"type": "object"}, {"type": "object", "additionalProperties": TEXT}),
    ({"type": "array"}, {"type": "array", "items": TEXT}),
    ({"type": "array", "items": {"maxLength": 9}}, {"type": "array", "items": {"maxLength": 5}}),
    ({"additionalProperties": {"maxLength": 9}}, {"additionalProperties": {"maxLength": 5}}),
    (TEXT, {"type": "string", "not": {"enum": ["x"]}}),
    ({"not": {"maxLength": 3}}, {"not": {"maxLength": 5}}),
    (True, False),  # type: ignore[list-item]
    ({}, {"oneOf": [{"type": "object"}, {"type": "array"}]}),
    ({}, {"const": 1}),
    ({}, {"type": "array", "uniqueItems": True}),
    ({"allOf": [{"type": "object"}]}, {"allOf": [{"type": "object"}, {"required": ["a"]}]}),
]


@pytest.mark.parametrize(("wide", "narrow"), NARROWINGS)
def test_request_that_accepts_less_is_not_safe_and_the_reverse_does_not_break(wide: Tree, narrow: Tree) -> None:
    assert worst(with_request(wide), with_request(narrow)) in ("breaking", "risky")
    if "not" not in str(wide):
        assert worst(with_request(narrow), with_request(wide)) in ("safe", "none")


@pytest.mark.parametrize(("wide", "narrow"), NARROWINGS)
def test_parameter_that_accepts_less_is_not_safe(wide: Tree, narrow: Tree) -> None:
    if wide == {"type": ["string", "integer"]}:
        pytest.skip("a parameter is text: a string takes what an integer takes")
    assert worst(with_parameter(wide), with_parameter(narrow)) in ("breaking", "risky")


@pytest.mark.parametrize(("wide", "narrow"), NARROWINGS)
def test_response_that_sends_more_is_not_safe_and_the_reverse_does_not_break(wide: Tree, narrow: Tree) -> None:
    assert worst(with_response(narrow), with_response(wide)) in ("breaking", "risky")
    if "not" not in str(wide):
        assert worst(with_response(wide), with_response(narrow)) in ("safe", "none")


def holding(schema: Tree, **rest: object) -> Tree:
    return {"type": "object", "properties": {"a": schema}, **rest}


def test_read_only_is_not_judged_in_requests_nor_write_only_in_responses() -> None:
    strict, loose = {"type": "integer", "maximum": 3}, {"type": "string"}
    for flag, place in (("readOnly", with_request), ("writeOnly", with_response)):
        old, new = holding({**strict, flag: True}), holding({**loose, flag: True})
        assert worst(place(old), place(new)) in ("safe", "none")
        assert worst(place(new), place(old)) in ("safe", "none")
        assert worst(place(holding({})), place(holding({}, required=["a"]))) == (
            "breaking" if place is with_request else "safe"
        )
        assert worst(place({"type": "object"}), place(holding({flag: True}, required=["a"]))) in ("safe", "none")


def test_what_is_below_a_read_only_property_is_not_judged_in_requests() -> None:
    def below(schema: Tree) -> Tree:
        return holding({**holding(schema), "readOnly": True})

    assert worst(with_request(below({"type": "string"})), with_request(below({"type": "integer"}))) == "none"
    assert worst(with_response(below({"type": "string"})), with_response(below({"type": "integer"}))) == "breaking"


def test_schema_that_is_reached_both_ways_is_judged_by_the_way_that_is_sent() -> None:
    shared = {"Inner": {"type": "object", "properties": {"x": {"type": "string"}}}}
    changed = {"Inner": {"type": "object", "properties": {"x": {"type": "boolean"}}}}
    schema = {
        "type": "object",
        "properties": {
            "shown": {"readOnly": True, "type": "object", "properties": {"in": {"$ref": "#/components/schemas/Inner"}}},
            "sent": {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}},
        },
    }
    old, new = (with_request(schema, components={"schemas": components}) for components in (shared, changed))
    (event,) = [event for event in compared(old, new).events if event.id == "request-property-type-changed"]
    assert event.severity == "breaking"
    assert "`sent/items/x`" in event.summary


def test_media_type_decides_whether_text_and_numbers_differ() -> None:
    old, new = {"type": "integer"}, {"type": "string"}
    assert ids(with_request(old), with_request(new)) == ["request-body-type-changed"]
    form = "application/x-www-form-urlencoded"
    assert ids(with_request(old, media_type=form), with_request(new, media_type=form)) == [
        "request-body-type-compatible"
    ]
    assert ids(with_parameter(old), with_parameter(new)) == ["request-parameter-type-generalized"]


def test_default_of_a_parameter_that_must_be_sent_means_nothing() -> None:
    old, new = {"type": "string", "default": "a"}, {"type": "string", "default": "b"}
    assert ids(with_parameter(old), with_parameter(new)) == ["request-parameter-default-value-changed"]
    assert ids(with_parameter(old, required=True), with_parameter(new, required=True)) == []


def test_path_level_parameter_counts_for_each_operation() -> None:
    def api(schema: Tree) -> Tree:
        parameter = {"name": "q", "in": "query", "schema": schema}
        operation: Tree = {"responses": {}}
        return document({"/pets": {"parameters": [parameter], "get": operation, "put": operation}})

    events = compared(api({"maxLength": 9}), api({"maxLength": 5})).events
    assert [event.id for event in events] == ["request-parameter-max-length-decreased"] * 2
    assert len({event.cause for event in events}) == 1


def test_operation_s_own_parameter_replaces_that_of_the_path() -> None:
    def api(schema: Tree) -> Tree:
        shared = {"name": "q", "in": "query", "schema": schema}
        own = {"name": "q", "in": "query", "schema": {}}
        return document({"/pets": {"parameters": [shared], "get": {"parameters": [own], "responses": {}}}})

    assert ids(api({"maxLength": 9}), api({"maxLength": 5})) == []


def test_previews_make_no_events() -> None:
    def api(*statuses: str) -> Tree:
        responses = {status: {"description": ""} for status in statuses}
        return document({"/pets": {"get": {"x-stability-level": "alpha", "responses": responses}}})

    assert ids(api("200"), api("201")) == []
    assert ids(api("200"), document()) == []


READ: Tree = {"OAuth": ["read"]}
WRITE: Tree = {"OAuth": ["read", "write"]}
KEY: Tree = {"Key": []}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [KEY], "breaking"),
        ([{}], [KEY], "breaking"),
        ([{}, KEY], [KEY], "breaking"),
        ([KEY], [{}, KEY], "none"),
        ([KEY], [], "safe"),
        ([KEY], [KEY, READ], "safe"),
        ([KEY, READ], [KEY], "risky"),
        ([READ], [WRITE], "risky"),
        ([WRITE], [READ], "safe"),
        ([KEY], [READ], "breaking"),
    ],
)
@pytest.mark.parametrize("is_global", [False, True])
def test_security_that_shuts_somebody_out_is_not_safe(
    before: list[Tree], after: list[Tree], expected: str, is_global: bool
) -> None:
    def api(security: list[Tree]) -> Tree:
        if is_global:
            return document({"/a": {"get": {"responses": {}}}}, security=security)
        return document({"/a": {"get": {"security": security, "responses": {}}}})

    assert worst(api(before), api(after)) in (expected, "safe" if expected == "none" and is_global else expected)


def test_operation_without_security_has_that_of_the_document() -> None:
    def api(security: list[Tree] | None) -> Tree:
        operation = {"responses": {}} if security is None else {"security": security, "responses": {}}
        return document({"/a": {"get": operation}}, security=[KEY])

    assert worst(api([]), api(None)) == "breaking"
    assert worst(api(None), api([])) == "safe"
    assert worst(api([KEY]), api(None)) == worst(api(None), api([KEY])) == "none"
