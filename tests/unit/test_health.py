"""Health: failed syncs in a row lower it step by step, a success restores it, what isn't its fault doesn't count."""

import pytest

from specsync.controller import health
from specsync.controller.health import Breaker
from specsync.resources.dependency import Health, HealthThresholds
from specsync.resources.reasons import Reason
from tests.unit.objects import NOON, at, baseline_job, failed, job

THRESHOLDS = Breaker()


def after_failures(count: int, before: Health | None = None) -> Health:
    state = before or Health()
    for number in range(count):
        state = health.after(state, failed(), THRESHOLDS, at(number))
    return state


@pytest.mark.parametrize(
    ("failures", "state"),
    [(0, "healthy"), (2, "healthy"), (3, "degraded"), (5, "unhealthy"), (9, "unhealthy"), (10, "paused")],
)
def test_the_state_follows_the_failures_in_a_row(failures: int, state: str) -> None:
    found = after_failures(failures)
    assert (found.state, found.consecutive_failures) == (state, failures)


def test_a_success_restores_it_at_once() -> None:
    found = health.after(after_failures(10), baseline_job(), THRESHOLDS, at(60))
    assert found == Health(state="healthy", consecutive_failures=0, since=at(60))


def test_it_is_known_since_when() -> None:
    assert after_failures(4).since == at(2), "the third failure made it degraded, the fourth changed nothing"


@pytest.mark.parametrize(
    "reason",
    [
        Reason.RATE_LIMITED,
        Reason.API_ERROR,
        Reason.BLOB_MISSING,
        Reason.BLOB_CORRUPTED,
        Reason.BLOB_STORE_UNAVAILABLE,
        Reason.BLOB_STORE_REFUSED,
        Reason.BLOB_STORE_FULL,
    ],
)
def test_a_failure_that_says_nothing_of_the_document_does_not_count(reason: Reason) -> None:
    before = after_failures(2)
    assert health.after(before, failed(reason), THRESHOLDS, at(9)).consecutive_failures == 2


def test_a_cancelled_job_changes_nothing() -> None:
    before = after_failures(4)
    assert health.after(before, job(phase="Cancelled"), THRESHOLDS, at(9)) == before


def test_thresholds_may_be_equal_and_the_worst_counts() -> None:
    one = Breaker(degraded_after=1, unhealthy_after=1, paused_after=1)
    assert health.after(Health(), failed(), one, NOON).state == "paused"


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (HealthThresholds(), (2, 4, 8)),
        (HealthThresholds(degraded_after=1), (1, 4, 8)),
        (HealthThresholds(degraded_after=6), (6, 6, 8)),
        (HealthThresholds(unhealthy_after=1), (1, 1, 8)),
        (HealthThresholds(paused_after=3), (2, 3, 3)),
        (HealthThresholds(degraded_after=20), (20, 20, 20)),
        (HealthThresholds(degraded_after=1, unhealthy_after=5, paused_after=9), (1, 5, 9)),
    ],
)
def test_a_dependency_says_what_it_wants_and_the_operator_the_rest(
    own: HealthThresholds, expected: tuple[int, int, int]
) -> None:
    found = Breaker(degraded_after=2, unhealthy_after=4, paused_after=8).of(own)
    assert (found.degraded_after, found.unhealthy_after, found.paused_after) == expected
