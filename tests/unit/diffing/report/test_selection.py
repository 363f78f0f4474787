"""What is left of a comparison with a team's severities, ignored changes and filters."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from specsync.diffing import Comparison, compare
from specsync.diffing.filters import Filters, read_pattern
from specsync.diffing.selection import select
from specsync.diffing.severities import read_severities
from tests.unit.diffing.documents import canonical, document


def api(maximum: int, kinds: list[str]) -> dict[str, Any]:
    pet = {"type": "object", "properties": {"kind": {"enum": kinds}}}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}
    parameters = [{"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": maximum}}]
    listing = {"parameters": parameters, "responses": {}, "operationId": "listPets", "tags": ["pets", "all"]}
    create = {"requestBody": {"content": content}, "responses": {}, "operationId": "createPet", "tags": ["pets"]}
    orders = {"requestBody": {"content": content}, "responses": {}, "operationId": "createOrder", "tags": ["orders"]}
    paths = {"/pets": {"get": listing, "post": create}, "/orders/{id}/items": {"post": orders}}
    return document(paths, components={"schemas": {"Pet": pet}})


OLD, NEW = canonical(api(100, ["cat", "dog", "cow"])), canonical(api(50, ["cat"]))


@pytest.fixture
def comparison() -> Comparison:
    return compare(OLD, NEW)


def operations(comparison: Comparison) -> set[str]:
    return {
        f"{event.operation.method} {event.operation.path}" if event.operation else "" for event in comparison.events
    }


def consistent(comparison: Comparison) -> bool:
    """Whether all counts are those of the events."""
    summary, events = comparison.summary, comparison.events
    return (
        [summary.breaking, summary.risky, summary.safe]
        == [sum(event.severity == severity for event in events) for severity in ("breaking", "risky", "safe")]
        and sum(summary.kinds.values()) == len(events)
        and {cause.fingerprint: cause.events for cause in comparison.causes}
        == {cause: sum(event.cause == cause for event in events) for cause in {event.cause for event in events}}
    )


def test_the_comparison_itself_is_consistent(comparison: Comparison) -> None:
    assert consistent(comparison)
    assert operations(comparison) >= {"GET /pets", "POST /pets", "POST /orders/{id}/items"}
    assert select(comparison, {}) == comparison


def test_severities(comparison: Comparison) -> None:
    before = copy.deepcopy(comparison)
    overrides = read_severities(
        ["request-parameter-max-decreased   warn", "", "# more", "request-property-enum-value-removed NONE # agreed"]
    )
    found = select(comparison, overrides)
    assert consistent(found)
    assert found.summary.breaking == 0
    assert [event.severity for event in found.events if event.id == "request-parameter-max-decreased"] == ["risky"]
    assert [cause.severity for cause in found.causes if "maximum" in cause.summary] == ["risky"]
    assert not any(event.id == "request-property-enum-value-removed" for event in found.events)
    assert comparison == before


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("request-parameter-max-decreased", "isn't a rule's id and a level"),
        ("request-parameter-max-decreased err now", "isn't a rule's id and a level"),
        ("request-parameter-max-decrease err", "did you mean request-parameter-max-decreased?"),
        ("request-parameter-max-decreased fatal", "'fatal' is no level"),
    ],
)
def test_severity_file_with_an_error(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match="line 2") as raised:
        read_severities(["", line])
    assert reason in str(raised.value)


def test_a_cause_tells_what_is_left_of_it(comparison: Comparison) -> None:
    (whole,) = [cause for cause in comparison.causes if "dog" in cause.summary and "cow" in cause.summary]
    found = select(comparison, {}, lambda event: event.before != "dog")
    (left,) = [cause for cause in found.causes if cause.fingerprint == whole.fingerprint]
    assert consistent(found)
    assert "dog" not in left.summary
    assert "cow" in left.summary
    assert left.operations == whole.operations == 2


def test_a_cause_that_lost_an_operation_says_the_same_of_fewer(comparison: Comparison) -> None:
    found = select(comparison, {}, lambda event: event.operation is not None and event.operation.path == "/pets")
    (left,) = [cause for cause in found.causes if "dog" in cause.summary]
    assert left.summary in {cause.summary for cause in comparison.causes}
    assert left.operations == 1


@pytest.mark.parametrize(
    ("only", "exclude", "left"),
    [
        (["/pets"], [], {"GET /pets", "POST /pets"}),
        (["/*"], [], {"GET /pets", "POST /pets"}),
        (["/**"], [], {"GET /pets", "POST /pets", "POST /orders/{id}/items"}),
        (["/orders/*/items"], [], {"POST /orders/{id}/items"}),
        (["/orders/{id}/item?"], [], {"POST /orders/{id}/items"}),
        (["**items"], [], {"POST /orders/{id}/items"}),
        (["post /pets"], [], {"POST /pets"}),
        (["* /pets"], [], {"GET /pets", "POST /pets"}),
        (["POST /**"], ["/pets"], {"POST /orders/{id}/items"}),
        (["operation:create*"], [], {"POST /pets", "POST /orders/{id}/items"}),
        (["tag:all"], [], {"GET /pets"}),
        (["tag:orders", "operation:listPets"], [], {"GET /pets", "POST /orders/{id}/items"}),
        (["/Pets"], [], set()),
        ([], ["tag:pets"], {"POST /orders/{id}/items"}),
        ([], ["GET /**"], {"POST /pets", "POST /orders/{id}/items"}),
    ],
)
def test_filters(comparison: Comparison, only: list[str], exclude: list[str], left: set[str]) -> None:
    filters = Filters(OLD, NEW, map(read_pattern, only), map(read_pattern, exclude))
    found = select(comparison, {}, filters.keeps)
    assert consistent(found)
    assert operations(found) - {""} == left


def test_what_concerns_no_operation_is_left_out_by_only_and_kept_by_exclude() -> None:
    comparison = compare(canonical(document({})), canonical(document({}, components={"schemas": {}})))
    old = document({}, components={"securitySchemes": {"key": {"type": "apiKey", "name": "k", "in": "header"}}})
    comparison = compare(canonical(old), NEW)
    assert "" in operations(comparison)
    assert "" not in operations(select(comparison, {}, Filters(NEW, NEW, [read_pattern("/**")]).keeps))
    assert operations(select(comparison, {}, Filters(NEW, NEW, [], [read_pattern("/**")]).keeps)) == {""}


@pytest.mark.parametrize("written", ["", "pets", "tag:", "GET", "GET pets", "owner:me"])
def test_pattern_that_cannot_be_read(written: str) -> None:
    with pytest.raises(ValueError, match="is no pattern"):
        read_pattern(written)
