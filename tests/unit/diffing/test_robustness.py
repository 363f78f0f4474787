"""No document that loads makes the comparison raise, hang or explode."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.conformance import folder, read
from specsync.diffing import Policy, compare
from specsync.openapi.canonical import CanonicalDocument, normalize
from specsync.openapi.errors import DocumentError
from specsync.openapi.load import load
from tests.unit.diffing.documents import TODAY, Tree, canonical, compared, document, ids, with_response
from tests.unit.diffing.strategies import THOROUGH, effort

POLICY = Policy(today=TODAY)
FOLDER = folder()
NAMES = ["A", "B", "C"]
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(-3, 3), st.sampled_from(["a", "b", ""]))
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])


def nested(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    named = st.dictionaries(st.sampled_from(["x", "y", "a/b"]), schemas, max_size=2)
    listed = st.lists(schemas, min_size=1, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.one_of(TYPES, st.lists(TYPES, min_size=1, max_size=3)),
            "nullable": st.booleans(),
            "enum": st.lists(SCALARS, max_size=3),
            "const": SCALARS,
            "default": SCALARS,
            "maximum": st.integers(0, 3),
            "exclusiveMinimum": st.one_of(st.booleans(), st.integers(0, 3)),
            "minLength": st.integers(0, 3),
            "pattern": st.sampled_from(["^a", ".*"]),
            "properties": named,
            "required": st.lists(st.sampled_from(["x", "y", "z"]), max_size=2),
            "additionalProperties": schemas,
            "patternProperties": named,
            "items": schemas,
            "prefixItems": listed,
            "contains": schemas,
            "allOf": listed,
            "oneOf": listed,
            "anyOf": listed,
            "not": schemas,
            "if": schemas,
            "then": schemas,
            "readOnly": st.booleans(),
            "writeOnly": st.booleans(),
            "deprecated": st.booleans(),
            "discriminator": st.just({"propertyName": "x", "mapping": {"a": "A"}}),
        },
    )


REFERENCES = st.sampled_from([{"$ref": f"#/components/schemas/{name}"} for name in NAMES])
SCHEMAS = st.recursive(st.one_of(st.booleans(), st.just({}), REFERENCES, nested(st.just({}))), nested, max_leaves=8)


def api(schemas: list[Any]) -> Tree:
    """Each schema in all places that there are."""
    references = [{"$ref": f"#/components/schemas/{name}"} for name in NAMES]
    content = {"application/json": {"schema": references[0]}, "text/plain": {"schema": references[1]}}
    parameters = [{"name": "q", "in": "query", "schema": references[2]}]
    headers = {"X-Rate": {"schema": references[1]}}
    response = {"description": "", "content": content, "headers": headers}
    operation = {"parameters": parameters, "requestBody": {"content": content}, "responses": {"200": response}}
    return document({"/a": {"post": operation}}, components={"schemas": dict(zip(NAMES, schemas, strict=True))})


@effort(150)
@given(st.lists(SCHEMAS, min_size=3, max_size=3), st.lists(SCHEMAS, min_size=3, max_size=3))
def test_any_two_documents_compare_and_none_differs_from_itself(old: list[Any], new: list[Any]) -> None:
    before, after = canonical(api(old)), canonical(api(new))
    for left, right in ((before, after), (after, before)):
        comparison = compare(left, right, POLICY)
        assert all(event.summary for event in comparison.events)
        assert {event.cause for event in comparison.events} == {cause.fingerprint for cause in comparison.causes}
        fingerprints = [event.fingerprint for event in comparison.events]
        assert len(fingerprints) == len(set(fingerprints))
    assert compare(before, canonical(api(copy.deepcopy(old))), POLICY).events == []


def test_cycles_through_every_keyword() -> None:
    def circle(keyword: str, limit: int) -> Tree:
        reference = {"$ref": "#/components/schemas/A"}
        below: Any = (
            [reference, {"maxProperties": limit}]
            if keyword in ("allOf", "oneOf", "anyOf", "prefixItems")
            else reference
        )
        if keyword == "properties":
            below = {"next": reference}
        return api([{keyword: below, "maxProperties": limit}, {"$ref": "#/components/schemas/A"}, {}])

    for keyword in ("allOf", "oneOf", "anyOf", "prefixItems", "items", "properties", "not", "additionalProperties"):
        events = compared(circle(keyword, 9), circle(keyword, 5)).events
        assert events, keyword
        assert len(events) < 20, keyword


def test_reference_that_only_refers_to_itself() -> None:
    loop = [{"$ref": "#/components/schemas/B"}, {"$ref": "#/components/schemas/A"}, {}]
    assert ids(api(loop), api([{}, {}, {}])) == []
    assert ids(api([{}, {}, {}]), api(loop)) == []


def test_deep_nesting() -> None:
    def deep(limit: int, keyword: str) -> Tree:
        schema: Any = {"maxLength": limit}
        for _ in range(60):
            schema = {keyword: [schema, {"type": "array"}]} if keyword == "oneOf" else {keyword: schema}
        return document(
            {"/a": {"get": {"responses": {"200": {"description": "", "content": {"a/b": {"schema": schema}}}}}}}
        )

    assert len(compared(deep(3, "items"), deep(5, "items")).events) == 1
    assert compared(deep(3, "oneOf"), deep(5, "oneOf")).summary.breaking >= 1


def clique(size: int, limit: int) -> Tree:
    """Schemas that all refer to each other."""
    names = [f"S{number}" for number in range(size)]
    schemas = {
        name: {
            "type": "object",
            "maxProperties": limit,
            "properties": {f"p{other}": {"$ref": f"#/components/schemas/{other}"} for other in names},
        }
        for name in names
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}
    return document(
        {"/a": {"get": {"responses": {"200": {"description": "", "content": content}}}}},
        components={"schemas": schemas},
    )


def test_schemas_that_all_refer_to_each_other_are_reported_once_each() -> None:
    assert len(compared(clique(9, 3), clique(9, 5)).events) == 9


def mutated(tree: Tree, chance: random.Random) -> Tree:
    """``tree`` with some of its values replaced by values of any kind."""

    def visit(value: Any) -> Any:
        if chance.random() < 0.01:
            return chance.choice([None, True, 7, "x", [], {}, [1], {"$ref": "#/components/schemas/A"}, {"type": 3}])
        if isinstance(value, dict):
            return {key: visit(item) for key, item in value.items()}
        if isinstance(value, list):
            return [visit(item) for item in value]
        return value

    return {**tree, "paths": visit(tree["paths"]), "components": visit(tree["components"])}


def test_documents_with_defects_compare() -> None:
    rich = api(
        [
            {"type": "object", "required": ["x"], "properties": {"x": {"$ref": "#/components/schemas/B"}, "y": {}}},
            {"oneOf": [{"type": "string", "enum": ["a"]}, {"allOf": [{"$ref": "#/components/schemas/C"}, {}]}]},
            {"type": "array", "items": {"type": ["string", "null"], "maxLength": 3}, "minItems": 1},
        ]
    )
    whole = canonical(rich)
    survived = 0
    for seed in range(300):
        data = json.dumps(mutated(rich, random.Random(seed))).encode()
        try:
            other = normalize(load(data))
        except DocumentError as error:
            assert error.message
            continue
        survived += 1
        compare(whole, other, POLICY)
        compare(other, whole, POLICY)
    assert survived > 100


def reference(name: str) -> Tree:
    return {"$ref": f"#/components/schemas/{name}"}


IN_LISTS = ("allOf", "oneOf", "anyOf", "prefixItems")


def chained(keyword: str, limit: int, count: int = 3000) -> Tree:
    """Components that each lead to the next one by ``keyword``; ``limit`` stands in the last."""
    schemas: Tree = {f"S{count}": {"type": "string", "maxLength": limit}}
    for index in range(count):
        following = reference(f"S{index + 1}")
        if keyword in IN_LISTS:
            schemas[f"S{index}"] = {keyword: [following, {"minLength": 1}]}
        elif keyword == "properties":
            schemas[f"S{index}"] = {"properties": {"next": following}}
        elif keyword == "$ref":
            schemas[f"S{index}"] = following
        elif keyword == "beside":
            schemas[f"S{index}"] = {**following, "minLength": index % 7 + 1}
        else:
            schemas[f"S{index}"] = {keyword: following}
    return with_response(reference("S0"), components={"schemas": schemas})


@pytest.mark.parametrize(
    "keyword",
    [
        "allOf",
        "oneOf",
        "anyOf",
        "prefixItems",
        "properties",
        "items",
        "not",
        "additionalProperties",
        "$ref",
        "beside",
    ],
)
def test_long_chain_of_references(keyword: str) -> None:
    old, new = canonical(chained(keyword, 3)), canonical(chained(keyword, 5))
    assert compare(old, new, POLICY).events != []
    compare(new, old, POLICY)


@pytest.mark.parametrize("keyword", ["items", "not", "additionalProperties", "allOf", "properties"])
def test_two_thousand_levels_are_refused_by_the_loader(keyword: str) -> None:
    opening = {"allOf": '{"allOf":[', "properties": '{"properties":{"p":'}.get(keyword, f'{{"{keyword}":')
    closing = {"allOf": "]}", "properties": "}}"}.get(keyword, "}")
    schema = opening * 2000 + "{}" + closing * 2000
    text = json.dumps(with_response("SCHEMA")).replace('"SCHEMA"', schema)
    with pytest.raises(DocumentError) as caught:
        normalize(load(text.encode()))
    assert caught.value.reason == "LimitExceeded"


@pytest.mark.parametrize("keyword", ["items", "not", "additionalProperties", "contains", "if"])
def test_as_many_levels_as_the_loader_accepts(keyword: str) -> None:
    def deep(limit: int) -> Tree:
        schema: Tree = {"maxLength": limit}
        for _ in range(185):
            schema = {keyword: schema}
        return with_response(schema)

    assert len(compared(deep(3), deep(5)).events) == 1


def test_ten_thousand_operations() -> None:
    def large(limit: int) -> Tree:
        tree = clique(3, limit)
        content = {"application/json": {"schema": reference("S0")}}
        responses = {"200": {"description": "", "content": content}}
        tree["paths"] = {f"/a/{number}": {"get": {"responses": responses}} for number in range(10_000)}
        return tree

    comparison = compared(large(3), large(5))
    assert len(comparison.events) == 30_000
    assert [cause.operations for cause in comparison.causes] == [10_000] * 3


NOWHERE: list[tuple[str, Tree]] = [
    ("/paths/~1a/get/parameters/0", {"parameters": [{"$ref": "#/components/parameters/Gone"}]}),
    ("/paths/~1a/get/requestBody", {"requestBody": {"$ref": "#/components/requestBodies/Gone"}}),
    ("/paths/~1a/get/responses/200", {"responses": {"200": {"$ref": "#/components/responses/Gone"}}}),
    ("/paths/~1a/get/responses/200/headers/X", {"responses": {"200": {"headers": {"X": {"$ref": "#/nowhere"}}}}}),
    (
        "/paths/~1a/get/requestBody/content/a~1b/schema/properties/p/items",
        {"requestBody": {"content": {"a/b": {"schema": {"properties": {"p": {"items": reference("Gone")}}}}}}},
    ),
    (
        "/paths/~1a/get/requestBody/content/a~1b/schema",
        {"requestBody": {"content": {"a/b": {"schema": {"$ref": "#/paths/~1a/get/parameters/7"}}}}},
    ),
]


@pytest.mark.parametrize(("pointer", "operation"), NOWHERE)
def test_reference_to_nothing_names_its_place(pointer: str, operation: Tree) -> None:
    with pytest.raises(DocumentError) as caught:
        canonical(document({"/a": {"get": {"responses": {}, **operation}}}))
    assert caught.value.reason == "UnresolvableReference"
    assert caught.value.pointer == pointer
    assert pointer in caught.value.message


def test_reference_to_nothing_in_an_unused_component_names_its_place() -> None:
    with pytest.raises(DocumentError) as caught:
        canonical(document(components={"schemas": {"A": {"not": reference("Gone")}}}))
    assert caught.value.pointer == "/components/schemas/A/not"


@pytest.mark.parametrize("written", ['say "x"', 'other.yaml#/"', 'back\\\\"slash'])
def test_reference_with_a_quote_in_it(written: str) -> None:
    assert ids(with_response({"$ref": written}), with_response({"$ref": written})) == []


NUMBERS = ["0", "-1", "3", "0.1", "-0.0", "1e308", "1e-320", "1" + "0" * 400, "true", "null", '"x"', "[]"]
BOUNDED = ["multipleOf", "maximum", "exclusiveMinimum", "maxLength", "minItems", "minContains"]


def numbered(keyword: str, number: str) -> bytes:
    return json.dumps(with_response({"contains": {}, keyword: "NUMBER"})).replace('"NUMBER"', number).encode()


@pytest.mark.parametrize("keyword", BOUNDED)
def test_numbers_of_any_size(keyword: str) -> None:
    forms = [normalize(load(numbered(keyword, number))) for number in NUMBERS]
    for old, new in product(forms, forms):
        compare(old, new, POLICY)
        assert CanonicalDocument.from_bytes(old.to_bytes()).digest == old.digest


REPLACEMENTS: list[Any] = [
    *(None, True, False, 0, -1, 1.5, "", "x", [], [1], ["a", None], {}, {"a": 1}, [[]], [{}], "2020-13-45"),
    *({"$ref": "#/info"}, {"$ref": "#/paths"}, {"$ref": 3}, {"type": 3}, {"type": ["x", 1]}, {"allOf": [{}]}),
]
KEYWORDS = ["type", "allOf", "items", "properties", "required", "$ref", "schema", "content", "parameters", "enum"]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in below:
        yield from places(item, (*path, key))


def damage(tree: Tree, path: tuple[Any, ...], chance: random.Random) -> None:
    """Remove what is at ``path``, replace it, or call it otherwise; nothing where it has gone already."""
    holder: Any = tree
    for key in path[:-1]:
        if not isinstance(holder, dict | list) or (isinstance(holder, list) and not isinstance(key, int)):
            return
        if key not in (holder if isinstance(holder, dict) else range(len(holder))):
            return
        holder = holder[key]
    key = path[-1]
    if not isinstance(holder, dict) or key not in holder:
        return
    kind = chance.random()
    if kind < 0.3:
        del holder[key]
    elif kind < 0.8:
        holder[key] = chance.choice(REPLACEMENTS)
    else:
        holder[chance.choice(KEYWORDS)] = holder.pop(key)


@pytest.mark.skipif(
    FOLDER is None, reason="no conformance data: set SPECSYNC_CONFORMANCE_DIR to the folder that holds it"
)
@pytest.mark.parametrize(("name", "count"), [("box-0", 40), ("plaid-60", 15)])
def test_real_documents_with_defects_compare(name: str, count: int) -> None:
    assert FOLDER is not None
    loaded = read(FOLDER, name)
    text, whole = json.dumps(loaded.as_tree()), normalize(loaded)
    inner = [path for path in places(loaded.as_tree()) if len(path) > 3]
    survived = 0
    for seed in range(count * (20 if THOROUGH else 1)):
        chance, tree = random.Random(seed), json.loads(text)
        for path in chance.sample(inner, chance.choice([1, 5, 15, 40])):
            damage(tree, path, chance)
        try:
            other = normalize(load(json.dumps(tree).encode()))
        except DocumentError as error:
            assert error.reason == "UnresolvableReference"
            assert error.pointer
            continue
        survived += 1
        assert CanonicalDocument.from_bytes(other.to_bytes()).digest == other.digest
        for old, new in ((whole, other), (other, whole)):
            assert all(event.summary for event in compare(old, new, POLICY).events)
    assert survived > count / 2
