"""Retention: what history keeps, and what it never touches."""

import datetime as dt

from msgspec.structs import replace

from specsync.controller.retention import (
    ChangeSetHead,
    ChangeSetHeadSpec,
    next_expiry,
    surplus_change_sets,
    surplus_jobs,
    surplus_orphans,
    surplus_snapshots,
)
from specsync.resources import SpecSnapshot, SyncJob
from specsync.resources.blobref import BlobRef
from specsync.resources.changeset import SnapshotPointer
from specsync.resources.dependency import DependencyStatus, History, LastChange, LastSync
from specsync.resources.meta import ObjectMeta
from specsync.resources.specsnapshot import Digests, SnapshotBlobs, SpecSnapshotSpec
from tests.unit.objects import at, dependency, job, snapshot_info

BLOB = BlobRef(backend="configmap", key="sha256:1", size=1)


def meta(number: int) -> ObjectMeta:
    return ObjectMeta(name=f"shop-{number}", namespace="ns", uid=f"uid-shop-{number}", creation_timestamp=at(number))


def snapshot(number: int) -> SpecSnapshot:
    spec = SpecSnapshotSpec(
        dependency="shop",
        job_uid="u",
        title="Shop",
        version="1",
        format="openapi-3.0",
        operations=1,
        digests=Digests(raw="sha256:1", canonical="sha256:1", short="1"),
        blobs=SnapshotBlobs(raw=BLOB, canonical=BLOB, operations=BLOB),
        fetched_at=at(number),
    )
    return SpecSnapshot(metadata=meta(number), spec=spec)


def change_set(number: int) -> ChangeSetHead:
    """From the snapshot before to the one of this number."""
    before, after = (SnapshotPointer(snapshot=f"shop-{n}", digest="sha256:1") for n in (number - 1, number))
    return ChangeSetHead(metadata=meta(number), spec=ChangeSetHeadSpec(dependency="shop", from_=before, to=after))


def jobs(count: int) -> list[SyncJob]:
    return [job(f"shop-{number}", ended=number) for number in range(count)]


def names(found: object) -> list[str]:
    return [o.metadata.name for o in found]  # type: ignore[attr-defined]


def with_ttl(found: SyncJob, seconds: int) -> SyncJob:
    return replace(found, spec=replace(found.spec, ttl_seconds_after_finished=seconds))


def test_the_oldest_jobs_are_surplus_and_the_last_sync_is_kept_besides() -> None:
    # The last sync is the oldest here: jobs that a user created end out of order.
    status = DependencyStatus(last_sync=LastSync(job="shop-0", job_uid="uid-shop-0"))
    owner = dependency(status=status, history=History(jobs=3))
    surplus, expired = surplus_jobs(owner, jobs(6), at(100))
    assert names(surplus) == ["shop-1", "shop-2", "shop-3"]
    assert expired == []


def test_unfinished_jobs_are_never_surplus() -> None:
    running = [job(f"shop-{number}", "Running") for number in range(5)]
    assert surplus_jobs(dependency(history=History(jobs=1)), running, at(100)) == ([], [])


def test_jobs_expire_after_their_time_to_live() -> None:
    found = [with_ttl(job("shop-1", ended=1), 60), with_ttl(job("shop-2", ended=2), 60), job("shop-3", ended=3)]
    _, expired = surplus_jobs(dependency(), found, at(2.5))
    assert names(expired) == ["shop-1"]
    assert next_expiry(found, at(2.5)) == 0.0
    assert next_expiry(found[1:], at(2.5)) == dt.timedelta(minutes=0.5).total_seconds()
    assert next_expiry(found[2:], at(2.5)) is None


def test_the_newest_change_sets_are_kept_and_the_last_one_in_any_case() -> None:
    owner = dependency(
        status=DependencyStatus(last_change=LastChange(change_set="shop-1")), history=History(change_sets=2)
    )
    assert names(surplus_change_sets(owner, [change_set(n) for n in (3, 1, 4, 2)], at(100))) == ["shop-2"]


