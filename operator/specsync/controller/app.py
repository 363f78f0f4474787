"""The controller's life: stands for election, and while it leads, reconciles."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from specsync.controller import metrics
from specsync.controller.alerts import AlertKeeper
from specsync.controller.catchup import CatchUp
from specsync.controller.health import Breaker
from specsync.controller.reconcile import Outdated, Reconciler
from specsync.controller.retention import ChangeSetHead
from specsync.controller.sweep import Sweeper
from specsync.kube.client import ApiError, KubeClient
from specsync.kube.election import LeaderElection
from specsync.kube.events import EventRecorder
from specsync.kube.leases import LeaseTiming
from specsync.kube.loops import long_lived
from specsync.kube.queue import WorkQueue
from specsync.kube.store import Key, Store
from specsync.kube.watch import Watched, Watcher
from specsync.resources import Dependency, SpecSnapshot, SyncJob

if TYPE_CHECKING:
    from specsync.blobs.objectstore import ObjectBlobs

log = structlog.get_logger()

LEADER_LEASE = "specsync-leader"

# Seconds until a Dependency is looked at again, though it is due much later: the loop's clock, by which it waits,
# stands still while the machine sleeps, and a clock that is set moves what is due.
_LONGEST_WAIT = 300.0


@dataclass(frozen=True, kw_only=True)
class ControllerSettings:
    """What the command line sets; times in seconds."""

    namespace: str  # the operator's own, for its Lease
    watch_namespaces: Sequence[str] = ()
    min_interval: float = 60.0
    breaker: Breaker = Breaker()
    timing: LeaseTiming = LeaseTiming()
    concurrency: int = 8
    catch_up_rate: float = 20.0  # overdue syncs a second
    host_rate: float = 5.0  # and of one host
    object_stores: "Sequence[ObjectBlobs]" = ()
    blob_grace: float = 86400.0
    keep_deliveries: float = 30 * 86400.0  # finished ones


class Controller:
    """One controller process; of several, one leads and the others keep their stores warm."""

    def __init__(self, client: KubeClient, settings: ControllerSettings, identity: str) -> None:
        self._settings = settings
        self._dependencies: Store[Dependency] = Store(Dependency)
        self._jobs: Store[SyncJob] = Store(SyncJob, owner=lambda job: job.spec.target.name)
        snapshots: Store[SpecSnapshot] = Store(SpecSnapshot, owner=lambda s: s.spec.dependency)
        change_sets: Store[ChangeSetHead] = Store(ChangeSetHead, owner=lambda c: c.spec.dependency)
        self._alerts = AlertKeeper(
            client, change_sets, settings.keep_deliveries, in_office=lambda: self._election.in_office
        )
        own = [Watched(self._dependencies), Watched(self._jobs), Watched(snapshots), Watched(change_sets)]
        self.watcher = Watcher(client, [*own, *self._alerts.watched], settings.watch_namespaces)
        self._election = LeaderElection(client, settings.namespace, LEADER_LEASE, identity, settings.timing)
        self._catch_up = CatchUp(settings.catch_up_rate, settings.host_rate)
        self._reconciler = Reconciler(
            client,
            EventRecorder(client, "specsync-controller", identity),
            self._dependencies,
            self._jobs,
            snapshots,
            change_sets,
            settings.min_interval,
            settings.breaker,
            in_office=lambda: self._election.in_office,
            catch_up=self._catch_up,
            tell_health=self._alerts.tell_health,
        )
        self._sweeper = Sweeper(
            client,
            settings.object_stores,
            settings.blob_grace,
            settings.watch_namespaces,
            in_office=lambda: self._election.in_office,
        )
        self._queue: WorkQueue[Key] = WorkQueue()
        self._dependencies.on_change.append(
            lambda dependency: self._enqueue((dependency.metadata.namespace, dependency.metadata.name))
        )
        metrics.CENSUS.of(self._dependencies, self._jobs, self._queue.__len__, lambda: self._election.leading)
        self._jobs.on_change.append(self._on_job)

    def lacking(self) -> list[str]:
        """What keeps it from being ready; a standby is ready."""
        return self.watcher.lacking()

    async def run(self) -> None:
        """Runs until cancelled, beside its `watcher`."""
        await self._election.run(self._lead)

    def _on_job(self, job: SyncJob) -> None:
        meta = job.metadata
        if job.status.phase == "Running" and self._jobs.get(meta.namespace, meta.name) is not None:
            return  # while it runs it is its worker's
        self._enqueue((meta.namespace, job.spec.target.name))

    def _enqueue(self, key: Key) -> None:
        if self._election.leading:
            self._queue.add(key)

    async def _lead(self) -> None:
        await self._take_office()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._settings.concurrency):
                tasks.create_task(self._reconcile_keys())
            tasks.create_task(self._sweeper.run())
            tasks.create_task(self._alerts.run())

    async def _take_office(self) -> None:
        """Only after a consistent LIST is it known which jobs are unfinished."""
        while True:
            try:
                await self.watcher.resync()
                self._catch_up.begin()
                break
            except ApiError as error:
                log.warning("list failed, trying again", error=str(error))
                await asyncio.sleep(1.0)
        for dependency in self._dependencies:
            self._queue.add((dependency.metadata.namespace, dependency.metadata.name))
        for job in self._jobs:
            self._queue.add((job.metadata.namespace, job.spec.target.name))

    async def _reconcile_keys(self) -> None:
        with long_lived("reconcile") as loop:
            while True:
                loop.wait_for_work()
                key = await self._queue.get()
                loop.advance()
                await self._reconcile_key(key)

    async def _reconcile_key(self, key: Key) -> None:
        try:
            with metrics.RECONCILES.time():
                wait = await self._reconciler.reconcile(*key)
            self._queue.succeeded(key)
            if wait is not None:
                self._queue.add_after(key, min(wait, _LONGEST_WAIT))
        except Outdated:
            metrics.RECONCILES_OUTDATED.inc()
            self._queue.add_backing_off(key)
        except ApiError as error:
            metrics.RECONCILES_API.inc()
            log.warning("reconcile failed, trying again", dependency="/".join(key), error=str(error))
            self._queue.add_backing_off(key)
        except Exception:
            metrics.RECONCILES_INTERNAL.inc()
            log.exception("reconcile failed unexpectedly", dependency="/".join(key))
            self._queue.add_backing_off(key)
        finally:
            self._queue.done(key)
