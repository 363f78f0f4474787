"""What is counted of alerts."""

import functools
from typing import get_args

from prometheus_client import Counter, Histogram

from specsync.resources.alertchannel import ChannelType

_DELIVERIES = Counter(
    "specsync_alert_deliveries_total",
    "Deliveries that ended, by type of channel and outcome (Sent, DeadLettered, Suppressed)",
    ("type", "outcome"),
)
_SENDINGS = Counter(
    "specsync_alert_sendings_total",
    "Requests to channels' services, by type of channel, outcome (Accepted, Failed, Unknown) and reason of a failure",
    ("type", "outcome", "reason"),
)
_LATENCIES = Histogram(
    "specsync_alert_latency_seconds",
    "From when a delivery was due until its channel took it, by type of channel",
    ("type",),
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86400),
)
DUPLICATES = Counter(
    "specsync_alert_possible_duplicates_total",
    "Deliveries that were sent again after a sending of which nobody knows whether it was taken",
)


@functools.cache
def deliveries(channel_type: str, outcome: str) -> Counter:
    return _DELIVERIES.labels(channel_type, outcome)


@functools.cache
def sendings(channel_type: str, outcome: str, reason: str) -> Counter:
    return _SENDINGS.labels(channel_type, outcome, reason)


@functools.cache
def latencies(channel_type: str) -> Histogram:
    return _LATENCIES.labels(channel_type)


# Of a series that begins with 1, Prometheus sees no increase: what an alert is about is there at 0.
for _type in (*get_args(ChannelType), "Unknown"):
    deliveries(_type, "DeadLettered")
