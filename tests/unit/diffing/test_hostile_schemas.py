"""Documents that are small and would take for ever, were each way through them gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specsync.diffing import Policy, compare
from specsync.diffing.witness import witnesses_for
from tests.unit.diffing.documents import TODAY, Tree, canonical, compared, document, ids, with_request, with_response
from tests.unit.diffing.test_robustness import reference

POLICY = Policy(today=TODAY)
TEXT: Tree = {"type": "string"}
SLOW = "^(a+)+$"
NAME = "a" * 60 + "!"


def listing(**bounds: Any) -> Tree:
    return with_response({**TEXT, "enum": [NAME], "pattern": SLOW, **bounds})


def test_pattern_that_takes_for_ever_beside_an_enum() -> None:
    assert ids(listing(minLength=1), listing()) == ["response-body-min-length-decreased"]


def test_pattern_that_takes_for_ever_beside_a_property() -> None:
    patterns = {"patternProperties": {SLOW: TEXT}}
    old, new = with_request({"properties": {NAME: TEXT}, **patterns}), with_request(patterns)
    assert ids(old, new) == ["request-property-removed", "request-property-type-generalized"]


def test_patterns_are_read_as_javascript_does() -> None:
    def tagged(limit: int, **properties: Any) -> Tree:
        part = {**TEXT, "maxLength": limit}
        return with_request({"properties": properties, "patternProperties": {"^(?<kind>x|y)-\\d+$": part}})

    assert "request-property-max-length-set" in ids(tagged(3, **{"x-1": TEXT}), tagged(3))
    assert "request-property-max-length-set" not in ids(tagged(3, **{"z-1": TEXT}), tagged(3))


def layered(layer: Callable[[Tree], Tree], limit: int, count: int = 40) -> dict[str, Any]:
    """Components that each hold the next one as ``layer`` says; ``limit`` stands in the last."""
    schemas = {f"S{index}": layer(reference(f"S{index + 1}")) for index in range(count)}
    return {**schemas, f"S{count}": {"type": "object", "maxProperties": limit}}


LAYERS: dict[str, Callable[[Tree], Tree]] = {
    "the same branch twice": lambda below: {"allOf": [below, below]},
    "a branch and a property": lambda below: {"allOf": [below, {"properties": {"p": below}}, below]},
    "many branches and a note": lambda below: {"allOf": [*[below] * 8, {"title": "a note"}]},
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_branches_that_are_reached_in_many_ways(layer: Callable[[Tree], Tree]) -> None:
    def api(limit: int) -> Tree:
        note = {"minProperties": 1} if limit == 5 else {"title": "another note"}
        schema = {"type": "object", "properties": {"x": {"allOf": [reference("S0"), note]}, "y": {"minLength": limit}}}
        return with_request(schema, components={"schemas": layered(layer, limit)})

    old, new = canonical(api(3)), canonical(api(5))
    for before, after in ((old, new), (new, old)):
        comparison = compare(before, after, POLICY)
        assert comparison.events
        witnesses_for(before, after, comparison, seconds=60, severities=("breaking", "risky", "safe"))


def nested(limit: int, width: int, depth: int) -> Tree:
    """Alternatives of alternatives, of which none is what it was."""
    if depth == 0:
        return {**TEXT, "maxLength": limit}
    below = nested(limit, width, depth - 1)
    parts = [{"p": below, "q": {"minimum": limit * width + index}} for index in range(width)]
    return {"oneOf": [{"type": "object", "properties": properties} for properties in parts]}


def test_alternatives_of_alternatives() -> None:
    events = compared(with_response(nested(3, 30, 2)), with_response(nested(5, 30, 2))).events
    assert {event.id for event in events} == {"response-body-one-of-added", "response-body-one-of-removed"}


def test_renamed_components_that_lead_to_each_other_by_alternatives() -> None:
    def chain(prefix: str, limit: int) -> Tree:
        schemas: Tree = {f"{prefix}300": {**TEXT, "maxLength": limit}}
        for index in range(300):
            below = reference(f"{prefix}{index + 1}")
            parts = [{"x": below}, {"y": below, "z": {"maximum": 3}}]
            schemas[f"{prefix}{index}"] = {"oneOf": [{"type": "object", "properties": part} for part in parts]}
        return with_response(reference(f"{prefix}0"), components={"schemas": schemas})

    assert compared(chain("S", 3), chain("T", 5)).summary.breaking >= 1


def test_thousands_of_names_for_one_schema_that_is_gone() -> None:
    chain = {f"S{index}": reference(f"S{index + 1}") for index in range(3000)}
    old = document(components={"schemas": {**chain, "S3000": TEXT}})
    assert len(ids(old, document())) == 3001
    kept = {"schemas": {"S3000": TEXT}}
    assert ids(document(components={"schemas": {**chain, **kept["schemas"]}}), document(components=kept)) == []


def lists(limit: int) -> Tree:
    """Three hundred lists of three hundred lists of three hundred strings."""
    schema: Tree = {**TEXT, "maxLength": limit}
    for _ in range(3):
        schema = {"type": "array", "minItems": 300, "items": schema}
    return with_request(schema)


def family(limit: int) -> Tree:
    """Each person needs ten others."""
    names = [f"p{index}" for index in range(10)]
    schemas: Tree = {"S11": {**TEXT, "maxLength": limit}}
    for index in range(11):
        properties = {name: reference(f"S{index + 1}") for name in names}
        schemas[f"S{index}"] = {"type": "object", "required": names, "properties": properties}
    return with_request(reference("S0"), components={"schemas": schemas})


@pytest.mark.parametrize("api", [lists, family])
def test_values_that_are_too_large_to_be_shown(api: Callable[[int], Tree]) -> None:
    before, after = canonical(api(5)), canonical(api(3))
    comparison = compare(before, after, POLICY)
    assert comparison.summary.breaking == 1
    assert witnesses_for(before, after, comparison, seconds=60) == {}


def test_version_with_thousands_of_digits() -> None:
    paths = {"/a": {"get": {"responses": {}}}}
    old, new = document(paths, api_version="1.0." + "1" * 5000), document(api_version="1.0." + "2" * 5000)
    assert ids(old, new) == ["api-path-removed-without-deprecation"]
