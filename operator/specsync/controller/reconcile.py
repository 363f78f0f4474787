"""Reconciles one Dependency with its jobs: an ordered list of steps, and one place that writes the status.

One job at a time runs for a Dependency: the one that is named by `status.nextSyncTime`, and is started at that time or
when the annotation asks for it, or the user's job that `status.activeJob` names. Whether a finished job is in the
status already follows from these two fields alone, so no clocks of workers are compared and a leader that crashed at
any instant is followed by one that goes on.
"""

import datetime as dt
from collections.abc import Awaitable, Callable

import structlog
from msgspec.structs import replace

from specsync.controller import admission, metrics
from specsync.controller.catchup import CatchUp
from specsync.controller.conditions import summarise
from specsync.controller.due import is_of_a_wrong_clock, job_name_at, next_due, scheduled_job_name
from specsync.controller.fold import announcements, fold
from specsync.controller.health import Breaker
from specsync.controller.prune import Pruner
from specsync.controller.retention import ChangeSetHead
from specsync.kube.client import Conflict, KubeClient, NotFound
from specsync.kube.events import EventRecorder
from specsync.kube.store import Store
from specsync.resources import Dependency, SpecSnapshot, SyncJob
from specsync.resources.dependency import REQUESTED_AT, ActiveJob, DependencyStatus, Health
from specsync.resources.meta import now
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import RETRY_REQUESTED_AT, Phase

log = structlog.get_logger()

_ORPHAN_SECONDS = 5.0  # how long a job waits for a Dependency that isn't there yet


class Outdated(Exception):
    """The store was behind the API server; it has been brought up to date: reconcile again."""


