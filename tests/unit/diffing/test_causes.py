"""One edit is one cause, with all the operations that it reaches; fingerprints stay what they are."""

from __future__ import annotations

from typing import Any

import msgspec

from specsync.diffing import Comparison
from tests.unit.diffing.documents import Tree, compared, document

PET = "#/components/schemas/Pet"


def api(pet: Tree, *, operations: int = 3, **rest: Any) -> Tree:
    """So many operations that give and take a pet."""
    content = {"application/json": {"schema": {"type": "array", "items": {"$ref": PET}}}}
    operation = {"requestBody": {"content": content}, "responses": {"200": {"description": "", "content": content}}}
    paths = {f"/shops/{{id}}/{number}": {"post": operation} for number in range(operations)}
    return document(paths, components={"schemas": {"Pet": pet}}, **rest)


def pet(*kinds: str, **rest: Any) -> Tree:
    return {"type": "object", "properties": {"kind": {"type": "string", "enum": list(kinds), **rest}}}


def test_one_edit_is_one_cause_for_all_operations_and_both_directions() -> None:
    comparison = compared(api(pet("cat", "dog")), api(pet("cat")))
    (cause,) = comparison.causes
    assert (cause.scope, cause.id, cause.severity, cause.kind) == ("schema", "Pet", "breaking", "enum_changed")
    assert (cause.operations, cause.events) == (3, 6)
    assert cause.summary == "schema Pet, kind: enum value dog removed"
    assert cause.location.old == "/components/schemas/Pet/properties/kind/enum"
    assert {event.cause for event in comparison.events} == {cause.fingerprint}
    assert {event.id: event.severity for event in comparison.events} == {
        "request-property-enum-value-removed": "breaking",
        "response-property-enum-value-removed": "safe",
    }


def test_edits_of_different_places_are_different_causes() -> None:
    old = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    new = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
    comparison = compared(api(old), api(new))
    assert sorted(cause.summary for cause in comparison.causes) == [
        "schema Pet, a: type changed from string to integer",
        "schema Pet, b: type changed from string to integer",
    ]


def test_cause_of_a_merged_schema_is_the_branch_that_was_edited() -> None:
    def with_base(limit: int) -> Tree:
        base = {"type": "object", "properties": {"name": {"type": "string", "maxLength": limit}}}
        whole = {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"age": {"type": "integer"}}}]}
        tree = api(whole)
        tree["components"]["schemas"]["Base"] = base
        return tree

    (cause,) = compared(with_base(9), with_base(5)).causes
    assert cause.location.old == "/components/schemas/Base/properties/name/maxLength"
    assert cause.id == "Base"


