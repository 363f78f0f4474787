"""The health breaker: healthy → degraded → unhealthy → paused, by failed syncs in a row; a success resets."""

import datetime as dt
from dataclasses import dataclass

from specsync.resources import SyncJob
from specsync.resources.dependency import Health, HealthState, HealthThresholds
from specsync.resources.reasons import Reason

# What goes wrong on our side: the cluster's API server, or the store of the content.
OURS = frozenset(
    {
        Reason.API_ERROR,
        Reason.BLOB_MISSING,
        Reason.BLOB_CORRUPTED,
        Reason.BLOB_STORE_UNAVAILABLE,
        Reason.BLOB_STORE_REFUSED,
        Reason.BLOB_STORE_FULL,
    }
)

# Failures that say nothing of the document or its server: they don't count.
_NOT_ITS_FAULT = OURS | {Reason.RATE_LIMITED, Reason.CANCELLED, Reason.TARGET_DELETED}


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """After how many failed syncs in a row which state begins: the operator's, or those of one Dependency."""

    degraded_after: int = 3
    unhealthy_after: int = 5
    paused_after: int = 10

    def of(self, own: HealthThresholds) -> "Breaker":
        """These, but for what a Dependency says itself; a later threshold is never below an earlier one."""
        degraded = own.degraded_after or self.degraded_after
        unhealthy = own.unhealthy_after or max(self.unhealthy_after, degraded)
        paused = own.paused_after or max(self.paused_after, unhealthy)
        if own.degraded_after is None:
            degraded = min(degraded, unhealthy, paused)
        if own.unhealthy_after is None:
            unhealthy = min(unhealthy, paused)
        return Breaker(degraded_after=degraded, unhealthy_after=unhealthy, paused_after=paused)


def after(health: Health, job: SyncJob, thresholds: Breaker, at: dt.datetime) -> Health:
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


def state_of(failures: int, thresholds: Breaker) -> HealthState:
    if failures >= thresholds.paused_after:
        return "paused"
    if failures >= thresholds.unhealthy_after:
        return "unhealthy"
    if failures >= thresholds.degraded_after:
        return "degraded"
    return "healthy"


def _counts(job: SyncJob) -> bool:
    return job.status.error is None or job.status.error.reason not in _NOT_ITS_FAULT