class Reconciler:
    """Brings Dependencies and their jobs forward. All reads are from the stores, all writes are guarded."""

    def __init__(
        self,
        client: KubeClient,
        events: EventRecorder,
        dependencies: Store[Dependency],
        jobs: Store[SyncJob],
        snapshots: Store[SpecSnapshot],
        change_sets: Store[ChangeSetHead],
        min_interval: float,
        breaker: Breaker,
        in_office: Callable[[], bool],
        catch_up: CatchUp,
        tell_health: Callable[[Dependency, DependencyStatus, SyncJob, str], Awaitable[None]],
    ) -> None:
        """`min_interval` in seconds; `in_office` says whether this process certainly still leads."""
        self._client = client
        self._events = events
        self._dependencies = dependencies
        self._jobs = jobs
        self._min_interval = min_interval
        self._breaker = breaker
        self._pruner = Pruner(client, jobs, snapshots, change_sets, in_office)
        self._catch_up = catch_up
        self._in_office = in_office
        self._tell_health = tell_health

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Returns the seconds after which to come back, None for not before something changes.

        Raises Outdated, ApiError: come back soon.
        """
        dependency = self._dependencies.get(namespace, name)
        if dependency is None:
            return await self._end_orphans(namespace, name)
        if dependency.metadata.deletion_timestamp is not None:
            return None
        await self._end_cancelled(dependency)
        dependency = await self._fold_scheduled(dependency)
        dependency = await self._bring_active_forward(dependency)
        dependency = await self._accept_spec(dependency)
        dependency = await self._start_requested(dependency)
        dependency = await self._retry_failed(dependency)
        dependency = await self._admit_next(dependency)
        dependency = await self._start_due(dependency)
        dependency = await self._write(dependency, dependency.status)
        return await self._prune(dependency)

    # Steps, in their order

    async def _end_orphans(self, namespace: str, name: str) -> float | None:
        """Jobs for a Dependency that isn't there fail, but not at once: one `kubectl apply` may bring both."""
        waiting = [job for job in self._jobs.owned_by(namespace, name) if job.status.phase == "Pending"]
        if not waiting:
            return await self._pruner.prune_orphans(namespace, name, now())
        youngest = max(job.metadata.creation_timestamp or now() for job in waiting)
        patience = _ORPHAN_SECONDS - (now() - youngest).total_seconds()
        if patience > 0:
            return patience
        try:
            self._dependencies.put(await self._client.get(Dependency, namespace, name))
            raise Outdated
        except NotFound:
            pass
        text = f"Dependency {name} doesn't exist in namespace {namespace}: create it first, or correct spec.target.name"
        for job in waiting:
            await self._end(job, "Failed", Reason.TARGET_NOT_FOUND, text)
        return await self._pruner.prune_orphans(namespace, name, now())

    async def _end_cancelled(self, dependency: Dependency) -> None:
        """Pending jobs that a user cancelled. Running ones are their workers' to end."""
        for job in self._jobs_of(dependency):
            if job.spec.cancel and job.status.phase == "Pending":
                await self._end(job, "Cancelled", Reason.CANCELLED, "cancelled by spec.cancel before it ran")

    async def _accept_spec(self, dependency: Dependency) -> Dependency:
        """A changed spec moves the due time; a changed source is due at once, and forgets the old one's ETag.

        Not while a job runs: what that job found, perhaps of the old source, is folded in first.
        """
        status = dependency.status
        if status.observed_generation == dependency.metadata.generation or self._busy(dependency):
            return dependency
        source_changed = status.source is None or status.source.url_digest != dependency.spec.reading_digest()
        last = status.last_sync
        if last is None or last.error is not None or source_changed:
            due = now()  # after a failure any edit may be the repair
        else:
            due = next_due(dependency, last.started_at or now(), self._min_interval)
        paused = status.health.state == "paused"
        status = replace(
            status,
            observed_generation=dependency.metadata.generation,
            source=None if source_changed else status.source,
            health=Health(since=now()) if paused else status.health,  # an edit is a fresh start: it ends the pause
            next_sync_time=self._unused(dependency, due),  # else the job of that name would be folded once more
        )
        return await self._write(dependency, status)

    async def _fold_scheduled(self, dependency: Dependency) -> Dependency:
        job = self._scheduled(dependency)
        return await self._fold(dependency, job) if job is not None and job.finished else dependency

    async def _bring_active_forward(self, dependency: Dependency) -> Dependency:
        """The user's job that was decided on last: admitted where a crash came between, folded when finished."""
        active = dependency.status.active_job
        if active is None:
            return dependency
        job = await self._find(dependency, active)
        if job is None:
            return await self._write(dependency, replace(dependency.status, active_job=None))  # deleted by a user
        if _retry_pending(dependency, job):
            # A leader that ended before it wrote the retry: that end is in the status already.
            return await self._write(dependency, replace(dependency.status, active_job=None))
        if job.finished:
            return await self._fold(dependency, job)
        if job.status.phase == "Pending" and job.status.admitted_at is None:
            await self._admit(dependency, job)
        return dependency

    async def _start_requested(self, dependency: Dependency) -> Dependency:
        """The annotation asks for a sync: that of the next due time, now. While a job runs the last request waits."""
        value = dependency.metadata.annotations.get(REQUESTED_AT, "")[:256]
        handled = dependency.status.last_handled_request
        if not value or (handled is not None and handled.value == value) or self._busy(dependency):
            return dependency
        return await self._start(dependency, request=value)

    async def _retry_failed(self, dependency: Dependency) -> Dependency:
        for job in self._jobs_of(dependency):
            request = job.metadata.annotations.get(RETRY_REQUESTED_AT, "")[:256]
            waits = job.status.phase == "Pending" and job.status.retry_at is not None
            if not request or request == job.status.last_handled_retry or not (job.finished or waits):
                continue
            if waits:
                self._keep(await admission.hurry(self._client, job, request))
                continue
            if job.status.phase != "Failed":
                text = (
                    f"a {job.status.phase.lower()} job can't be retried: create another SyncJob, or ask the Dependency"
                )
                await self._events.record(job, "Warning", Reason.RETRY_REFUSED, text, occasion=request)
                self._keep(await admission.refuse_retry(self._client, job, request))
                continue
            if self._busy(dependency):
                continue
            active = ActiveJob(name=job.metadata.name, uid=job.metadata.uid)
            dependency = await self._write(dependency, replace(dependency.status, active_job=active))
            # What was fetched then may be older than what is known now: start over.
            base, current, last = job.status.base, dependency.status.current, dependency.status.last_sync
            moved = (base.snapshot if base else None) != (current.snapshot if current else None)
            outdated = moved or (last is not None and last.phase == "Succeeded")
            if outdated:
                await self._pruner.undo(dependency, job)
            self._keep(await admission.retry(self._client, job, request, from_start=outdated))
        return dependency

    async def _admit_next(self, dependency: Dependency) -> Dependency:
        """Users' own jobs, oldest first."""
        waiting = [
            job
            for job in self._jobs_of(dependency)
            if job.status.phase == "Pending" and job.spec.trigger == "Manual" and job.status.admitted_at is None
        ]
        if not waiting or self._busy(dependency):
            return dependency
        job = min(waiting, key=lambda j: (j.metadata.creation_timestamp or now(), j.metadata.name))
        active = ActiveJob(name=job.metadata.name, uid=job.metadata.uid)
        dependency = await self._write(dependency, replace(dependency.status, active_job=active))
        await self._admit(dependency, job)
        return dependency

    async def _start_due(self, dependency: Dependency) -> Dependency:
        if not self._schedules(dependency) or self._busy(dependency):
            return dependency
        due = dependency.status.next_sync_time
        if due is not None and is_of_a_wrong_clock(dependency, due, self._min_interval, now()):
            due = self._unused(dependency, next_due(dependency, now(), self._min_interval))
            return await self._write(dependency, replace(dependency.status, next_sync_time=due))
        if due is not None and (due > now() or self._catch_up.wait(dependency, due) > 0):
            return dependency
        dependency = await self._start(dependency)
        if due is not None:
            metrics.SCHEDULE_LAG.observe((now() - due).total_seconds())
        return dependency

    async def _start(self, dependency: Dependency, request: str = "") -> Dependency:
        """The job of the persisted due time, whether that is over or a user's request comes before it."""
        if dependency.status.next_sync_time is None:
            dependency = await self._write(dependency, replace(dependency.status, next_sync_time=now()))
        if not self._in_office():
            raise Outdated  # frozen for so long that another may have started, ended and deleted that very job
        name = scheduled_job_name(dependency)
        job = await admission.create_job(self._client, dependency, name, request) if name else None
        if job is None:
            # A foreign object bears the name: another second's name will do.
            due = (dependency.status.next_sync_time or now()) + dt.timedelta(seconds=1)
            await self._write(dependency, replace(dependency.status, next_sync_time=due))
            raise Outdated
        self._jobs.put(job, tell=False)
        return await self._fold_scheduled(dependency)

    async def _prune(self, dependency: Dependency) -> float | None:
        """Deletes what history doesn't keep, and says when to come back."""
        at, busy = now(), self._busy(dependency)
        waits = [await self._pruner.prune(dependency, at, busy=busy)]
        if busy:
            return None  # its end brings us back
        due = dependency.status.next_sync_time
        if due is not None and self._schedules(dependency):
            waits.append(max(0.0, (due - at).total_seconds(), self._catch_up.wait(dependency, due)))
        return min((wait for wait in waits if wait is not None), default=None)

    # What the steps are made of

    def _jobs_of(self, dependency: Dependency) -> list[SyncJob]:
        return self._jobs.owned_by(dependency.metadata.namespace, dependency.metadata.name)

    def _scheduled(self, dependency: Dependency) -> SyncJob | None:
        """The job of the persisted due time, if it exists."""
        name = scheduled_job_name(dependency)
        job = self._jobs.get(dependency.metadata.namespace, name) if name else None
        mine = job is not None and any(o.uid == dependency.metadata.uid for o in job.metadata.owner_references)
        return job if mine else None

    def _current_job(self, dependency: Dependency, status: DependencyStatus) -> SyncJob | None:
        if status.active_job is not None:
            return self._jobs.get(dependency.metadata.namespace, status.active_job.name)
        return self._scheduled(dependency)

    def _unused(self, dependency: Dependency, due: dt.datetime) -> dt.datetime:
        """That time, or the first second from then on that isn't the name of a job that has run already."""
        while self._jobs.get(dependency.metadata.namespace, job_name_at(dependency, due)) is not None:
            due += dt.timedelta(seconds=1)
        return due

    def _busy(self, dependency: Dependency) -> bool:
        """Whether a job runs, or has run and is not in the status yet."""
        return dependency.status.active_job is not None or self._scheduled(dependency) is not None

    def _schedules(self, dependency: Dependency) -> bool:
        return not dependency.spec.suspend and dependency.status.health.state != "paused"

    async def _find(self, dependency: Dependency, active: ActiveJob) -> SyncJob | None:
        """The active job; what the store lacks, a GET looks for."""
        namespace = dependency.metadata.namespace
        job = self._jobs.get(namespace, active.name)
        if job is None:
            try:
                job = await self._client.get(SyncJob, namespace, active.name)
            except NotFound:
                return None
            self._jobs.put(job)
        return job if job.metadata.uid == active.uid else None

    async def _admit(self, dependency: Dependency, job: SyncJob) -> None:
        admitted = await admission.admit(self._client, dependency, job)
        if admitted is None:
            await self._refresh_job(job)
            raise Outdated
        self._jobs.put(admitted, tell=False)

    async def _fold(self, dependency: Dependency, job: SyncJob) -> Dependency:
        if job.status.phase == "Cancelled":
            await self._pruner.undo(dependency, job)
        found = next((r.persist.change_set for r in job.status.stages if r.persist is not None), "")
        if job.status.phase == "Succeeded" and found:
            await self._pruner.drop_overtaken(dependency, found)
        status = fold(dependency, job, self._min_interval, now(), self._breaker)
        if status.next_sync_time is not None:
            status = replace(status, next_sync_time=self._unused(dependency, status.next_sync_time))
        # Events first: their names make them unique, while a crash after the status write would lose them.
        epoch = job.status.claim.epoch if job.status.claim else 0
        text = ""
        for event in announcements(dependency, status, job):
            occasion = f"{job.metadata.uid}/{epoch}"
            await self._events.record(dependency, event.type, event.reason, event.message, occasion)
            text = f"{text} {event.message}".strip()
        await self._tell_health(dependency, status, job, text)
        return await self._write(dependency, status)

    async def _end(self, job: SyncJob, phase: Phase, reason: Reason, message: str) -> None:
        ended = await admission.end(self._client, job, phase, reason, message)
        if ended is None:
            await self._refresh_job(job)
            return
        self._jobs.put(ended)
        if phase == "Failed":
            await self._events.record(job, "Warning", reason, message, occasion=job.metadata.uid)

    def _keep(self, job: SyncJob | None) -> None:
        if job is None:
            raise Outdated
        self._jobs.put(job, tell=False)

    async def _refresh_job(self, job: SyncJob) -> None:
        try:
            self._jobs.put(await self._client.get(SyncJob, job.metadata.namespace, job.metadata.name))
        except NotFound:
            self._jobs.bury(job)

    async def _write(self, dependency: Dependency, status: DependencyStatus) -> Dependency:
        """The only place that writes a Dependency's status: with the conditions that follow, only where it differs.

        Guarded by resourceVersion, so that a leader that isn't one any more loses. Raises Outdated, ApiError.
        """
        job = self._current_job(dependency, status)
        conditions = summarise(dependency, status, job, min_interval=self._min_interval, at=now())
        status = replace(status, conditions=conditions)
        if status == dependency.status:
            return dependency
        try:
            written = await self._client.update_status(replace(dependency, status=status))
        except (Conflict, NotFound) as error:
            await self._refresh(dependency)
            raise Outdated from error
        self._dependencies.put(written, tell=False)  # the steps that follow go on with it
        return written

    async def _refresh(self, dependency: Dependency) -> None:
        try:
            current = await self._client.get(Dependency, dependency.metadata.namespace, dependency.metadata.name)
        except NotFound:
            self._dependencies.bury(dependency)
        else:
            self._dependencies.put(current)


def _retry_pending(dependency: Dependency, job: SyncJob) -> bool:
    """Whether the job is the folded one, with a retry that was decided on and not written."""
    last = dependency.status.last_sync
    folded = last is not None and last.job_uid == job.metadata.uid and last.time == job.status.finished_at
    request = job.metadata.annotations.get(RETRY_REQUESTED_AT, "")[:256]
    return folded and bool(request) and request != job.status.last_handled_retry
