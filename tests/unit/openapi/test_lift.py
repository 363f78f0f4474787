"""Swagger 2.0 → OpenAPI 3.0: the document, operations, responses, security, schemas and references."""

from __future__ import annotations

from typing import Any

import pytest

from specsync.openapi.lift import lift


def operation(swagger_operation: dict[str, Any], **root: Any) -> Any:
    return lift({"swagger": "2.0", "paths": {"/a": {"post": swagger_operation}}, **root})["paths"]["/a"]["post"]


def schema(written: Any, **root: Any) -> Any:
    return lift({"definitions": {"X": written}, **root})["components"]["schemas"]["X"]


def test_what_stays_as_it_is() -> None:
    kept = {
        "info": {"title": "t", "version": "1", "x-logo": "l"},
        "security": [{"k": []}],
        "tags": [{"name": "pets"}],
        "externalDocs": {"url": "u"},
        "x-root": {"$ref": "#/definitions/untouched"},
    }
    assert lift({"swagger": "2.0", **kept}) == {"openapi": "3.0.4", "paths": {}, "components": {}, **kept}


@pytest.mark.parametrize(
    ("root", "urls"),
    [
        ({}, None),
        ({"basePath": "/"}, None),
        ({"basePath": "/v1/"}, ["/v1"]),
        ({"host": "h.example"}, ["https://h.example"]),
        ({"host": "h:8", "basePath": "/v1", "schemes": ["http", "https", "http"]}, ["http://h:8/v1", "https://h:8/v1"]),
        ({"host": 5, "basePath": ["x"], "schemes": "https"}, None),
    ],
)
def test_servers(root: dict[str, Any], urls: list[str] | None) -> None:
    servers = lift(root).get("servers")
    assert (servers and [server["url"] for server in servers]) == urls


def test_schemes_of_one_operation() -> None:
    lifted = operation({"schemes": ["wss"]}, host="h", basePath="/b", schemes=["https"])
    assert lifted == {"servers": [{"url": "wss://h/b"}]}


def test_an_operation_keeps_its_own_fields() -> None:
    kept = {
        "operationId": "o",
        "tags": ["t"],
        "deprecated": True,
        "security": [],
        "summary": "s",
        "x-internal": True,
        "externalDocs": {"url": "u"},
    }
    assert operation({**kept, "consumes": ["a/b"], "produces": ["a/b"]}) == kept


def test_path_items_keep_what_is_no_operation() -> None:
    item = {"$ref": "other.yaml#/a", "x-a": 1, "summary": "odd", "get": {"responses": {}}}
    assert lift({"paths": {"/a": item, "x-paths": {"get": 1}}})["paths"] == {"/a": item, "x-paths": {"get": 1}}


def test_response_with_everything() -> None:
    lifted = operation(
        {
            "produces": ["application/json", "text/csv"],
            "responses": {
                "200": {
                    "description": "d",
                    "schema": {"$ref": "#/definitions/A"},
                    "examples": {"application/json": {"a": 1}, "text/html": "not produced"},
                    "headers": {
                        "X-A": {
                            "type": "array",
                            "items": {"type": "integer"},
                            "collectionFormat": "csv",
                            "description": "h",
                        }
                    },
                    "x-r": 1,
                },
                "204": {"description": "nothing"},
                "x-responses": [1],
            },
        }
    )
    assert lifted["responses"] == {
        "200": {
            "description": "d",
            "headers": {"X-A": {"description": "h", "schema": {"type": "array", "items": {"type": "integer"}}}},
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/A"}, "example": {"a": 1}},
                "text/csv": {"schema": {"$ref": "#/components/schemas/A"}},
            },
            "x-r": 1,
        },
        "204": {"description": "nothing"},
        "x-responses": [1],
    }


@pytest.mark.parametrize(
    ("root", "own", "written", "media_types"),
    [
        ({}, {}, {"type": "object"}, ["application/json"]),
        ({"produces": ["a/a"]}, {}, {"type": "object"}, ["a/a"]),
        ({"produces": ["a/a"]}, {"produces": ["b/b"]}, {"type": "object"}, ["b/b"]),
        ({"produces": ["a/a"]}, {"produces": []}, {"type": "object"}, ["application/json"]),
        ({"produces": ["a/a"]}, {"produces": "b/b"}, {"type": "object"}, ["a/a"]),
        ({}, {}, {"type": "file"}, ["application/octet-stream"]),
        ({}, {"produces": ["image/png"]}, {"type": "file"}, ["image/png"]),
    ],
)
def test_media_types_of_responses(root: Any, own: Any, written: Any, media_types: list[str]) -> None:
    content = operation({**own, "responses": {"200": {"schema": written}}}, **root)["responses"]["200"]["content"]
    assert list(content) == media_types
    if written["type"] == "file":
        assert content[media_types[0]]["schema"] == {"type": "string", "format": "binary"}


