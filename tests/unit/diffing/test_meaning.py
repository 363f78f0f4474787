"""Schemas that mean the same without looking the same, and some that only look so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diffing.documents import Tree, document, ids, severities, with_request, with_response

PET: Tree = {"components": {"schemas": {"Pet": {"type": "object", "properties": {"a": {"type": "string"}}}}}}
REFERENCE: Tree = {"$ref": "#/components/schemas/Pet"}
OBJECTS: Tree = {"oneOf": [{"type": "object", "title": "A"}, {"type": "object", "title": "B"}]}

SAME: list[tuple[Any, Any]] = [
    (OBJECTS, {"type": "object"}),
    ({"anyOf": OBJECTS["oneOf"]}, {"type": "object"}),
    ({"type": "string", "enum": ["USD"], "minLength": 3}, {"type": "string", "enum": ["USD"]}),
    ({"type": "string", "const": "USD", "pattern": "^U"}, {"type": "string", "enum": ["USD"], "maxLength": 9}),
    ({"type": "integer", "enum": [1, 4], "maximum": 4}, {"type": "integer", "enum": [1, 4], "exclusiveMinimum": 0}),
    ({"type": "object", "anyOf": [REFERENCE]}, REFERENCE),
    ({"type": "object", "oneOf": [REFERENCE]}, REFERENCE),
    ({"type": "object", "anyOf": [{"required": ["a"]}]}, {"type": "object", "required": ["a"]}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same_meaning_is_no_event(one: Any, other: Any) -> None:
    for place in (with_request, with_response):
        assert ids(place(one, **PET), place(other, **PET)) == []
        assert ids(place(other, **PET), place(one, **PET)) == []


def test_bounds_that_an_enum_does_not_keep_are_compared() -> None:
    old, new = {"type": "string", "enum": ["US"], "minLength": 3}, {"type": "string", "enum": ["US"]}
    assert ids(with_response(old), with_response(new)) == ["response-body-min-length-decreased"]
    assert severities(with_request(new), with_request(old)) == {"request-body-min-length-increased": "breaking"}


def test_alternatives_that_take_less_than_the_type_are_no_loss_when_they_go() -> None:
    narrow = {"oneOf": [{"type": "object", "required": ["a"]}, {"type": "object", "required": ["b"]}]}
    wide = {"type": "object"}
    assert "breaking" not in severities(with_request(narrow), with_request(wide)).values()
    assert "breaking" in severities(with_request(wide), with_request(narrow)).values()
    assert "breaking" in severities(with_response(narrow), with_response(wide)).values()
    assert "breaking" not in severities(with_response(wide), with_response(narrow)).values()


def test_pattern_property_takes_its_names_away_from_additional_properties() -> None:
    old = {"type": "object", "additionalProperties": {"type": "object"}}
    new = {**old, "patternProperties": {"^a": {"type": "string"}}}
    assert severities(with_response(old), with_response(new))["response-property-type-changed"] == "breaking"
    assert severities(with_request(new), with_request(old))["request-property-type-changed"] == "breaking"


def test_enum_of_two_on_a_boolean_is_both_of_its_values_only_where_they_are() -> None:
    old = {"type": "boolean"}
    assert severities(with_request(old), with_request({**old, "enum": [1, "a"]})) == {
        "request-body-became-enum": "breaking"
    }
    assert ids(with_request(old), with_request({**old, "enum": [False, True]})) == []


def test_null_among_the_alternatives_counts_only_where_the_type_has_it_too() -> None:
    alternatives = [{"type": "string"}, {"type": "null"}]
    old, new = {"type": "string"}, {"type": "string", "anyOf": alternatives}
    assert ids(with_response(old), with_response(new)) == []
    assert ids(with_response(old), with_response({"anyOf": alternatives})) == ["response-body-became-nullable"]
    both = {"type": ["string", "null"], "anyOf": alternatives}
    assert ids(with_response(old), with_response(both)) == ["response-body-became-nullable"]


def test_version_is_an_event_of_its_own_where_nothing_else_changed() -> None:
    assert severities(document(api_version="1"), document(api_version="2")) == {"api-version-changed": "safe"}
    operation: Tree = {"get": {"responses": {}}}
    assert ids(document(api_version="1"), document({"/a": operation}, api_version="2")) == ["endpoint-added"]
