"""Retention: what a Dependency's history keeps, by count and by age. Pure; `prune.py` deletes the rest.

Blobs follow what refers to them: those in ConfigMaps by the garbage collector, those in an object store by `sweep.py`.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Annotated, ClassVar, Protocol, TypeVar

from msgspec import Meta, field

from specsync.resources import ChangeSet, Dependency, SpecSnapshot, SyncJob
from specsync.resources.changeset import SnapshotPointer, Triage
from specsync.resources.dependency import History
from specsync.resources.meta import Definition, FrozenStruct, ObjectMeta

# Jobs are deleted at most this many at a time, in one request: the share of a sync in it is a tenth of a write.
_BATCH = 10

# What stays of finished jobs whose Dependency never was: time enough to read why they failed.
ORPHANS = History(jobs=10)
_ORPHAN_AGE = dt.timedelta(days=1)


class _Created(Protocol):
    @property
    def metadata(self) -> ObjectMeta: ...


C = TypeVar("C", bound=_Created)


class ChangeSetHeadSpec(FrozenStruct, frozen=True, kw_only=True):
    dependency: str
    job_uid: str = field(default="", name="jobUID")
    from_: SnapshotPointer = field(name="from")
    to: SnapshotPointer
    acknowledged: Triage | None = None
    resolved: Triage | None = None


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
    """The finished jobs beyond spec.history, oldest first, and those whose time is over. Never the last sync's."""
    last = dependency.status.last_sync
    oldest = max_age(dependency.spec.history)
    finished = [job for job in jobs if job.finished and (last is None or job.metadata.uid != last.job_uid)]
    finished.sort(key=_ended)
    expired = [job for job in jobs if job.finished and _expired(job, at)]
    if oldest is not None:
        expired += [job for job in finished if _ended(job)[0] < at - oldest and job not in expired]
    keep = max(0, dependency.spec.history.jobs - 1)  # the last one is kept besides
    return finished[: max(0, len(finished) - keep)], expired


def surplus_orphans(jobs: Sequence[SyncJob], at: dt.datetime) -> list[SyncJob]:
    """Finished jobs for a Dependency that isn't there, beyond the newest ten, older than a day or expired."""
    finished = sorted((job for job in jobs if job.finished), key=_ended, reverse=True)
    return [
        job
        for number, job in enumerate(finished)
        if number >= ORPHANS.jobs or _ended(job)[0] < at - _ORPHAN_AGE or _expired(job, at)
    ]


def surplus_change_sets(
    dependency: Dependency, change_sets: Sequence[ChangeSetHead], at: dt.datetime
) -> list[ChangeSetHead]:
    history, last = dependency.spec.history, dependency.status.last_change
    return surplus(change_sets, history.change_sets, max_age(history), at, {last.change_set} if last else ())


def surplus_snapshots(
    dependency: Dependency, snapshots: Sequence[SpecSnapshot], kept: Sequence[ChangeSetHead], at: dt.datetime
) -> list[SpecSnapshot]:
    """Snapshots that go: never the baseline, the current one, or what a kept change set refers to."""
    status, history = dependency.status, dependency.spec.history
    needed = {info.snapshot for info in (status.current, status.baseline) if info is not None}
    for change_set in kept:
        needed |= {change_set.spec.from_.snapshot, change_set.spec.to.snapshot}
    # The latest change set may not be known here yet: it refers to the current snapshot and to the one before. Where
    # not even the current one is known, which that is can't be told: all wait for the next sync.
    if status.current is not None:
        current = next((s for s in snapshots if s.metadata.name == status.current.snapshot), None)
        if current is None:
            return []
        if current.spec.previous is not None:
            needed.add(current.spec.previous)
    return surplus(snapshots, history.snapshots, max_age(history), at, needed)


def surplus(
    found: Sequence[C], keep: int, oldest: dt.timedelta | None, at: dt.datetime, pinned: Collection[str] = ()
) -> list[C]:
    """Objects beyond the newest `keep`, or older than `oldest`; those whose names are `pinned` stay in any case.

    For every kind whose history is bounded.
    """
    newest_first = sorted(found, key=_created, reverse=True)
    return [
        each
        for number, each in enumerate(newest_first)
        if each.metadata.name not in pinned
        and (number >= keep or (oldest is not None and _created(each)[0] < at - oldest))
    ]


def max_age(history: History) -> dt.timedelta | None:
    """spec.history.maxAgeDays."""
    return None if history.max_age_days is None else dt.timedelta(days=history.max_age_days)


def next_expiry(jobs: Sequence[SyncJob], at: dt.datetime) -> float | None:
    """Seconds until the next job's time to live is over."""
    ends = [
        (job.status.finished_at - at).total_seconds() + job.spec.ttl_seconds_after_finished
        for job in jobs
        if job.spec.ttl_seconds_after_finished is not None and job.status.finished_at is not None
    ]
    return max(0.0, min(ends)) if ends else None


def _expired(job: SyncJob, at: dt.datetime) -> bool:
    ttl, ended = job.spec.ttl_seconds_after_finished, job.status.finished_at
    return ttl is not None and ended is not None and at >= ended + dt.timedelta(seconds=ttl)


def _ended(job: SyncJob) -> tuple[dt.datetime, str]:
    return (job.status.finished_at or dt.datetime.min.replace(tzinfo=dt.UTC), job.metadata.name)


def _created(obj: _Created) -> tuple[dt.datetime, int]:
    created = obj.metadata.creation_timestamp or dt.datetime.min.replace(tzinfo=dt.UTC)
    return (created, int(obj.metadata.resource_version or 0))
