"""The controller's life: stands for election, and while it leads, reconciles."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from specsync.controller.reconcile import Outdated, Reconciler
from specsync.controller.retention import ChangeSetHead
from specsync.kube.client import ApiError, KubeClient
from specsync.kube.election import LeaderElection
from specsync.kube.events import EventRecorder
from specsync.kube.leases import LeaseTiming
from specsync.kube.queue import WorkQueue
from specsync.kube.store import Key, Store
from specsync.kube.watch import Watched, Watcher
from specsync.resources import Dependency, SpecSnapshot, SyncJob

log = structlog.get_logger()

LEADER_LEASE = "specsync-leader"


@dataclass(frozen=True, kw_only=True)
class ControllerSettings:
    """What the command line sets; times in seconds."""

    namespace: str  # the operator's own, for its Lease
    watch_namespaces: Sequence[str] = ()
    min_interval: float = 60.0
    timing: LeaseTiming = LeaseTiming()
    concurrency: int = 8


class Controller:
    """One controller process; of several, one leads and the others keep their stores warm."""

    def __init__(self, client: KubeClient, settings: ControllerSettings, identity: str) -> None:
        self._settings = settings
        self._dependencies: Store[Dependency] = Store(Dependency)
        self._jobs: Store[SyncJob] = Store(SyncJob, owner=lambda job: job.spec.target.name)
        snapshots: Store[SpecSnapshot] = Store(SpecSnapshot, owner=lambda s: s.spec.dependency)
        change_sets: Store[ChangeSetHead] = Store(ChangeSetHead, owner=lambda c: c.spec.dependency)
        self.watcher = Watcher(
            client,
            [Watched(self._dependencies), Watched(self._jobs), Watched(snapshots), Watched(change_sets)],
            settings.watch_namespaces,
        )
        self._election = LeaderElection(client, settings.namespace, LEADER_LEASE, identity, settings.timing)
        self._reconciler = Reconciler(
            client,
            EventRecorder(client, "specsync-controller", identity),
            self._dependencies,
            self._jobs,
            snapshots,
            change_sets,
            settings.min_interval,
            in_office=lambda: self._election.in_office,
        )
        self._queue: WorkQueue[Key] = WorkQueue()
        self._dependencies.on_change.append(
            lambda dependency: self._enqueue((dependency.metadata.namespace, dependency.metadata.name))
        )
        self._jobs.on_change.append(lambda job: self._enqueue((job.metadata.namespace, job.spec.target.name)))

    @property
    def ready(self) -> bool:
        return self.watcher.synced.is_set()

    async def run(self) -> None:
        """Runs until cancelled, beside its `watcher`."""
        await self._election.run(self._lead)

    def _enqueue(self, key: Key) -> None:
        if self._election.leading:
            self._queue.add(key)

    async def _lead(self) -> None:
        await self._take_office()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._settings.concurrency):
                tasks.create_task(self._reconcile_keys())

    async def _take_office(self) -> None:
        """Only after a consistent LIST is it known which jobs are unfinished."""
        while True:
            try:
                await self.watcher.resync()
                break
            except ApiError as error:
                log.warning("list failed, trying again", error=str(error))
                await asyncio.sleep(1.0)
        for dependency in self._dependencies:
            self._queue.add((dependency.metadata.namespace, dependency.metadata.name))
        for job in self._jobs:
            self._queue.add((job.metadata.namespace, job.spec.target.name))

    async def _reconcile_keys(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                wait = await self._reconciler.reconcile(*key)
                self._queue.succeeded(key)
                if wait is not None:
                    self._queue.add_after(key, wait)
            except Outdated:
                self._queue.add_backing_off(key)
            except ApiError as error:
                log.warning("reconcile failed, trying again", dependency="/".join(key), error=str(error))
                self._queue.add_backing_off(key)
            except Exception:
                log.exception("reconcile failed unexpectedly", dependency="/".join(key))
                self._queue.add_backing_off(key)
            finally:
                self._queue.done(key)
