"""Held against what oasdiff finds, and against real documents. That data isn't part of the project."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from bench.conformance import (
    Agreement,
    breaking_differences,
    folder,
    pair_differences,
    read,
    real_agreements,
    small_agreements,
)
from bench.explained import titles
from specsync.diffing import compare
from specsync.openapi.canonical import CanonicalDocument, normalize
from specsync.openapi.load import load

FOLDER = folder()
pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="no conformance data: set SPECSYNC_CONFORMANCE_DIR to the folder that holds it"
)

EXACT_SMALL_PAIRS = 161
"""Of 169. What differs is argued in docs/divergences.md; this number only rises."""
SAME_VERDICT_SMALL_PAIRS = 165
REAL = {  # precision and recall of (id, operation, path), in percent, rounded down; see divergence 22 for recall
    "box-120--box-0": (81, 75),
    "github-19.0.0--github-23.0.2": (97, 98),
    "plaid-1--plaid-0": (99, 92),
    "plaid-60--plaid-0": (98, 94),
}


def real_documents() -> list[Path]:
    return sorted(FOLDER.glob("real/*.xz")) if FOLDER is not None else []


def test_small_pairs_agree() -> None:
    assert FOLDER is not None
    agreements = list(small_agreements(FOLDER))
    assert sum(agreement.is_exact for agreement in agreements) >= EXACT_SMALL_PAIRS
    assert sum(agreement.same_verdict for agreement in agreements) >= SAME_VERDICT_SMALL_PAIRS


def test_each_difference_in_a_small_pair_is_argued() -> None:
    assert FOLDER is not None
    differences = pair_differences(small_agreements(FOLDER))
    assert [each for each in differences if each.unexplained] == []
    assert {number for each in differences for number in each.divergences} <= titles().keys()


@pytest.fixture(scope="module")
def real() -> dict[str, Agreement]:
    assert FOLDER is not None
    return {agreement.name: agreement for agreement in real_agreements(FOLDER)}


@pytest.mark.parametrize("name", REAL)
def test_real_pairs_agree(real: dict[str, Agreement], name: str) -> None:
    precision, recall = REAL[name]
    assert real[name].precision * 100 >= precision
    assert real[name].recall * 100 >= recall


def test_each_operation_that_breaks_by_one_tool_only_is_argued(real: dict[str, Agreement]) -> None:
    differences = breaking_differences(real.values())
    assert len(differences) > 50
    assert [each for each in differences if each.unexplained] == []
    assert {number for each in differences for number in each.divergences} <= titles().keys()


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in real_documents()])
def test_real_document_does_not_differ_from_itself_nor_from_its_stored_form(path: Path) -> None:
    data = lzma.decompress(path.read_bytes())
    one, other = normalize(load(data)), normalize(load(data))
    stored = CanonicalDocument.from_bytes(one.to_bytes())
    assert stored.digest == other.digest
    assert compare(one, other).events == []
    assert compare(stored, other).events == []


@pytest.mark.parametrize("pair", REAL)
def test_what_one_direction_adds_the_other_removes(pair: str) -> None:
    assert FOLDER is not None
    old, new = (normalize(read(FOLDER, name)) for name in pair.split("--"))
    there, back = compare(old, new).events, compare(new, old).events

    def operations(events: list[object], *ids: str) -> set[tuple[str, str]]:
        return {
            (event.operation.method, event.operation.path)  # type: ignore[attr-defined]
            for event in events
            if event.id in ids  # type: ignore[attr-defined]
        }

    removed = (
        "api-removed-without-deprecation",
        "api-path-removed-without-deprecation",
        "api-removed-with-deprecation",
        "api-path-removed-with-deprecation",
    )
    assert operations(list(back), "endpoint-added") == operations(list(there), *removed)
    assert operations(list(there), "endpoint-added") == operations(list(back), *removed)
