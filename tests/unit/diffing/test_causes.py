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
    assert fingerprints(comparison) == ["0c5a1c265b1b2238", "f97ab98a0939dbfc"]


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
