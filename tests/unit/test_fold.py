"""Folding a finished job into the status: what changes, which Events it calls for, and that it may be done again."""

import pytest
from msgspec.structs import replace

from specsync.controller.due import scheduled_job_name
from specsync.controller.fold import announcements, fold
from specsync.resources import SyncJob
from specsync.resources.dependency import (
    ActiveJob,
    DependencyStatus,
    HandledRequest,
    Health,
    LastSync,
    SourceState,
    SyncError,
)
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import Damage, FetchOutput, StageRecord
from tests.unit.objects import (
    SOURCE,
    at,
    baseline_job,
    changed_job,
    dependency,
    failed,
    job,
    snapshot_info,
    unchanged_job,
)

AT = at(2)
KNOWN = DependencyStatus(
    current=snapshot_info(),
    baseline=snapshot_info(),
    source=SourceState(url_digest=SOURCE.digest(), raw_digest="sha256:raw-1", etag="old", last_modified="then"),
)


def folded(found: SyncJob, before: DependencyStatus) -> DependencyStatus:
    return fold(dependency(status=before), found, 60.0, AT)


def reasons(found: SyncJob, before: DependencyStatus) -> list[Reason]:
    owner = dependency(status=before)
    return [event.reason for event in announcements(owner, fold(owner, found, 60.0, AT), found)]


def test_a_baseline_becomes_the_current_snapshot_and_the_baseline() -> None:
    status = folded(baseline_job(), DependencyStatus(active_job=ActiveJob(name="shop-1")))
    assert status.current is not None
    assert (status.current.snapshot, status.current.version, status.current.operations) == ("shop-1", "1", 3)
    assert status.baseline == status.current
    assert status.source == SourceState(url_digest=SOURCE.digest(), raw_digest="sha256:raw-1", etag="e1")
    assert status.active_job is None
    assert status.last_sync is not None
    assert (status.last_sync.job, status.last_sync.result, status.last_sync.time) == ("shop-1", "Baseline", at(1))
    assert reasons(baseline_job(), DependencyStatus()) == [Reason.BASELINE_CREATED]


def test_a_change_moves_the_current_snapshot_and_leaves_the_baseline() -> None:
    status = folded(changed_job(), KNOWN)
    assert status.current is not None
    assert (status.current.snapshot, status.current.digest) == ("shop-3", "sha256:2")
    assert status.baseline == KNOWN.baseline
    assert status.last_change is not None
    assert (status.last_change.change_set, status.last_change.breaking, status.last_change.risky) == ("shop-3", 2, 1)
    assert reasons(changed_job(), KNOWN) == [], "the alert stage has told of it"


def test_validators_are_kept_together_with_the_address_that_gave_them() -> None:
    source = SourceState(url_digest=SOURCE.digest(), raw_digest="sha256:raw-1", etag="old", validators_of="sha256:away")
    away = replace(KNOWN, source=source)
    assert folded(unchanged_job(), away).source == source
    assert folded(baseline_job(), away).source == SourceState(
        url_digest=SOURCE.digest(), raw_digest="sha256:raw-1", etag="e1"
    )


def test_an_unchanged_sync_keeps_what_the_server_did_not_repeat() -> None:
    status = folded(unchanged_job(), KNOWN)
    assert status.source == KNOWN.source
    assert (status.current, status.last_change) == (KNOWN.current, KNOWN.last_change)
    assert reasons(unchanged_job(), KNOWN) == [], "no Event per sync"


def test_a_failure_keeps_what_is_known_and_says_why() -> None:
    status = folded(failed(), KNOWN)
    assert (status.current, status.source) == (KNOWN.current, KNOWN.source)
    assert status.last_sync is not None
    assert status.last_sync.error is not None
    assert (status.last_sync.result, status.last_sync.error.reason) == ("Failed", Reason.SERVER_ERROR)
    assert status.health.consecutive_failures == 1


def test_the_next_sync_is_due_an_interval_after_the_start_but_never_in_the_past() -> None:
    owner = dependency(status=KNOWN, interval="10m")
    due = fold(owner, unchanged_job(), 60.0, AT).next_sync_time
    assert due is not None
    assert at(9.5) <= due <= at(10.5)
    assert fold(owner, unchanged_job(), 60.0, at(60)).next_sync_time == at(60)


def test_clocks_of_workers_that_are_wrong_make_no_sync_due_at_once_and_none_late() -> None:
    before = replace(KNOWN, next_sync_time=at(60))
    owner = dependency(status=before, interval="10m")
    # Started at noon by its worker's clock, though it was due an hour later by the leader's.
    behind = replace(unchanged_job(), metadata=replace(unchanged_job().metadata, name=str(scheduled_job_name(owner))))
    due = fold(owner, behind, 60.0, at(61)).next_sync_time
    assert due is not None
    assert at(69.5) <= due <= at(70.5)
    # By its worker's clock it has not started yet.
    due = fold(owner, behind, 60.0, at(-30)).next_sync_time
    assert due is not None
    assert at(-20.5) <= due <= at(-19.5)


def test_a_server_that_asks_to_slow_down_gets_a_whole_interval_from_the_end() -> None:
    owner = dependency(status=KNOWN, interval="10m")
    due = fold(owner, failed(Reason.RATE_LIMITED), 60.0, at(8)).next_sync_time
    assert due is not None
    assert due >= at(17.5)


