"""PagerDuty: an event of the Events API v2, which opens an alert, adds to it, or resolves it.

https://developer.pagerduty.com/docs/events-api-v2-overview The dedup key is the message's incident: a change, its
reminder and its end are one alert, and an event that is sent twice is no second one.
"""

from typing import Any

import msgspec

from specsync.alerting.channels.contract import Channel, ChannelBroken, Envelope, Outlet, Receipt, Rejected
from specsync.alerting.message import Message
from specsync.alerting.outline import Entry, Outline, fitted
from specsync.diffing.plain import plain
from specsync.fetching.post import Answer
from specsync.resources.reasons import Reason

ENDPOINTS = {"US": "https://events.pagerduty.com/v2/enqueue", "EU": "https://events.eu.pagerduty.com/v2/enqueue"}
MAX_SUMMARY = 1024
MAX_DEDUP_KEY = 255
MAX_BYTES = 64 * 1024  # PagerDuty takes 512 KB; nobody reads that on a phone

_SEVERITIES = {"Critical": "critical", "Warning": "warning", "Info": "info", "Good": "info"}


class PagerDutyChannel(Channel[dict[str, Any]]):
    """A service of PagerDuty, by the integration key in its Secret. One message in each event."""

    def render(self, envelope: Envelope) -> dict[str, Any]:
        message = envelope.messages[0]
        key = (message.incident or envelope.id)[:MAX_DEDUP_KEY]
        if message.kind == "Resolve" or (message.level == "Good" and message.incident):
            return {"event_action": "resolve", "dedup_key": key}
        return fitted(envelope, lambda found: _trigger(message, found, key), _fits)

    async def send(self, payload: dict[str, Any], outlet: Outlet) -> Receipt:
        settings = self.spec.pager_duty
        url = (settings.url if settings else None) or ENDPOINTS[settings.region if settings else "US"]
        body = msgspec.json.encode({"routing_key": outlet.needed("routingKey"), **payload})
        answer = await outlet.post(url, body, {"Content-Type": "application/json"})
        if answer.status == 400:
            _refused(answer, outlet)
        return Receipt(detail=outlet.taken(answer, "PagerDuty").detail, reference=payload["dedup_key"])


def _refused(answer: Answer, outlet: Outlet) -> None:
    """Tells a wrong key from a wrong event: both are 400. https://developer.pagerduty.com/docs/send-alert-event"""
    said = answer.shown()
    if "routing_key" in said or "routing key" in said.lower():
        text = f"PagerDuty doesn't know the routingKey in the Secret {outlet.secret_name}: write an integration's key."
        raise ChannelBroken(Reason.INVALID_CREDENTIALS, text)
    raise Rejected(Reason.HTTP_ERROR, f"PagerDuty refuses the event: {said or 'it does not say why'}")


def _trigger(message: Message, outline: Outline, key: str) -> dict[str, Any]:
    section = outline.sections[0]
    details: dict[str, Any] = {"for": section.origin}
    if section.text:
        details["text"] = section.text
    if message.change is not None:
        counts = message.change.counts
        details["changes"] = {"breaking": counts.breaking, "risky": counts.risky, "safe": counts.safe}
        details["change set"] = message.change.change_set
    if section.entries:
        details[f"{section.what}s"] = [_entry(entry) for entry in section.entries]
    if section.more_line:
        details["and more"] = section.more_line
    details |= dict(section.commands)
    links = [{"href": section.link, "text": "Open in the dashboard"}] if section.link else []
    return {
        "event_action": "trigger",
        "dedup_key": key,
        "client": "specsync",
        **({"links": links} if links else {}),
        "payload": {
            "summary": outline.summary[:MAX_SUMMARY],
            "timestamp": message.at.isoformat(),
            "severity": _SEVERITIES[message.level],
            "source": f"{message.namespace}/{message.dependency}" if message.dependency else message.namespace,
            "component": plain(message.display_name) or message.dependency or "specsync",
            "group": message.namespace,
            "class": f"specsync.{message.kind.lower()}",
            "custom_details": details,
        },
    }


def _fits(event: dict[str, Any]) -> bool:
    return len(msgspec.json.encode(event)) <= MAX_BYTES


def _entry(entry: Entry) -> str:
    head = f"{entry.mark}: {entry.line}" if entry.mark else entry.line
    return "; ".join((head, *entry.details))
