"""Retention: what a Dependency's history keeps. Blobs follow their owners, by the garbage collector."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta, field

from specsync.kube.client import KubeClient
from specsync.resources import ChangeSet, Dependency, SpecSnapshot, SyncJob
from specsync.resources.changeset import SnapshotPointer
from specsync.resources.meta import Definition, FrozenStruct, ObjectMeta

# Jobs are deleted at most this many at a time, in one request: the share of a sync in it is a tenth of a write.
_BATCH = 10


class ChangeSetHeadSpec(FrozenStruct, frozen=True, kw_only=True):
    dependency: str
    from_: SnapshotPointer = field(name="from")
    to: SnapshotPointer


class ChangeSetHead(FrozenStruct, frozen=True, kw_only=True):
    """A ChangeSet without its events, as much as retention needs: the leader keeps these in memory."""

    definition: ClassVar[Definition] = ChangeSet.definition
    metadata: ObjectMeta
    spec: Annotated[ChangeSetHeadSpec, Meta()]


def batch_size(dependency: Dependency) -> int:
    """How many surplus jobs to wait for: there are never more than twice as many as spec.history wants."""
    return min(_BATCH, dependency.spec.history.jobs)


def surplus_jobs(
    dependency: Dependency, jobs: Sequence[SyncJob], at: dt.datetime
) -> tuple[list[SyncJob], list[SyncJob]]:
    """The finished jobs beyond spec.history, oldest first, and those whose time to live is over."""
    expired = [job for job in jobs if job.finished and _expired(job, at)]
    last = dependency.status.last_sync
    finished = [job for job in jobs if job.finished and (last is None or job.metadata.uid != last.job_uid)]
    finished.sort(key=_ended)
    keep = max(0, dependency.spec.history.jobs - 1)  # the last one is kept besides
    return finished[: max(0, len(finished) - keep)], expired


def surplus_change_sets(dependency: Dependency, change_sets: Sequence[ChangeSetHead]) -> list[ChangeSetHead]:
    last = dependency.status.last_change
    newest_first = sorted(change_sets, key=_created, reverse=True)
    return [
        c
        for c in newest_first[dependency.spec.history.change_sets :]
        if last is None or c.metadata.name != last.change_set
    ]


def surplus_snapshots(
    dependency: Dependency, snapshots: Sequence[SpecSnapshot], kept: Sequence[ChangeSetHead]
) -> list[SpecSnapshot]:
    """Snapshots beyond spec.history, but never the baseline, the current one, or what a kept change set refers to."""
    status = dependency.status
    needed = {info.snapshot for info in (status.current, status.baseline) if info is not None}
    for change_set in kept:
        needed |= {change_set.spec.from_.snapshot, change_set.spec.to.snapshot}
    newest_first = sorted(snapshots, key=_created, reverse=True)
    return [s for s in newest_first[dependency.spec.history.snapshots :] if s.metadata.name not in needed]


def next_expiry(jobs: Sequence[SyncJob], at: dt.datetime) -> float | None:
    """Seconds until the next job's time to live is over."""
    ends = [
        (job.status.finished_at - at).total_seconds() + job.spec.ttl_seconds_after_finished
        for job in jobs
        if job.spec.ttl_seconds_after_finished is not None and job.status.finished_at is not None
    ]
    return max(0.0, min(ends)) if ends else None


async def delete_jobs(
    client: KubeClient, dependency: Dependency, jobs: Sequence[SyncJob], gone: Sequence[SyncJob]
) -> None:
    """Deletes finished jobs of a Dependency in one request: all but those that stay. Raises ApiError.

    Called by the leader while none of the Dependency's jobs is active, so none can finish in between unseen.
    """
    uids = {job.metadata.uid for job in gone}
    selector = [f"spec.target.name={dependency.metadata.name}", "status.phase!=Pending", "status.phase!=Running"]
    selector += [f"metadata.name!={job.metadata.name}" for job in jobs if job.metadata.uid not in uids]
    await client.delete_collection(SyncJob, dependency.metadata.namespace, ",".join(selector))


def _expired(job: SyncJob, at: dt.datetime) -> bool:
    ttl, ended = job.spec.ttl_seconds_after_finished, job.status.finished_at
    return ttl is not None and ended is not None and at >= ended + dt.timedelta(seconds=ttl)


def _ended(job: SyncJob) -> tuple[dt.datetime, str]:
    return (job.status.finished_at or dt.datetime.min.replace(tzinfo=dt.UTC), job.metadata.name)


def _created(obj: SpecSnapshot | ChangeSetHead) -> tuple[dt.datetime, int]:
    created = obj.metadata.creation_timestamp or dt.datetime.min.replace(tzinfo=dt.UTC)
    return (created, int(obj.metadata.resource_version or 0))
