"""Writing an API otherwise is no change of it, and a change there is the reverse of the change back."""

from __future__ import annotations

import json
import random
from collections import Counter
from functools import cache
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench.conformance import folder, read
from specsync.diffing import Comparison, Event, Policy, compare
from specsync.openapi.canonical import CanonicalDocument, normalize
from specsync.openapi.load import load
from tests.unit.diffing import respelling
from tests.unit.diffing.documents import TODAY, Tree, canonical, document
from tests.unit.diffing.respelling import RESPELLINGS, Respelling
from tests.unit.diffing.strategies import SCHEMAS, effort

POLICY = Policy(today=TODAY)
FOLDER = folder()
needs_data = pytest.mark.skipif(
    FOLDER is None, reason="no conformance data: set SPECSYNC_CONFORMANCE_DIR to the folder that holds it"
)
DOCUMENTS = ("box-0", "plaid-1", "github-19.0.0")
PAIRS = ("box-120--box-0", "plaid-1--plaid-0", "plaid-60--plaid-0", "github-19.0.0--github-23.0.2")

OPEN: dict[tuple[str, str], str] = {}
"""What still makes events, and why."""


@cache
def tree_of(name: str) -> Tree:
    assert FOLDER is not None
    return read(FOLDER, name).as_tree()


@cache
def canonical_of(name: str) -> CanonicalDocument:
    assert FOLDER is not None
    return normalize(read(FOLDER, name))


def canonical_with(tree: Tree) -> CanonicalDocument:
    return normalize(load(json.dumps(tree).encode()))


def summaries(old: CanonicalDocument, new: CanonicalDocument) -> list[str]:
    """What is said of the differences, each once."""
    return list(dict.fromkeys(f"{event.id}: {event.summary}" for event in compare(old, new, POLICY).events))


def cases() -> list[Any]:
    found = []
    for change in RESPELLINGS:
        for name in DOCUMENTS:
            reason = OPEN.get((change.__name__, name))
            marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
            found.append(pytest.param(change, name, id=f"{change.__name__}-{name}", marks=marks))
    return found


@needs_data
@pytest.mark.parametrize(("change", "name"), cases())
def test_real_document_written_otherwise(change: Respelling, name: str) -> None:
    other = canonical_with(change(tree_of(name), random.Random(1)))
    assert summaries(canonical_of(name), other) == []
    assert summaries(other, canonical_of(name)) == []


