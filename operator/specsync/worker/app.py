"""The worker's life: lease, claims, running jobs, takeover of dead workers' jobs, an end that hands back."""

import asyncio
import datetime as dt
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from specsync.alerting.pace import AlertSettings
from specsync.alerting.secrets import OutletMaker
from specsync.blobs.metrics import CountedBlobs
from specsync.blobs.store import BlobStore
from specsync.fetching.client import Fetcher
from specsync.fetching.guard import Guard
from specsync.kube.client import ApiError, KubeClient, NotFound
from specsync.kube.events import EventRecorder
from specsync.kube.leases import LeaseTiming, Roster, WorkerLease
from specsync.kube.loops import long_lived
from specsync.kube.pod import pod_reference
from specsync.kube.store import Store
from specsync.kube.watch import Watched, Watcher
from specsync.resources import SyncJob
from specsync.resources.meta import now
from specsync.worker import metrics
from specsync.worker.children import ChildPool
from specsync.worker.claims import claim, is_free
from specsync.worker.deliveries import Deliveries
from specsync.worker.openings import Openings
from specsync.worker.runner import Workshop, cancel_job, hand_back, run_job

log = structlog.get_logger()

UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Cancelled"
_SCAN_SECONDS = 1.0  # how often retries that came due and dead workers' jobs are looked for
_AFTER_ERROR = 5.0  # seconds before a job is tried again that the API server refused to let go on


def new_worker_id() -> str:
    """New at each start: a worker that comes back is another one, and its old claims are a dead worker's."""
    host = os.environ.get("POD_NAME") or socket.gethostname().lower()
    return f"{host[:200]}-{secrets.token_hex(4)}"


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """What the command line sets; times in seconds, sizes in bytes."""

    namespace: str  # the operator's own, for its Leases
    watch_namespaces: Sequence[str] = ()
    timing: LeaseTiming = LeaseTiming()
    concurrency: int = 10
    children: int = 2
    child_memory: int = 2 * 1024**3
    max_document_bytes: int = 64 * 1024**2
    user_agent: str = "specsync/0.1.0"
    alerts: AlertSettings = AlertSettings()
    grace: float = 20.0


@dataclass(eq=False)
class _Run:
    """A job that is being worked on. While `cancellable` it is claimed, and its stages run."""

    job: SyncJob  # as it was seen first
    task: "asyncio.Task[None]"
    cancellable: bool = False
    cancelled: bool = False


