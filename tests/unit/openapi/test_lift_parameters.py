"""Swagger 2.0 → OpenAPI 3.0: parameters, and the request bodies that some of them become."""

from __future__ import annotations

from typing import Any

import pytest

from specsync.openapi.lift import lift


def operation(*parameters: Any, root: dict[str, Any] | None = None, path: list[Any] | None = None, **own: Any) -> Any:
    item = {"parameters": path or [], "post": {"parameters": list(parameters), **own}}
    return lift({"swagger": "2.0", "paths": {"/a": item}, **(root or {})})["paths"]["/a"]["post"]


BODY = {
    "in": "body",
    "name": "pet",
    "required": True,
    "description": "d",
    "schema": {"$ref": "#/definitions/Pet"},
    "x-b": 1,
}
PET = {"$ref": "#/components/schemas/Pet"}


def test_fields_of_the_value_move_into_the_schema() -> None:
    value = {
        "type": "integer", "format": "int32", "default": 1, "maximum": 9, "exclusiveMaximum": True, "minimum": 0,
        "exclusiveMinimum": False, "enum": [1, 2], "multipleOf": 1,
    }  # fmt: skip
    own = {"name": "q", "in": "query", "required": True, "description": "d", "allowEmptyValue": True, "x-q": 1}
    (lifted,) = operation({**own, **value, "x-nullable": True})["parameters"]
    assert lifted == {**own, "schema": {**value, "nullable": True}}


@pytest.mark.parametrize(
    ("place", "written", "style"),
    [
        ("query", None, {"style": "form", "explode": False}),
        ("query", "csv", {"style": "form", "explode": False}),
        ("query", "tsv", {"style": "form", "explode": False}),
        ("query", "ssv", {"style": "spaceDelimited", "explode": False}),
        ("query", "pipes", {"style": "pipeDelimited", "explode": False}),
        ("query", "multi", {"style": "form", "explode": True}),
        ("query", ["odd"], {"style": "form", "explode": False}),
        ("header", "csv", {}),
        ("path", "csv", {}),
    ],
)
def test_collection_formats(place: str, written: Any, style: dict[str, Any]) -> None:
    parameter = {"name": "q", "in": place, "type": "array", "items": {"type": "string", "collectionFormat": "csv"}}
    if written is not None:
        parameter["collectionFormat"] = written
    (lifted,) = operation(parameter)["parameters"]
    assert lifted == {
        "name": "q", "in": place, "schema": {"type": "array", "items": {"type": "string"}}, **style
    }  # fmt: skip


@pytest.mark.parametrize(
    ("root", "own", "media_types"),
    [
        ({}, {}, ["application/json"]),
        ({"consumes": ["a/a", "b/b"]}, {}, ["a/a", "b/b"]),
        ({"consumes": ["a/a"]}, {"consumes": ["b/b"]}, ["b/b"]),
        ({"consumes": ["a/a"]}, {"consumes": []}, ["application/json"]),
        ({"consumes": {"odd": 1}}, {"consumes": [1, "b/b"]}, ["b/b"]),
    ],
)
def test_body(root: Any, own: Any, media_types: list[str]) -> None:
    lifted = operation(BODY, root=root, **own)
    assert "parameters" not in lifted
    assert lifted["requestBody"] == {
        "description": "d", "required": True, "content": {each: {"schema": PET} for each in media_types}, "x-b": 1
    }  # fmt: skip


def test_form() -> None:
    lifted = operation(
        {"in": "formData", "name": "a", "type": "string", "required": True, "description": "first", "x-f": 1},
        {"in": "formData", "name": "b", "type": "array", "items": {"type": "integer"}, "collectionFormat": "multi"},
        {"in": "query", "name": "q", "type": "string"},
        consumes=["application/json", "application/x-www-form-urlencoded; charset=utf-8"],
    )
    assert [parameter["name"] for parameter in lifted["parameters"]] == ["q"]
    assert lifted["requestBody"] == {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded; charset=utf-8": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "a": {"type": "string", "description": "first", "x-f": 1},
                        "b": {"type": "array", "items": {"type": "integer"}},
                    },
                    "required": ["a"],
                },
                "encoding": {"b": {"style": "form", "explode": True}},
            }
        },
    }


