"""What the models read and write on the wire, and how lists of conditions are updated."""

import datetime as dt

import msgspec

from specsync.resources import ChangeSet, Dependency, SpecSnapshot, SyncJob
from specsync.resources.blobref import BlobRef
from specsync.resources.changeset import ChangeSetSpec, ChangeSummary, SnapshotPointer
from specsync.resources.conditions import condition, find, merge
from specsync.resources.meta import Condition, ObjectMeta, owner_reference, to_wire
from specsync.resources.reasons import Reason
from specsync.resources.specsnapshot import Digests, SnapshotBlobs, SpecSnapshotSpec
from specsync.resources.syncjob import StageRecord, SyncJobStatus

NOON = dt.datetime(2026, 1, 2, 12, 0, 0, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(minutes=5)
DIGEST = "sha256:" + "a" * 64
BLOB = BlobRef(backend="configmap", key=DIGEST, size=9)


def read_dependency(spec: dict[str, object]) -> Dependency:
    return msgspec.convert({"metadata": {"name": "shop"}, "spec": spec}, Dependency)


def test_a_dependency_is_read_with_its_defaults() -> None:
    dependency = read_dependency({"source": {"url": "https://api.example.com/"}})
    assert dependency.spec.interval == "6h"
    assert dependency.spec.source.timeout == "60s"
    assert (dependency.spec.history.jobs, dependency.spec.history.snapshots) == (10, 10)
    assert dependency.spec.health.paused_after is None
    assert dependency.status.observed_generation == -1
    assert dependency.status.health.state == "healthy"


def test_fields_that_a_newer_operator_wrote_are_passed_over() -> None:
    dependency = read_dependency({"source": {"url": "https://api.example.com/"}, "fromTheFuture": {"x": 1}})
    assert dependency.spec.source.url == "https://api.example.com/"


def test_a_snapshot_is_written_in_the_spelling_of_kubernetes() -> None:
    spec = SpecSnapshotSpec(
        dependency="shop",
        job_uid="u-1",
        title="Shop",
        version="1",
        format="openapi-3.1",
        operations=3,
        digests=Digests(raw=DIGEST, canonical=DIGEST, short="aaaaaaaaaaaa"),
        blobs=SnapshotBlobs(raw=BLOB, canonical=BLOB, operations=BLOB),
        fetched_at=NOON,
    )
    wire = to_wire(SpecSnapshot(metadata=ObjectMeta(name="shop-1"), spec=spec))
    assert wire["spec"]["jobUID"] == "u-1"
    assert wire["spec"]["fetchedAt"] == "2026-01-02T12:00:00Z"
    assert "previous" not in wire["spec"]
    assert msgspec.convert(wire, SpecSnapshot).spec == spec


def test_counts_of_zero_are_written_in_a_change_set() -> None:
    pointer = SnapshotPointer(snapshot="shop-1", digest=DIGEST)
    spec = ChangeSetSpec(
        dependency="shop",
        job_uid="u-1",
        from_=pointer,
        to=pointer,
        summary=ChangeSummary(breaking=0, risky=0, safe=1),
    )
    wire = to_wire(ChangeSet(metadata=ObjectMeta(name="shop-1"), spec=spec))
    assert wire["spec"]["summary"] == {"breaking": 0, "risky": 0, "safe": 1, "kinds": {}}
    assert wire["spec"]["from"] == {"snapshot": "shop-1", "digest": DIGEST}


def test_only_a_stage_that_ended_well_has_a_record() -> None:
    failed = StageRecord(name="parse", state="Failed")
    fetched = StageRecord(name="fetch", state="Succeeded")
    skipped = StageRecord(name="diff", state="Skipped")
    status = SyncJobStatus(stages=[fetched, failed, skipped])
    assert status.record("fetch") is fetched
    assert status.record("diff") is skipped
    assert status.record("parse") is None
    assert status.record("alert") is None


def test_a_job_is_finished_in_its_three_last_phases() -> None:
    def job(phase: str) -> SyncJob:
        body = {"metadata": {}, "spec": {"target": {"name": "shop"}}, "status": {"phase": phase}}
        return msgspec.convert(body, SyncJob)

    phases = ("Pending", "Running", "Succeeded", "Failed", "Cancelled")
    assert [job(phase).finished for phase in phases] == [False, False, True, True, True]


def test_an_owner_reference_does_not_block_the_owners_deletion() -> None:
    owner = msgspec.convert(
        {"metadata": {"name": "shop", "uid": "u-1"}, "spec": {"source": {"url": "https://api.example.com/"}}},
        Dependency,
    )
    assert to_wire(owner_reference(owner)) == {
        "apiVersion": "specsync.dev/v1alpha1",
        "kind": "Dependency",
        "name": "shop",
        "uid": "u-1",
    }


def ready(status: bool, at: dt.datetime, message: str = "m") -> Condition:
    return condition("Ready", status, Reason.SYNCED if status else Reason.SYNC_FAILED, message, at, generation=3)


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    [merged] = merge([ready(True, NOON)], [ready(True, LATER, "again")])
    assert merged.last_transition_time == NOON
    assert merged.message == "again"


def test_a_condition_gets_a_new_time_with_a_new_status() -> None:
    [merged] = merge([ready(True, NOON)], [ready(False, LATER)])
    assert merged.last_transition_time == LATER
    assert (merged.status, merged.reason) == ("False", "SyncFailed")


def test_conditions_of_trouble_are_there_only_while_they_are_true() -> None:
    def stalled(status: bool) -> Condition:
        return condition("Stalled", status, Reason.PAUSED, "m", LATER)

    assert merge([], [ready(True, NOON), stalled(False)]) == [ready(True, NOON)]
    assert find(merge([], [stalled(True)]), "Stalled") == stalled(True)
    assert merge([stalled(True)], [ready(True, NOON)]) == [ready(True, NOON)], "the new list is the whole list"


def test_a_condition_is_written_with_all_fields_that_kubernetes_wants() -> None:
    assert to_wire(ready(False, NOON)) == {
        "type": "Ready",
        "status": "False",
        "reason": "SyncFailed",
        "message": "m",
        "lastTransitionTime": "2026-01-02T12:00:00Z",
        "observedGeneration": 3,
    }
    assert "observedGeneration" not in to_wire(condition("Finished", "Unknown", Reason.RUNNING, "", NOON))


def test_a_long_message_is_cut_to_what_the_schema_allows() -> None:
    assert len(ready(False, NOON, "x" * 9000).message) == 4096
