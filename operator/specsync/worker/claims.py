"""Claims: who works on a job. Each write of a claim's holder is fenced by the job's uid, worker and epoch.

A claim is a JSON Patch whose `test` operations make it a compare-and-swap. A holder whose test fails has lost its
claim and writes nothing more: https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html (fencing).
"""

import asyncio
import datetime as dt
from typing import Any

import structlog
from msgspec.structs import replace

from specsync.kube.client import ApiError, Conflict, Invalid, KubeClient, NotFound
from specsync.kube.leases import Roster
from specsync.resources import SyncJob
from specsync.resources.meta import now, to_wire
from specsync.resources.syncjob import Claim, SyncJobStatus

log = structlog.get_logger()


class ClaimLost(Exception):
    """Another worker has the job now, or it is gone: drop it and write nothing more."""


def is_free(job: SyncJob, worker: str, roster: Roster, at: dt.datetime) -> bool:
    """Whether `worker` may try to claim the job: pending and due, or held by a worker that is dead."""
    status = job.status
    if status.phase == "Pending":
        admitted = job.spec.trigger == "Scheduled" or status.admitted_at is not None
        due = status.retry_at is None or status.retry_at <= at
        return admitted and due and not job.spec.cancel
    if status.phase == "Running" and status.claim is not None:
        return status.claim.worker != worker and roster.dead(status.claim.worker)
    return False


async def claim(client: KubeClient, job: SyncJob, worker: str) -> SyncJob | None:
    """Claims a job that is free; None where another was quicker. Raises ApiError where that can't be known."""
    old = job.status.claim
    stamp = now()
    status = replace(
        job.status,
        phase="Running",
        claim=Claim(worker=worker, epoch=(old.epoch if old else 0) + 1, claimed_at=stamp),
        started_at=job.status.started_at or stamp,
        retry_at=None,
    )
    tests = [
        _test("/metadata/uid", job.metadata.uid),
        _test("/status/phase", job.status.phase),
        *_claim_tests(old),
    ]
    try:
        return await _write(client, job, tests, status)
    except (Invalid, NotFound, Conflict):
        return None
    except ApiError as error:
        if not error.unknown:
            raise
        return await _after_unknown(client, job, worker)


class HeldClaim:
    """A claim that this worker holds: the job as of the last write, and the only way to write its status."""

    def __init__(self, client: KubeClient, job: SyncJob) -> None:
        if job.status.claim is None:
            raise ValueError("the job is not claimed")
        self._client = client
        self._claim = job.status.claim
        self.job = job

    async def write(self, status: SyncJobStatus) -> None:
        """Replaces the status as a whole, fenced, and again until it is known to have been done or refused.

        Raises ClaimLost; ApiError where the server refuses the status itself.
        """
        tests = [_test("/metadata/uid", self.job.metadata.uid), *_claim_tests(self._claim)]
        pause = 0.2
        while True:
            try:
                self.job = await _write(self._client, self.job, tests, status)
            except (NotFound, Invalid) as error:
                # 422 is a failed test or a schema error: what the server holds tells which.
                current = await self._read()
                if current is None or not self._is_mine(current):
                    raise ClaimLost from error
                if isinstance(error, Invalid):
                    raise
            except ApiError as error:
                if not error.unknown:
                    raise
                # It may have been carried out. Replacing the whole status again does no harm, if it is still ours.
                log.warning("status write failed, trying again", job=self.job.metadata.name, error=str(error))
                await asyncio.sleep(max(pause, error.retry_after or 0.0))
                pause = min(pause * 2, 5.0)
            else:
                return

    async def _read(self) -> SyncJob | None:
        try:
            return await self._client.get(SyncJob, self.job.metadata.namespace, self.job.metadata.name)
        except NotFound:
            return None

    def _is_mine(self, job: SyncJob) -> bool:
        theirs = job.status.claim
        return (
            job.metadata.uid == self.job.metadata.uid
            and theirs is not None
            and (theirs.worker, theirs.epoch) == (self._claim.worker, self._claim.epoch)
        )


async def _after_unknown(client: KubeClient, job: SyncJob, worker: str) -> SyncJob | None:
    try:
        current = await client.get(SyncJob, job.metadata.namespace, job.metadata.name)
    except NotFound:
        return None
    held = current.status.claim
    mine = held is not None and held.worker == worker and current.status.phase == "Running"
    return current if mine and current.metadata.uid == job.metadata.uid else None


def _claim_tests(held: Claim | None) -> list[dict[str, Any]]:
    if held is None:
        return [_test("/status/claim", None)]  # RFC 6902 has no "absent"; the API server takes null for it
    return [_test("/status/claim/worker", held.worker), _test("/status/claim/epoch", held.epoch)]


def _test(path: str, value: Any) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": value}


async def _write(client: KubeClient, job: SyncJob, tests: list[dict[str, Any]], status: SyncJobStatus) -> SyncJob:
    patch = [*tests, {"op": "add", "path": "/status", "value": to_wire(status)}]
    return await client.patch(SyncJob, job.metadata.namespace, job.metadata.name, patch, subresource="status")
