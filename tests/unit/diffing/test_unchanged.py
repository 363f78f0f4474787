"""Skipping what is the same in both documents changes nothing but the time; and the order of keys changes nothing."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from bench.conformance import folder
from specsync.diffing import Comparison, Policy, compare
from specsync.diffing.unchanged import Unchanged
from specsync.openapi.canonical import CanonicalDocument, normalize
from specsync.openapi.load import load
from tests.unit.diffing.documents import TODAY, canonical, ids, with_request
from tests.unit.diffing.test_metamorphic import PAIRS, canonical_of, needs_data, tree_of

POLICY = Policy(today=TODAY)


def small_pairs() -> list[tuple[str, str]]:
    data = folder()
    if data is None:
        return []
    lines = (data / "oasdiff" / "expected.jsonl").read_text().splitlines()
    return [(pair["base"], pair["revision"]) for pair in map(json.loads, lines)]


def small(name: str) -> CanonicalDocument:
    data = folder()
    assert data is not None
    return normalize(load((data / "oasdiff" / name).read_bytes()))


def without_skipping(old: CanonicalDocument, new: CanonicalDocument, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    with monkeypatch.context() as patched:
        patched.setattr(Unchanged, "__call__", lambda *_: False)
        return compare(old, new, POLICY)


@needs_data
def test_skipping_hides_nothing_in_small_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = small_pairs()
    assert len(pairs) > 100
    for base, revision in pairs:
        old, new = small(base), small(revision)
        assert compare(old, new, POLICY) == without_skipping(old, new, monkeypatch), (base, revision)


@needs_data
@pytest.mark.parametrize("pair", PAIRS)
def test_skipping_hides_nothing_in_real_documents(pair: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = map(canonical_of, pair.split("--"))
    assert compare(old, new, POLICY) == without_skipping(old, new, monkeypatch)


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(key, shuffled(item, chance)) for key, item in value.items()]
        chance.shuffle(items)
        return dict(items)
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


@needs_data
@pytest.mark.parametrize("pair", ["box-120--box-0", "plaid-1--plaid-0"])
def test_order_of_keys_and_stored_form_change_no_event_and_no_fingerprint(pair: str) -> None:
    old, new = pair.split("--")
    expected = compare(canonical_of(old), canonical_of(new), POLICY)
    tree = shuffled(tree_of(new), random.Random(5))
    reordered = normalize(load(json.dumps(tree).encode()))
    stored = CanonicalDocument.from_bytes(canonical_of(old).to_bytes())
    assert compare(stored, reordered, POLICY) == expected


def test_true_is_not_one() -> None:
    old, new = ({"properties": {"a": {"enum": [value]}}} for value in (1, True))
    assert ids(with_request(old), with_request(new)) == [
        "request-property-enum-value-added",
        "request-property-enum-value-removed",
    ]


def unchanged(old: Any, new: Any, old_components: Any = None, new_components: Any = None) -> bool:
    """Whether the request bodies of two documents are."""
    documents = [
        canonical(with_request(schema, components={"schemas": schemas or {}}))
        for schema, schemas in ((old, old_components), (new, new_components))
    ]
    bodies = [document.operation(document.operations[0]).request_body for document in documents]
    return Unchanged(*documents)(*bodies)


def test_unchanged_is_what_refers_to_unchanged() -> None:
    pet, tag = {"$ref": "#/components/schemas/Pet"}, {"$ref": "#/components/schemas/Tag"}
    before = {"Pet": {"properties": {"tag": tag}}, "Tag": {"type": "string"}}
    assert unchanged(pet, pet, before, before)
    assert not unchanged(pet, pet, before, {**before, "Tag": {"type": "integer"}})  # however far away


def test_what_is_in_another_document_is_unknown_and_so_not_unchanged() -> None:
    elsewhere = {"$ref": "common.yaml#/Pet"}
    assert not unchanged(elsewhere, elsewhere)
