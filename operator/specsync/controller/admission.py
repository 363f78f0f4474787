"""What the leader writes to jobs: creation, admission, retry, and the end of a job that nobody holds.

Each write is of the job as it was seen (a PUT with its resourceVersion), so that a claim in between wins.
"""

from typing import Any

from msgspec.structs import replace

from specsync.kube.client import Conflict, Invalid, KubeClient, NotFound
from specsync.resources import Dependency, SyncJob
from specsync.resources.dependency import REQUESTED_AT, SyncError
from specsync.resources.jobstatus import finished_status, unfinished_status
from specsync.resources.meta import ObjectMeta, now, owner_reference, to_wire
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import FINISHED_PHASES, Phase, SyncJobSpec, SyncJobStatus, Target


async def create_job(client: KubeClient, dependency: Dependency, name: str, request: str = "") -> SyncJob | None:
    """Creates a job of the operator's own, or finds the one that was created before a crash.

    `request` is the value of the annotation that asks for it; without one it is due.

    None where an object of that name is not such a job. Raises ApiError.
    """
    job = SyncJob(
        metadata=ObjectMeta(
            name=name,
            namespace=dependency.metadata.namespace,
            annotations={REQUESTED_AT: request} if request else {},
            owner_references=[owner_reference(dependency)],
        ),
        spec=SyncJobSpec(target=Target(name=dependency.metadata.name), trigger="Requested" if request else "Scheduled"),
    )
    try:
        return await client.create(job)
    except Conflict:
        found = await client.get(SyncJob, job.metadata.namespace, name)
        mine = any(owner.uid == dependency.metadata.uid for owner in found.metadata.owner_references)
        return found if mine else None


async def admit(client: KubeClient, dependency: Dependency, job: SyncJob) -> SyncJob | None:
    """Lets a pending job start: owned by its Dependency, then marked as admitted. None where it changed meanwhile."""
    owner = owner_reference(dependency)
    meta = job.metadata
    if not any(o.uid == owner.uid for o in meta.owner_references):
        owners = [to_wire(o) for o in (*meta.owner_references, owner)]
        patch: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/uid", "value": meta.uid},
            {"op": "add", "path": "/metadata/ownerReferences", "value": owners},
        ]
        try:
            job = await client.patch(SyncJob, meta.namespace, meta.name, patch)
        except (NotFound, Invalid):
            return None
    return await _write(client, job, replace(job.status, admitted_at=now()))


async def retry(client: KubeClient, job: SyncJob, request: str, *, from_start: bool) -> SyncJob | None:
    """Lets a failed job go on at the stage that failed, or from its start. None where it changed meanwhile."""
    status = replace(unfinished_status(job.status), last_handled_retry=request[:256], admitted_at=now())
    if from_start:
        status = replace(status, stages=[], base=None)
    return await _write(client, job, status)


async def hurry(client: KubeClient, job: SyncJob, request: str) -> SyncJob | None:
    """Lets a job that waits for its next attempt have it at once. None where it changed meanwhile."""
    return await _write(client, job, replace(job.status, last_handled_retry=request[:256], retry_at=None))


async def refuse_retry(client: KubeClient, job: SyncJob, request: str) -> SyncJob | None:
    return await _write(client, job, replace(job.status, last_handled_retry=request[:256]))


async def end(client: KubeClient, job: SyncJob, phase: Phase, reason: Reason, message: str) -> SyncJob | None:
    """Ends a pending job that nobody holds. None where it was claimed meanwhile."""
    status = job.status
    if phase == "Failed":
        status = replace(status, error=SyncError(stage="admission", reason=reason, message=message))
    return await _write(client, job, finished_status(status, phase, reason, message, now()))


async def _write(client: KubeClient, job: SyncJob, status: SyncJobStatus) -> SyncJob | None:
    if job.status.phase not in (*FINISHED_PHASES, "Pending"):
        return None  # a worker holds it
    try:
        return await client.update_status(replace(job, status=status))
    except (NotFound, Conflict):
        return None
