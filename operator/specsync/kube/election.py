"""Who leads: one Lease that the leader holds and renews.

https://kubernetes.io/docs/concepts/architecture/leases/ Clocks of two processes are never compared: a candidate
takes over when it has seen no renewal for the lease's duration on its own monotonic clock.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from specsync.kube.client import ApiError, Conflict, Invalid, KubeClient, NotFound
from specsync.kube.core import Lease, LeaseSpec
from specsync.kube.leases import LeaseTiming, micro_time
from specsync.kube.loops import Loop, long_lived
from specsync.kube.metrics import LEADER, LEADER_RENEWALS, LEADER_RENEWALS_FAILED
from specsync.resources.meta import ObjectMeta

log = structlog.get_logger()


class LeaderElection:
    """One Lease that the leader holds. The leader's work is run, and cancelled when the Lease is lost."""

    def __init__(self, client: KubeClient, namespace: str, name: str, identity: str, timing: LeaseTiming) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._timing = timing
        self._seen: tuple[str, float] = ("", 0.0)
        self._renewed = 0.0
        self.leading = False

    @property
    def in_office(self) -> bool:
        """Whether nobody else can lead yet: the last renewal is recent, with one heartbeat to spare.

        A process that was frozen and wakes reads False here before it has noticed anything else.
        """
        return self.leading and self._timing.left(self._renewed) > 0

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Stands for election until cancelled; runs `lead` while in office."""
        with long_lived("election") as loop:
            while True:
                loop.advance()
                started = time.monotonic()
                lease = await self._try_acquire()
                if lease is None:
                    await asyncio.sleep(min(2.0, self._timing.heartbeat))
                    continue
                log.info("leading", identity=self._identity)
                self.leading, self._renewed = True, started
                LEADER.set(1)
                work = asyncio.ensure_future(lead())
                try:
                    await self._hold(lease, work, loop)
                finally:
                    self.leading = False
                    LEADER.set(0)
                    work.cancel()
                    await asyncio.gather(work, return_exceptions=True)
                    await self._release()
                log.warning("no longer leading", identity=self._identity)

    async def _hold(self, lease: Lease, work: "asyncio.Future[None]", loop: Loop) -> None:
        """Renews until the Lease is lost; returns then. An error of the work itself comes through."""
        pause = self._timing.heartbeat
        while (left := self._timing.left(self._renewed)) > 0:
            loop.advance(pause)
            done, _ = await asyncio.wait({work}, timeout=min(pause, left))
            if done:
                return work.result()
            started = time.monotonic()
            try:
                async with asyncio.timeout(min(self._timing.heartbeat, self._timing.left(self._renewed))):
                    lease = await self._write(lease, lease.spec.lease_transitions or 0)
                self._renewed, pause = started, self._timing.heartbeat
                LEADER_RENEWALS.observe(time.monotonic() - started)
            except (Conflict, Invalid, NotFound) as error:
                log.warning("leader lease is no longer ours", error=str(error))
                return None
            except (ApiError, TimeoutError) as error:
                LEADER_RENEWALS_FAILED.inc()
                log.warning("leader lease not renewed", error=str(error) or "it took too long")
                pause = self._timing.again
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
            stamp = micro_time()
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
        stamp = micro_time()
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
