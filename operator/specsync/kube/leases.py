"""Leases: a process's heartbeat, and which other process has stopped beating.

https://kubernetes.io/docs/concepts/architecture/leases/ Clocks of two processes are never compared: a Lease
counts as expired when its holder's renewals were not seen for the lease's duration on the observer's own
monotonic clock.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from specsync.kube.client import ApiError, Conflict, KubeClient, NotFound
from specsync.kube.core import Lease, LeaseSpec
from specsync.kube.loops import long_lived
from specsync.kube.metrics import WORKER_RENEWALS, WORKER_RENEWALS_FAILED
from specsync.resources.meta import ObjectMeta, OwnerReference

log = structlog.get_logger()

# Leases dead for so many durations are removed.
_BURIED_AFTER = 10

COMPONENT_LABEL = "app.kubernetes.io/component"
WORKER_LABELS = {COMPONENT_LABEL: "worker", "app.kubernetes.io/name": "specsync"}


@dataclass(frozen=True)
class LeaseTiming:
    """Seconds. The lease is renewed every `heartbeat`; others take over after `duration` without one."""

    heartbeat: float = 5.0
    duration: float = 15.0

    @property
    def again(self) -> float:
        """When to try again after a renewal that failed."""
        return min(self.heartbeat, 1.0)

    def left(self, renewed: float) -> float:
        """How long a holder that renewed then (monotonic) may still act: it stops one heartbeat before the end."""
        return renewed + self.duration - self.heartbeat - time.monotonic()


def micro_time() -> str:
    """The current time as a MicroTime, for a Lease's fields."""
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

    @property
    def safe(self) -> bool:
        """Whether nobody can have taken over yet: the last renewal is recent, with one heartbeat to spare."""
        return self._left > 0

    @property
    def _left(self) -> float:
        return self._timing.left(self._renewed)

    async def acquire(self) -> None:
        """Creates the Lease. Raises ApiError."""
        started = time.monotonic()
        stamp = micro_time()
        lease = Lease(
            metadata=ObjectMeta(
                name=self._worker,
                namespace=self._namespace,
                labels=WORKER_LABELS,
                owner_references=[self._owner] if self._owner else [],
            ),
            spec=LeaseSpec(
                holder_identity=self._worker,
                lease_duration_seconds=max(1, round(self._timing.duration)),
                acquire_time=stamp,
                renew_time=stamp,
            ),
        )
        try:
            await self._client.create(lease)
        except Conflict:
            # Nobody else bears this name: an earlier attempt was carried out, though its answer was lost.
            await self._patch()
        self._renewed = started

    async def keep(self, lost: Callable[[], Awaitable[None]]) -> None:
        """Renews until cancelled; calls `lost` when others may soon take over, and goes on trying."""
        told, pause = False, self._timing.heartbeat
        with long_lived("lease") as loop:
            while True:
                loop.advance(pause)
                await asyncio.sleep(pause)
                # Before the renewal too: a process that was frozen renews well, but too late.
                told = told or await self._tell_if_lost(lost)
                try:
                    # When its time is over, or nearly, it has nothing to lose but its patience.
                    await self._renew(within=min(self._timing.heartbeat, max(self._left, self._timing.again)))
                    told, pause = False, self._timing.heartbeat
                except ApiError as error:
                    WORKER_RENEWALS_FAILED.inc()
                    log.warning("lease not renewed", worker=self._worker, error=str(error))
                    pause = self._timing.again
                    told = told or await self._tell_if_lost(lost)

    async def _tell_if_lost(self, lost: Callable[[], Awaitable[None]]) -> bool:
        if self.safe:
            return False
        log.error("lease has run out or is about to, stopping all jobs", worker=self._worker)
        await lost()
        return True

    async def release(self) -> None:
        """Deletes the Lease, so that others need not wait for it to run out."""
        try:
            await self._client.delete(Lease, self._namespace, self._worker)
        except ApiError as error:
            log.warning("lease not released", worker=self._worker, error=str(error))

    async def _renew(self, within: float) -> None:
        # The time is taken before the request: others count from when the server saw it, which is later.
        started = time.monotonic()
        try:
            async with asyncio.timeout(within):
                try:
                    await self._patch()
                except NotFound:
                    await self.acquire()
        except TimeoutError as error:
            raise ApiError(0, "NoAnswer", f"the renewal took longer than {within:.1f} s") from error
        self._renewed = started
        WORKER_RENEWALS.observe(time.monotonic() - started)

    async def _patch(self) -> None:
        patch = [{"op": "add", "path": "/spec/renewTime", "value": micro_time()}]
        await self._client.patch(Lease, self._namespace, self._worker, patch)


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
        now = time.monotonic()
        self._discount_blindness(now)
        self._observed = now
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

    def living(self) -> list[str]:
        """The workers whose Leases were renewed lately, as of the last look."""
        known = self._seen.items()
        return [w for w, (version, since) in known if version and self._observed - since < self._timing.duration]

    async def bury_dead(self, keep: set[str]) -> None:
        """Deletes the Leases of workers that are long dead and hold no job of `keep`. Raises ApiError.

        A Pod's end takes its Lease along; a worker outside of a Pod, or one that its container restarted, leaves
        one behind. A worker that was only frozen makes its Lease anew when it wakes.
        """
        horizon = self._observed - _BURIED_AFTER * self._timing.duration
        for worker, (version, since) in list(self._seen.items()):
            if worker in keep or since > horizon:
                continue
            if version:
                await self._client.delete(Lease, self._namespace, worker)
            del self._seen[worker]

    def _discount_blindness(self, now: float) -> None:
        """While no look was possible (the API server was away, or this process was frozen) nobody's time runs."""
        blind = now - self._observed - self._timing.heartbeat
        if self._observed and blind > 0:
            self._seen = {worker: (version, since + blind) for worker, (version, since) in self._seen.items()}
