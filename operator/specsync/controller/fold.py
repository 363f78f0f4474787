"""Folding: what a finished job found becomes the Dependency's status. Pure, so that it may run again after a crash."""

import datetime as dt
from dataclasses import dataclass

from msgspec.structs import replace

from specsync.controller import health
from specsync.controller.conditions import of_the_document, recorded_reason
from specsync.controller.due import next_due, scheduled_job_name
from specsync.resources import Dependency, SyncJob
from specsync.resources.conditions import find
from specsync.resources.dependency import (
    REQUESTED_AT,
    DependencyStatus,
    HandledRequest,
    HealthState,
    LastChange,
    LastSync,
    SnapshotInfo,
    SourceState,
)
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import NormalizeOutput, ParseOutput, SyncJobStatus

_OURS_AGAIN = 300.0  # seconds
_BREAKER = health.Breaker()


@dataclass(frozen=True)
class Announcement:
    """An Event that a fold calls for; `occasion` makes it unique."""

    type: str
    reason: Reason
    message: str


def fold(
    dependency: Dependency, job: SyncJob, min_interval: float, at: dt.datetime, breaker: health.Breaker = _BREAKER
) -> DependencyStatus:
    """The status after a job that ended; `at` is now. Clears `activeJob`, moves `nextSyncTime`."""
    status = dependency.status
    started = job.status.started_at or at
    due = next_due(dependency, _started_by_our_clock(dependency, job, at), min_interval)
    if job.status.error is not None and job.status.error.reason == Reason.RATE_LIMITED:
        # Slow down rather than knock again: at least one interval from the end, not from the start.
        due = max(due, next_due(dependency, at, min_interval))
    if job.status.phase == "Failed" and job.status.error is not None and job.status.error.reason in health.OURS:
        # An outage on our side must not cost a long interval: it is caught up when it is over.
        due = min(due, at + dt.timedelta(seconds=max(_OURS_AGAIN, min_interval)))
    status = replace(
        status,
        health=health.after(status.health, job, breaker.of(dependency.spec.health), at),
        active_job=None,
        next_sync_time=max(due, at),
        last_sync=LastSync(
            job=job.metadata.name,
            job_uid=job.metadata.uid,
            phase=job.status.phase,
            result=job.status.result or job.status.phase,
            started_at=started,
            time=job.status.finished_at or at,
            error=job.status.error if job.status.phase == "Failed" else None,
        ),
        last_handled_request=_handled(status, job),
        conditions=of_the_document(dependency, job, at),
    )
    if job.status.phase != "Succeeded":
        return status
    return _with_findings(status, job.status)


def _started_by_our_clock(dependency: Dependency, job: SyncJob, at: dt.datetime) -> dt.datetime:
    """The job's start is of its worker's clock: not after now, and a scheduled job didn't start before it was due.

    Else a worker's clock that is behind the leader's by an interval would make each sync due again at its end.
    """
    started, due = job.status.started_at or at, dependency.status.next_sync_time
    if due is not None and due <= at and job.metadata.name == scheduled_job_name(dependency):
        started = max(started, due)
    return min(started, at)


def announcements(dependency: Dependency, after: DependencyStatus, job: SyncJob) -> list[Announcement]:
    """The Events that the step from the status before to the one after calls for: transitions only."""
    before = dependency.status
    name = dependency.metadata.name
    found = []
    if job.status.result == "Baseline" and after.current is not None:
        info = after.current
        text = f"{_baseline(before, job)} {info.snapshot}: {info.title} {info.version}, {info.operations} operations"
        found.append(Announcement("Normal", Reason.BASELINE_CREATED, text))
    error = job.status.error
    if job.status.phase == "Failed" and error is not None:
        last = before.last_sync.error if before.last_sync else None
        if last is None or last.reason != error.reason:
            text = f"{error.reason} in stage {error.stage}: {error.message}"
            found.append(Announcement("Warning", Reason.SYNC_FAILED, text))
    damage = job.status.damage
    if damage is not None and (job.status.phase == "Succeeded" or find(before.conditions, "ContentDamaged") is None):
        text = f"{damage.message}; {_after_damage(job.status)}"
        found.append(Announcement("Warning", recorded_reason(damage.reason), text))
    if before.health.state != after.health.state:
        found.append(_health_change(after.health.state, after.health.consecutive_failures, name))
    elif job.status.phase == "Succeeded" and before.health.consecutive_failures:
        found.append(Announcement("Normal", Reason.RECOVERED, "a sync succeeded again"))
    return found


