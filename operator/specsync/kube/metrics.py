"""What this room counts: requests to the API server, Leases, watches."""

import functools

from prometheus_client import Counter, Gauge, Histogram

_REQUESTS = Counter(
    "specsync_api_requests_total",
    "Requests to the API server, by verb and HTTP status; code 0: no answer came",
    ("verb", "code"),
)
_DURATIONS = Histogram(
    "specsync_api_request_duration_seconds",
    "How long the API server took to answer, watches aside",
    ("verb",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)
API_TROUBLE = Gauge(
    "specsync_api_trouble",
    "1 while requests of this sort (reads, writes, leases) fail; reads and writes are sent slowly then",
    ("sort",),
)
CLOCK = Gauge(
    "specsync_clock_offset_seconds",
    "How far the API server's clock is ahead of this process's, where they differ; the API server's counts",
)
_RENEWALS = Histogram(
    "specsync_lease_renew_duration_seconds",
    "How long a renewal of a Lease (worker, leader) took that succeeded",
    ("lease",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
_RENEWALS_FAILED = Counter(
    "specsync_lease_renewals_failed_total", "Renewals of a Lease (worker, leader) that failed", ("lease",)
)
LEADER = Gauge("specsync_leader", "1 while this process leads")
WATCH_RESTARTS = Counter(
    "specsync_watch_restarts_total", "Watches that ended out of turn and were begun again, by kind", ("kind",)
)


@functools.cache
def requests(verb: str, code: int) -> Counter:
    return _REQUESTS.labels(verb, code)


@functools.cache
def durations(verb: str) -> Histogram:
    return _DURATIONS.labels(verb)


WORKER_RENEWALS = _RENEWALS.labels("worker")
LEADER_RENEWALS = _RENEWALS.labels("leader")
WORKER_RENEWALS_FAILED = _RENEWALS_FAILED.labels("worker")
LEADER_RENEWALS_FAILED = _RENEWALS_FAILED.labels("leader")