def test_a_form_with_a_file_is_multipart() -> None:
    body = operation({"in": "formData", "name": "f", "type": "file"}, consumes=["application/json"])["requestBody"]
    assert body == {
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"f": {"type": "string", "format": "binary"}}}
            }
        }
    }


def test_a_form_without_consumes_is_urlencoded() -> None:
    body = operation({"in": "formData", "name": "f", "type": "string"})["requestBody"]
    assert list(body["content"]) == ["application/x-www-form-urlencoded"]


GLOBAL = {
    "consumes": ["a/a"],
    "parameters": {
        "Body": BODY,
        "Form": {"in": "formData", "name": "f", "type": "string", "required": True},
        "Query": {"in": "query", "name": "q", "type": "string"},
        "Other": {"$ref": "#/parameters/Body"},
        "Loop": {"$ref": "#/parameters/Loop"},
        "Odd": 5,
    },
}


def test_global_parameters_become_what_they_are() -> None:
    components = lift(GLOBAL)["components"]
    assert components["parameters"] == {
        "Query": {"in": "query", "name": "q", "schema": {"type": "string"}},
        "Loop": {"$ref": "#/components/parameters/Loop"},
        "Odd": 5,
    }
    assert list(components["requestBodies"]) == ["Body", "Other"]
    assert list(components["requestBodies"]["Body"]["content"]) == ["a/a"]


def test_references_to_global_parameters() -> None:
    lifted = operation({"$ref": "#/parameters/Query"}, {"$ref": "#/parameters/Body"}, root=GLOBAL)
    assert lifted == {
        "parameters": [{"$ref": "#/components/parameters/Query"}],
        "requestBody": {"$ref": "#/components/requestBodies/Body"},
    }
    own = operation({"$ref": "#/parameters/Other"}, root=GLOBAL, consumes=["b/b"])
    assert own["requestBody"]["content"] == {"b/b": {"schema": PET}}
    form = operation({"$ref": "#/parameters/Form"}, root=GLOBAL)["requestBody"]
    assert form["content"]["application/x-www-form-urlencoded"]["schema"]["required"] == ["f"]
    nowhere = operation({"$ref": "#/parameters/No"}, {"$ref": "other.yaml#/P"}, root=GLOBAL)
    assert nowhere == {"parameters": [{"$ref": "#/components/parameters/No"}, {"$ref": "other.yaml#/P"}]}


def test_parameters_of_the_path() -> None:
    query = {"in": "query", "name": "q", "type": "string"}
    item = {
        "parameters": [query, BODY],
        "get": {"x-g": 1},
        "put": {"parameters": [{**BODY, "schema": {"type": "string"}}]},
    }
    lifted = lift({"paths": {"/a": item}})["paths"]["/a"]
    assert lifted["parameters"] == [{"in": "query", "name": "q", "schema": {"type": "string"}}]
    assert lifted["get"]["requestBody"]["content"]["application/json"]["schema"] == PET
    assert lifted["put"]["requestBody"]["content"]["application/json"]["schema"] == {"type": "string"}


def test_form_fields_of_the_path_are_overridden_by_name() -> None:
    path = [
        {"in": "formData", "name": "a", "type": "string", "required": True},
        {"in": "formData", "name": "b", "type": "string"},
    ]
    body = operation({"in": "formData", "name": "a", "type": "integer"}, path=path)["requestBody"]
    schema = body["content"]["application/x-www-form-urlencoded"]["schema"]
    assert schema == {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}
    assert "required" not in body


def test_body_and_form_together_lose_nothing() -> None:
    body = operation(BODY, {"in": "formData", "name": "f", "type": "string"})["requestBody"]
    assert sorted(body["content"]) == ["application/json", "application/x-www-form-urlencoded"]
    assert body["required"] is True


def test_malformed_parameters_are_passed_over() -> None:
    lifted = operation(1, None, [], {"name": "q"}, {"in": ["x"], "name": "q"}, {"in": "formData"}, {"$ref": ["x"]})
    assert lifted["parameters"] == [{"name": "q"}, {"in": ["x"], "name": "q"}, {}]
