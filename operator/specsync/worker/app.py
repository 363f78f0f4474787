"""The worker's life: lease, claims, running jobs, takeover of dead workers' jobs, an end that hands back."""

import asyncio
import os
import random
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from specsync.blobs.configmap import ConfigMapBlobs
from specsync.fetching.client import Fetcher
from specsync.fetching.guard import Guard
from specsync.kube.client import ApiError, KubeClient
from specsync.kube.events import EventRecorder
from specsync.kube.leases import LeaseTiming, Roster, WorkerLease
from specsync.kube.pod import pod_reference
from specsync.kube.store import Store
from specsync.kube.watch import Watched, Watcher
from specsync.resources import SyncJob
from specsync.resources.meta import now
from specsync.worker.children import ChildPool
from specsync.worker.claims import claim, is_free
from specsync.worker.runner import Workshop, cancel_job, hand_back, run_job

log = structlog.get_logger()

UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Cancelled"
_CLAIM_JITTER = 0.05  # seconds; keeps workers from trying the same job in the same instant
_SCAN_SECONDS = 1.0  # how often retries that came due and dead workers' jobs are looked for


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
    grace: float = 20.0


class Worker:
    """One worker process. `run` until cancelled; `drain` first for an end that delays nothing."""

    def __init__(
        self,
        client: KubeClient,
        settings: WorkerSettings,
        guard: Guard,
        worker: str,
        pause: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.jobs: Store[SyncJob] = Store(SyncJob)
        self.watcher = Watcher(client, [Watched(self.jobs, UNFINISHED)], settings.watch_namespaces)
        self._client = client
        self._settings = settings
        self._id = worker
        self._lease = WorkerLease(client, settings.namespace, worker, settings.timing, pod_reference())
        self._roster = Roster(client, settings.namespace, settings.timing)
        self._children = ChildPool(settings.children, settings.child_memory)
        self._fetcher = Fetcher(guard)
        self._shop = Workshop(
            client=client,
            blobs=ConfigMapBlobs(client),
            fetcher=self._fetcher,
            children=self._children,
            events=EventRecorder(client, "specsync-worker", worker),
            worker=worker,
            user_agent=settings.user_agent,
            max_document_bytes=settings.max_document_bytes,
            pause=pause,
        )
        self._running: dict[str, asyncio.Task[None]] = {}  # job uid → its task
        self._held: dict[str, SyncJob] = {}  # job uid → the job as claimed
        self._cancelled: set[str] = set()  # uids of jobs that a user cancelled
        self._accepting = False
        self._wake = asyncio.Event()
        self.jobs.on_change.append(self._on_change)

    @property
    def ready(self) -> bool:
        return self._accepting and self.watcher.synced.is_set()

    async def run(self) -> None:
        """Runs until cancelled, beside its `watcher`; hands back what it holds then."""
        await self._acquire_lease()
        self._accepting = True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._lease.keep(self._stop_jobs))
                tasks.create_task(self._observe())
                tasks.create_task(self._claim_jobs())
        finally:
            await self._end()

    async def drain(self) -> None:
        """Takes no more jobs, and gives those that run a moment to end."""
        self._accepting = False
        if self._running:
            await asyncio.wait(self._running.values(), timeout=min(1.0, self._settings.grace))

    def _on_change(self, job: SyncJob) -> None:
        uid = job.metadata.uid
        if job.spec.cancel and uid in self._running and uid not in self._cancelled:
            self._cancelled.add(uid)
            self._running[uid].cancel()
        self._wake.set()

    async def _acquire_lease(self) -> None:
        while True:
            try:
                return await self._lease.acquire()
            except ApiError as error:
                log.warning("no lease yet, trying again", worker=self._id, error=str(error))
                await asyncio.sleep(2.0)

    async def _observe(self) -> None:
        while True:
            try:
                await self._roster.observe()
            except ApiError as error:
                log.warning("workers' leases not read", error=str(error))
            holders = {job.status.claim.worker for job in self.jobs if job.status.claim}
            self._roster.forget_dead(holders)
            await asyncio.sleep(self._settings.timing.heartbeat / 3)

    async def _claim_jobs(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_SCAN_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            at = now()
            free = [job for job in self.jobs if is_free(job, self._id, self._roster, at)]
            random.shuffle(free)
            for job in free:
                if not (self._accepting and self._lease.safe and len(self._running) < self._settings.concurrency):
                    break
                if job.metadata.uid not in self._running:
                    self._start(job)

    def _start(self, job: SyncJob) -> None:
        task = asyncio.create_task(self._work(job), name=f"job {job.metadata.name}")
        self._running[job.metadata.uid] = task

        def ended(_: "asyncio.Task[None]") -> None:
            self._running.pop(job.metadata.uid, None)
            self._held.pop(job.metadata.uid, None)
            self._cancelled.discard(job.metadata.uid)
            self._wake.set()

        task.add_done_callback(ended)

    async def _work(self, job: SyncJob) -> None:
        uid = job.metadata.uid
        await asyncio.sleep(random.uniform(0, _CLAIM_JITTER))  # noqa: S311
        latest = self.jobs.get(job.metadata.namespace, job.metadata.name)
        if latest is None or not is_free(latest, self._id, self._roster, now()):
            return
        try:
            claimed = await claim(self._client, latest, self._id)
        except ApiError as error:
            log.warning("claim failed", job=job.metadata.name, error=str(error))
            await asyncio.sleep(1.0)
            return
        if claimed is None:
            return
        self.jobs.put(claimed)
        self._held[uid] = claimed
        try:
            ended = await run_job(self._shop, claimed)
        except asyncio.CancelledError:
            if uid not in self._cancelled:
                raise
            await cancel_job(self._shop, await self._client.get(SyncJob, job.metadata.namespace, job.metadata.name))
            return
        if ended is not None:
            self.jobs.put(ended)
            if ended.finished:
                self.jobs.remove(ended)

    async def _stop_jobs(self) -> None:
        """Drops all jobs without a word: others may take them over any moment."""
        for task in list(self._running.values()):
            task.cancel()

    async def _end(self) -> None:
        """Hands back what runs, within the grace period, and releases the Lease."""
        self._accepting = False
        held = list(self._held.values())
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        if self._lease.safe:
            try:
                async with asyncio.timeout(self._settings.grace):
                    for job in held:
                        await self._hand_back(job)
            except TimeoutError:
                log.warning("grace period over, jobs are left to takeover")
        await self._lease.release()
        await self._children.close()
        await self._fetcher.aclose()

    async def _hand_back(self, job: SyncJob) -> None:
        try:
            current = await self._client.get(SyncJob, job.metadata.namespace, job.metadata.name)
        except ApiError:
            return
        mine = current.status.claim is not None and current.status.claim.worker == self._id
        if current.metadata.uid == job.metadata.uid and mine and current.status.phase == "Running":
            await hand_back(self._shop, current)
