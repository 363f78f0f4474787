"""Slack: what its own model classes accept, within its limits, by webhook and by bot."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace
from slack_sdk.models.blocks import Block, HeaderBlock, RichTextBlock

from specsync.alerting.channels.contract import ChannelBroken, DeliveryError, OutcomeUnknown, Rejected, Retryable
from specsync.alerting.channels.slack import MAX_BLOCKS, MAX_TEXTS, SlackChannel
from specsync.alerting.message import Operation
from specsync.resources.alertchannel import AlertChannelSpec, SlackSettings
from tests.unit.alerting.envelopes import change, group, single, sunset
from tests.unit.alerting.receiver import outlet, receiver

BY_WEBHOOK = SlackChannel(AlertChannelSpec(type="Slack"))
BY_BOT = SlackChannel(AlertChannelSpec(type="Slack", slack=SlackSettings(channel="#api-alerts")))


def texts(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["text"]] if isinstance(node.get("text"), str) else []
        return own + [text for value in node.values() for text in texts(value)]
    return [text for item in node for text in texts(item)] if isinstance(node, list) else []


@pytest.mark.parametrize(
    "envelope",
    [single(change()), single(change(200)), single(sunset()), group(*(change(50) for _ in range(60)))],
    ids=["usual", "many edits", "sunset", "storm"],
)
def test_slack_takes_the_blocks(envelope: Any) -> None:
    payload = BY_WEBHOOK.render(envelope)
    parsed = Block.parse_all(payload["blocks"])
    assert {type(block) for block in parsed} == {HeaderBlock, RichTextBlock}
    for block in parsed:
        block.validate_json()
    assert len(payload["blocks"]) <= MAX_BLOCKS
    assert sum(map(len, texts(payload["blocks"]))) <= MAX_TEXTS


def test_the_message_says_what_a_person_needs() -> None:
    payload = BY_WEBHOOK.render(single(change()))
    shown = "\n".join(texts(payload["blocks"]))
    assert payload["text"] == (
        "🔴 Shop: 2 breaking changes (1.2 → 1.3) – schema Order0, currency: required property removed (and 1 more)"
    )
    for expected in (
        "namespace team-a, Dependency shop, API Orders",
        "schema Order0, currency: required property removed",
        "was: string",
        "in GET /orders/0, GET /orders/1, GET /orders/2 and 4 more",
        'for example (response 200): {"total":1} may come now, and was not allowed: "currency" is a required property',
        "kubectl specsync alerts ack shop-1795515744 -n team-a",
    ):
        assert expected in shown


def test_what_is_left_out_is_counted() -> None:
    shown = "\n".join(texts(BY_WEBHOOK.render(single(change(200)))["blocks"]))
    left = 200 - shown.count("required property removed")
    assert left > 0
    assert f"and {left} more edits" in shown


def test_a_webhook_takes_it_and_the_address_is_no_text() -> None:
    with receiver() as hook:
        receipt = asyncio.run(BY_WEBHOOK.send(BY_WEBHOOK.render(single(change())), outlet(hook.port, address=hook.url)))
    assert receipt.detail == "HTTP 200"
    assert json.loads(hook.taken[0].body)["blocks"]


def test_a_bot_writes_to_its_channel() -> None:
    with receiver(answer=b'{"ok": true, "ts": "1503435956.000247"}') as api:
        out = outlet(api.port, address=api.url, bearerToken="xoxb-1\n")
        receipt = asyncio.run(BY_BOT.send(BY_BOT.render(single(change())), out))
    assert receipt.reference == "1503435956.000247"
    assert api.taken[0].headers["authorization"] == "Bearer xoxb-1"
    assert json.loads(api.taken[0].body)["channel"] == "#api-alerts"


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (200, b'{"ok": false, "error": "invalid_auth"}', ChannelBroken),
        (200, b'{"ok": false, "error": "channel_not_found"}', ChannelBroken),
        (200, b'{"ok": false, "error": "ratelimited"}', Retryable),
        (200, b'{"ok": false, "error": "internal_error"}', Retryable),
        (200, b'{"ok": false, "error": "msg_blocks_too_long"}', Rejected),
        (200, b"<html>a proxy's page</html>", OutcomeUnknown),
        (429, b"", Retryable),
        (503, b"", Retryable),
        (404, b"no_service", ChannelBroken),
        (400, b"invalid_payload", Rejected),
    ],
)
def test_each_answer_has_its_meaning(status: int, answer: bytes, expected: type[DeliveryError]) -> None:
    with receiver(status, answer, Retry_After="30") as api:
        out = outlet(api.port, address=api.url, bearerToken="xoxb-1")
        with pytest.raises(expected) as found:
            asyncio.run(BY_BOT.send(BY_BOT.render(single(change())), out))
    assert "s3cret" not in found.value.message
    assert "xoxb" not in found.value.message
    if status == 429:
        assert found.value.retry_after == 30


def test_a_webhooks_answer_to_a_bot_is_no_doubt() -> None:
    """The Secret has an incoming webhook's address beside a token: a message each hour would come of it."""
    with receiver(200, b"ok") as api:
        out = outlet(api.port, address=api.url, bearerToken="xoxb-1")
        receipt = asyncio.run(BY_BOT.send(BY_BOT.render(single(change())), out))
    assert receipt.detail == "HTTP 200"


def test_a_token_that_no_header_may_hold_is_surely_not_sent() -> None:
    with receiver() as api, pytest.raises(ChannelBroken, match="bearerToken"):
        out = outlet(api.port, address=api.url, bearerToken="xoxb-1\r\nX: y")
        asyncio.run(BY_BOT.send(BY_BOT.render(single(change())), out))
    assert api.taken == []


def test_a_bot_without_a_channel_is_told_what_to_write() -> None:
    with pytest.raises(ChannelBroken, match=r"spec\.slack\.channel"):
        asyncio.run(BY_WEBHOOK.send(BY_WEBHOOK.render(single(change())), outlet(bearerToken="xoxb-1")))


def test_a_chat_is_short_and_a_group_says_whom_it_is_about() -> None:
    single_one = "\n".join(texts(BY_WEBHOOK.render(single(change(40)))["blocks"]))
    assert single_one.count("required property removed") == 10
    assert "and 30 more edits" in single_one
    storm = [replace(change(9), display_name=f"API {number}") for number in range(5)]
    payload = BY_WEBHOOK.render(group(*storm))
    assert payload["text"] == "🔴 5 alerts, all breaking or failing: API 0, API 1, API 2 and 2 more"
    assert "\n".join(texts(payload["blocks"])).count("required property removed") == 15


def test_what_one_operation_is_about_begins_with_it() -> None:
    told = change(1)
    assert told.change is not None
    only = replace(told.change.causes[0], operations=[Operation(method="GET", path="/orders")], operation_count=1)
    payload = BY_WEBHOOK.render(single(replace(told, change=replace(told.change, causes=[only]))))
    assert payload["text"].endswith("– GET /orders: schema Order0, currency: required property removed")
