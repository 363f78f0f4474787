"""Which operation became which, and what is asked for to call it."""

from __future__ import annotations

from typing import Any

import pytest

from specsync.diffing import compare
from specsync.diffing.witness import witnesses_for
from tests.unit.diffing.documents import Tree, canonical, compared, document, with_request, with_response

Changes = list[tuple[str, str]]
TEXT: Tree = {"type": "string"}
GONE = "api-path-removed-without-deprecation"
LONGER = "response-body-max-length-increased"


def api(**lengths: int) -> Tree:
    """``/a/{name}`` for each name, which answers with a string of that length."""
    return document(
        {
            f"/a/{{{name}}}": {
                "get": {
                    "responses": {
                        "200": {"description": "", "content": {"a/json": {"schema": {**TEXT, "maxLength": length}}}}
                    }
                }
            }
            for name, length in lengths.items()
        }
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (api(id=1, name=1), document(), [(GONE, "/a/{id}"), (GONE, "/a/{name}")]),
        (api(id=1, name=1), api(id=2, name=2), [(LONGER, "/a/{id}"), (LONGER, "/a/{name}")]),
        (api(id=1), api(aa=3, id=1), [("endpoint-added", "/a/{aa}")]),
        (api(id=1, name=2), api(name=2, other=3), [(LONGER, "/a/{other}")]),
        (api(id=1), api(key=2), [(LONGER, "/a/{key}")]),
    ],
)
def test_paths_that_differ_in_the_names_of_parameters_only(old: Tree, new: Tree, expected: Changes) -> None:
    """OpenAPI forbids two of these, and there are documents that have them."""
    events = compared(old, new).events
    assert [(event.id, event.operation.path) for event in events if event.operation is not None] == expected


def test_witness_is_of_the_operation_that_was_compared() -> None:
    old, new = canonical(api(id=1, name=9)), canonical(api(id=2, name=9))
    comparison = compare(old, new)
    (witness,) = witnesses_for(old, new, comparison).values()
    assert witness.value == "aa"


def scheme(*, is_asked_for: bool = True, **fields: Any) -> Tree:
    requirement = [{"Auth": []}] if is_asked_for else []
    paths = {"/a": {"get": {"security": requirement, "responses": {}}}}
    return document(paths, components={"securitySchemes": {"Auth": fields}})


BASIC, BEARER = {"type": "http", "scheme": "basic"}, {"type": "http", "scheme": "bearer"}
KEY = {"type": "apiKey", "in": "header", "name": "X-Key"}
FLOW = {"tokenUrl": "https://a.example/", "scopes": {}}


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (BASIC, BEARER, "scheme-changed"),
        (BASIC, KEY, "type-changed"),
        (KEY, {**KEY, "name": "X-Token"}, "key-changed"),
        (KEY, {**KEY, "in": "query"}, "key-changed"),
        ({"type": "oauth2", "flows": {"password": FLOW}}, {"type": "oauth2", "flows": {}}, "oauth-flow-removed"),
    ],
)
def test_security_scheme_breaks_those_who_are_asked_for_it(old: Tree, new: Tree, rule: str) -> None:
    for is_asked_for, severity in ((True, "breaking"), (False, "safe")):
        events = compared(scheme(is_asked_for=is_asked_for, **old), scheme(is_asked_for=is_asked_for, **new)).events
        found = [(event.id, event.severity) for event in events if event.id.startswith("api-security")]
        assert found == [(f"api-security-component-{rule}", severity)]


def test_security_scheme_in_another_spelling() -> None:
    other = {"type": "http", "scheme": "Basic", "description": "as before"}
    assert compared(scheme(**BASIC), scheme(**other)).events == []


A, B, BOTH = {"a": []}, {"b": []}, {"a": [], "b": []}


@pytest.mark.parametrize(
    ("old", "new", "severity"),
    [
        ([BOTH], [A, B], "safe"),
        ([A, B], [BOTH], "breaking"),
        ([A], [B], "breaking"),
        ([A, B], [B], "risky"),
        ([A, {}], [A], "breaking"),
        ([A, {}], [{}], "safe"),
        ([A], [{"renamed": []}], "safe"),
    ],
)
def test_alternative_that_is_no_longer_asked_for(old: Any, new: Any, severity: str) -> None:
    def asking(security: Any) -> Tree:
        keys = {name: {"type": "apiKey", "in": "header", "name": f"X-{name}"} for name in ("a", "b")}
        schemes = {**keys, "renamed": keys["a"]}
        operation = {"security": security, "responses": {}}
        return document({"/a": {"get": operation}}, components={"securitySchemes": schemes})

    events = compared(asking(old), asking(new)).events
    assert {event.severity for event in events if event.id == "api-security-removed"} == {severity}


ELSEWHERE, OTHER = {"$ref": "other.yaml#/A"}, {"$ref": "other.yaml#/B"}


@pytest.mark.parametrize(("old", "new"), [(ELSEWHERE, OTHER), (ELSEWHERE, {}), ({}, ELSEWHERE)])
def test_body_or_response_in_another_document_may_have_changed(old: Tree, new: Tree) -> None:
    def api(body: Tree, response: Tree) -> Tree:
        operation = {"requestBody": body or {"content": {}}, "responses": {"200": response or {"description": ""}}}
        return document({"/a": {"post": operation}})

    found = {event.id: event.severity for event in compared(api(old, old), api(new, new)).events}
    assert found == {"request-body-reference-changed": "risky", "response-body-reference-changed": "risky"}
    assert compared(api(old, old), api(old, old)).events == []


@pytest.mark.parametrize(("old", "new"), [(ELSEWHERE, OTHER), (ELSEWHERE, TEXT), (TEXT, ELSEWHERE)])
def test_what_stands_in_another_document_may_have_changed(old: Tree, new: Tree) -> None:
    events = compared(with_response({"properties": {"a": old}}), with_response({"properties": {"a": new}})).events
    assert [(event.id, event.severity) for event in events] == [("response-property-reference-changed", "risky")]
    events = compared(with_request(old), with_request(new)).events
    assert [(event.id, event.severity) for event in events] == [("request-body-reference-changed", "risky")]
    assert compared(with_request(old), with_request(old)).events == []


@pytest.mark.parametrize("keyword", ["allOf", "oneOf", "anyOf"])
def test_no_login_and_no_query_of_a_reference_is_told(keyword: str) -> None:
    def of(token: str) -> Tree:
        return with_response({keyword: [{"$ref": f"https://bob:{token}@a.example/b.json?key={token}#/A"}, TEXT]})

    told = str(compared(of("secret1"), of("secret2")).events)
    assert "https://a.example/b.json#/A" in told
    assert "secret" not in told
