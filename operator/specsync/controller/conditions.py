"""The Dependency's conditions, derived from the rest of its status in one place (kstatus).

Ready: the latest sync succeeded. SpecValid: the latest document that was read is what the specification asks for.
Reconciling: a sync is under way or due. Stalled: nothing happens without a user. IntervalClamped: the interval is
shorter than the operator allows. MonitorUnmatched: entries of spec.monitor fit nothing. ExternalRefsIgnored: references
to other files weren't followed. ContentDamaged: what is stored of the current snapshot isn't what was stored. The last
six are only there while true. SpecValid, MonitorUnmatched and ExternalRefsIgnored are of the document: a sync that
reads none leaves them as they are. ContentDamaged stays until a sync succeeds, which repairs it.
https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
"""

import datetime as dt
from typing import cast

from msgspec.structs import replace

from specsync.controller.due import effective_interval
from specsync.resources import Dependency, SyncJob
from specsync.resources.conditions import condition, find, merge
from specsync.resources.dependency import DependencyStatus, SyncError
from specsync.resources.duration import compact, seconds
from specsync.resources.meta import Condition
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import Judgement

_OF_THE_DOCUMENT = ("SpecValid", "MonitorUnmatched", "ExternalRefsIgnored", "ContentDamaged")


def summarise(
    dependency: Dependency, status: DependencyStatus, job: SyncJob | None, *, min_interval: float, at: dt.datetime
) -> list[Condition]:
    """The full list of conditions for `status`; `job` is the one that is running or waiting, if any.

    A scheduled job that goes well changes none of them: an unchanged sync costs no write for its sake.
    """
    generation = dependency.metadata.generation
    retrying = _retrying(job)
    first = status.last_sync is None and not dependency.spec.suspend
    paused = status.health.state == "paused"
    found = [_ready(dependency, status, retrying, at)]
    # These are about the document; merged, they keep their times.
    found += [each for each in status.conditions if each.type in _OF_THE_DOCUMENT]
    if retrying is not None:
        found.append(condition("Reconciling", True, Reason.RETRYING, retrying.message, at, generation))
    elif first or status.active_job is not None:
        found.append(condition("Reconciling", True, Reason.SYNCING, "a sync is under way or due", at, generation))
    if paused and status.active_job is None:
        failures = status.health.consecutive_failures
        text = f"{failures} failed syncs in a row: scheduling stops until a sync that you ask for succeeds"
        found.append(condition("Stalled", True, Reason.PAUSED, text, at, generation))
    wanted, used = seconds(dependency.spec.interval), effective_interval(dependency, min_interval)
    if used > wanted:
        text = (
            f"spec.interval is {dependency.spec.interval}, but this operator's minimum is {compact(used)}, which is "
            f"used; set spec.interval to {compact(used)} or more, or have the operator's --min-interval lowered"
        )
        found.append(condition("IntervalClamped", True, Reason.INTERVAL_CLAMPED, text, at, generation))
    return merge(status.conditions, found)


def recorded_reason(reason: str) -> Reason:
    """The reason that an object bears. One of another version of the operator, with another list, is told as it is."""
    return cast(Reason, reason)


def _retrying(job: SyncJob | None) -> SyncError | None:
    """The failure of the last attempt of a job that waits for its next one, with when that is."""
    if job is None or job.status.phase != "Pending" or job.status.error is None or job.status.retry_at is None:
        return None
    next_try = f"attempt {job.status.attempts + 1} not before {job.status.retry_at:%H:%M:%S} UTC"
    return replace(job.status.error, message=f"{job.status.error.message} ({next_try})")


def _ready(dependency: Dependency, status: DependencyStatus, retrying: SyncError | None, at: dt.datetime) -> Condition:
    generation = dependency.metadata.generation
    last = status.last_sync
    if last is None and retrying is not None:
        return condition("Ready", False, recorded_reason(retrying.reason), retrying.message, at, generation)
    if last is None:
        if dependency.spec.suspend:
            text = "suspended before the first sync; ask for one, or set spec.suspend to false"
            return condition("Ready", "Unknown", Reason.SUSPENDED, text, at, generation)
        return condition("Ready", "Unknown", Reason.PENDING, "the first sync has not ended yet", at, generation)
    if last.error is not None:
        return condition("Ready", False, recorded_reason(last.error.reason), last.error.message, at, generation)
    if last.phase == "Cancelled":
        return condition("Ready", "Unknown", Reason.CANCELLED, f"SyncJob {last.job} was cancelled", at, generation)
    current = status.current
    what = f"{current.title} {current.version}".strip() if current else "the contract"
    text = {
        "Baseline": f"{'first snapshot' if status.current == status.baseline else 'new baseline'} of {what}",
        "Unchanged": f"{what} is unchanged",
        "Changed": f"{what} has changed, see ChangeSet {status.last_change.change_set}" if status.last_change else what,
    }.get(last.result, what)
    return condition("Ready", True, Reason.SYNCED, text, at, generation)