@pytest.mark.parametrize(("interval", "minutes"), [("6h", 5.0), ("2m", 2.0)])
def test_what_went_wrong_on_our_side_is_caught_up_soon(interval: str, minutes: float) -> None:
    owner = dependency(status=KNOWN, interval=interval)
    due = fold(owner, failed(Reason.BLOB_STORE_UNAVAILABLE), 60.0, at(1)).next_sync_time
    assert due is not None
    assert due <= at(1 + minutes)
    slow = fold(owner, failed(Reason.BLOB_STORE_UNAVAILABLE), 900.0, at(1)).next_sync_time
    assert slow is not None
    assert slow <= at(17)
    later = fold(dependency(status=KNOWN, interval="6h"), failed(Reason.SERVER_ERROR), 60.0, at(1)).next_sync_time
    assert later is not None
    assert later > at(300)


def test_damaged_content_is_a_condition_until_a_sync_succeeds_and_each_time_told() -> None:
    damage = Damage(snapshot="shop-1", reason="BlobMissing", message="content of SpecSnapshot shop-1: gone")
    seen = StageRecord(name="fetch", state="Started", fetch=FetchOutput(source_digest="sha256:1", damage=damage))
    broken = replace(failed(), status=replace(failed().status, stages=[seen]))
    owner = dependency(status=KNOWN)
    after = fold(owner, broken, 60.0, AT)
    [condition] = [each for each in after.conditions if each.type == "ContentDamaged"]
    assert (condition.status, condition.reason) == ("True", "BlobMissing")
    assert Reason.BLOB_MISSING in reasons(broken, KNOWN)
    assert Reason.BLOB_MISSING not in reasons(broken, after), "known already"

    healed = unchanged_job()
    [record] = healed.status.stages
    record = replace(record, fetch=replace(record.fetch, damage=damage))
    healed = replace(healed, status=replace(healed.status, stages=[record]))
    told = announcements(replace(owner, status=after), fold(replace(owner, status=after), healed, 60.0, AT), healed)
    [event] = [each for each in told if each.reason == Reason.BLOB_MISSING]
    assert event.type == "Warning"
    assert event.message.endswith("; it is stored anew")
    assert [each.type for each in fold(replace(owner, status=after), healed, 60.0, AT).conditions] == []


def test_only_the_first_of_equal_failures_is_told() -> None:
    assert reasons(failed(), KNOWN) == [Reason.SYNC_FAILED]
    error = SyncError(stage="fetch", reason=Reason.SERVER_ERROR, message="the server answered 500")
    again = replace(KNOWN, last_sync=LastSync(job="shop-0", error=error))
    assert reasons(failed(), again) == []
    assert reasons(failed(Reason.NOT_FOUND), again) == [Reason.SYNC_FAILED], "another reason is news"


def test_each_step_of_health_is_told_once() -> None:
    error = SyncError(stage="fetch", reason=Reason.SERVER_ERROR, message="the server answered 500")
    last = LastSync(job="shop-0", error=error)
    for failures, expected in ((1, []), (2, [Reason.DEGRADED]), (4, [Reason.UNHEALTHY]), (9, [Reason.PAUSED])):
        state = "degraded" if failures == 4 else "unhealthy" if failures == 9 else "healthy"
        before = replace(KNOWN, last_sync=last, health=Health(state=state, consecutive_failures=failures))  # type: ignore[arg-type]
        assert reasons(failed(), before) == expected
    paused = replace(KNOWN, last_sync=last, health=Health(state="paused", consecutive_failures=10))
    assert reasons(unchanged_job(), paused) == [Reason.RECOVERED]


def requested(found: SyncJob, value: str) -> SyncJob:
    meta = replace(found.metadata, annotations={"specsync.dev/requestedAt": value})
    return replace(found, metadata=meta, spec=replace(found.spec, trigger="Requested"))


def test_a_request_is_told_how_it_ended() -> None:
    before = replace(KNOWN, last_handled_request=HandledRequest(value="41", job="shop-2", outcome="Failed"))
    handled = folded(requested(changed_job(), "42"), before).last_handled_request
    assert handled == HandledRequest(value="42", job="shop-3", outcome="Changed")
    assert folded(changed_job(), before).last_handled_request == before.last_handled_request, "not by a request"


def test_a_retry_of_an_older_request_leaves_the_latest_one_as_it_is() -> None:
    latest = HandledRequest(value="42", job="shop-9", outcome="Failed")
    before = replace(KNOWN, last_handled_request=latest, active_job=ActiveJob(name="shop-3", uid="uid-shop-3"))
    assert folded(requested(changed_job(), "41"), before).last_handled_request == latest
    before = replace(before, last_handled_request=replace(latest, job="shop-3"))
    handled = folded(requested(changed_job(), "42"), before).last_handled_request
    assert handled == HandledRequest(value="42", job="shop-3", outcome="Changed")


def test_a_cancelled_job_is_the_last_sync_and_no_failure() -> None:
    status = folded(job(phase="Cancelled"), KNOWN)
    assert status.last_sync is not None
    assert (status.last_sync.result, status.last_sync.error) == ("Cancelled", None)
    assert status.health.consecutive_failures == 0


def test_folding_again_after_a_crash_gives_the_same() -> None:
    for found in (baseline_job(), unchanged_job(), changed_job(), failed()):
        assert folded(found, KNOWN) == folded(found, KNOWN)
