"""Claims: who works on a job, or sends a delivery. Each write of its holder is fenced by the claim's epoch.

All writes are compare-and-swap on the object's resourceVersion. Where a claim's is refused, another was quicker. Where
a holder's is refused, it looks: is the claim still its own (a user has only annotated the job), it writes again; else
it has lost it, and writes nothing more.
https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html (fencing)
"""

import asyncio
import datetime as dt
from typing import Generic, TypeVar

import structlog
from msgspec.structs import replace

from specsync.kube.client import ApiError, Conflict, KubeClient, NotFound
from specsync.kube.leases import Roster
from specsync.resources import AlertDelivery, SyncJob
from specsync.resources.alertdelivery import AlertDeliveryStatus
from specsync.resources.meta import now
from specsync.resources.syncjob import Claim, SyncJobStatus
from specsync.worker import metrics

log = structlog.get_logger()

J = TypeVar("J", SyncJob, AlertDelivery)

_FIRST_PAUSE, _LAST_PAUSE = 0.2, 5.0  # seconds between attempts of a request whose outcome is unknown


class ClaimLost(Exception):
    """Another worker has the job now, or it is gone: drop it and write nothing more."""


def is_free(job: SyncJob, worker: str, roster: Roster, at: dt.datetime) -> bool:
    """Whether `worker` may try to claim the job: pending and due, or held by a worker that is dead.

    A job that it holds itself is free too, for it is asked of jobs only that it doesn't work on: a claim whose answer
    was lost, or a job that it dropped. The new claim's epoch keeps out what is still under way of the old one.
    """
    status = job.status
    if status.phase == "Pending":
        admitted = job.spec.trigger != "Manual" or status.admitted_at is not None
        due = status.retry_at is None or status.retry_at <= at
        return admitted and due and not job.spec.cancel
    if status.phase == "Running" and status.claim is not None:
        return status.claim.worker == worker or roster.dead(status.claim.worker)
    return False


async def claim(client: KubeClient, job: SyncJob, worker: str) -> SyncJob | None:
    """Claims a job that is free; None where another was quicker. Raises ApiError where that can't be known."""
    old = job.status.claim
    stamp = now()
    takeovers = 0
    if old is not None and job.status.phase == "Running":
        takeovers = old.takeovers + (old.worker != worker)
    new = Claim(worker=worker, epoch=(old.epoch if old else 0) + 1, claimed_at=stamp, takeovers=takeovers)
    status = replace(job.status, phase="Running", claim=new, started_at=job.status.started_at or stamp, retry_at=None)
    claimed = await take(client, job, status, new)
    if claimed is None:
        metrics.CLAIM_CONFLICTS.inc()
        return None
    metrics.CLAIMS.inc()
    if job.status.phase == "Running":
        metrics.TAKEOVERS.inc()
    return claimed


async def take(client: KubeClient, job: J, status: SyncJobStatus | AlertDeliveryStatus, new: Claim) -> J | None:
    """Writes a status with a new claim in place of the one that is known; None where another was quicker.

    Raises ApiError where that can't be known.
    """
    try:
        return await client.update_status(replace(job, status=status))
    except (NotFound, Conflict):
        return None
    except ApiError as error:
        if not error.unknown:
            raise
    try:
        current = await client.get(type(job), job.metadata.namespace, job.metadata.name)
    except NotFound:
        return None
    # The phase too: an earlier claim of its own, of the same number, may have ended the job since it was seen.
    return current if _holds(current, job, new) and current.status.phase == status.phase else None


class Held(Generic[J]):
    """A claim that this worker holds: the job as of the last write, and the only way to write its status."""

    def __init__(self, client: KubeClient, job: J) -> None:
        if job.status.claim is None:
            raise ValueError("the job is not claimed")
        self._client = client
        self._claim = job.status.claim
        self._phase: str = job.status.phase  # of who is at work: Running, Sending
        self.job: J = job

    async def write(self, status: SyncJobStatus | AlertDeliveryStatus) -> None:
        """Replaces the status as a whole, fenced, and again until it is known to have been done or refused.

        Raises ClaimLost; ApiError where the server refuses the status itself.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                self.job = await self._client.update_status(replace(self.job, status=status))
            except (NotFound, Conflict) as error:
                current = await self._latest()
                if current is None or not _holds(current, self.job, self._claim):
                    raise ClaimLost from error
                self.job = current
                if current.status.phase != self._phase:
                    return  # the end was written by an attempt whose answer was lost
                # A user changed something else, or an attempt whose answer was lost was carried out. To replace the
                # whole status, once more perhaps, does no harm.
            except ApiError as error:
                if not error.for_now:
                    raise
                # Without rights too: who may not write how it goes on may not write that it failed either.
                log.warning("status write failed, trying again", job=self.job.metadata.name, error=str(error))
                await asyncio.sleep(max(pause, error.retry_after or 0.0))
                pause = min(pause * 2, _LAST_PAUSE)
            else:
                return

    async def _latest(self) -> J | None:
        """What the server holds, as soon as it says so; None where the job is gone."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._client.get(type(self.job), self.job.metadata.namespace, self.job.metadata.name)
            except NotFound:
                return None
            except ApiError as error:
                if not error.for_now:
                    raise
                await asyncio.sleep(max(pause, error.retry_after or 0.0))
                pause = min(pause * 2, _LAST_PAUSE)


HeldClaim = Held[SyncJob]


def _holds(current: J, job: J, claim: Claim) -> bool:
    """Whether `current`, the latest version of `job`, still bears that very claim."""
    theirs = current.status.claim
    same = theirs is not None and (theirs.worker, theirs.epoch) == (claim.worker, claim.epoch)
    return same and current.metadata.uid == job.metadata.uid
