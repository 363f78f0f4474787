"""Apprise: by its JSON service to a real receiver; off unless allowed."""

import asyncio
import json

import pytest

from specsync.alerting.channels.apprise import MAX_TEXT, AppriseChannel
from specsync.alerting.channels.contract import ChannelBroken, OutcomeUnknown
from specsync.resources.alertchannel import AlertChannelSpec
from tests.unit.alerting.envelopes import change, group, single
from tests.unit.alerting.receiver import outlet, receiver

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's import of it

CHANNEL = AppriseChannel(AlertChannelSpec(type="Apprise"))


def test_an_allowed_service_takes_it() -> None:
    with receiver() as service:
        out = outlet(address=f"json://127.0.0.1:{service.port}/hook", schemes=("json",))
        receipt = asyncio.run(CHANNEL.send(CHANNEL.render(single(change())), out))
    assert receipt.detail == "taken by json://"
    taken = json.loads(service.taken[0].body)
    assert taken["title"] == "Shop: 2 breaking changes (1.2 → 1.3)"
    assert "- breaking: schema Order0, currency: required property removed" in taken["message"]
    assert taken["type"] == "failure"


@pytest.mark.parametrize("address", ["json://127.0.0.1:1/hook", "JSON://127.0.0.1", "file:///etc/passwd", "no URL"])
def test_what_is_not_allowed_is_not_sent(address: str) -> None:
    with pytest.raises(ChannelBroken, match="--allow-apprise"):
        asyncio.run(CHANNEL.send(CHANNEL.render(single(change())), outlet(address=address, schemes=("discord",))))


def test_a_failure_may_have_been_delivered_and_shows_no_secret() -> None:
    with receiver(500) as service:
        out = outlet(address=f"json://user:s3cret@127.0.0.1:{service.port}/hook", schemes=("json",))
        with pytest.raises(OutcomeUnknown) as found:
            asyncio.run(CHANNEL.send(CHANNEL.render(single(change())), out))
    assert "s3cret" not in found.value.message


def test_a_url_that_apprise_cannot_read() -> None:
    with pytest.raises(ChannelBroken, match="can't read"):
        asyncio.run(CHANNEL.send(CHANNEL.render(single(change())), outlet(address="discord://x", schemes=("discord",))))


def test_it_is_short() -> None:
    _, text, _ = CHANNEL.render(group(*(change(50) for _ in range(30))))
    assert len(text) <= MAX_TEXT
    assert "more" in text
