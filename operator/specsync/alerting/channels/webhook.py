"""Webhook: a POST of JSON, signed in the form of Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md The body is
`{"type": …, "timestamp": …, "data": {"mode": …, "messages": [ … ]}}`; by `webhook-id` a receiver
knows what it has seen.
"""

import base64
import binascii
import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import msgspec

from specsync.alerting.channels import cloudevents
from specsync.alerting.channels.cloudevents import cloud_event
from specsync.alerting.channels.contract import Channel, ChannelBroken, Envelope, Outlet, Receipt
from specsync.fetching.request import Credentials
from specsync.resources import clock
from specsync.resources.meta import to_wire
from specsync.resources.reasons import Reason

_HEADER = "header."
_SHORTEST_SECRET, _LONGEST_SECRET = 24, 64  # bytes, by the specification


@dataclass(frozen=True)
class SignedBody:
    """What is sent: the webhook's id and its body. Signed when it is sent, for the time is part of it."""

    id: str
    body: bytes
    content_type: str = "application/json"


class WebhookChannel(Channel[SignedBody]):
    """A receiver of the user's own."""

    def render(self, envelope: Envelope) -> SignedBody:
        first = envelope.messages[0]
        data: dict[str, Any] = {
            "mode": envelope.mode,
            "namespace": first.namespace,
            "messages": [to_wire(message) for message in envelope.messages],
        }
        time = max(message.at for message in envelope.messages).astimezone(dt.UTC).isoformat()
        if self.spec.webhook is not None and self.spec.webhook.format == "CloudEvent":
            alone = first.dependency if envelope.mode == "Single" else ""
            content = cloud_event(envelope.id, event_type(envelope), time, f"{first.namespace}/{alone}", data)
            return SignedBody(envelope.id, msgspec.json.encode(content), cloudevents.CONTENT_TYPE)
        content = {"type": event_type(envelope), "timestamp": time, "data": data}
        return SignedBody(envelope.id, msgspec.json.encode(content))

    async def send(self, payload: SignedBody, outlet: Outlet) -> Receipt:
        settings = self.spec.webhook
        url = (settings.url if settings else None) or outlet.needed("address")
        secret = outlet.text("signingSecret")
        stamp = int(clock.present().timestamp())  # receivers refuse what is minutes off
        headers = {"Content-Type": payload.content_type, "webhook-id": payload.id, "webhook-timestamp": str(stamp)}
        if secret is not None:
            headers["webhook-signature"] = sign(_key(secret, outlet), payload, stamp)
        answer = await outlet.post(url, payload.body, headers, credentials=_login(outlet))
        return outlet.taken(answer, "The webhook's receiver")


def event_type(envelope: Envelope) -> str:
    """The type that the body names: specsync.change, .reminder, .deprecation, .health, …, .group or .digest."""
    word = envelope.messages[0].kind if envelope.mode == "Single" else envelope.mode
    return f"specsync.{word.lower()}"


def sign(key: bytes, payload: SignedBody, stamp: int) -> str:
    """The header webhook-signature: HMAC-SHA256 of `id.timestamp.body`, in Base64."""
    signed = f"{payload.id}.{stamp}.".encode() + payload.body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _key(secret: str, outlet: Outlet) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_") + "==", validate=False)
    except binascii.Error:
        key = b""
    if not _SHORTEST_SECRET <= len(key) <= _LONGEST_SECRET:
        text = (
            f"Secret {outlet.secret_name} has a signingSecret that isn't 24 to 64 bytes in Base64: "
            'write one anew, for example "whsec_$(openssl rand -base64 32)".'
        )
        raise ChannelBroken(Reason.INVALID_CREDENTIALS, text)
    return key


def _login(outlet: Outlet) -> Credentials:
    return Credentials(
        bearer_token=outlet.text("bearerToken"),
        username=outlet.text("username"),
        password=outlet.text("password"),
        headers={
            key.removeprefix(_HEADER): value.decode("latin-1")
            for key, value in outlet.secret.items()
            if key.startswith(_HEADER)
        },
    )
