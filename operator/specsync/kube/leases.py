"""Leases: a process's heartbeat, who leads, and which other process has stopped beating.

https://kubernetes.io/docs/concepts/architecture/leases/ Clocks of two processes are never compared: a Lease
counts as expired when its holder's renewals were not seen for the lease's duration on the observer's own
monotonic clock.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from specsync.kube.client import ApiError, Conflict, Invalid, KubeClient, NotFound
from specsync.kube.core import Lease, LeaseSpec
from specsync.resources.meta import ObjectMeta, OwnerReference

log = structlog.get_logger()

COMPONENT_LABEL = "app.kubernetes.io/component"
WORKER_LABELS = {COMPONENT_LABEL: "worker", "app.kubernetes.io/name": "specsync"}


@dataclass(frozen=True)
class LeaseTiming:
    """Seconds. The lease is renewed every `heartbeat`; others take over after `duration` without one."""

    heartbeat: float = 5.0
    duration: float = 15.0


def _micro_time() -> str:
    # MicroTime takes exactly six decimals.
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class WorkerLease:
    """The heartbeat of one worker process, for all of its jobs."""

    def __init__(
        self, client: KubeClient, namespace: str, worker: str, timing: LeaseTiming, owner: OwnerReference | None
    ) -> None:
        """`owner` is the worker's Pod, whose end then also ends the Lease."""
        self._client = client
        self._namespace = namespace
        self._worker = worker
        self._timing = timing
        self._owner = owner
        self._renewed = time.monotonic()
        self.late = 0.0  # the longest time between two renewals, in seconds

    @property
    def safe(self) -> bool:
        """Whether nobody can have taken over yet: the last renewal is recent, with one heartbeat to spare."""
        return time.monotonic() - self._renewed < self._timing.duration - self._timing.heartbeat

    async def acquire(self) -> None:
        """Creates the Lease. Raises ApiError."""
        started = time.monotonic()
        await self._client.create(
            Lease(
                metadata=ObjectMeta(
                    name=self._worker,
                    namespace=self._namespace,
                    labels=WORKER_LABELS,
                    owner_references=[self._owner] if self._owner else [],
                ),
                spec=LeaseSpec(
                    holder_identity=self._worker,
                    lease_duration_seconds=max(1, round(self._timing.duration)),
                    acquire_time=_micro_time(),
                    renew_time=_micro_time(),
                ),
            )
        )
        self._renewed = started

    async def keep(self, lost: Callable[[], Awaitable[None]]) -> None:
        """Renews until cancelled; calls `lost` when others may soon take over, and goes on trying."""
        told = False
        while True:
            await asyncio.sleep(min(self._timing.heartbeat, 1.0) if told else self._timing.heartbeat)
            try:
                await self._renew()
                told = False
            except ApiError as error:
                log.warning("lease not renewed", worker=self._worker, error=str(error))
            if not self.safe and not told:
                told = True
                log.error("lease about to run out, stopping all jobs", worker=self._worker)
                await lost()

    async def release(self) -> None:
        """Deletes the Lease, so that others need not wait for it to run out."""
        try:
            await self._client.delete(Lease, self._namespace, self._worker)
        except ApiError as error:
            log.warning("lease not released", worker=self._worker, error=str(error))

    async def _renew(self) -> None:
        # The time is taken before the request: others count from when the server saw it, which is later.
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._timing.heartbeat):
                await self._client.patch(
                    Lease,
                    self._namespace,
                    self._worker,
                    [{"op": "add", "path": "/spec/renewTime", "value": _micro_time()}],
                )
        except NotFound:
            await self.acquire()
        except TimeoutError as error:
            raise ApiError(0, "NoAnswer", "the renewal took longer than a heartbeat") from error
        self.late = max(self.late, time.monotonic() - self._renewed)
        self._renewed = started


class Roster:
    """Which workers are dead, judged by watching their Leases."""

    def __init__(self, client: KubeClient, namespace: str, timing: LeaseTiming) -> None:
        self._client = client
        self._namespace = namespace
        self._timing = timing
        self._seen: dict[str, tuple[str, float]] = {}  # worker → (resourceVersion, since when unchanged)
        self._observed = 0.0

    async def observe(self) -> None:
        """One look at all workers' Leases. Raises ApiError."""
        labels = ",".join(f"{key}={value}" for key, value in WORKER_LABELS.items())
        leases = await self._client.list(Lease, self._namespace, labels=labels)
        now = self._observed = time.monotonic()
        versions = {lease.metadata.name: lease.metadata.resource_version for lease in leases}
        for worker in self._seen.keys() - versions.keys():
            versions[worker] = ""  # gone: counts as unchanged since first missed
        for worker, version in versions.items():
            known = self._seen.get(worker)
            if known is None or known[0] != version:
                self._seen[worker] = (version, now)

    def dead(self, worker: str) -> bool:
        """Whether this worker's Lease was seen unchanged, or missing, for the lease's duration.

        A released Lease says that its holder hands nothing more back: what it still holds is free.
        """
        _, since = self._seen.setdefault(worker, ("", time.monotonic()))
        # Judged at the last look, not now: between two looks a renewal may have come.
        return self._observed - since >= self._timing.duration

    def forget_dead(self, keep: set[str]) -> None:
        """Drops workers that are long gone and hold no job of `keep`."""
        horizon = self._observed - 10 * self._timing.duration
        self._seen = {w: s for w, s in self._seen.items() if w in keep or s[0] or s[1] > horizon}


