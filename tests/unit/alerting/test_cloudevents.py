"""A webhook in the form of a CloudEvent: parsed by the official library, signed as any webhook is."""

import asyncio
import datetime as dt

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook

from specsync.alerting.channels.webhook import WebhookChannel
from specsync.resources import clock
from specsync.resources.alertchannel import AlertChannelSpec, WebhookSettings
from tests.unit.alerting.envelopes import AT, change, group, single
from tests.unit.alerting.receiver import Taken, outlet, receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLwSw"
CHANNEL = WebhookChannel(AlertChannelSpec(type="Webhook", webhook=WebhookSettings(format="CloudEvent")))


def sent(envelope: object) -> Taken:
    with receiver(202) as sink:
        payload = CHANNEL.render(envelope)  # type: ignore[arg-type]
        asyncio.run(CHANNEL.send(payload, outlet(sink.port, address=sink.url, signingSecret=SECRET)))
    return sink.taken[0]


def test_the_official_library_reads_it() -> None:
    taken = sent(single(change()))
    event = from_http_event(HTTPMessage(headers=taken.headers, body=taken.body))
    assert event.get_specversion() == "1.0"
    assert event.get_id() == "delivery-1"
    assert event.get_type() == "dev.specsync.change"
    assert event.get_source() == "/apis/specsync.dev/v1alpha1/namespaces/team-a"
    assert event.get_subject() == "shop"
    assert event.get_time() == AT
    data = event.get_data()
    assert isinstance(data, dict)
    assert data["messages"][0]["change"]["changeSet"] == "shop-1795515744"


def test_it_is_signed() -> None:
    taken = sent(single(change()))
    Webhook(SECRET).verify(taken.body, taken.headers)


def test_it_is_signed_at_the_time_of_the_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receivers refuse what is minutes off, and a worker's own clock may be."""
    monkeypatch.setattr(clock, "_offset", dt.timedelta(hours=-3))
    stamp = int(sent(single(change())).headers["webhook-timestamp"])
    assert stamp < (dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)).timestamp()


def test_a_group_is_one_event() -> None:
    taken = sent(group(change(), change()))
    event = from_http_event(HTTPMessage(headers=taken.headers, body=taken.body))
    assert event.get_type() == "dev.specsync.group"
    assert event.get_subject() is None
