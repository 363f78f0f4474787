"""The Dependency's conditions: Ready, Reconciling, Stalled, IntervalClamped, from the rest of the status."""

from typing import Any

from msgspec.structs import replace

from specsync.controller.conditions import summarise
from specsync.resources import SyncJob
from specsync.resources.dependency import ActiveJob, DependencyStatus, Health, LastSync, SyncError
from specsync.resources.reasons import Reason
from tests.unit.objects import at, dependency, job, snapshot_info

SYNCED = DependencyStatus(
    current=snapshot_info(), baseline=snapshot_info(), last_sync=LastSync(job="shop-1", result="Unchanged")
)
ERROR = SyncError(stage="fetch", reason=Reason.SERVER_ERROR, message="the server answered 500")


def conditions(
    status: DependencyStatus, found: SyncJob | None = None, *, minutes: float = 0, **spec: Any
) -> dict[str, tuple[str, str]]:
    """type → (status, reason)"""
    merged = summarise(dependency(status=status, **spec), status, found, min_interval=60.0, at=at(minutes))
    return {c.type: (c.status, c.reason) for c in merged}


def test_before_the_first_sync_it_is_unknown_and_under_way() -> None:
    assert conditions(DependencyStatus()) == {"Ready": ("Unknown", "Pending"), "Reconciling": ("True", "Syncing")}


def test_suspended_before_the_first_sync_nothing_is_under_way() -> None:
    assert conditions(DependencyStatus(), suspend=True) == {"Ready": ("Unknown", "Suspended")}


def test_after_a_success_it_is_ready_and_nothing_else() -> None:
    assert conditions(SYNCED) == {"Ready": ("True", "Synced")}


def test_a_scheduled_job_that_goes_well_changes_no_condition() -> None:
    assert conditions(SYNCED, job(phase="Running")) == conditions(SYNCED)


def test_an_asked_for_job_is_shown_while_it_runs() -> None:
    asked = replace(SYNCED, active_job=ActiveJob(name="shop-2"))
    assert conditions(asked, job("shop-2", "Running"))["Reconciling"] == ("True", "Syncing")


def test_a_failure_is_shown_with_its_reason() -> None:
    failed = replace(SYNCED, last_sync=LastSync(job="shop-2", result="Failed", error=ERROR))
    assert conditions(failed) == {"Ready": ("False", "ServerError")}


def test_a_paused_dependency_is_stalled_until_a_sync_is_asked_for() -> None:
    health = Health(state="paused", consecutive_failures=10)
    paused = replace(SYNCED, health=health, last_sync=LastSync(job="shop-2", result="Failed", error=ERROR))
    assert conditions(paused)["Stalled"] == ("True", "Paused")
    assert "Stalled" not in conditions(replace(paused, active_job=ActiveJob(name="shop-3")))


def test_an_interval_below_the_operators_minimum_is_said_to_be_raised() -> None:
    status = SYNCED
    (clamped,) = [
        c
        for c in summarise(dependency(status=status, interval="30s"), status, None, min_interval=60.0, at=at(0))
        if c.type == "IntervalClamped"
    ]
    assert "30s" in clamped.message
    assert "1m" in clamped.message


def test_a_transition_time_moves_with_the_status_only() -> None:
    first = summarise(dependency(status=SYNCED), SYNCED, None, min_interval=60.0, at=at(0))
    later = replace(SYNCED, conditions=first, last_sync=LastSync(job="shop-2", result="Changed"))
    (ready,) = summarise(dependency(status=later), later, None, min_interval=60.0, at=at(5))
    assert ready.last_transition_time == at(0)
    broken = replace(later, last_sync=LastSync(job="shop-3", result="Failed", error=ERROR))
    (ready,) = summarise(dependency(status=broken), broken, None, min_interval=60.0, at=at(6))
    assert ready.last_transition_time == at(6)


def test_a_reason_that_only_another_version_of_the_operator_knows_is_told_as_it_is() -> None:
    """After a rollback, or while versions are mixed: the Dependency must go on all the same."""
    strange = replace(ERROR, reason="OfANewerVersion")
    failed = replace(SYNCED, last_sync=LastSync(job="shop-2", phase="Failed", error=strange))
    assert conditions(failed)["Ready"] == ("False", "OfANewerVersion")
    waits = job(phase="Pending", error=strange, retry_at=at(5))
    assert conditions(DependencyStatus(), waits)["Ready"] == ("False", "OfANewerVersion")
