"""Microsoft Teams: an Adaptive Card to a workflow ("When a Teams webhook request is received").

https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook Vendor texts stand in TextRuns, in which Teams
reads no Markdown: no link, no mention comes of them. https://adaptivecards.io/explorer/TextRun.html
"""

from typing import Any

import msgspec

from specsync.alerting.channels.contract import Channel, Envelope, Outlet, Receipt, Rejected, Retryable
from specsync.alerting.outline import Entry, Outline, Section, fitted
from specsync.resources.reasons import Reason

# Teams takes 28 KB, and some of its services count two bytes for a character.
MAX_BYTES = 20_000

_COLORS = {"Critical": "Attention", "Warning": "Warning", "Info": "Accent", "Good": "Good"}
_MARKS = {"breaking": "Attention", "risky": "Warning", "safe": "Good"}


class TeamsChannel(Channel[bytes]):
    """A channel or chat of Microsoft Teams."""

    def render(self, envelope: Envelope) -> bytes:
        return fitted(envelope, _body, lambda body: len(body) <= MAX_BYTES, chat=True)

    async def send(self, payload: bytes, outlet: Outlet) -> Receipt:
        # Without the charset, some of its services take the body for UTF-16, of half the limit.
        headers = {"Content-Type": "application/json; charset=utf-8"}
        answer = await outlet.post(outlet.needed("address"), payload, headers)
        receipt = outlet.taken(answer, "Microsoft Teams")
        said = answer.shown()
        # The older connectors answer 200 and say in the body that it went wrong.
        if "webhook message delivery failed" in said.lower():
            if "429" in said:
                raise Retryable(
                    Reason.RATE_LIMITED, "Microsoft Teams asked to slow down.", retry_after=answer.retry_after
                )
            raise Rejected(Reason.HTTP_ERROR, f"Microsoft Teams refuses the message: {said}")
        return receipt


def _body(outline: Outline) -> bytes:
    """The message that the workflow takes, with the card as its one attachment."""
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card(outline),
    }
    return msgspec.json.encode({"type": "message", "attachments": [attachment]})


def card(outline: Outline) -> dict[str, Any]:
    """The Adaptive Card 1.5. https://adaptivecards.io/schemas/adaptive-card.json"""
    single = len(outline.sections) == 1 and not outline.more
    body: list[dict[str, Any]] = []
    if not single:
        body.append(_block([_run(outline.headline, size="Large", weight="Bolder", color=_COLORS[outline.level])]))
    for number, section in enumerate(outline.sections):
        size = "Large" if single else "Medium"
        body.append(
            {
                "type": "Container",
                "separator": number > 0,
                "items": [
                    _block([_run(section.title, size=size, weight="Bolder", color=_COLORS[section.level])]),
                    *_section(section),
                ],
            }
        )
    if outline.more_line:
        body.append(_block([_run(outline.more_line)]))
    links = [section.link for section in outline.sections if section.link]
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "msteams": {"width": "Full"},
        "fallbackText": outline.summary,
        "body": body,
        **({"actions": [_open(links[0])]} if single and links else {}),
    }


def _section(section: Section) -> list[dict[str, Any]]:
    items = [_block([_run(section.origin, isSubtle=True, size="Small")], spacing="None")]
    if section.text:
        items.append(_block([_run(section.text)]))
    for entry in section.entries:
        items += _entry(entry)
    if section.more_line:
        items.append(_block([_run(section.more_line)]))
    for label, command in section.commands:
        items.append(_block([_run(f"{label}: ", isSubtle=True), _run(command, fontType="Monospace")], spacing="Small"))
    return items


def _entry(entry: Entry) -> list[dict[str, Any]]:
    mark = [_run(f"{entry.mark} ", weight="Bolder", color=_MARKS[entry.mark])] if entry.mark else []
    head = _block([*mark, _run(entry.line, weight="Bolder")])
    return [head, *(_block([_run(detail, isSubtle=True)], spacing="None") for detail in entry.details)]


def _open(link: str) -> dict[str, Any]:
    return {"type": "Action.OpenUrl", "title": "Open in the dashboard", "url": link}


def _block(runs: list[dict[str, Any]], **settings: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": runs, **settings}


def _run(text: str, **style: object) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **style}