def test_global_responses_are_shared_unless_produces_differs() -> None:
    root = {"produces": ["a/a"], "responses": {"R": {"description": "r", "schema": {"type": "string"}}}}
    shared = {"$ref": "#/components/responses/R"}
    assert operation({"responses": {"200": {"$ref": "#/responses/R"}}}, **root)["responses"]["200"] == shared
    own = operation({"produces": ["b/b"], "responses": {"200": {"$ref": "#/responses/R"}}}, **root)
    assert own["responses"]["200"] == {"description": "r", "content": {"b/b": {"schema": {"type": "string"}}}}
    missing = operation({"produces": ["b/b"], "responses": {"200": {"$ref": "#/responses/No"}}}, **root)
    assert missing["responses"]["200"] == {"$ref": "#/components/responses/No"}
    assert lift(root)["components"]["responses"]["R"]["content"] == {"a/a": {"schema": {"type": "string"}}}


@pytest.mark.parametrize(
    ("written", "lifted"),
    [
        ({"type": "basic", "description": "d"}, {"type": "http", "scheme": "basic", "description": "d"}),
        ({"type": "apiKey", "in": "header", "name": "K"}, {"type": "apiKey", "in": "header", "name": "K"}),
        (
            {"type": "oauth2", "flow": "implicit", "authorizationUrl": "u", "scopes": {"r": "read"}, "x-a": 1},
            {"type": "oauth2", "flows": {"implicit": {"authorizationUrl": "u", "scopes": {"r": "read"}}}, "x-a": 1},
        ),
        (
            {"type": "oauth2", "flow": "password", "tokenUrl": "t"},
            {"type": "oauth2", "flows": {"password": {"tokenUrl": "t", "scopes": {}}}},
        ),
        (
            {"type": "oauth2", "flow": "application", "tokenUrl": "t", "scopes": {}},
            {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "t", "scopes": {}}}},
        ),
        (
            {"type": "oauth2", "flow": "accessCode", "authorizationUrl": "u", "tokenUrl": "t", "scopes": {}},
            {
                "type": "oauth2",
                "flows": {"authorizationCode": {"authorizationUrl": "u", "tokenUrl": "t", "scopes": {}}},
            },
        ),
        ({"type": "oauth2", "flow": ["odd"]}, {"type": "oauth2", "flows": {}}),
        ({"type": "later"}, {"type": "later"}),
        ("odd", "odd"),
    ],
)
def test_security_schemes(written: Any, lifted: Any) -> None:
    assert lift({"securityDefinitions": {"s": written}})["components"]["securitySchemes"] == {"s": lifted}


