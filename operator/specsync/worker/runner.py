"""Runs the stages of one claimed job and records each: the only writer of a running job's status."""

import asyncio
import datetime as dt
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from msgspec.structs import replace
from structlog.contextvars import bound_contextvars

from specsync.blobs.store import BlobStore, BlobStoreError
from specsync.fetching.client import Fetcher
from specsync.kube.client import ApiError, Conflict, KubeClient, NotFound
from specsync.kube.events import EventRecorder
from specsync.resources import Dependency, SyncJob
from specsync.resources.dependency import SyncError
from specsync.resources.jobstatus import finished_status, skipped_rest
from specsync.resources.meta import FrozenStruct, now
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import Base, StageName, SyncJobStatus
from specsync.stages.contract import BaseMoved, Stage, StageContext, StageError, StageResult, begun_record, record_of
from specsync.stages.pipeline import PIPELINE
from specsync.worker import metrics
from specsync.worker.children import ChildPool, JobEngine
from specsync.worker.claims import ClaimLost, HeldClaim

log = structlog.get_logger()

MAX_ATTEMPTS = 5
MAX_TAKEOVERS = 5  # from dead workers, without a stage that was completed in between
_FIRST_RETRY, _LAST_RETRY = 5.0, 300.0  # seconds
_NEED_CHILD = ("parse", "normalize", "diff")


@dataclass(frozen=True)
class Workshop:
    """What all jobs of a worker share."""

    client: KubeClient
    blobs: BlobStore
    fetcher: Fetcher
    children: ChildPool
    events: EventRecorder
    user_agent: str
    max_document_bytes: int
    pause: Callable[[str], None]  # a hook for fault tests, called at named points; does nothing otherwise
    dashboard_url: str = ""


async def run_job(workshop: Workshop, job: SyncJob) -> SyncJob | None:
    """Takes a claimed job from its first unrecorded stage to its end, or to a later attempt.

    Returns the job as it was written last, None when the claim was lost. A cancellation leaves the job as it is.
    Raises ApiError where the API server refuses to take down how it went.
    """
    held = HeldClaim(workshop.client, job)
    with bound_contextvars(**_named(job)):
        try:
            async with workshop.children.for_job() as engine:
                await _run_stages(workshop, held, engine)
        except ClaimLost:
            metrics.CLAIMS_LOST.inc()
            log.warning("claim lost, job dropped")
            return None
        _report(held.job)
    return held.job


async def cancel_job(workshop: Workshop, job: SyncJob) -> SyncJob | None:
    """Records that a user cancelled the job that this worker holds; None when the claim was lost. Raises ApiError."""
    held = HeldClaim(workshop.client, job)
    try:
        await held.write(finished_status(job.status, "Cancelled", Reason.CANCELLED, "cancelled by spec.cancel", now()))
    except ClaimLost:
        return None
    with bound_contextvars(**_named(job)):
        _report(held.job)
    return held.job


async def hand_back(workshop: Workshop, job: SyncJob) -> None:
    """Gives a running job back, so that another worker goes on at once: pending, epoch kept."""
    held = HeldClaim(workshop.client, job)
    claim = job.status.claim
    if claim is None:
        return
    try:
        await held.write(replace(job.status, phase="Pending", claim=replace(claim, worker="")))
    except (ClaimLost, ApiError) as error:
        log.warning("job not handed back", job=job.metadata.name, error=str(error))


async def _run_stages(workshop: Workshop, held: HeldClaim, engine: JobEngine) -> None:
    """Runs what is not recorded yet, up to the job's end; an error that ends the attempt is recorded too."""
    at = next(stage.name for stage in PIPELINE if held.job.status.record(stage.name) is None)
    try:
        _check_takeovers(held.job)
        dependency = await _dependency(workshop.client, held.job)
        held.job = replace(held.job, status=_with_base(held.job.status, dependency))
        while not held.job.finished:
            stage = next(stage for stage in PIPELINE if held.job.status.record(stage.name) is None)
            at = stage.name
            try:
                await _run_and_record(workshop, held, dependency, engine, stage)
            except BaseMoved:
                dependency = await _dependency(workshop.client, held.job)
                await held.write(_rebased(held.job.status, dependency))
    except StageError as error:
        await held.write(_failed(held.job, at, error))
    except ApiError as error:
        log.error("status refused", stage=at, error=str(error))
        text = f"the Kubernetes API server did not take the record of the {at} stage: {error}"
        await held.write(_failed(held.job, at, StageError(Reason.API_ERROR, text)))


