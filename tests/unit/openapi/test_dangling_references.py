"""References to nothing: refused, or where asked for leniency left as they are, unknown, with the rest compared."""

from __future__ import annotations

import json
from typing import Any

import pytest

from specsync.diffing import compare
from specsync.openapi.bundle import Bundle, pack
from specsync.openapi.canonical import CanonicalDocument, normalize
from specsync.openapi.errors import DocumentError
from specsync.openapi.load import load
from specsync.openapi.validation import judge

Tree = dict[str, Any]
ROOT, FILE = "https://api.example.com/openapi.json", "https://api.example.com/other.json"


def api(x: Tree, y: Tree, **schemas: Tree) -> Tree:
    answer = {"description": "", "content": {"application/json": {"schema": {"properties": {"x": x, "y": y}}}}}
    return {
        "openapi": "3.0.3",
        "info": {"title": "t", "version": "1"},
        "paths": {"/a": {"get": {"responses": {"200": answer}}}},
        "components": {"schemas": schemas},
    }


def encoded(tree: Tree) -> bytes:
    return json.dumps(tree).encode()


def with_file(tree: Tree, file: Tree) -> bytes:
    return pack(Bundle(root=ROOT, files={ROOT: encoded(tree), FILE: encoded(file)}))


def lenient(data: bytes) -> CanonicalDocument:
    return normalize(load(data), lenient=True)


def changes(old: bytes, new: bytes) -> list[str]:
    return [event.id for event in compare(lenient(old), lenient(new)).events]


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
GONE, FAR = {"$ref": "#/components/schemas/Gone"}, {"$ref": "other.json#/Gone"}
INSIDE = encoded(api(GONE, TEXT))
BESIDE = with_file(api(FAR, TEXT), {"There": {}})


@pytest.mark.parametrize(
    ("data", "told"),
    [(INSIDE, []), (BESIDE, ["response-property-reference-changed"])],
    ids=["in the document", "in another file"],
)
def test_what_a_dangling_reference_stands_for_is_unknown_and_the_rest_is_compared(data: bytes, told: list[str]) -> None:
    with pytest.raises(DocumentError) as refused:
        normalize(load(data))
    assert refused.value.reason == "UnresolvableReference"
    assert CanonicalDocument.from_bytes(lenient(data).to_bytes()).digest == lenient(data).digest
    assert changes(data, data) == []
    assert changes(encoded(api(TEXT, TEXT)), data) == told
    assert changes(data, encoded(api(TEXT, TEXT))) == told
    assert changes(data, encoded(api(TEXT, NUMBER))) == ["response-property-type-changed", *told]
    assert changes(encoded(api(TEXT, NUMBER)), data) == ["response-property-type-changed", *told]


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (INSIDE, "/x/$ref", '"#/components/schemas/Gone" isn\'t in the document'),
        (BESIDE, "/x/$ref", '"other.json#/Gone" isn\'t in that file'),
    ],
)
def test_it_is_an_error_of_the_document(data: bytes, place: str, message: str) -> None:
    """By which Strict refuses it. It isn't one of those references out of the document that nobody followed."""
    report = judge(load(data))
    [finding] = report.findings
    assert (finding.rule, finding.severity) == ("reference-unresolvable", "error")
    assert finding.pointer.endswith(place)
    assert message in finding.message
    assert report.external == 0


def test_a_target_that_comes_back_is_compared_again() -> None:
    old, gone = encoded(api(GONE, TEXT, Gone=TEXT)), encoded(api(GONE, TEXT))
    assert changes(old, gone) == ["api-schema-removed"]
    assert changes(gone, old) == []
    assert lenient(gone).digest != lenient(old).digest
    assert changes(old, encoded(api(GONE, TEXT, Gone=NUMBER))) == ["response-property-type-changed"]


@pytest.mark.parametrize("target", [None, "text", 7, [{}]])
def test_a_target_that_is_no_object_is_none(target: Any) -> None:
    tree = {**api({"$ref": "#/x-parts/a"}, TEXT), "x-parts": {"a": target}}
    with pytest.raises(DocumentError):
        normalize(load(encoded(tree)))
    assert changes(encoded(tree), encoded(api(TEXT, TEXT))) == []
    assert [finding.rule for finding in judge(load(encoded(tree))).findings] == ["reference-unresolvable"]


@pytest.mark.parametrize(
    "operation",
    [
        {"parameters": [{"$ref": "#/components/parameters/Gone"}]},
        {"requestBody": {"$ref": "#/components/requestBodies/Gone"}},
        {"responses": {"200": {"$ref": "#/components/responses/Gone"}}},
        {"responses": {"200": {"description": "", "headers": {"A": {"$ref": "#/components/headers/Gone"}}}}},
        {"responses": {"200": {"description": "", "links": {"A": {"$ref": "#/components/links/Gone"}}}}},
        {"callbacks": {"done": {"$ref": "#/components/callbacks/Gone"}}},
    ],
    ids=lambda operation: next(iter(operation)),
)
def test_every_kind_of_component_may_be_missing(operation: Tree) -> None:
    tree = api(TEXT, TEXT)
    whole = {**tree, "paths": {**tree["paths"], "/b": {"post": {"responses": {}}}}}
    broken = {**tree, "paths": {**tree["paths"], "/b": {"post": {"responses": {}, **operation}}}}
    assert changes(encoded(broken), encoded(broken)) == []
    changes(encoded(whole), encoded(broken))  # whatever it says, it is compared
    other = {**broken, "paths": {**broken["paths"], "/a": api(TEXT, NUMBER)["paths"]["/a"]}}
    assert changes(encoded(broken), encoded(other)) == ["response-property-type-changed"]


def test_swagger_2_goes_on_too() -> None:
    def swagger(kind: str) -> bytes:
        properties = {"x": {"$ref": "#/definitions/Gone"}, "y": {"type": kind}}
        operation = {
            "parameters": [{"$ref": "#/parameters/Gone"}],
            "responses": {"200": {"description": "", "schema": {"properties": properties}}},
        }
        info = {"title": "t", "version": "1"}
        return encoded({"swagger": "2.0", "info": info, "paths": {"/a": {"get": operation}}})

    assert changes(swagger("string"), swagger("string")) == []
    assert changes(swagger("string"), swagger("integer")) == ["response-property-type-changed"]


def test_a_path_that_leads_to_nothing_is_refused_all_the_same() -> None:
    """Else its operations would seem to be removed."""
    tree = api(TEXT, TEXT)
    tree["paths"]["/b"] = {"$ref": "#/components/pathItems/Gone"}
    with pytest.raises(DocumentError) as refused:
        lenient(encoded(tree))
    assert (refused.value.reason, refused.value.pointer) == ("UnresolvableReference", "/paths/~1b")
    tree["paths"]["/b"] = {"$ref": "other.json#/Gone"}
    with pytest.raises(DocumentError) as refused:
        lenient(with_file(tree, {"There": {}}))
    assert "/paths/~1b points to 'other.json#/Gone', which isn't in that file" in refused.value.message


def test_many_of_them_take_no_more_time_than_as_many_that_lead_somewhere() -> None:
    """Each part is searched once, not once for each of its references: 20,000 would take an hour."""
    properties = {f"p{number}": {"$ref": f"#/components/schemas/Gone{number}"} for number in range(20_000)}
    form = lenient(encoded(api({"properties": properties}, TEXT)))
    assert form.to_bytes().count(b'"$ref"') == 20_000
