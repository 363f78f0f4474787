"""`alerts explain`: in plain words, whatever the state of a delivery and of its channel."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from specsync.alerting.explaining import by_channel
from specsync.alerting.routing import Verdict
from specsync.resources import AlertChannel
from specsync.resources.syncjob import AlertRoute
from tests.unit.alerting.samples import channel, delivery
from tests.unit.objects import NOON

LATER = "2026-01-02T18:00:00Z"
UNREADY = {"type": "Ready", "status": "False", "reason": "Unauthorized", "message": "check the Secret team."}


def verdict(*, gets: bool = True, name: str = "team") -> Verdict:
    route = AlertRoute(channel=name, causes="1") if gets else None
    return Verdict(channel=name, preference="mine", topic="Change", why="it asks for this, at once", route=route)


def lines(*channels: AlertChannel, gets: bool = True, **fields: Any) -> list[str]:
    told = [delivery("shop-1", **fields)]
    return by_channel([verdict(gets=gets)], told, channels or (channel("team"),), NOON + dt.timedelta(minutes=1))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"status": {"phase": "Sent", "sentAt": NOON, "response": "HTTP 202"}},
            "Change shop-1: sent 2026-01-02 12:00:00 UTC (HTTP 202)",
        ),
        (
            {"status": {"phase": "Sent", "sentAt": NOON, "group": {"id": "g", "leader": "a"}}},
            "sent 2026-01-02 12:00:00 UTC, in a group with others",
        ),
        (
            {"digest": True, "status": {"phase": "Sent", "sentAt": NOON, "group": {"id": "g", "leader": "a"}}},
            "sent 2026-01-02 12:00:00 UTC, in a digest",
        ),
        (
            {"status": {"phase": "Sent", "sentAt": NOON, "possiblyDuplicated": True}},
            "sent 2026-01-02 12:00:00 UTC; possibly twice",
        ),
        ({"notBefore": LATER}, "waits until 2026-01-02 18:00:00 UTC"),
        ({"notBefore": LATER, "digest": True}, "waits until 2026-01-02 18:00:00 UTC, for its digest"),
        ({}, "waits for its turn: soon, in a group with others, or within the channel's 20 messages a minute"),
        (
            {"status": {"attempts": 1, "nextAttemptAt": LATER, "message": "Slack failed (HTTP 500)."}},
            "failed 1 time, next try 2026-01-02 18:00:00 UTC: Slack failed (HTTP 500).",
        ),
        ({"status": {"phase": "Sending"}}, "is being sent"),
        (
            {"status": {"phase": "DeadLettered", "reason": "HTTPError", "message": "too large"}},
            "given up (HTTPError): too large",
        ),
        (
            {"kind": "Reminder", "status": {"phase": "Suppressed", "reason": "Acknowledged", "message": "by anna."}},
            "Reminder shop-1: not sent (Acknowledged): by anna.",
        ),
    ],
)
def test_a_delivery_says_how_it_is(fields: dict[str, Any], text: str) -> None:
    name, why, state = lines(**fields)
    assert (name, why) == ("team", "  gets it by AlertPreference mine: it asks for this, at once")
    assert state.endswith(text)


def test_what_waits_for_its_channel_says_so() -> None:
    at = {"lastTransitionTime": NOON}
    unready = channel("team")
    assert lines(channel("other"))[-1].endswith("waits for AlertChannel team, which doesn't exist")
    assert lines(channel("team", suspend=True))[-1].endswith("waits, for AlertChannel team is suspended (spec.suspend)")
    from_wire = msgspec.structs.replace(
        unready, status=msgspec.convert({"conditions": [UNREADY | at]}, type(unready.status))
    )
    assert lines(from_wire)[-1].endswith("waits, for the channel takes nothing: check the Secret team.")


def test_a_decision_that_would_be_another_today_is_named_as_one() -> None:
    assert lines(gets=False)[-1] == ("  (what was decided then differs: channels or preferences have changed since)")
    assert by_channel([verdict()], [], [channel("team")], NOON)[-1] == (
        "  (there is no delivery of it: it was decided before this was so, or is deleted by now)"
    )
    [only] = by_channel([], [], [], NOON)
    assert only == "There is no AlertChannel in this namespace, and no AlertPreference that names one."