async def _run_and_record(
    workshop: Workshop, held: HeldClaim, dependency: Dependency, engine: JobEngine, stage: Stage
) -> None:
    """One stage and its checkpoint. The last record and the job's end are one write; so is all of an unchanged sync."""
    _check_deadline(held.job)
    started, clock = now(), time.monotonic()
    workshop.pause(f"before-{stage.name}")
    try:
        result = await _run_stage(workshop, held, dependency, engine, stage)
    except StageError as error:
        metrics.stages(stage.name, "Failed", error.reason).inc()
        log.warning(
            "stage failed", stage=stage.name, seconds=_since(clock), reason=error.reason.value, error=error.message
        )
        raise
    metrics.stages(stage.name, "Succeeded", "").inc()
    metrics.stage_durations(stage.name).observe(time.monotonic() - clock)
    said = {"message": result.message} if result.message else {}
    log.info("stage done", stage=stage.name, seconds=_since(clock), **said)
    workshop.pause(f"after-{stage.name}")
    status = held.job.status
    records = [record for record in status.stages if record.name != stage.name]
    records.append(record_of(stage.name, result, started, now()))
    claim = status.claim and replace(status.claim, takeovers=0)
    status = replace(status, claim=claim, stage=stage.name, stages=records)
    if result.ends is None:
        await held.write(status)
        workshop.pause(f"recorded-{stage.name}")
    else:
        done = replace(status, result=result.ends, error=None, stages=skipped_rest(records))
        await held.write(finished_status(done, "Succeeded", Reason.SUCCEEDED, _summary(done), now()))
        workshop.pause("finished")


async def _run_stage(
    workshop: Workshop, held: HeldClaim, dependency: Dependency, engine: JobEngine, stage: Stage
) -> StageResult:
    """One stage within its deadline, its errors as StageError."""

    async def checkpoint(output: FrozenStruct) -> None:
        status = held.job.status
        records = [record for record in status.stages if record.name != stage.name]
        records.append(begun_record(stage.name, output, now()))
        await held.write(replace(status, stage=stage.name, stages=records))
        workshop.pause(f"begun-{stage.name}")

    context = StageContext(
        client=workshop.client,
        blobs=workshop.blobs,
        fetcher=workshop.fetcher,
        engine=engine,
        events=workshop.events,
        user_agent=workshop.user_agent,
        max_document_bytes=workshop.max_document_bytes,
        job=held.job,
        dependency=dependency,
        checkpoint=checkpoint,
        dashboard_url=workshop.dashboard_url,
    )
    try:
        if stage.name in _NEED_CHILD:
            await engine.reserve()  # the deadline doesn't run while other jobs have all children
        async with asyncio.timeout(stage.deadline):
            return await stage.run(context)
    except TimeoutError:
        text = f"the {stage.name} stage took longer than {stage.deadline:.0f}s"
        raise StageError(Reason.STAGE_TIMEOUT, text, retryable=True) from None
    except (StageError, BaseMoved, ClaimLost):
        raise
    except BlobStoreError as error:
        raise StageError(error.reason, str(error), retryable=error.retryable) from None
    except ApiError as error:
        retryable = error.for_now or isinstance(error, Conflict | NotFound)
        text = f"the Kubernetes API server did not carry out a request of the {stage.name} stage: {error}"
        raise StageError(Reason.API_ERROR, text, retryable=retryable, retry_after=error.retry_after) from error
    except Exception as error:
        log.exception("stage failed unexpectedly", stage=stage.name)
        text = f"the {stage.name} stage failed ({type(error).__name__}); the operator's log says more. Please report it"
        raise StageError(Reason.INTERNAL_ERROR, text, retryable=True) from error


async def _dependency(client: KubeClient, job: SyncJob) -> Dependency:
    name = job.spec.target.name
    try:
        return await client.get(Dependency, job.metadata.namespace, name)
    except NotFound:
        raise StageError(
            Reason.TARGET_NOT_FOUND, f"Dependency {name} doesn't exist in namespace {job.metadata.namespace}"
        ) from None
    except ApiError as error:
        raise StageError(Reason.API_ERROR, f"Dependency {name} can't be read: {error}", retryable=True) from error


