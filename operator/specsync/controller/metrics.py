"""What this room counts: reconciles, how late schedules are, and a census of what the leader's stores hold."""

import datetime as dt
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from typing import get_args

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from specsync.controller.due import scheduled_job_name
from specsync.kube.store import Store
from specsync.resources import Dependency, SyncJob
from specsync.resources.dependency import HealthState
from specsync.resources.meta import now

SCHEDULE_LAG = Histogram(
    "specsync_schedule_lag_seconds",
    "How long after its due time a scheduled sync's job was created",
    buckets=(0.5, 1, 2.5, 5, 10, 20, 60, 300, 900, 3600),
)
RECONCILES = Histogram(
    "specsync_reconcile_duration_seconds",
    "How long one look at a Dependency and its jobs took, with the writes that it led to",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15),
)
_FAILED = Counter(
    "specsync_reconciles_failed_total",
    "Reconciles that are done again: outdated (another write came between), api (the API server), internal (ours)",
    ("why",),
)
RECONCILES_OUTDATED = _FAILED.labels("outdated")
RECONCILES_API = _FAILED.labels("api")
RECONCILES_INTERNAL = _FAILED.labels("internal")


class Census(Collector):
    """Counts at the scrape, and only where this process leads, so that sums over all Pods are right."""

    def __init__(self) -> None:
        self._leading: Callable[[], bool] = lambda: False
        self._dependencies: Store[Dependency] = Store(Dependency)
        self._jobs: Store[SyncJob] = Store(SyncJob)
        self._queued: Callable[[], int] = lambda: 0

    def of(
        self,
        dependencies: Store[Dependency],
        jobs: Store[SyncJob],
        queued: Callable[[], int],
        leading: Callable[[], bool],
    ) -> None:
        self._dependencies, self._jobs, self._queued, self._leading = dependencies, jobs, queued, leading

    def families(self) -> Iterator[GaugeMetricFamily]:
        """Without values: what there is to know."""
        yield GaugeMetricFamily(
            "specsync_dependencies", "Dependencies by their state of health, and whether they are suspended",
            labels=("health", "suspended"),
        )  # fmt: skip
        yield GaugeMetricFamily("specsync_dependencies_not_ready", "Dependencies whose Ready condition isn't True")
        yield GaugeMetricFamily(
            "specsync_schedule_overdue_seconds", "How long the longest overdue Dependency has waited for its job"
        )
        yield GaugeMetricFamily("specsync_jobs", "SyncJobs by phase", labels=("phase",))
        yield GaugeMetricFamily("specsync_jobs_waiting", "Jobs that a worker may claim at once: the queue")
        yield GaugeMetricFamily(
            "specsync_jobs_waiting_oldest_seconds", "How long the longest waiting of these has been free to claim"
        )
        yield GaugeMetricFamily("specsync_reconcile_queue_length", "Dependencies that wait to be looked at")

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return self.families()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        found = {family.name: family for family in self.families()}
        if self._leading():
            self._count_dependencies(found)
            self._count_jobs(found)
            found["specsync_reconcile_queue_length"].add_metric((), self._queued())
        return found.values()

    def _count_dependencies(self, found: dict[str, GaugeMetricFamily]) -> None:
        states: Tally[tuple[str, bool]] = Tally({(state, False): 0 for state in get_args(HealthState)})
        not_ready, at, overdue = 0, now(), 0.0
        for dependency in self._dependencies:
            states[dependency.status.health.state, dependency.spec.suspend] += 1
            ready = next((c for c in dependency.status.conditions if c.type == "Ready"), None)
            not_ready += ready is None or ready.status != "True"
            overdue = max(overdue, self._overdue(dependency, at))
        for (state, suspended), count in states.items():
            found["specsync_dependencies"].add_metric((state, str(suspended).lower()), count)
        found["specsync_dependencies_not_ready"].add_metric((), not_ready)
        found["specsync_schedule_overdue_seconds"].add_metric((), overdue)

    def _overdue(self, dependency: Dependency, at: dt.datetime) -> float:
        status, name = dependency.status, scheduled_job_name(dependency)
        if name is None or status.next_sync_time is None or status.active_job is not None:
            return 0.0
        if dependency.spec.suspend or status.health.state == "paused":
            return 0.0
        if self._jobs.get(dependency.metadata.namespace, name) is not None:
            return 0.0
        return (at - status.next_sync_time).total_seconds()

    def _count_jobs(self, found: dict[str, GaugeMetricFamily]) -> None:
        at = now()
        phases: Tally[str] = Tally()
        free: list[dt.datetime] = []
        for job in self._jobs:
            phases[job.status.phase] += 1
            since = free_since(job)
            if since is not None and since <= at:
                free.append(since)
        for phase, count in phases.items():
            found["specsync_jobs"].add_metric((phase,), count)
        found["specsync_jobs_waiting"].add_metric((), len(free))
        oldest = (at - min(free)).total_seconds() if free else 0.0
        found["specsync_jobs_waiting_oldest_seconds"].add_metric((), oldest)


def free_since(job: SyncJob) -> dt.datetime | None:
    """From when on a pending job may be claimed, None for one that may not: finished, held, or not admitted."""
    status = job.status
    if status.phase != "Pending" or job.spec.cancel:
        return None
    admitted = job.metadata.creation_timestamp if job.spec.trigger != "Manual" else status.admitted_at
    if admitted is None:
        return None
    return max(admitted, status.retry_at) if status.retry_at else admitted


CENSUS = Census()
REGISTRY.register(CENSUS)
