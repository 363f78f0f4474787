"""Whatever comes: a document or the reason why it is none, and never another exception."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsync.openapi.errors import DocumentError
from specsync.openapi.lift import lift
from specsync.openapi.limits import Limits
from specsync.openapi.load import Loaded, load

SMALL = Limits(max_bytes=20_000, max_depth=30, max_nodes=2_000)

SWAGGER = {
    "swagger": "2.0",
    "info": {"title": "t", "version": "1"},
    "host": "h",
    "basePath": "/b",
    "schemes": ["https"],
    "consumes": ["application/json"],
    "produces": ["application/json"],
    "parameters": {"body": {"in": "body", "name": "b", "schema": {"$ref": "#/definitions/A"}}},
    "responses": {"R": {"description": "r", "schema": {"type": "file"}, "headers": {"X": {"type": "string"}}}},
    "securityDefinitions": {"o": {"type": "oauth2", "flow": "accessCode", "scopes": {"a": "b"}}},
    "definitions": {
        "A": {
            "type": "object",
            "discriminator": "kind",
            "properties": {"kind": {"type": "string"}, "n": {"$ref": "#/definitions/A", "x-nullable": True}},
        }
    },
    "paths": {
        "/p/{id}": {
            "parameters": [{"in": "path", "name": "id", "type": "array", "collectionFormat": "pipes"}],
            "post": {
                "consumes": ["multipart/form-data"],
                "parameters": [
                    {"$ref": "#/parameters/body"},
                    {"in": "formData", "name": "f", "type": "file", "required": True},
                ],
                "responses": {"200": {"$ref": "#/responses/R"}, "default": {"schema": {"items": [{}]}}},
            },
        }
    },
}
OPENAPI_YAML = b"""openapi: 3.1.0
info: &info
  title: t
  version: 1.0
x-info: *info
x-more:
  <<: *info
  yes: 1_000
paths:
  /a:
    get:
      responses:
        200: {description: "ok"}
        default:
          description: |
            text
"""
SEEDS = (
    json.dumps(SWAGGER).encode(),
    OPENAPI_YAML,
    b'{"openapi":"3.0.0","info":{"title":"t","version":"1"},"paths":{}}',
)

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["body", "file", "#/"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def loads_or_is_refused(data: bytes) -> None:
    try:
        loaded = load(data, limits=SMALL)
        tree = loaded.as_tree()
    except DocumentError as error:
        assert "\n" not in error.message
        return
    assert isinstance(loaded, Loaded)
    assert isinstance(tree, dict)
    assert (loaded.raw is None) != (loaded.tree is None)
    only_strings_as_keys(tree)


def only_strings_as_keys(node: Any) -> None:
    if isinstance(node, dict):
        assert all(type(key) is str for key in node)
        for value in node.values():
            only_strings_as_keys(value)
    elif isinstance(node, list):
        for value in node:
            only_strings_as_keys(value)
    else:
        assert node is None or type(node) in {str, int, float, bool}


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    loads_or_is_refused(data)


@given(st.text(max_size=300), st.sampled_from(["utf-8", "utf-16", "utf-16-be", "utf-32-le", "utf-8-sig"]))
def test_any_text(text: str, encoding: str) -> None:
    loads_or_is_refused(text.encode(encoding, "surrogatepass"))


@given(JSON_VALUES)
def test_any_json(value: Any) -> None:
    loads_or_is_refused(json.dumps(value).encode())


@given(st.data())
def test_mutated_documents(data: st.DataObject) -> None:
    document = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(document)))
        end = min(len(document), start + data.draw(st.integers(0, 12)))
        document[start:end] = data.draw(
            st.binary(max_size=6)
            | st.sampled_from(
                [b"- ", b"*info", b"&info ", b"<<: ", b"!x ", b"\n", b"  ", b"{", b"[", b'"', b"\xff", b"1_0"]
            )
        )
    loads_or_is_refused(bytes(document))


@given(st.data())
def test_cut_documents(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from(SEEDS))
    loads_or_is_refused(document[: data.draw(st.integers(0, len(document)))])


@given(st.data())
def test_lift_bears_wrong_types_everywhere(data: st.DataObject) -> None:
    swagger = json.loads(SEEDS[0])
    for _ in range(data.draw(st.integers(1, 4))):
        node: Any = swagger
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(node[key], dict | list) and data.draw(st.integers(0, 3)):
                node = node[key]
                continue
            node[key] = data.draw(JSON_VALUES)
            break
    before = json.dumps(swagger)
    lifted = lift(swagger)
    assert isinstance(lifted["paths"], dict)
    assert json.dumps(swagger) == before, "the source was changed"


@pytest.mark.parametrize("root", [{}, {"paths": 1}, {"parameters": {"a": {"$ref": "#/parameters/a"}}}])
def test_lift_of_next_to_nothing(root: dict[str, Any]) -> None:
    assert lift(root)["paths"] == {}