def of_the_document(dependency: Dependency, job: SyncJob, at: dt.datetime) -> list[Condition]:
    """The Dependency's conditions with what a finished job says of the document: unchanged where it read none."""
    conditions, generation = dependency.status.conditions, dependency.metadata.generation
    parsed = next((r.parse for r in job.status.stages if r.parse is not None), None)
    normalized = next((r.normalize for r in job.status.stages if r.normalize is not None), None)
    error = job.status.error if job.status.phase == "Failed" else None
    if error is not None and error.reason == Reason.INVALID:
        judged = condition("SpecValid", False, Reason.INVALID, error.message, at, generation)
        conditions = _with(conditions, judged)
    elif parsed is not None and parsed.validation is not None:
        conditions = _with(conditions, _spec_valid(dependency, job, parsed.validation, at))
        conditions = _with(conditions, _external_refs(dependency, parsed.validation, at))
    if normalized is not None:
        named = ", ".join(normalized.unmatched)
        text = f"no operation of the document fits these entries of spec.monitor: {named}. Correct or remove them"
        unmatched = condition(
            "MonitorUnmatched", bool(normalized.unmatched), Reason.MONITOR_UNMATCHED, text, at, generation
        )
        conditions = _with(conditions, unmatched)
    damage = job.status.damage
    if job.status.phase == "Succeeded":
        conditions = [each for each in conditions if each.type != "ContentDamaged"]
    elif damage is not None:
        reason = recorded_reason(damage.reason)
        conditions = _with(conditions, condition("ContentDamaged", True, reason, damage.message, at, generation))
    return conditions


def _spec_valid(dependency: Dependency, job: SyncJob, found: Judgement, at: dt.datetime) -> Condition:
    generation = dependency.metadata.generation
    if not found.judged:
        text = "judging the document took too much memory or time; monitoring goes on"
        return condition("SpecValid", "Unknown", Reason.NOT_JUDGED, text, at, generation)
    if not found.counted:
        return condition("SpecValid", True, Reason.VALID, "the document is valid", at, generation)
    more = found.errors + found.warnings - len(found.first)
    rest = f"; and {more} more" if more > 0 else ""
    # A document that differs in its spelling only has no snapshot of its own.
    kept = job.status.phase == "Succeeded" and job.status.result != "Unchanged"
    show = f"kubectl specsync snapshot findings {job.metadata.name}" if kept else "specsync validate, on the source"
    text = f"{found.counted}: {'; '.join(found.first)}{rest}. All: {show}"
    reason = Reason.DEFECTS if found.errors else Reason.VALID
    return condition("SpecValid", not found.errors, reason, text, at, generation)


def _external_refs(dependency: Dependency, found: Judgement, at: dt.datetime) -> Condition:
    many = found.external != 1
    more = found.external - len(found.first_external)
    rest = f"; and {more} more" if more > 0 else ""
    next_step = (
        "Set spec.source.externalRefs to SameOrigin to have them followed to where the document is"
        if dependency.spec.source.external_refs == "Ignore"
        else "Only those to where the document is are followed, and none to anchors"
    )
    text = (
        f"{found.external} reference{'s' if many else ''} to other files {'are' if many else 'is'} not followed, and "
        f"what stands there isn't monitored: {'; '.join(found.first_external)}{rest}. {next_step}"
    )
    reason, generation = Reason.EXTERNAL_REFS_IGNORED, dependency.metadata.generation
    return condition("ExternalRefsIgnored", found.external > 0, reason, text, at, generation)


def _with(conditions: list[Condition], new: Condition) -> list[Condition]:
    """The conditions with a new one of its type, which keeps the time of the old one where the status is the same."""
    others = [each for each in conditions if each.type != new.type]
    return others + merge([old] if (old := find(conditions, new.type)) else [], [new])
