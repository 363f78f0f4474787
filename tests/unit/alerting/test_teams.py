"""Microsoft Teams: cards that the published schema accepts, within the size that Teams takes."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from specsync.alerting.channels.contract import DeliveryError, Rejected, Retryable
from specsync.alerting.channels.teams import MAX_BYTES, TeamsChannel
from specsync.resources.alertchannel import AlertChannelSpec
from tests.unit.alerting.envelopes import change, group, single, sunset
from tests.unit.alerting.receiver import outlet, receiver

CHANNEL = TeamsChannel(AlertChannelSpec(type="Teams"))
ENVELOPES = [single(change()), single(change(200)), single(sunset()), group(*(change(50) for _ in range(60)))]


def _schema() -> Path:
    data = os.environ.get("SPECSYNC_CONFORMANCE_DIR")
    shared = Path(data).parent if data else Path(__file__).parents[4] / "shared"
    return shared / "reference" / "schemas" / "adaptive-card-1.5.json"


def card_of(payload: bytes) -> dict[str, Any]:
    attachment = json.loads(payload)["attachments"][0]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card: dict[str, Any] = attachment["content"]
    return card


@pytest.mark.parametrize("envelope", ENVELOPES, ids=["usual", "many edits", "sunset", "storm"])
def test_cards_are_valid_and_small(envelope: Any) -> None:
    payload = CHANNEL.render(envelope)
    assert len(payload) <= MAX_BYTES
    if not _schema().exists():
        pytest.skip(f"cards are not judged by their schema: {_schema().name} isn't beside the project")
    # `msteams` is Teams' own extension of the card, which the schema of the card doesn't know.
    card = {key: value for key, value in card_of(payload).items() if key != "msteams"}
    validator = jsonschema_rs.validator_for(json.loads(_schema().read_text()))
    assert [error.message for error in validator.iter_errors(card)] == []


def test_texts_stand_where_no_markdown_is_read() -> None:
    def blocks(node: Any) -> list[str]:
        if isinstance(node, dict):
            return [str(node.get("type"))] + [kind for value in node.values() for kind in blocks(value)]
        return [kind for item in node for kind in blocks(item)] if isinstance(node, list) else []

    kinds = set(blocks(card_of(CHANNEL.render(single(change())))["body"]))
    assert kinds - {"None"} == {"Container", "RichTextBlock", "TextRun"}


def test_a_workflow_takes_it() -> None:
    with receiver(202, b"") as workflow:
        receipt = asyncio.run(
            CHANNEL.send(CHANNEL.render(single(change())), outlet(workflow.port, address=workflow.url))
        )
    assert receipt.detail == "HTTP 202"
    assert workflow.taken[0].headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429", Retryable),
        (b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413", Rejected),
    ],
)
def test_an_old_connectors_failure_is_one_though_it_answers_200(answer: bytes, expected: type[DeliveryError]) -> None:
    with receiver(200, answer) as connector, pytest.raises(expected):
        asyncio.run(CHANNEL.send(CHANNEL.render(single(change())), outlet(connector.port, address=connector.url)))
