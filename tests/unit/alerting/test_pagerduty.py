"""PagerDuty: events by its documented schema; a change, its reminder and its end are one alert."""

import asyncio
import json
from typing import Any

import jsonschema_rs
import pytest
from msgspec.structs import replace

from specsync.alerting.channels.contract import ChannelBroken, DeliveryError, Rejected, Retryable
from specsync.alerting.channels.pagerduty import MAX_BYTES, PagerDutyChannel
from specsync.alerting.message import channel_message, health_message
from specsync.resources.alertchannel import AlertChannelSpec, PagerDutySettings
from tests.unit.alerting.envelopes import AT, change, resolve, single, sunset
from tests.unit.alerting.receiver import outlet, receiver
from tests.unit.alerting.samples import channel, shop

CHANNEL = PagerDutyChannel(AlertChannelSpec(type="PagerDuty"))

# The request body of POST /enqueue, as https://developer.pagerduty.com/docs/send-alert-event has it.
EVENT = jsonschema_rs.validator_for(
    {
        "type": "object",
        "required": ["routing_key", "event_action"],
        "additionalProperties": False,
        "properties": {
            "routing_key": {"type": "string", "minLength": 32, "maxLength": 32},
            "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
            "dedup_key": {"type": "string", "maxLength": 255},
            "client": {"type": "string"},
            "client_url": {"type": "string", "format": "uri"},
            "links": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["href"],
                    "properties": {"href": {"type": "string", "format": "uri"}, "text": {"type": "string"}},
                },
            },
            "payload": {
                "type": "object",
                "required": ["summary", "source", "severity"],
                "additionalProperties": False,
                "properties": {
                    "summary": {"type": "string", "maxLength": 1024},
                    "source": {"type": "string", "minLength": 1},
                    "severity": {"enum": ["critical", "error", "warning", "info"]},
                    "timestamp": {"type": "string", "format": "date-time"},
                    "component": {"type": "string"},
                    "group": {"type": "string"},
                    "class": {"type": "string"},
                    "custom_details": {"type": "object"},
                },
            },
        },
        "if": {"properties": {"event_action": {"const": "trigger"}}},
        "then": {"required": ["payload"]},
        "else": {"required": ["dedup_key"]},
    },
    validate_formats=True,
)
KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "message", [change(), change(200), sunset(), resolve()], ids=["usual", "many edits", "sunset", "end"]
)
def test_events_are_what_is_documented(message: Any) -> None:
    payload = CHANNEL.render(single(message))
    EVENT.validate({"routing_key": KEY, **payload})
    assert len(json.dumps(payload)) <= MAX_BYTES * 2


def test_a_change_its_reminder_and_its_end_are_one_alert() -> None:
    reminder = replace(change(), kind="Reminder")
    rendered = [
        CHANNEL.render(single(message, f"delivery-{n}")) for n, message in enumerate((change(), reminder, resolve()))
    ]
    assert {payload["dedup_key"] for payload in rendered} == {"specsync/uid-1"}
    assert [payload["event_action"] for payload in rendered] == ["trigger", "trigger", "resolve"]


def test_trouble_and_its_end_are_one_alert() -> None:
    bad = health_message(shop(), "unhealthy", "HTTP 404", AT, recovered=False)
    worse = health_message(shop(), "paused", "HTTP 404", AT, recovered=False)
    good = health_message(shop(), "healthy", "It answers again.", AT, recovered=True)
    deaf = channel_message(channel("team"), "Unauthorized: check it.", AT)
    hears = channel_message(channel("team"), "", AT)
    events = [CHANNEL.render(single(message, message.title)) for message in (bad, worse, good, deaf, hears)]
    assert [each["event_action"] for each in events] == ["trigger", "trigger", "resolve", "trigger", "resolve"]
    assert [each["dedup_key"] for each in events] == ["specsync/dep/health"] * 3 + ["specsync/team/channel"] * 2


def test_what_has_no_incident_is_an_alert_of_its_own() -> None:
    assert CHANNEL.render(single(sunset(), "delivery-7"))["dedup_key"] == "delivery-7"


def test_it_is_sent_with_the_key_of_the_secret() -> None:
    with receiver(202, b'{"status":"success","message":"Event processed","dedup_key":"specsync/uid-1"}') as api:
        channel = PagerDutyChannel(
            AlertChannelSpec(
                type="PagerDuty", pager_duty=PagerDutySettings(url=f"http://127.0.0.1:{api.port}/v2/enqueue")
            )
        )
        receipt = asyncio.run(channel.send(channel.render(single(change())), outlet(api.port, routingKey=KEY + "\n")))
    EVENT.validate(json.loads(api.taken[0].body))
    assert api.taken[0].path == "/v2/enqueue"
    assert receipt.reference == "specsync/uid-1"


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (400, b'{"status":"invalid event","errors":["Length of \'routing_key\' is incorrect"]}', ChannelBroken),
        (400, b'{"status":"invalid event","errors":["\'summary\' is missing"]}', Rejected),
        (429, b"", Retryable),
        (500, b"", Retryable),
        (202, b"", None),
    ],
)
def test_each_answer_has_its_meaning(status: int, answer: bytes, expected: type[DeliveryError] | None) -> None:
    with receiver(status, answer) as api:
        channel = PagerDutyChannel(
            AlertChannelSpec(
                type="PagerDuty", pager_duty=PagerDutySettings(url=f"http://127.0.0.1:{api.port}/v2/enqueue")
            )
        )
        sending = channel.send(channel.render(single(change())), outlet(api.port, routingKey=KEY))
        if expected is None:
            assert asyncio.run(sending).detail == "HTTP 202"
            return
        with pytest.raises(expected) as found:
            asyncio.run(sending)
    assert KEY not in found.value.message
