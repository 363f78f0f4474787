"""The health breaker: healthy → degraded → unhealthy → paused, by failed syncs in a row; a success resets."""

import datetime as dt

from specsync.resources import SyncJob
from specsync.resources.dependency import Health, HealthState, HealthThresholds
from specsync.resources.reasons import Reason

# Failures that say nothing of the document or its server: they don't count.
_NOT_ITS_FAULT = frozenset({Reason.RATE_LIMITED, Reason.API_ERROR, Reason.CANCELLED, Reason.TARGET_DELETED})


def after(health: Health, job: SyncJob, thresholds: HealthThresholds, at: dt.datetime) -> Health:
    """The health after a finished job."""
    if job.status.phase == "Succeeded":
        failures = 0
    elif job.status.phase == "Failed" and _counts(job):
        failures = health.consecutive_failures + 1
    else:
        failures = health.consecutive_failures
    state = state_of(failures, thresholds)
    since = at if state != health.state or health.since is None else health.since
    return Health(state=state, consecutive_failures=failures, since=since)


def state_of(failures: int, thresholds: HealthThresholds) -> HealthState:
    if failures >= thresholds.paused_after:
        return "paused"
    if failures >= thresholds.unhealthy_after:
        return "unhealthy"
    if failures >= thresholds.degraded_after:
        return "degraded"
    return "healthy"


def _counts(job: SyncJob) -> bool:
    return job.status.error is None or job.status.error.reason not in _NOT_ITS_FAULT