def test_worst_comes_first() -> None:
    old = api({"type": "object", "properties": {"a": {"type": "string"}}})
    new = api({"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}})
    comparison = compared(old, new)
    assert [cause.severity for cause in comparison.causes] == ["breaking", "safe"]
    ranks = [["breaking", "risky", "safe"].index(event.severity) for event in comparison.events]
    assert ranks == sorted(ranks)
    assert comparison.summary.breaking == sum(rank == 0 for rank in ranks) == 6
    assert sum(comparison.summary.kinds.values()) == len(comparison.events)


def fingerprints(comparison: Comparison) -> list[str]:
    return sorted(event.fingerprint for event in comparison.events)


def test_fingerprints_do_not_depend_on_texts_order_or_names_of_path_parameters() -> None:
    plain = compared(api(pet("cat", "dog")), api(pet("cat")))
    wordy_old, wordy_new = api(pet("dog", "cat", description="What it is")), api(pet("cat", title="Kind"))
    for tree in (wordy_old, wordy_new):
        tree["paths"] = {path.replace("{id}", "{shop}"): item for path, item in reversed(tree["paths"].items())}
    assert fingerprints(compared(wordy_old, wordy_new)) == fingerprints(plain)
    assert len(set(fingerprints(plain))) == 6


def test_fingerprints_are_the_same_on_every_machine() -> None:
    comparison = compared(api(pet("cat", "dog"), operations=1), api(pet("cat"), operations=1))
    assert fingerprints(comparison) == ["8b565774c1d511fa", "a4af68b88d1daba0"]


def test_other_changes_have_other_fingerprints() -> None:
    old = api(pet("cat", "dog", "bird"))
    one, other = compared(old, api(pet("cat", "dog"))), compared(old, api(pet("cat", "bird")))
    assert not set(fingerprints(one)) & set(fingerprints(other))


def test_comparison_is_json() -> None:
    comparison = compared(api(pet("cat", "dog")), api(pet("cat")))
    encoded = msgspec.json.encode(comparison)
    assert msgspec.json.decode(encoded, type=Comparison) == comparison
    event = msgspec.json.decode(encoded)["events"][0]
    assert event["operation"] == {"method": "POST", "path": "/shops/{id}/0"}
    assert event["before"] == "dog"
    assert event["domain"] == "shops"


def test_media_types_that_share_a_schema_make_one_event() -> None:
    def api_of(limit: int) -> Tree:
        content = {name: {"schema": {"$ref": PET}} for name in ("application/json", "application/problem+json")}
        return document(
            {"/pets": {"get": {"responses": {"200": {"description": "", "content": content}}}}},
            components={"schemas": {"Pet": {"type": "array", "minItems": limit}}},
        )

    assert [event.id for event in compared(api_of(3), api_of(2)).events] == ["response-body-min-items-decreased"]


def test_body_that_is_offered_as_json_and_yaml_changes_once() -> None:
    def api_of(limit: int, count: int) -> Tree:
        schema = {"type": "object", "properties": {"kind": {"type": "string", "maxLength": limit}}}
        content = {name: {"schema": schema} for name in ("application/json", "application/yaml", "text/xml")[:count]}
        body = {"content": content}
        return document({"/pets": {"post": {"requestBody": body, "responses": {"200": {"description": "", **body}}}}})

    one, all_ = compared(api_of(5, 1), api_of(3, 1)), compared(api_of(5, 3), api_of(3, 3))
    assert fingerprints(one) == fingerprints(all_)
    assert [event.summary for event in all_.events] == [
        "request property `kind`: maxLength decreased from 5 to 3",
    ]
    assert [event.id for event in compared(api_of(3, 3), api_of(5, 3)).events] == [
        "response-property-max-length-increased",
        "request-property-max-length-increased",
    ]


def test_media_types_that_change_otherwise_are_told_apart() -> None:
    def api_of(json: str, form: str) -> Tree:
        names = {"application/json": json, "application/x-www-form-urlencoded": form}
        content = {name: {"schema": {"properties": {"a": {"type": kind}}}} for name, kind in names.items()}
        return document({"/pets": {"post": {"requestBody": {"content": content}, "responses": {}}}})

    events = compared(api_of("string", "integer"), api_of("integer", "string")).events
    assert [(event.id, event.severity) for event in events] == [
        ("request-property-type-changed", "breaking"),
        ("request-property-type-compatible", "safe"),
    ]


def test_sentences_hold_no_control_characters() -> None:
    def api_of(limit: int) -> Tree:
        name = "A/\u202e B\x1b[2J"
        parameter = {"name": "q\x1b]0;title\x07", "in": "query", "schema": {"type": "string", "maxLength": limit}}
        schema = {"properties": {"k\n": {"type": "string", "enum": ["a", "b\x1b[31m"][: limit - 4]}}}
        response = {
            "description": "",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/A~1\u202e B\x1b[2J"}}},
        }
        return document(
            {"/pets": {"get": {"parameters": [parameter], "responses": {"200": response}}}},
            components={"schemas": {name: schema}},
        )

    comparison = compared(api_of(6), api_of(5))
    texts = [*(event.summary for event in comparison.events), *(cause.summary for cause in comparison.causes)]
    assert all(text.isprintable() for text in texts), texts
    assert "schema A/ B, k: enum value b removed" in texts
    assert "query parameter `q`: maxLength decreased from 6 to 5" in texts


def test_cause_is_called_as_people_read_it() -> None:
    def api_of(kind: str) -> Tree:
        part = {"properties": {"type": {"type": "string", "enum": [kind, "c"]}, "a/b": {"items": {"const": kind}}}}
        pet = {"allOf": [{"type": "object", "required": ["x"]}, {"pattern": "a"}, part]}
        response = {"description": "", "content": {"application/json": {"schema": {"$ref": PET}}}}
        return document({"/pets": {"get": {"responses": {"200": response}}}}, components={"schemas": {"Pet": pet}})

    causes = {cause.summary for cause in compared(api_of("a"), api_of("b")).causes}
    assert causes == {
        "schema Pet, a/b.items: const changed from a to b",
        "schema Pet, type: enum value b added (and 1 more)",
    }
