"""Slack: Block Kit by an incoming webhook, or by a bot's token with chat.postMessage.

https://docs.slack.dev/reference/block-kit/blocks/rich-text-block Vendor texts stand in rich text elements, in which
Slack reads no markup: no mention, no link, no emoji comes of them. The one place that is read as markup is the
notification's text, which is escaped.
"""

from typing import Any

import msgspec

from specsync.alerting.channels.contract import (
    Channel,
    ChannelBroken,
    Envelope,
    OutcomeUnknown,
    Outlet,
    Receipt,
    Rejected,
    Retryable,
)
from specsync.alerting.outline import Entry, Outline, Section, fitted
from specsync.fetching.request import Credentials
from specsync.resources.reasons import Reason

POST_MESSAGE = "https://slack.com/api/chat.postMessage"
MAX_BLOCKS = 50
MAX_HEADER = 150
MAX_NOTIFICATION = 300
# Slack refuses messages over some 10,000 characters in all (msg_blocks_too_long), and documents no exact figure.
MAX_TEXTS = 7500

_SIGNS = {"Critical": "🔴", "Warning": "🟠", "Info": "🔵", "Good": "🟢"}
_MARKS = {"breaking": "🔴 ", "risky": "🟠 ", "safe": "🟢 "}

# What chat.postMessage says in `error` where trying the same again may help.
_PASSING = {"fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"}
_MESSAGE_REFUSED = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "no_text"}


class SlackChannel(Channel[dict[str, Any]]):
    """A channel of a Slack workspace."""

    def render(self, envelope: Envelope) -> dict[str, Any]:
        payload = fitted(envelope, _payload, _fits, chat=True)
        if self.spec.slack is not None and self.spec.slack.channel is not None:
            payload["channel"] = self.spec.slack.channel
        return payload

    async def send(self, payload: dict[str, Any], outlet: Outlet) -> Receipt:
        body = msgspec.json.encode(payload)
        headers = {"Content-Type": "application/json; charset=utf-8"}
        token = outlet.text("bearerToken")
        if token is None:
            answer = await outlet.post(outlet.needed("address"), body, headers)
            return outlet.taken(answer, "Slack")
        if "channel" not in payload:
            text = f"AlertChannel {outlet.channel} has a bot's token: say in spec.slack.channel where it writes to."
            raise ChannelBroken(Reason.INVALID_CREDENTIALS, text)
        address = outlet.text("address") or POST_MESSAGE
        answer = await outlet.post(address, body, headers, credentials=Credentials(bearer_token=token))
        return _receipt(outlet.taken(answer, "Slack"), answer.body, outlet)


def _receipt(taken: Receipt, body: bytes, outlet: Outlet) -> Receipt:
    """chat.postMessage answers 200 to everything; `ok` tells. https://docs.slack.dev/reference/methods/chat.postMessage"""
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        found = None
    if body.strip() == b"ok":
        return taken  # an incoming webhook's answer: the Secret has its address beside the token
    if not isinstance(found, dict) or not isinstance(found.get("ok"), bool):
        raise OutcomeUnknown(Reason.SERVER_ERROR, "Slack's answer isn't what its API answers: check address, if set.")
    if found["ok"]:
        return Receipt(detail=taken.detail, reference=str(found.get("ts", ""))[:64])
    error = str(found.get("error", ""))[:64]
    error = error if error.replace("_", "").isalnum() and error.isascii() else "an error without a name"
    if error in ("ratelimited", "rate_limited", "message_limit_exceeded"):
        raise Retryable(Reason.RATE_LIMITED, f"Slack asked to slow down ({error}).")
    if error in _PASSING:
        raise Retryable(Reason.SERVER_ERROR, f"Slack failed ({error}).")
    if error in _MESSAGE_REFUSED:
        raise Rejected(Reason.HTTP_ERROR, f"Slack refuses the message ({error}); please report it.")
    text = f"Slack refuses the bot ({error}): check the Secret {outlet.secret_name} and spec.slack.channel."
    raise ChannelBroken(Reason.FORBIDDEN, text)


def _payload(outline: Outline) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = []
    single = len(outline.sections) == 1 and not outline.more
    if not single:
        blocks.append(_header(f"{_SIGNS[outline.level]} {outline.headline}"))
    for section in outline.sections:
        blocks += _section(section, single)
    if outline.more_line:
        blocks.append(_rich([_line([_text(outline.more_line)])]))
    return {
        # What a phone's notification shows; the blocks take its place in the channel.
        "text": _escaped(_cut(f"{_SIGNS[outline.level]} {outline.summary}", MAX_NOTIFICATION)),
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks,
    }


def _section(section: Section, single: bool) -> list[dict[str, Any]]:
    title = f"{_SIGNS[section.level]} {section.title}"
    elements: list[dict[str, Any]] = []
    blocks: list[dict[str, Any]] = []
    if single:
        blocks.append(_header(title))
    if not single or len(title) > MAX_HEADER:
        elements.append(_line([_text(title, bold=True)]))
    elements.append(_line([_text(section.origin, italic=True)]))
    if section.text:
        elements.append(_line([_text(section.text)]))
    for entry in section.entries:
        elements += _entry(entry)
    if section.more_line:
        elements.append(_line([_text(section.more_line)]))
    if section.commands:
        typed = "\n".join(f"# {label}\n{command}" for label, command in section.commands)
        elements.append({"type": "rich_text_preformatted", "elements": [_text(typed)]})
    if section.link:
        elements.append(_line([{"type": "link", "url": section.link, "text": "Open in the dashboard"}]))
    return [*blocks, _rich(elements)]


def _entry(entry: Entry) -> list[dict[str, Any]]:
    head = [_text(f"{_MARKS.get(entry.mark, '')}{entry.line}", bold=bool(entry.mark))]
    lines: list[dict[str, Any]] = [_list([_line(head)], indent=0)]
    if entry.details:
        lines.append(_list([_line([_text(detail)]) for detail in entry.details], indent=1))
    return lines


def _header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": _cut(text, MAX_HEADER), "emoji": False}}


def _rich(elements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": elements}


def _line(elements: list[dict[str, Any]]) -> dict[str, Any]:
    # Sections of rich text follow each other on one line unless they end in a line break.
    return {"type": "rich_text_section", "elements": [*elements, {"type": "text", "text": "\n"}]}


def _list(lines: list[dict[str, Any]], indent: int) -> dict[str, Any]:
    items = [{"type": "rich_text_section", "elements": line["elements"][:-1]} for line in lines]
    return {"type": "rich_text_list", "style": "bullet", "indent": indent, "elements": items}


def _text(text: str, **style: bool) -> dict[str, Any]:
    styles = {name: True for name, wanted in style.items() if wanted}
    return {"type": "text", "text": text, **({"style": styles} if styles else {})}


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _escaped(text: str) -> str:
    """The three characters that begin a mention, a link or an entity: https://docs.slack.dev/messaging/formatting-message-text"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fits(payload: dict[str, Any]) -> bool:
    return len(payload["blocks"]) <= MAX_BLOCKS and _length(payload["blocks"]) + len(payload["text"]) <= MAX_TEXTS


def _length(node: Any) -> int:
    """The characters of all texts."""
    if isinstance(node, dict):
        return sum(len(v) if k == "text" and isinstance(v, str) else _length(v) for k, v in node.items())
    return sum(_length(item) for item in node) if isinstance(node, list) else 0
