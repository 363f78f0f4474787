"""Due times and the names of jobs that follow from them."""

import datetime as dt

import pytest

from specsync.controller.due import effective_interval, next_due, requested_job_name, scheduled_job_name
from specsync.resources import Dependency
from specsync.resources.dependency import ConfigMapKeyReference, DependencySpec, DependencyStatus, Source
from specsync.resources.meta import ObjectMeta

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


def test_a_requested_job_is_named_after_the_value() -> None:
    first, second = requested_job_name(dependency(), "1"), requested_job_name(dependency(), "2")
    assert first == requested_job_name(dependency(), "1")
    assert first != second
    assert first.startswith("petstore-r")
