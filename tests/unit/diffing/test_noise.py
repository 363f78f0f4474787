"""What changes the text of a document and not its meaning makes no event."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from specsync.diffing import compare
from specsync.openapi.canonical import normalize
from specsync.openapi.load import load
from tests.unit.diffing.documents import (
    Tree,
    canonical,
    compared,
    document,
    ids,
    with_header,
    with_request,
    with_response,
)

TAG: Tree = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
}


def api(**changes: Any) -> Tree:
    """A document with a bit of everything."""
    tree = document(
        {
            "/pets/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "post": {
                    "operationId": "buy",
                    "tags": ["pets"],
                    "parameters": [{"name": "X-Trace", "in": "header", "schema": {"type": "string"}}],
                    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Tag"}}}},
                    "responses": {
                        "200": {
                            "description": "",
                            "headers": {"X-Rate": {"schema": {"type": "integer"}}},
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Tag"}}},
                        }
                    },
                },
            }
        },
        components={"schemas": {"Tag": TAG}},
    )
    tree.update(changes)
    return tree


def post(tree: Tree) -> Tree:
    (item,) = tree["paths"].values()
    operation: Tree = item["post"]
    return operation


def changed(change: Any) -> Tree:
    tree = copy.deepcopy(api())
    change(tree)
    return tree


def move_parameters(tree: Tree) -> None:
    (item,) = tree["paths"].values()
    item["post"]["parameters"] += item.pop("parameters")


def share_parameter(tree: Tree) -> None:
    tree["components"]["parameters"] = {"Trace": post(tree)["parameters"][0]}
    post(tree)["parameters"] = [{"$ref": "#/components/parameters/Trace"}]


def share_response(tree: Tree) -> None:
    tree["components"]["responses"] = {"Bought": post(tree)["responses"]["200"]}
    post(tree)["responses"]["200"] = {"$ref": "#/components/responses/Bought"}


def inline(tree: Tree) -> None:
    post(tree)["requestBody"]["content"]["application/json"]["schema"] = TAG
    post(tree)["responses"]["200"]["content"]["application/json"]["schema"] = copy.deepcopy(TAG)
    del tree["components"]


def rename_schema(tree: Tree) -> None:
    tree["components"]["schemas"]["Label"] = tree["components"]["schemas"].pop("Tag")
    for holder in (post(tree)["requestBody"], post(tree)["responses"]["200"]):
        holder["content"]["application/json"]["schema"] = {"$ref": "#/components/schemas/Label"}


def wrap(tree: Tree) -> None:
    tree["components"]["schemas"]["Tag"] = {"allOf": [TAG], "description": "wrapped"}


def spread(tree: Tree) -> None:
    """The properties over several branches of allOf."""
    tree["components"]["schemas"]["Base"] = {"type": "object", "properties": {"id": {"type": "integer"}}}
    tree["components"]["schemas"]["Tag"] = {
        "allOf": [
            {"$ref": "#/components/schemas/Base"},
            {"required": ["id"], "properties": {"name": {"type": "string"}}},
        ]
    }


def rename_path_parameter(tree: Tree) -> None:
    tree["paths"] = {"/pets/{petId}": tree["paths"]["/pets/{id}"]}
    tree["paths"]["/pets/{petId}"]["parameters"][0]["name"] = "petId"


def respell_headers(tree: Tree) -> None:
    post(tree)["parameters"][0]["name"] = "x-trace"
    headers = post(tree)["responses"]["200"]["headers"]
    headers["x-rate"] = headers.pop("X-Rate")


def describe(tree: Tree) -> None:
    tree["info"]["description"] = "All about pets"
    post(tree).update({"summary": "Buy", "description": "Buys", "x-internal": True})
    tree["components"]["schemas"]["Tag"]["example"] = {"id": 1}
    tree["components"]["schemas"]["Tag"]["title"] = "A tag"


def change_format(tree: Tree) -> None:
    tree["openapi"] = "3.0.3"


CHANGES = [
    move_parameters,
    share_parameter,
    share_response,
    inline,
    rename_schema,
    wrap,
    spread,
    rename_path_parameter,
    respell_headers,
    describe,
    change_format,
]


@pytest.mark.parametrize("change", CHANGES)
def test_change_of_form_is_no_event(change: Any) -> None:
    assert ids(api(), changed(change)) == []
    assert ids(changed(change), api()) == []


def test_there_and_back_for_all_pairs_of_forms() -> None:
    forms = [canonical(changed(change)) for change in CHANGES]
    for old in forms:
        for new in forms:
            assert [event.summary for event in compare(old, new).events] == []


@pytest.mark.parametrize("place", [with_request, with_response, with_header])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"type": "string", "nullable": True}, {"type": ["null", "string"]}),
        ({"type": "string", "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"enum": ["a"]}, {"const": "a"}),
        ({"allOf": [{"type": "string"}, {"maxLength": 3}]}, {"type": "string", "maxLength": 3}),
        (
            {"allOf": [{"type": "object"}, {"properties": {"a": {"type": "string"}}}]},
            {"type": "object", "properties": {"a": {"type": "string"}}},
        ),
        (
            {"oneOf": [{"type": "object", "minProperties": 1}, {"type": "array"}]},
            {"oneOf": [{"type": "array"}, {"type": "object", "minProperties": 1}]},
        ),
    ],
)
def test_other_spelling_is_no_event(place: Any, one: Tree, other: Tree) -> None:
    assert ids(place(one), place(other)) == []
    assert ids(place(other), place(one)) == []


def test_alternative_that_was_inlined_or_renamed_is_no_event() -> None:
    cat = {"type": "object", "properties": {"lives": {"type": "integer"}}}
    dog = {"type": "object", "properties": {"tricks": {"type": "integer"}}}
    named = with_response(
        {"oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]},
        components={"schemas": {"Cat": cat, "Dog": dog}},
    )
    inlined = with_response({"oneOf": [cat, dog]})
    renamed = with_response(
        {"oneOf": [{"$ref": "#/components/schemas/Hound"}, {"$ref": "#/components/schemas/Cat"}]},
        components={"schemas": {"Cat": cat, "Hound": dog}},
    )
    for old in (named, inlined, renamed):
        for new in (named, inlined, renamed):
            assert [event.id for event in compared(old, new).events if event.id != "api-schema-removed"] == []


def test_swagger_2_and_openapi_3_compare() -> None:
    swagger = {
        "swagger": "2.0",
        "info": {"title": "Pets", "version": "1.0"},
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "paths": {
            "/pets": {
                "post": {
                    "parameters": [
                        {"name": "limit", "in": "query", "type": "integer", "maximum": 5},
                        {"name": "pet", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Pet"}},
                    ],
                    "responses": {"200": {"description": "", "schema": {"$ref": "#/definitions/Pet"}}},
                }
            }
        },
        "definitions": {"Pet": {"type": "object", "properties": {"name": {"type": "string", "x-nullable": True}}}},
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}
    openapi = document(
        {
            "/pets": {
                "post": {
                    "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 5}}],
                    "requestBody": {"required": True, "content": content},
                    "responses": {"200": {"description": "", "content": content}},
                }
            }
        },
        components={"schemas": {"Pet": {"type": "object", "properties": {"name": {"type": ["string", "null"]}}}}},
    )
    assert ids(swagger, openapi) == []
    del openapi["components"]["schemas"]["Pet"]["properties"]["name"]
    assert ids(swagger, openapi) == ["request-property-removed", "response-optional-property-removed"]


def test_yaml_and_json_of_one_document_are_one() -> None:
    import json

    import yaml

    tree = api()
    assert (
        compare(normalize(load(json.dumps(tree).encode())), normalize(load(yaml.safe_dump(tree).encode()))).events == []
    )


def test_null_beside_a_reference_in_a_branch_of_all_of_is_seen() -> None:
    def api(part: Tree) -> Tree:
        schema = {"type": "object", "properties": {"a": {"allOf": [part, {"description": "x"}]}}}
        return with_response(schema, components={"schemas": {"Name": {"type": "string"}}})

    reference = {"$ref": "#/components/schemas/Name"}
    spelled = {"anyOf": [reference, {"type": "null"}]}
    assert ids(api({**reference, "nullable": True}), api({"type": ["string", "null"]})) == []
    assert ids(api(spelled), api({"type": ["string", "null"]})) == []
    assert ids(api(reference), api({**reference, "nullable": True})) == ["response-property-became-nullable"]


def test_enum_whose_values_are_written_one_by_one() -> None:
    values = [{"const": "a", "title": "First"}, {"type": "string", "enum": ["b"]}]
    for keyword in ("oneOf", "anyOf"):
        for place in (with_request, with_response):
            old, new = place({"type": "string", "enum": ["a", "b"]}), place({keyword: values})
            assert ids(old, new) == ids(new, old) == []
    assert ids(with_request({"enum": ["a", "b"]}), with_request({"oneOf": values[:1]})) == [
        "request-body-enum-value-removed"
    ]


def test_discriminator_that_is_mapped_to_the_same_schema() -> None:
    def api(second: str, *targets: str) -> Tree:
        alternatives = [{"$ref": f"#/components/schemas/{name}"} for name in ("Cat", second)]
        mapping = dict(zip(("cat", "dog"), targets, strict=True))
        schema = {"oneOf": alternatives, "discriminator": {"propertyName": "kind", "mapping": mapping}}
        kinds = {"Cat": {"type": "object"}, second: {"type": "object", "properties": {"barks": {"type": "boolean"}}}}
        return with_response(schema, components={"schemas": kinds})

    old = api("Dog", "#/components/schemas/Cat", "#/components/schemas/Dog")
    assert ids(old, api("Dog", "Cat", "Dog")) == []
    assert ids(old, api("Hound", "#/components/schemas/Cat", "#/components/schemas/Hound")) == []
    swapped = api("Dog", "#/components/schemas/Dog", "#/components/schemas/Cat")
    assert set(ids(old, swapped)) == {"response-body-discriminator-mapping-changed"}


def test_bytes_in_the_spelling_of_each_version() -> None:
    for place in (with_request, with_response):
        old = place({"type": "string", "format": "byte"}, version="3.0.3")
        new = place({"type": "string", "contentEncoding": "base64"})
        assert ids(old, new) == ids(new, old) == []
        old = place({"type": "string", "format": "binary"}, version="3.0.3")
        new = place({"type": "string", "contentMediaType": "application/octet-stream"})
        assert ids(old, new) == ids(new, old) == []
    assert ids(with_response({"type": "string", "format": "byte"}), with_response({"contentEncoding": "base16"})) != []