class LeaderElection:
    """One Lease that the leader holds. The leader's work is run, and cancelled when the Lease is lost."""

    def __init__(self, client: KubeClient, namespace: str, name: str, identity: str, timing: LeaseTiming) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._timing = timing
        self._seen: tuple[str, float] = ("", 0.0)
        self.leading = False

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Stands for election until cancelled; runs `lead` while in office."""
        while True:
            lease = await self._try_acquire()
            if lease is None:
                await asyncio.sleep(min(2.0, self._timing.heartbeat))
                continue
            log.info("leading", identity=self._identity)
            self.leading = True
            work = asyncio.ensure_future(lead())
            try:
                await self._hold(lease, work)
            finally:
                self.leading = False
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                await self._release()
            log.warning("no longer leading", identity=self._identity)

    async def _hold(self, lease: Lease, work: "asyncio.Future[None]") -> None:
        """Renews until the Lease is lost; returns then. An error of the work itself comes through."""
        renewed = time.monotonic()
        while time.monotonic() - renewed < self._timing.duration - self._timing.heartbeat:
            done, _ = await asyncio.wait({work}, timeout=self._timing.heartbeat)
            if done:
                return work.result()
            started = time.monotonic()
            try:
                async with asyncio.timeout(self._timing.heartbeat):
                    lease = await self._write(lease, lease.spec.lease_transitions or 0)
                renewed = started
            except (Conflict, Invalid, NotFound):
                return None  # somebody else has it
            except (ApiError, TimeoutError) as error:
                log.warning("leader lease not renewed", error=str(error))
        return None

    async def _try_acquire(self) -> Lease | None:
        try:
            return await self._acquire()
        except (Conflict, Invalid):
            return None  # another was quicker
        except ApiError as error:
            log.warning("no election possible", error=str(error))
            return None

    async def _acquire(self) -> Lease | None:
        try:
            lease = await self._client.get(Lease, self._namespace, self._name)
        except NotFound:
            stamp = _micro_time()
            spec = LeaseSpec(
                holder_identity=self._identity,
                lease_duration_seconds=max(1, round(self._timing.duration)),
                acquire_time=stamp,
                renew_time=stamp,
                lease_transitions=0,
            )
            meta = ObjectMeta(name=self._name, namespace=self._namespace)
            return await self._client.create(Lease(metadata=meta, spec=spec))
        version = lease.metadata.resource_version
        if self._seen[0] != version:
            self._seen = (version, time.monotonic())
        holder = lease.spec.holder_identity
        expired = time.monotonic() - self._seen[1] >= self._timing.duration
        if holder and holder != self._identity and not expired:
            return None
        return await self._write(lease, (lease.spec.lease_transitions or 0) + 1, acquired=True)

    async def _write(self, lease: Lease, transitions: int, acquired: bool = False) -> Lease:
        stamp = _micro_time()
        patch: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/uid", "value": lease.metadata.uid},
            # Only in the election: afterwards the holder's name guards, so that a label by a user doesn't end a term.
            {"op": "test", "path": "/metadata/resourceVersion", "value": lease.metadata.resource_version}
            if acquired
            else {"op": "test", "path": "/spec/holderIdentity", "value": self._identity},
            {"op": "add", "path": "/spec/holderIdentity", "value": self._identity},
            {"op": "add", "path": "/spec/leaseDurationSeconds", "value": max(1, round(self._timing.duration))},
            {"op": "add", "path": "/spec/renewTime", "value": stamp},
            {"op": "add", "path": "/spec/leaseTransitions", "value": transitions},
        ]
        if acquired:
            patch.append({"op": "add", "path": "/spec/acquireTime", "value": stamp})
        return await self._client.patch(Lease, self._namespace, self._name, patch)

    async def _release(self) -> None:
        patch = [
            {"op": "test", "path": "/spec/holderIdentity", "value": self._identity},
            {"op": "add", "path": "/spec/holderIdentity", "value": ""},
        ]
        try:
            async with asyncio.timeout(2.0):
                await self._client.patch(Lease, self._namespace, self._name, patch)
        except (ApiError, TimeoutError):
            return  # it runs out by itself