def test_baseline_current_and_what_a_kept_change_set_refers_to_are_kept() -> None:
    status = DependencyStatus(baseline=snapshot_info("shop-0"), current=snapshot_info("shop-9"))
    owner = dependency(status=status, history=History(snapshots=2))
    snapshots = [snapshot(number) for number in range(10)]
    surplus = surplus_snapshots(owner, snapshots, [change_set(4)], at(100))
    assert sorted(names(surplus)) == ["shop-1", "shop-2", "shop-5", "shop-6", "shop-7"]


def test_the_predecessor_of_the_current_snapshot_is_kept_for_a_change_set_that_is_not_known_yet() -> None:
    status = DependencyStatus(baseline=snapshot_info("shop-0"), current=snapshot_info("shop-9"))
    owner = dependency(status=status, history=History(snapshots=2, max_age_days=1))
    snapshots = [snapshot(number) for number in range(10)]
    current = snapshots[9]
    snapshots[9] = replace(current, spec=replace(current.spec, previous="shop-8"))
    assert sorted(names(surplus_snapshots(owner, snapshots, [], at(10 * DAY)))) == [f"shop-{n}" for n in range(1, 8)]


def test_no_snapshot_goes_while_the_current_one_is_not_known_yet() -> None:
    """Each kind has a watch of its own: the job's may be ahead of the snapshots', and of the change sets'."""
    status = DependencyStatus(baseline=snapshot_info("shop-0"), current=snapshot_info("shop-9"))
    owner = dependency(status=status, history=History(snapshots=2, max_age_days=1))
    assert surplus_snapshots(owner, [snapshot(number) for number in range(9)], [], at(10 * DAY)) == []


DAY = 24 * 60  # minutes


def test_by_age_goes_what_the_count_would_keep_but_never_what_is_in_use() -> None:
    status = DependencyStatus(
        baseline=snapshot_info("shop-0"),
        current=snapshot_info("shop-3"),
        last_change=LastChange(change_set="shop-3"),
        last_sync=LastSync(job="shop-1", job_uid="uid-shop-1"),
    )
    owner = dependency(status=status, history=History(max_age_days=2))
    assert surplus_change_sets(owner, [change_set(n) for n in (1, 2, 3)], at(2 * DAY)) == []
    change_sets = [change_set(n) for n in (1, 2, 3)]
    assert names(surplus_change_sets(owner, change_sets, at(2 * DAY + 1.5))) == ["shop-1"]
    assert sorted(names(surplus_change_sets(owner, change_sets, at(9 * DAY)))) == ["shop-1", "shop-2"]
    snapshots = [snapshot(number) for number in range(4)]
    assert names(surplus_snapshots(owner, snapshots, [change_set(3)], at(9 * DAY))) == ["shop-1"]
    _, expired = surplus_jobs(owner, jobs(3), at(9 * DAY))
    assert names(expired) == ["shop-0", "shop-2"]
    assert surplus_jobs(owner, jobs(3), at(DAY)) == ([], [])


def test_jobs_without_a_dependency_go_after_a_day_and_beyond_ten() -> None:
    assert surplus_orphans(jobs(10), at(DAY)) == []
    assert names(surplus_orphans(jobs(12), at(20))) == ["shop-1", "shop-0"]
    assert names(surplus_orphans(jobs(3), at(DAY + 1.5))) == ["shop-1", "shop-0"]
    assert names(surplus_orphans([with_ttl(job("shop-1", ended=1), 60), job("shop-2", ended=2)], at(3))) == ["shop-1"]
    assert surplus_orphans([job("shop-1", "Running")], at(9 * DAY)) == []


def test_the_predecessors_of_other_snapshots_are_not_kept() -> None:
    status = DependencyStatus(baseline=snapshot_info("shop-0"), current=snapshot_info("shop-9"))
    snapshots = [snapshot(number) for number in range(10)]
    chain = [replace(s, spec=replace(s.spec, previous=f"shop-{n - 1}")) for n, s in enumerate(snapshots) if n]
    owner = dependency(status=status, history=History(snapshots=2))
    surplus = surplus_snapshots(owner, [snapshots[0], *chain], [change_set(6)], at(100))
    assert sorted(names(surplus)) == ["shop-1", "shop-2", "shop-3", "shop-4", "shop-7"]
