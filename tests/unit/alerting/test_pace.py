"""How often a channel is tried, and for how long."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from specsync.alerting.batching import Batch
from specsync.alerting.channels.contract import ChannelBroken, Retryable
from specsync.alerting.pace import AlertTiming, RateLimit, batch_given_up_at, given_up_at, pause_before_retry
from specsync.resources.reasons import Reason
from tests.unit.alerting.samples import delivery
from tests.unit.objects import NOON

TIMING = AlertTiming()
BUSY = Retryable(Reason.SERVER_ERROR, "busy")


@given(st.integers(1, 10_000))
def test_pauses_double_up_to_an_hour(attempts: int) -> None:
    pause = pause_before_retry(attempts, BUSY, TIMING)
    expected = min(3600.0, 5.0 * 2 ** min(attempts - 1, 30))
    assert 0.8 * expected <= pause <= 1.2 * expected
    broken = ChannelBroken(Reason.UNAUTHORIZED, "no")
    assert pause_before_retry(attempts, broken, TIMING) <= 720, "who has mended it doesn't wait for an hour"


def test_the_service_says_when() -> None:
    assert pause_before_retry(1, Retryable(Reason.RATE_LIMITED, "slow", retry_after=900), TIMING) == 900


def test_a_delivery_is_given_up_three_days_after_it_was_due_or_asked_for() -> None:
    days = dt.timedelta(days=3)
    assert given_up_at(delivery("a"), TIMING) == NOON + days
    assert given_up_at(delivery("a", notBefore="2026-02-01T00:00:00Z"), TIMING).date() == dt.date(2026, 2, 4)
    assert given_up_at(delivery("a", status={"retriedFrom": "2026-03-01T00:00:00Z"}), TIMING).month == 3
    old, young = delivery("a"), delivery("b", created=3600)
    group = {"id": "g", "leader": "a", "members": ["b"]}
    assert batch_given_up_at(Batch(old, (young,), "Group"), TIMING) == NOON + days
    kept = delivery("a", status={"group": group})
    assert batch_given_up_at(Batch(kept, (young,), "Group"), TIMING) == NOON + days + dt.timedelta(hours=1)


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 10))
def test_no_minute_has_more_than_the_limit(gaps: list[float], limit: int) -> None:
    rate, clock, sent = RateLimit(), 0.0, []
    for gap in gaps:
        clock += gap
        clock += rate.wait(limit, clock)
        assert rate.wait(limit, clock) == 0.0
        rate.note(clock)
        sent.append(clock)
    for first, after in zip(sent, sent[limit:], strict=False):
        assert after - first >= 60.0 - 1e-6