@needs_data
@pytest.mark.parametrize("name", ["box-0", "plaid-60"])
def test_real_document_as_json_and_as_yaml(name: str) -> None:
    text = yaml.dump(tree_of(name), Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
    written = normalize(load(text.encode()))
    assert written.digest == canonical_with(tree_of(name)).digest
    assert summaries(canonical_of(name), written) == []


CALM = [
    change
    for change in RESPELLINGS
    if change.__name__ not in {name for name, _ in OPEN}
    and change not in (respelling.rename_path_parameters, respelling.rename_components)
]
"""Those that may be put after each other in any order and have no open defect. A renamed component whose every use is
then inlined isn't recognized: nothing refers to it any more, and its own references were inlined too.
"""


@needs_data
@pytest.mark.parametrize("seed", [2, 3])
def test_real_document_written_otherwise_in_many_ways_at_once(seed: int) -> None:
    chance = random.Random(seed)
    tree = tree_of("box-0")
    for change in chance.sample(CALM, len(CALM)):
        tree = change(tree, chance)
    other = canonical_with(tree)
    assert summaries(canonical_of("box-0"), other) == []
    text = json.dumps(tree)  # a component that was extracted, and then written out wherever it was used, is gone indeed
    unused = {name for name in tree["components"]["schemas"] if f'"#/components/schemas/{name}"' not in text}
    left = {f"api-schema-removed: schema {name} removed" for name in unused}
    assert set(summaries(other, canonical_of("box-0"))) <= left


def api(schemas: list[Any]) -> Tree:
    """Three schemas, in all places of two operations."""
    references = [{"$ref": f"#/components/schemas/S{index}"} for index in range(len(schemas))]
    content = {"application/json": {"schema": references[0]}, "text/plain": {"schema": references[1]}}
    shared = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    parameters = [
        {"name": "q", "in": "query", "schema": references[2]},
        {"name": "X-Trace", "in": "header", "schema": {"type": "string", "nullable": True}},
    ]
    response = {"description": "", "content": content, "headers": {"X-Rate": {"schema": references[2]}}}
    operation = {"parameters": parameters, "requestBody": {"content": content}, "responses": {"200": response}}
    item = {"parameters": shared, "post": operation, "put": {**operation, "responses": {"201": response}}}
    components = {f"S{index}": schema for index, schema in enumerate(schemas)}
    return document({"/a/{id}": item}, components={"schemas": components})


CHANGES = st.lists(st.sampled_from(CALM), min_size=1, max_size=3)


@effort(150)
@given(schemas=st.lists(SCHEMAS, min_size=3, max_size=3), changes=CHANGES, seed=st.integers(0, 99))
def test_small_document_written_otherwise(schemas: list[Any], changes: list[Respelling], seed: int) -> None:
    tree, chance = api(schemas), random.Random(seed)
    old = canonical(tree)
    assert summaries(old, canonical(json.loads(json.dumps(tree)))) == []
    for change in changes:
        tree = change(tree, chance)
    new = canonical(tree)
    assert summaries(old, new) == []
    assert summaries(new, old) == []


@effort(150)
@given(old=st.lists(SCHEMAS, min_size=3, max_size=3), new=st.lists(SCHEMAS, min_size=3, max_size=3), seed=st.integers())
def test_verdict_does_not_depend_on_the_spelling(old: list[Any], new: list[Any], seed: int) -> None:
    before, after = canonical(api(old)), canonical(api(new))
    shuffled = canonical(respelling.reorder_keys(api(new), random.Random(seed)))
    there, again = compare(before, after, POLICY), compare(before, shuffled, POLICY)
    assert [event.fingerprint for event in there.events] == [event.fingerprint for event in again.events]


OPPOSITES = [
    (
        ("endpoint-added",),
        (
            "api-removed-without-deprecation",
            "api-removed-with-deprecation",
            "api-removed-before-sunset",
            "api-path-removed-without-deprecation",
            "api-path-removed-with-deprecation",
            "api-path-removed-before-sunset",
        ),
    ),
    (
        (
            "new-request-path-parameter",
            "new-required-request-parameter",
            "new-optional-request-parameter",
            "new-required-request-default-parameter-to-existing-path",
            "new-optional-request-default-parameter-to-existing-path",
        ),
        (
            "request-parameter-removed",
            "request-parameter-removed-with-deprecation",
            "request-parameter-removed-before-sunset",
        ),
    ),
    (
        (
            "new-optional-request-property",
            "new-required-request-property",
            "new-required-request-property-with-default",
        ),
        ("request-property-removed",),
    ),
    (
        ("response-required-property-added", "response-optional-property-added"),
        ("response-required-property-removed", "response-optional-property-removed"),
    ),
    (("response-success-status-added",), ("response-success-status-removed",)),
    (("response-non-success-status-added",), ("response-non-success-status-removed",)),
    (("response-media-type-added",), ("response-media-type-removed",)),
    (("request-parameter-enum-value-added",), ("request-parameter-enum-value-removed",)),
    (("request-property-became-required",), ("request-property-became-optional",)),
    (("response-property-became-nullable",), ("response-property-became-not-nullable",)),
]
"""What comes, and what goes on the way back."""


@needs_data
@pytest.mark.parametrize("pair", PAIRS)
def test_what_one_direction_adds_the_other_removes(pair: str) -> None:
    old, new = (canonical_of(name) for name in pair.split("--"))
    there, back = compare(old, new, POLICY), compare(new, old, POLICY)
    restructured = {event.operation for event in [*there.events, *back.events] if "one-of" in event.id}

    def places(comparison: Comparison, ids: tuple[str, ...]) -> Counter[tuple[object, str]]:
        return Counter(
            (event.operation, place_of(event))
            for event in comparison.events
            if event.id in ids and event.operation not in restructured
        )

    seen = 0
    for coming, going in OPPOSITES:
        for one, other in ((there, back), (back, there)):
            assert places(one, coming) == places(other, going), coming
            seen += places(one, coming).total()
    assert seen > 0


def place_of(event: Event) -> str:
    """Where something came or went; empty where it is in both documents."""
    if event.location.old is not None and event.location.new is not None:
        return ""
    return event.location.old or event.location.new or ""
