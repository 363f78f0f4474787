"""What this room counts: claims, jobs and their stages, child processes (which count nothing themselves)."""

import functools

from prometheus_client import Counter, Gauge, Histogram

from specsync.resources.reasons import Reason
from specsync.resources.syncjob import STAGES

CLAIMS = Counter("specsync_claims_total", "Jobs that this worker claimed")
CLAIM_CONFLICTS = Counter("specsync_claim_conflicts_total", "Claims that another worker was quicker with")
CLAIMS_LOST = Counter(
    "specsync_claims_lost_total", "Jobs dropped in the middle, because another worker had taken them over"
)
TAKEOVERS = Counter("specsync_takeovers_total", "Jobs of dead workers that this worker took over")
JOBS_RUNNING = Gauge("specsync_jobs_running", "Jobs that this worker works on")
JOBS_AT_MOST = Gauge("specsync_jobs_concurrency", "Jobs that this worker may work on at a time, by --concurrency")
_ATTEMPTS = Counter(
    "specsync_job_attempts_total",
    "Attempts that ended, by what they came to (Succeeded, Failed, Cancelled; Pending: another attempt follows), "
    "the result and the reason of a failure",
    ("phase", "result", "reason"),
)
_STAGES = Counter(
    "specsync_stages_total",
    "Stages that ended, by outcome (Succeeded, Failed) and the reason of a failure",
    ("stage", "outcome", "reason"),
)
_STAGE_DURATIONS = Histogram(
    "specsync_stage_duration_seconds",
    "How long stages took, from their start to their end, their record's write aside",
    ("stage",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
CHILDREN = Gauge("specsync_children", "Child processes that run")
CHILDREN_STARTED = Counter("specsync_children_started_total", "Child processes that were started")
_CHILDREN_ENDED = Counter(
    "specsync_children_ended_total",
    "Child processes that ended: idle, worn (replaced after many jobs, or grown), "
    "killed (at a stage's deadline or a cancellation), died (by themselves, or of memory)",
    ("how",),
)


@functools.cache
def attempts(phase: str, result: str, reason: str) -> Counter:
    return _ATTEMPTS.labels(phase, result, reason)


@functools.cache
def stages(stage: str, outcome: str, reason: str) -> Counter:
    return _STAGES.labels(stage, outcome, reason)


@functools.cache
def stage_durations(stage: str) -> Histogram:
    return _STAGE_DURATIONS.labels(stage)


# Of a series that begins with 1, Prometheus sees no increase: what an alert is about is there at 0.
for _stage in STAGES:
    stages(_stage, "Failed", Reason.INTERNAL_ERROR)

CHILDREN_IDLE = _CHILDREN_ENDED.labels("idle")
CHILDREN_WORN = _CHILDREN_ENDED.labels("worn")
CHILDREN_KILLED = _CHILDREN_ENDED.labels("killed")
CHILDREN_DIED = _CHILDREN_ENDED.labels("died")
