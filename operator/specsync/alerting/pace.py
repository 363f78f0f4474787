"""How often and how long a channel is tried: pauses between attempts, the rate limit, the time to give up."""

import datetime as dt
import random
from collections import deque
from dataclasses import dataclass

from specsync.alerting.batching import Batch
from specsync.alerting.channels.contract import ChannelBroken, DeliveryError
from specsync.resources import AlertDelivery

_MINUTE = 60.0
_ROUNDING = 1e-6  # seconds; who waited as long as was said has waited long enough
_TRIED_AT_LEAST = 3600.0  # seconds
_BROKEN_AT_MOST = 600.0  # seconds: whoever has mended a channel doesn't want to wait for an hour


@dataclass(frozen=True, kw_only=True)
class AlertTiming:
    """What the operator's administrator sets; seconds."""

    give_up_after: float = 3 * 86400.0  # from when a delivery was due
    window: float = 30.0  # after a message, in which others wait to go as one group
    first_retry: float = 5.0
    last_retry: float = 3600.0
    timeout: float = 30.0  # for one sending


@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """All that the operator's administrator sets of alerts."""

    timing: AlertTiming = AlertTiming()
    dashboard_url: str = ""  # without a slash at its end
    apprise_schemes: frozenset[str] = frozenset()
    keep_finished: float = 30 * 86400.0  # seconds; finished deliveries older than that are deleted


def pause_before_retry(attempts: int, error: DeliveryError, timing: AlertTiming) -> float:
    """Seconds until the next attempt: doubling with jitter, not before the service said, sooner where it is broken."""
    longest = min(timing.last_retry, _BROKEN_AT_MOST) if isinstance(error, ChannelBroken) else timing.last_retry
    pause = min(longest, timing.first_retry * 2.0 ** (min(attempts, 30) - 1))
    pause *= random.uniform(0.8, 1.2)  # noqa: S311
    return max(pause, error.retry_after or 0.0)


def given_up_at(delivery: AlertDelivery, timing: AlertTiming, failing_since: dt.datetime | None = None) -> dt.datetime:
    """When a delivery is given up: so long after it was due, or after a user asked for it again.

    But not before its channel has failed for an hour: what waited for long, for no worker was there or the channel was
    suspended, isn't lost by the first hiccup after that.
    """
    times = [delivery.metadata.creation_timestamp, delivery.spec.not_before, delivery.status.retried_from]
    begun = max((time for time in times if time is not None), default=dt.datetime.max.replace(tzinfo=dt.UTC))
    if begun.year == dt.MAXYEAR:
        return begun
    late = begun + dt.timedelta(seconds=timing.give_up_after)
    if failing_since is None:
        return late
    return max(late, failing_since + dt.timedelta(seconds=min(timing.give_up_after, _TRIED_AT_LEAST)))


def batch_given_up_at(batch: Batch, timing: AlertTiming, failing_since: dt.datetime | None = None) -> dt.datetime:
    """When a batch is given up: with its leader; one that must stay together as it is, with the youngest of it."""
    members = batch.members if batch.leader.status.group is not None else ()
    return max(given_up_at(delivery, timing, failing_since) for delivery in (batch.leader, *members))


class RateLimit:
    """At most so many sendings in any minute. `clock` values are monotonic seconds."""

    def __init__(self) -> None:
        self._sent: deque[float] = deque()

    def note(self, clock: float) -> None:
        self._sent.append(clock)

    def wait(self, per_minute: int, clock: float) -> float:
        """Seconds until one more may go; 0.0: now."""
        while self._sent and self._sent[0] <= clock - _MINUTE:
            self._sent.popleft()
        if len(self._sent) < per_minute:
            return 0.0
        left = self._sent[len(self._sent) - per_minute] + _MINUTE - clock
        return left if left > _ROUNDING else 0.0
