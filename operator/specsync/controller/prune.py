"""Deletes what history doesn't keep: change sets first, then the snapshots that none of the kept ones refers to.

A crash in between leaves garbage for the next round, never a reference to what is gone. Nothing is deleted by a
process that may not lead any more: deletions are not guarded by a version, and it may not have seen all.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TypeVar

from specsync.controller import retention
from specsync.controller.retention import ChangeSetHead
from specsync.kube.client import KubeClient, NotFound
from specsync.kube.store import Store
from specsync.resources import AlertDelivery, Dependency, SpecSnapshot, SyncJob, clock

M = TypeVar("M", ChangeSetHead, SpecSnapshot)

_AGED_EVERY = 3600.0  # seconds; how late a spec.history.maxAgeDays may be noticed where nothing else happens


class Pruner:
    """Deletes for the leader, from what its stores know."""

    def __init__(
        self,
        client: KubeClient,
        jobs: Store[SyncJob],
        snapshots: Store[SpecSnapshot],
        change_sets: Store[ChangeSetHead],
        in_office: Callable[[], bool],
    ) -> None:
        self._client = client
        self._jobs = jobs
        self._snapshots = snapshots
        self._change_sets = change_sets
        self._in_office = in_office

    async def prune(self, dependency: Dependency, at: dt.datetime, *, busy: bool) -> float | None:
        """`busy`: a job runs, or isn't in the status yet. The seconds until more may go. Raises ApiError."""
        if not busy:
            await self._prune_jobs(dependency, at)
        await self._prune_change_sets(dependency, clock.earlier(at))
        if busy:
            return None  # the job's snapshot is not in the status yet; its end brings us back
        await self._prune_snapshots(dependency, clock.earlier(at))
        waits = [retention.next_expiry(self._jobs_of(dependency.metadata.namespace, dependency.metadata.name), at)]
        if dependency.spec.history.max_age_days is not None:
            waits.append(_AGED_EVERY)
        return min((wait for wait in waits if wait is not None), default=None)

    async def prune_orphans(self, namespace: str, name: str, at: dt.datetime) -> float | None:
        """For jobs whose Dependency isn't there. The seconds until more may go. Raises ApiError."""
        for job in retention.surplus_orphans(self._jobs_of(namespace, name), at):
            if self._in_office():
                await self._client.delete(SyncJob, namespace, job.metadata.name, job.metadata.uid)
                self._jobs.bury(job)
        left = self._jobs_of(namespace, name)
        expiry = retention.next_expiry(left, at)
        return min(expiry or _AGED_EVERY, _AGED_EVERY) if left else None

    async def undo(self, dependency: Dependency, job: SyncJob) -> None:
        """Deletes the change set and the snapshot of a job that came to no result: nobody is to take them for one.

        And what waits to be sent of it. Raises ApiError.
        """
        status, name = dependency.status, job.metadata.name
        in_use = any(info is not None and info.snapshot == name for info in (status.current, status.baseline))
        if in_use or job.status.record("normalize") is None:
            return
        persisted = next((record.persist for record in job.status.stages if record.persist is not None), None)
        found = (persisted.change_set if persisted is not None else "") or name
        if self._is_result(dependency, found):
            if found == name:
                return  # it refers to the snapshot
        else:
            if persisted is not None:
                await self._withdraw(job.metadata.namespace, found)
            await self._delete_made_by(job, self._change_sets)
        change_sets = self._change_sets.owned_by(dependency.metadata.namespace, dependency.metadata.name)
        if not any(name in (each.spec.from_.snapshot, each.spec.to.snapshot) for each in change_sets):
            await self._delete_made_by(job, self._snapshots)  # else a later job has taken it over

    def _is_result(self, dependency: Dependency, change_set: str) -> bool:
        """Whether a change set is a successful job's, that made it or has taken it over: the contract has moved on."""
        known, current = self._change_sets.get(dependency.metadata.namespace, change_set), dependency.status.current
        return known is not None and (current is None or known.spec.from_.snapshot != current.snapshot)

    async def drop_overtaken(self, dependency: Dependency, kept: str) -> None:
        """Deletes the change sets that begin where `kept` does, the one that a job has just found: it tells all of it.

        Jobs that failed had written them, and the contract has changed again since. What people were told of stays, so
        that it can be acknowledged, and its incidents end; what waits to be sent goes. Raises ApiError.
        """
        meta = dependency.metadata
        for change_set in self._change_sets.owned_by(meta.namespace, meta.name):
            name = change_set.metadata.name
            if name == kept or self._is_result(dependency, name):
                continue
            if not await self._withdraw(meta.namespace, name) and self._in_office():
                await self._client.delete(ChangeSetHead, meta.namespace, name, change_set.metadata.uid)
                self._change_sets.bury(change_set)

    async def _withdraw(self, namespace: str, change_set: str) -> bool:
        """Deletes the deliveries of a change set that wait to be sent; whether there are others."""
        told = await self._client.list(AlertDelivery, namespace, fields=f"spec.changeSet={change_set}")
        for delivery in told:
            if delivery.status.phase == "Pending" and self._in_office():
                meta = delivery.metadata
                await self._client.delete(AlertDelivery, meta.namespace, meta.name, meta.uid)
        return any(delivery.status.phase != "Pending" for delivery in told)

    async def _delete_made_by(self, job: SyncJob, store: Store[M]) -> None:
        namespace, name = job.metadata.namespace, job.metadata.name
        try:
            made = await self._client.get(store.kind, namespace, name)
        except NotFound:
            return
        if made.spec.job_uid == job.metadata.uid and self._in_office():
            await self._client.delete(store.kind, namespace, name, made.metadata.uid)
            store.bury(made)

    async def _prune_jobs(self, dependency: Dependency, at: dt.datetime) -> None:
        jobs = self._jobs_of(dependency.metadata.namespace, dependency.metadata.name)
        surplus, expired = retention.surplus_jobs(dependency, jobs, at)
        if (len(surplus) >= retention.batch_size(dependency) or expired) and self._in_office():
            gone = surplus + [job for job in expired if job not in surplus]
            await self._delete_jobs(dependency, jobs, gone)
            for job in gone:
                self._jobs.bury(job)

    async def _delete_jobs(self, dependency: Dependency, jobs: Sequence[SyncJob], gone: Sequence[SyncJob]) -> None:
        """Deletes finished jobs in one request: all but those that stay.

        None of the Dependency's jobs is active, so none can finish in between unseen.
        """
        uids = {job.metadata.uid for job in gone}
        selector = [f"spec.target.name={dependency.metadata.name}", "status.phase!=Pending", "status.phase!=Running"]
        selector += [f"metadata.name!={job.metadata.name}" for job in jobs if job.metadata.uid not in uids]
        await self._client.delete_collection(SyncJob, dependency.metadata.namespace, ",".join(selector))

    async def _prune_change_sets(self, dependency: Dependency, at: dt.datetime) -> None:
        meta = dependency.metadata
        known = self._change_sets.owned_by(meta.namespace, meta.name)
        for change_set in retention.surplus_change_sets(dependency, known, at):
            if self._in_office():
                name, uid = change_set.metadata.name, change_set.metadata.uid
                await self._client.delete(ChangeSetHead, meta.namespace, name, uid)
                self._change_sets.bury(change_set)

    async def _prune_snapshots(self, dependency: Dependency, at: dt.datetime) -> None:
        meta = dependency.metadata
        kept = self._change_sets.owned_by(meta.namespace, meta.name)
        known = self._snapshots.owned_by(meta.namespace, meta.name)
        for snapshot in retention.surplus_snapshots(dependency, known, kept, at):
            if self._in_office():
                await self._client.delete(SpecSnapshot, meta.namespace, snapshot.metadata.name, snapshot.metadata.uid)
                self._snapshots.bury(snapshot)

    def _jobs_of(self, namespace: str, name: str) -> list[SyncJob]:
        return self._jobs.owned_by(namespace, name)