@pytest.mark.parametrize(
    ("written", "lifted"),
    [
        ({"$ref": "#/definitions/A~1b"}, {"$ref": "#/components/schemas/A~1b"}),
        ({"$ref": "#/definitions/A/properties/b"}, {"$ref": "#/components/schemas/A/properties/b"}),
        ({"$ref": "other.json#/definitions/A"}, {"$ref": "other.json#/definitions/A"}),
        ({"$ref": 5}, {"$ref": 5}),
        ({"type": "string", "x-nullable": True}, {"type": "string", "nullable": True}),
        ({"type": "string", "x-nullable": False}, {"type": "string"}),
        (
            {"$ref": "#/definitions/A", "x-nullable": True},
            {"allOf": [{"$ref": "#/components/schemas/A"}], "nullable": True},
        ),
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        ({"type": ["string", "integer", "null"]}, {"type": ["string", "integer"], "nullable": True}),
        ({"type": "file"}, {"type": "string", "format": "binary"}),
        ({"discriminator": "kind"}, {"discriminator": {"propertyName": "kind"}}),
        ({"discriminator": {"propertyName": "k"}}, {"discriminator": {"propertyName": "k"}}),
        ({"type": "array", "items": {"type": "file"}, "collectionFormat": "csv"},
         {"type": "array", "items": {"type": "string", "format": "binary"}}),
        ({"items": [{"type": "file"}, 1]}, {"items": [{"type": "string", "format": "binary"}, 1]}),
        ({"additionalProperties": False}, {"additionalProperties": False}),
        ({"not": {"$ref": "#/definitions/A"}}, {"not": {"$ref": "#/components/schemas/A"}}),
        ({"additionalProperties": {"type": "file"}}, {"additionalProperties": {"type": "string", "format": "binary"}}),
        ({"properties": [1]}, {"properties": [1]}),
        ({"allOf": {"odd": 1}}, {"allOf": {"odd": 1}}),
        (
            {"allOf": [{"$ref": "#/definitions/A"}, {"properties": {"$ref": {"x-nullable": True}}}]},
            {"allOf": [{"$ref": "#/components/schemas/A"}, {"properties": {"$ref": {"nullable": True}}}]},
        ),
        (True, True),
    ],
)  # fmt: skip
def test_schemas(written: Any, lifted: Any) -> None:
    assert schema(written) == lifted


def test_what_is_data_and_no_schema_stays_as_it_is() -> None:
    data = {
        "enum": [{"$ref": "#/definitions/A"}],
        "default": {"type": "file"},
        "example": {"x-nullable": True},
        "x-a": {"$ref": "#/definitions/A"},
    }
    assert schema(data) == data


def test_references_to_schemas_elsewhere_are_given_a_name() -> None:
    swagger = {
        "paths": {
            "/a/{b}": {
                "get": {
                    "responses": {
                        "200": {
                            "schema": {
                                "properties": {"self": {"$ref": "#/paths/~1a~1%7Bb%7D/get/responses/200/schema"}}
                            }
                        }
                    }
                }
            },
        },
        "definitions": {"A": {"$ref": "#/paths/~1a~1%7Bb%7D/get/responses/200/schema"}, "B": {"$ref": "#/no/where"}},
    }
    schemas = lift(swagger)["components"]["schemas"]
    name = schemas["A"]["$ref"].removeprefix("#/components/schemas/")
    assert "/" not in name
    assert schemas[name]["properties"]["self"] == schemas["A"]
    assert schemas["B"] == {"$ref": "#/no/where"}


def test_references_to_places_that_the_lift_changes_mean_what_they_meant() -> None:
    """As bundlers write them: to the first place where something stands, be it in a list or in an operation."""
    query, header = ({"in": place, "name": place, "type": "string"} for place in ("query", "header"))
    text, number = {"type": "string"}, {"type": "integer"}
    body = {"in": "body", "name": "b", "schema": text}
    lifted = lift(
        {
            "parameters": {"Body": body},
            "responses": {"Number": {"schema": number}},
            "paths": {
                "/a": {
                    "post": {
                        "produces": ["text/xml"],
                        "parameters": [body, query, header],
                        "responses": {"200": {"schema": text}},
                    }
                },
                "/b": {
                    "get": {
                        "parameters": [{"$ref": "#/paths/~1a/post/parameters/1"}],
                        "responses": {"200": {"$ref": "#/paths/~1a/post/responses/200"}},
                    }
                },
            },
            "definitions": {
                "Text": {"$ref": "#/parameters/Body/schema"},
                "Number": {"$ref": "#/responses/Number/schema"},
            },
        }
    )
    found = lifted["paths"]["/b"]["get"]
    assert found["parameters"] == [{"in": "query", "name": "query", "schema": text}]
    assert found["responses"]["200"]["content"] == {"application/json": {"schema": text}}
    assert lifted["components"]["schemas"] == {
        "Text": {"$ref": "#/components/schemas/parameters.Body.schema"},
        "Number": {"$ref": "#/components/schemas/responses.Number.schema"},
        "parameters.Body.schema": text,
        "responses.Number.schema": number,
    }


def test_the_source_is_not_changed_and_equal_sources_give_equal_results() -> None:
    shared = {"type": "file", "x-nullable": True}
    swagger = {"definitions": {"A": shared, "B": {"properties": {"a": shared, "b": shared}}}}
    assert lift(swagger) == lift(swagger)
    assert shared == {"type": "file", "x-nullable": True}