def _after_damage(ended: SyncJobStatus) -> str:
    """What a sync that found damaged content did about it."""
    match ended.result:
        case "Unchanged":
            return "it is stored anew"
        case "Changed":
            return "the changes were found all the same, from its document"
        case "Baseline":
            return "a new snapshot replaces it"
        case _:
            return "the sync failed, and the next one tries to store it anew"


def _baseline(before: DependencyStatus, job: SyncJob) -> str:
    if before.baseline is None:
        return "first snapshot"
    why = next((r.message for r in job.status.stages if r.name == "diff" and r.message), "")
    return f"{why}: snapshot" if why else "new baseline"


def _health_change(state: HealthState, failures: int, name: str) -> Announcement:
    match state:
        case "healthy":
            return Announcement("Normal", Reason.RECOVERED, "a sync succeeded again; health is healthy")
        case "degraded":
            return Announcement("Warning", Reason.DEGRADED, f"{failures} failed syncs in a row")
        case "unhealthy":
            return Announcement("Warning", Reason.UNHEALTHY, f"{failures} failed syncs in a row")
        case "paused":
            text = (
                f"{failures} failed syncs in a row: scheduling stops. Fix the cause, then ask for a sync: "
                f'kubectl annotate --overwrite dep/{name} specsync.dev/requestedAt="$(date +%s)"'
            )
            return Announcement("Warning", Reason.PAUSED, text)


def _with_findings(status: DependencyStatus, found: SyncJobStatus) -> DependencyStatus:
    fetch = next((r.fetch for r in found.stages if r.fetch is not None), None)
    parse = next((r.parse for r in found.stages if r.parse is not None), None)
    normalized = next((r.normalize for r in found.stages if r.normalize is not None), None)
    snapshot = next((r.snapshot for r in found.stages if r.snapshot is not None), None)
    diff = next((r.diff for r in found.stages if r.diff is not None), None)
    persist = next((r.persist for r in found.stages if r.persist is not None), None)
    if fetch is not None:
        # A server that says nothing of an unchanged document has said it before.
        says_nothing = fetch.not_modified and not (fetch.etag or fetch.last_modified)
        validators = status.source if says_nothing and status.source else fetch
        status = replace(
            status,
            source=SourceState(
                url_digest=fetch.source_digest,
                raw_digest=fetch.raw_digest,
                etag=validators.etag,
                last_modified=validators.last_modified,
                validators_of=validators.validators_of,
            ),
        )
    if snapshot is not None and normalized is not None and parse is not None:
        info = _snapshot_info(snapshot.name, normalized, parse)
        status = replace(status, current=info, baseline=status.baseline or info)
    if diff is not None and persist is not None and persist.change_set:
        change = LastChange(
            change_set=persist.change_set,
            breaking=diff.breaking,
            risky=diff.risky,
            safe=diff.safe,
            time=found.finished_at,
        )
        status = replace(status, last_change=change)
    return status


def _snapshot_info(name: str, normalized: NormalizeOutput, parsed: ParseOutput) -> SnapshotInfo:
    return SnapshotInfo(
        snapshot=name,
        digest=normalized.canonical_digest,
        title=parsed.title,
        version=parsed.version,
        operations=normalized.operations,
    )


def _handled(status: DependencyStatus, job: SyncJob) -> HandledRequest | None:
    """The request that the job was made for. A retry, which is the active job, may be one of an older request."""
    request = status.last_handled_request
    retried = status.active_job is not None
    if job.spec.trigger != "Requested" or (retried and (request is None or request.job != job.metadata.name)):
        return request
    return HandledRequest(
        value=job.metadata.annotations.get(REQUESTED_AT, "")[:256],
        job=job.metadata.name,
        outcome=job.status.result or job.status.phase,
    )