class Worker:
    """One worker process. `run` until cancelled; `drain` first for an end that delays nothing."""

    def __init__(
        self,
        client: KubeClient,
        settings: WorkerSettings,
        guard: Guard,
        blobs: BlobStore,
        worker: str,
        pause: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.jobs: Store[SyncJob] = Store(SyncJob)
        self._client = client
        self._settings = settings
        self._id = worker
        self._lease = WorkerLease(client, settings.namespace, worker, settings.timing, pod_reference())
        self._roster = Roster(client, settings.namespace, settings.timing)
        self._children = ChildPool(settings.children, settings.child_memory)
        self._fetcher = Fetcher(guard)
        events = EventRecorder(client, "specsync-worker", worker)
        outlets = OutletMaker(
            client,
            guard,
            timeout=settings.alerts.timing.timeout,
            user_agent=settings.user_agent,
            apprise_schemes=settings.alerts.apprise_schemes,
        )
        self._deliveries = Deliveries(
            client, outlets, events, self._roster, settings.alerts.timing, worker, lambda: self._lease.safe, pause
        )
        watched = [Watched(self.jobs, UNFINISHED), *self._deliveries.watched]
        self.watcher = Watcher(client, watched, settings.watch_namespaces)
        self._shop = Workshop(
            client=client,
            blobs=CountedBlobs(blobs),
            fetcher=self._fetcher,
            children=self._children,
            events=events,
            user_agent=settings.user_agent,
            max_document_bytes=settings.max_document_bytes,
            pause=pause,
            dashboard_url=settings.alerts.dashboard_url,
        )
        self._running: dict[str, _Run] = {}  # by the job's uid
        metrics.JOBS_RUNNING.set_function(self._running.__len__)
        metrics.JOBS_AT_MOST.set(settings.concurrency)
        self._openings = Openings(worker)
        self._accepting = False
        self._wake = asyncio.Event()
        self.jobs.on_change.append(self._on_change)

    def lacking(self) -> list[str]:
        """What keeps it from being ready."""
        return self.watcher.lacking() + ([] if self._accepting else ["no Lease yet, or none any more"])

    async def run(self) -> None:
        """Runs until cancelled, beside its `watcher`; hands back what it holds then."""
        await self._acquire_lease()
        self._accepting = True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._lease.keep(self._stop_all))
                tasks.create_task(self._deliveries.run())
                tasks.create_task(self._observe())
                tasks.create_task(self._claim_jobs())
        finally:
            await self._end()

    async def drain(self) -> None:
        """Takes no more jobs, and gives those that run a moment to end."""
        self._accepting = False
        drained = asyncio.ensure_future(self._deliveries.drain(min(5.0, self._settings.grace / 2)))
        if self._running:
            await asyncio.wait([run.task for run in self._running.values()], timeout=min(1.0, self._settings.grace))
        await drained

    def _on_change(self, job: SyncJob) -> None:
        run = self._running.get(job.metadata.uid)
        if run is not None and run.cancellable and job.spec.cancel:
            run.cancellable, run.cancelled = False, True
            run.task.cancel()
        if self._consider(job, now()):
            self._wake.set()

    def _consider(self, job: SyncJob, at: dt.datetime) -> bool:
        """Whether this worker could take the job; it is among the openings then."""
        free = is_free(job, self._id, self._roster, at) and job.metadata.uid not in self._running
        if free:
            self._openings.offer(job, self._roster.living(), time.monotonic())
        else:
            self._openings.withdraw(job)
        return free

    async def _acquire_lease(self) -> None:
        while True:
            try:
                return await self._lease.acquire()
            except ApiError as error:
                log.warning("no lease yet, trying again", worker=self._id, error=str(error))
                await asyncio.sleep(2.0)

    async def _observe(self) -> None:
        with long_lived("observe") as loop:
            while True:
                loop.advance(self._settings.timing.heartbeat)
                try:
                    await self._roster.observe()
                    holders = {job.status.claim.worker for job in self.jobs if job.status.claim}
                    holders |= self._deliveries.holders()
                    await self._roster.bury_dead(holders)
                except ApiError as error:
                    log.warning("workers' leases not read", error=str(error))
                await asyncio.sleep(self._settings.timing.heartbeat / 3)

    async def _claim_jobs(self) -> None:
        with long_lived("claim") as loop:
            while True:
                loop.advance()
                # What no event tells of: a retry that came due, a worker that died.
                at = now()
                for job in self.jobs:
                    self._consider(job, at)
                scan = time.monotonic() + _SCAN_SECONDS
                while (left := scan - time.monotonic()) > 0:
                    self._wake.clear()
                    ripe = self._take_openings()
                    try:
                        async with asyncio.timeout(left if ripe is None else min(left, ripe)):
                            await self._wake.wait()
                    except TimeoutError:
                        continue

    def _take_openings(self) -> float | None:
        """Starts as many jobs as there are places; the seconds until there is more to take, None if not foreseen."""
        at = time.monotonic()
        while self._accepting and self._lease.safe and len(self._running) < self._settings.concurrency:
            job = self._openings.take(at)
            if job is None:
                ripe = self._openings.next_ripe()
                return None if ripe is None else ripe - at
            self._start(job)
        return None

    def _start(self, job: SyncJob) -> None:
        uid = job.metadata.uid
        task = asyncio.create_task(self._work(job), name=f"job {job.metadata.name}")
        self._running[uid] = _Run(job, task)

        def ended(_: "asyncio.Task[None]") -> None:
            del self._running[uid]
            self._wake.set()

        task.add_done_callback(ended)

    async def _work(self, job: SyncJob) -> None:
        """Claims a job and runs it. However it goes, the store then knows how the job stands."""
        latest = self.jobs.get(job.metadata.namespace, job.metadata.name)
        if latest is None or latest.metadata.uid != job.metadata.uid:
            return
        if not is_free(latest, self._id, self._roster, now()):
            return
        try:
            claimed = await claim(self._client, latest, self._id)
            ended = None if claimed is None else await self._run(claimed)
            if ended is None:
                # Another was quicker, or has taken over: what it wrote may not be in the store yet.
                ended = await self._client.get(SyncJob, job.metadata.namespace, job.metadata.name)
            self._learn(ended)
            if ended.metadata.resource_version == latest.metadata.resource_version:
                log.warning("claim not carried out, trying again", job=job.metadata.name)
                await asyncio.sleep(_AFTER_ERROR)
        except NotFound:
            self.jobs.bury(job)
        except ApiError as error:
            log.warning("job can't go on", job=job.metadata.name, error=str(error))
            await asyncio.sleep(_AFTER_ERROR)
        except Exception:
            log.exception("job failed unexpectedly", job=job.metadata.name)
            await asyncio.sleep(_AFTER_ERROR)

    async def _run(self, job: SyncJob) -> SyncJob | None:
        """The claimed job after its end, None when the claim was lost. Raises ApiError."""
        run = self._running[job.metadata.uid]
        self.jobs.put(job)
        known = self.jobs.get(job.metadata.namespace, job.metadata.name)
        if job.spec.cancel or (known is not None and known.spec.cancel):
            return await cancel_job(self._shop, job)
        run.cancellable = True
        try:
            return await run_job(self._shop, job)
        except asyncio.CancelledError:
            if not run.cancelled:
                raise
            run.task.uncancel()
            latest = await self._client.get(SyncJob, job.metadata.namespace, job.metadata.name)
            return await cancel_job(self._shop, latest) if self._is_mine(latest, job) else None
        finally:
            run.cancellable = False

    def _learn(self, job: SyncJob) -> None:
        self.jobs.put(job)
        if job.finished:
            self.jobs.remove(job)  # as the watch does, which leaves finished ones out

    def _is_mine(self, latest: SyncJob, job: SyncJob) -> bool:
        held = latest.status.claim
        mine = held is not None and held.worker == self._id and latest.status.phase == "Running"
        return mine and latest.metadata.uid == job.metadata.uid

    async def _stop_jobs(self) -> None:
        """Drops all jobs without a word: others may take them over any moment."""
        for run in self._running.values():
            run.task.cancel()

    async def _stop_all(self) -> None:
        await self._stop_jobs()
        await self._deliveries.stop()

    async def _end(self) -> None:
        """Hands back what runs, within the grace period, and releases the Lease."""
        self._accepting = False
        runs = list(self._running.values())
        await self._stop_jobs()
        await asyncio.gather(*(run.task for run in runs), return_exceptions=True)
        if self._lease.safe:
            try:
                async with asyncio.timeout(self._settings.grace):
                    for run in runs:
                        await self._hand_back(run.job)
                    await self._deliveries.hand_back()
            except TimeoutError:
                log.warning("grace period over, jobs are left to takeover")
        await self._deliveries.stop()
        await self._lease.release()
        await self._children.close()
        await self._deliveries.aclose()
        await self._fetcher.aclose()

    async def _hand_back(self, job: SyncJob) -> None:
        try:
            latest = await self._client.get(SyncJob, job.metadata.namespace, job.metadata.name)
        except ApiError as error:
            log.warning("job not handed back", job=job.metadata.name, error=str(error))
            return
        if self._is_mine(latest, job):
            await hand_back(self._shop, latest)