def _with_base(status: SyncJobStatus, dependency: Dependency) -> SyncJobStatus:
    """Pins what the job compares with; it is recorded with the first stage."""
    current = dependency.status.current
    if status.stages or current is None:
        return status
    return replace(status, base=Base(snapshot=current.snapshot, digest=current.digest))


def _rebased(status: SyncJobStatus, dependency: Dependency) -> SyncJobStatus:
    """The base moved: pin the new one, drop what was compared with the old one. Raises StageError."""
    current = dependency.status.current
    if current is None:
        raise StageError(Reason.TARGET_DELETED, "the Dependency was deleted meanwhile")
    records = [r for r in status.stages if r.name not in ("diff", "persist", "alert")]
    return replace(status, base=Base(snapshot=current.snapshot, digest=current.digest), stages=records)


def _check_takeovers(job: SyncJob) -> None:
    """A job that takes its worker along must not go on to kill them all."""
    deaths = job.status.claim.takeovers if job.status.claim else 0
    if deaths > MAX_TAKEOVERS:
        text = f"{deaths} workers in a row died in the same stage of this job: look at how they ended; please report it"
        raise StageError(Reason.WORKERS_DIED, text)


def _check_deadline(job: SyncJob) -> None:
    started, limit = job.status.started_at, job.spec.active_deadline_seconds
    if started is not None and now() - started > dt.timedelta(seconds=limit):
        raise StageError(Reason.DEADLINE_EXCEEDED, f"the job took longer than spec.activeDeadlineSeconds ({limit}s)")


def _failed(job: SyncJob, stage: StageName, error: StageError) -> SyncJobStatus:
    """The status after a failed attempt: another one later, or the end."""
    attempts = job.status.attempts + 1
    failure = SyncError(stage=stage, reason=error.reason, message=error.message[:2048])
    status = replace(job.status, attempts=attempts, stage=stage, error=failure)
    claim = status.claim
    if not error.retryable or attempts >= MAX_ATTEMPTS or claim is None:
        return finished_status(status, "Failed", error.reason, error.message, now())
    # Jitter, so that a vendor that failed all at once is not asked by all at once.
    pause = min(_LAST_RETRY, _FIRST_RETRY * 2 ** (attempts - 1)) * random.uniform(0.8, 1.2)  # noqa: S311
    pause = max(pause, error.retry_after or 0.0)
    if status.started_at is not None:
        ends = status.started_at + dt.timedelta(seconds=job.spec.active_deadline_seconds)
        if now() + dt.timedelta(seconds=pause) > ends:
            return finished_status(status, "Failed", error.reason, error.message, now())
    retry_at = now() + dt.timedelta(seconds=round(pause))
    return replace(status, phase="Pending", claim=replace(claim, worker=""), retry_at=retry_at)


def _summary(status: SyncJobStatus) -> str:
    match status.result:
        case "Baseline":
            why = next((r.message for r in status.stages if r.diff is not None and r.message), None)
            return why or "the first snapshot was taken"
        case "Unchanged":
            return "the contract is unchanged"
        case _:
            diff = next((r.diff for r in status.stages if r.diff is not None), None)
            return f"{diff.breaking} breaking, {diff.risky} risky, {diff.safe} safe changes" if diff else "changed"


def _named(job: SyncJob) -> dict[str, object]:
    """What each line of the log says of the job that it is about."""
    meta, claim = job.metadata, job.status.claim
    return {
        "job": f"{meta.namespace}/{meta.name}",
        "dependency": f"{meta.namespace}/{job.spec.target.name}",
        "epoch": claim.epoch if claim else 0,
        "worker": claim.worker if claim else "",
    }


def _report(job: SyncJob) -> None:
    """How the attempt went: a line of the log, and a count."""
    status = job.status
    reason = status.error.reason if status.error else ""
    metrics.attempts(status.phase, status.result or "", reason).inc()
    said = {"phase": status.phase, "result": status.result, "reason": reason, "retry_at": status.retry_at}
    log.info(
        "job ended" if job.finished else "attempt failed, another follows",
        **{name: str(value) for name, value in said.items() if value},
    )


def _since(clock: float) -> float:
    return round(time.monotonic() - clock, 3)
