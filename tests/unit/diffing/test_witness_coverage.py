"""How many breaking changes of real documents a value is found for. That data isn't part of the project."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from bench.conformance import folder, read
from specsync.diffing import Comparison, compare
from specsync.diffing.witness import Witness, Witnesses, witnesses_for
from specsync.openapi.canonical import CanonicalDocument, normalize

FOLDER = folder()
pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="no conformance data: set SPECSYNC_CONFORMANCE_DIR to the folder that holds it"
)
PAIRS = {  # at least so many of a hundred breaking changes of schemas have a witness
    "box-120--box-0": 85,
    "plaid-60--plaid-0": 97,
    "github-19.0.0--github-23.0.2": 85,
}
EXPECTED = 90
"""For these rules, of a hundred."""
RULES = [
    "new-required-request-property",
    "request-property-became-required",
    "request-property-enum-value-removed",
    "response-property-became-nullable",
    "response-property-became-optional",
    "response-property-min-length-decreased",
    "response-property-type-changed",
]

Pair = tuple[CanonicalDocument, CanonicalDocument, Comparison]


@cache
def pair(name: str) -> Pair:
    assert FOLDER is not None
    old, new = (normalize(read(FOLDER, part)) for part in name.split("--"))
    return old, new, compare(old, new)


@cache
def found_in(name: str) -> dict[str, Witness]:
    return witnesses_for(*pair(name), seconds=60, most=10_000)


@pytest.mark.parametrize("name", PAIRS)
def test_most_breaking_changes_of_schemas_have_a_witness(name: str) -> None:
    wanted = [e for e in pair(name)[2].events if e.severity == "breaking" and Witnesses.may_have(e)]
    assert len(found_in(name)) * 100 >= PAIRS[name] * len(wanted)


def test_by_rule() -> None:
    wanted, found = Counter[str](), Counter[str]()
    for name in PAIRS:
        events = [event for event in pair(name)[2].events if event.severity == "breaking"]
        wanted.update(event.id for event in events)
        found.update(event.id for event in events if event.fingerprint in found_in(name))
    few = {rule: (found[rule], wanted[rule]) for rule in RULES if found[rule] * 100 < EXPECTED * wanted[rule]}
    assert few == {}


def test_a_batch_finds_what_single_searches_find() -> None:
    old, new, comparison = pair("box-120--box-0")
    breaking = [event for event in comparison.events if event.severity == "breaking"]
    for event in reversed(breaking):
        assert Witnesses(old, new).of(event) == found_in("box-120--box-0").get(event.fingerprint), event.summary
