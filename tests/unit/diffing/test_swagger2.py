"""Events of Swagger 2.0 documents point to what their authors wrote."""

from __future__ import annotations

from typing import Any

import pytest

from specsync.diffing import Policy, compare
from specsync.diffing.swagger2 import with_own_pointers
from tests.unit.diffing.documents import TODAY, Tree, canonical

PET: Tree = {"$ref": "#/definitions/Pet"}


def swagger(limit: int, *, host: str = "one.example", body: bool = True) -> Tree:
    """A document of Swagger 2.0 that has ``limit`` in all places that a schema may stand in."""
    text = {"type": "string", "maxLength": limit}
    in_body = [{"name": "pet", "in": "body", "schema": {"type": "object", "properties": {"inline": text}}}]
    get = {
        "parameters": [{"name": "q", "in": "query", **text}],
        "responses": {
            "200": {
                "description": "",
                "schema": {"type": "array", "items": {**PET, "minItems": 10 - limit}},
                "headers": {"X-Rate": {**text, "maxLength": 20 - limit}},
            },
            "400": {"$ref": "#/responses/Bad"},
        },
    }
    post = {
        "parameters": [{"name": "q", "in": "query", **text}, *(in_body if body else [])],
        "responses": {"200": {"description": "", "schema": PET}},
    }
    return {
        "swagger": "2.0",
        "info": {"title": "Pets", "version": "1"},
        "host": host,
        "paths": {
            "/pets": {"get": get, "post": post},
            "/pets/{id}": {"get": {"parameters": [{"$ref": "#/parameters/Id"}], "responses": {}}},
        },
        "parameters": {"Id": {"name": "id", "in": "path", "required": True, **text}},
        "responses": {
            "Bad": {
                "description": "",
                "schema": {"type": "object", "properties": {"why": {"type": "string", "maxLength": 20 - limit}}},
            }
        },
        "definitions": {"Pet": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 20 - limit}}}},
    }


def leads_somewhere(tree: Any, pointer: str) -> bool:
    for step in (written.replace("~1", "/").replace("~0", "~") for written in pointer.split("/")[1:]):
        if isinstance(tree, list) and step.isdigit() and int(step) < len(tree):
            tree = tree[int(step)]
        elif isinstance(tree, dict) and step in tree:
            tree = tree[step]
        else:
            return False
    return True


def test_each_pointer_leads_to_what_was_written() -> None:
    trees = swagger(5), swagger(4, host="two.example")
    old, new = (canonical(tree) for tree in trees)
    comparison = with_own_pointers(compare(old, new, Policy(today=TODAY)), old, new)
    for location in [*(e.location for e in comparison.events), *(cause.location for cause in comparison.causes)]:
        for tree, pointer in zip(trees, (location.old, location.new), strict=True):
            assert pointer is None or leads_somewhere(tree, pointer), location
    places = {event.location.new for event in comparison.events}
    assert places == {
        "/definitions/Pet/properties/name/maxLength",
        "/host",
        "/parameters/Id/maxLength",
        "/paths/~1pets/get/parameters/0/maxLength",
        "/paths/~1pets/get/responses/200/headers/X-Rate/maxLength",
        "/paths/~1pets/post/parameters",
        "/responses/Bad/schema/properties/why/maxLength",
    }
    causes = {cause.fingerprint for cause in comparison.causes}
    assert {event.cause for event in comparison.events} == causes


@pytest.mark.parametrize("swapped", [False, True])
def test_each_side_has_pointers_of_its_own_version(swapped: bool) -> None:
    lifted: Tree = {
        "openapi": "3.0.3",
        "info": {"title": "Pets", "version": "1"},
        "paths": {
            "/pets": {
                "post": {
                    "responses": {
                        "200": {
                            "description": "",
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}},
                        }
                    }
                }
            }
        },
        "components": {"schemas": {"Pet": {"type": "object", "properties": {"name": {"type": "boolean"}}}}},
    }
    pair = (lifted, swagger(5)) if swapped else (swagger(5), lifted)
    old, new = (canonical(tree) for tree in pair)
    comparison = with_own_pointers(compare(old, new), old, new)
    (event,) = (event for event in comparison.events if event.id == "response-property-type-changed")
    two, three = (event.location.new, event.location.old) if swapped else (event.location.old, event.location.new)
    assert two == "/definitions/Pet/properties/name/type"
    assert three == "/components/schemas/Pet/properties/name/type"
