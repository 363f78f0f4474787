"""Due times and the names of jobs that follow from them."""

import datetime as dt

import pytest

from specsync.controller.due import effective_interval, is_of_a_wrong_clock, next_due, scheduled_job_name
from specsync.resources import Dependency
from specsync.resources.dependency import DependencySpec, DependencyStatus
from specsync.resources.meta import ObjectMeta
from specsync.resources.source import ConfigMapKeyReference, Source

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def dependency(interval: str = "6h", *, uid: str = "u1", due: dt.datetime | None = None) -> Dependency:
    return Dependency(
        metadata=ObjectMeta(name="petstore", namespace="ns", uid=uid),
        spec=DependencySpec(source=Source(config_map_ref=ConfigMapKeyReference(name="d", key="k")), interval=interval),
        status=DependencyStatus(next_sync_time=due),
    )


@pytest.mark.parametrize(("interval", "used"), [("30s", 60.0), ("1m", 60.0), ("1h30m", 5400.0)])
def test_the_interval_is_raised_to_the_minimum(interval: str, used: float) -> None:
    assert effective_interval(dependency(interval), 60.0) == used


def test_due_times_spread_by_at_most_five_per_cent_and_stay_the_same_per_object() -> None:
    offsets = {}
    for number in range(200):
        found = dependency(uid=f"uid-{number}")
        due = next_due(found, START, 60.0)
        assert due == next_due(found, START, 60.0)
        offsets[number] = (due - START).total_seconds() / (6 * 3600)
    assert min(offsets.values()) >= 0.95 - 1e-4
    assert max(offsets.values()) <= 1.05
    assert max(offsets.values()) - min(offsets.values()) > 0.08, "they drift apart"


def test_a_due_time_is_whole_seconds_as_it_is_stored() -> None:
    assert next_due(dependency("100s"), START, 60.0).microsecond == 0


def test_a_scheduled_job_is_named_after_the_stored_due_time() -> None:
    due = dt.datetime(2026, 1, 1, 6, tzinfo=dt.UTC)
    assert scheduled_job_name(dependency(due=due)) == f"petstore-{int(due.timestamp())}"
    assert scheduled_job_name(dependency()) is None


def test_a_due_time_that_only_a_wrong_clock_can_have_written_is_known_as_such() -> None:
    found = dependency("10m")
    assert not is_of_a_wrong_clock(found, next_due(found, START, 60.0), 60.0, START)
    assert is_of_a_wrong_clock(found, START + dt.timedelta(hours=1), 60.0, START)
