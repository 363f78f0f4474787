"""What a channel is: two methods, `render` and `send`.

`render` is pure: the same envelope gives the same payload, so it can be looked at and tested without a network, and a
second attempt sends what the first one sent. `send` takes one payload to the service once, and says how it went: it
returns a Receipt, or raises one of the four errors below. Trying again, and when, is not a channel's business.
"""

import abc
import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, TypeVar
from urllib.parse import unquote_to_bytes

from specsync.alerting.message import Message
from specsync.fetching.guard import Guard
from specsync.fetching.post import Answer, Poster, PostError
from specsync.fetching.request import Credentials
from specsync.resources.alertchannel import AlertChannelSpec
from specsync.resources.reasons import Reason

P = TypeVar("P")

Mode = Literal["Single", "Group", "Digest"]

_SHORTEST_SECRET = 6  # bytes; shorter parts of an address are words
_FROM_BETWEEN = frozenset({502, 504, 520, 524})  # of a gateway that passed the request on; the last two: Cloudflare


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """What goes out in one sending: one message, or several as a group (a storm) or a digest (a schedule).

    `id` is the same for each attempt of the same content, and for no other content: the key for idempotency (webhook
    id, Message-ID, dedup key). `messages` are worst first, never empty; more than one only where the registry says
    that the channel takes groups.
    """

    id: str
    mode: Mode
    messages: tuple[Message, ...]


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The service has taken it. Texts are plain, without secrets, at most 512 characters; they go into a status."""

    detail: str = ""  # what it answered: "HTTP 202", "250 queued as 4F2"
    reference: str = ""  # its own name for the message, where it gave one


class DeliveryError(Exception):
    """A sending that gave no Receipt. `message`: one sentence with the next step, without secrets or queries."""

    def __init__(self, reason: Reason, message: str, *, retry_after: float | None = None) -> None:
        """`retry_after`: seconds that the service asked to wait."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class Retryable(DeliveryError):
    """Surely not delivered; the same may succeed later: busy, rate limited, not reached."""


class OutcomeUnknown(DeliveryError):
    """It was sent, but no answer says that it was taken: the next attempt may double it, and is marked so."""


class ChannelBroken(DeliveryError):
    """Surely not delivered, nor will anything be by this channel until somebody mends it: credentials, address."""


class Rejected(DeliveryError):
    """Surely not delivered, and never will be: the service refuses this very message."""


@dataclass(frozen=True, kw_only=True)
class Outlet:
    """What a channel sends with. Made anew for each sending, from Secrets that were read just now."""

    channel: str  # the AlertChannel's name, for texts
    secret_name: str = ""
    secret: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # the data of spec.secretRef
    trust: Credentials = field(default_factory=Credentials, repr=False)  # spec.certSecretRef: ca.crt, tls.crt, tls.key
    poster: Poster = field(repr=False)  # the guarded HTTP client
    guard: Guard = field(repr=False)  # for channels that speak no HTTP: judge the address before connecting to it
    timeout: float = 30.0  # seconds for the whole sending
    user_agent: str = "specsync"
    apprise_schemes: frozenset[str] = frozenset()  # what the operator's administrator allows

    def text(self, key: str) -> str | None:
        """A key of the Secret as text, without the newline that Secrets often end in; None where it isn't there.

        Raises ChannelBroken where it isn't UTF-8, or empty.
        """
        value = self.secret.get(key)
        if value is None:
            return None
        try:
            found = value.decode().strip()
        except UnicodeDecodeError:
            found = ""
        if not found:
            text = f"Secret {self.secret_name} has a {key} that is empty or isn't UTF-8 text: write it anew."
            raise ChannelBroken(Reason.INVALID_CREDENTIALS, text)
        return found

    def needed(self, key: str) -> str:
        """As `text`, but ChannelBroken where the key is missing."""
        found = self.text(key)
        if found is None:
            where = f"Secret {self.secret_name} has no {key}: add it."
            if not self.secret_name:
                where = f"AlertChannel {self.channel} names no Secret: put {key} into one and name it in secretRef."
            raise ChannelBroken(Reason.SECRET_KEY_MISSING, where)
        return found

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, credentials: Credentials | None = None
    ) -> Answer:
        """POSTs by the guarded client: no redirects, at most 64 KiB of answer; any status is an Answer.

        `credentials` beside those of `trust`. Where the answer repeats what the Secret holds, it is left out: answers
        are shown. Raises Retryable, OutcomeUnknown or ChannelBroken.
        """
        own = credentials or Credentials()
        merged = Credentials(
            bearer_token=own.bearer_token,
            username=own.username,
            password=own.password,
            headers=own.headers,
            ca_pem=self.trust.ca_pem,
            client_cert_pem=self.trust.client_cert_pem,
            client_key_pem=self.trust.client_key_pem,
            auth_from=self.secret_name or "of secretRef",
            tls_from=self.trust.tls_from,
        )
        try:
            answer = await self.poster.post(
                url, body, headers, credentials=merged, timeout=self.timeout, user_agent=self.user_agent
            )
        except PostError as error:
            reason = Reason(error.reason.value)
            if error.sent:
                raise OutcomeUnknown(reason, error.message, retry_after=error.retry_after) from None
            if error.retryable:
                raise Retryable(reason, error.message, retry_after=error.retry_after) from None
            raise ChannelBroken(reason, error.message) from None
        query = url.partition("?")[2].encode()
        return replace(answer, body=_without(answer.body, {*self._secrets(), *re.split(rb"[&=]", query)}))

    def without_secrets(self, text: str) -> str:
        """What a service says, as it may be shown."""
        return _without(text.encode(), set(self._secrets())).decode()

    def _secrets(self) -> Iterator[bytes]:
        """What must not be shown: the Secret's values, and of addresses what follows the host, whole and in parts."""
        values = {key: raw.strip() for key, raw in self.secret.items()}
        for value in values.values():
            yield value
            if b"://" in value:
                path = value.partition(b"://")[2].partition(b"/")[2]
                yield path
                yield from re.split(rb"[/?&=]", path)
        # As a login is sent, which some servers repeat: RFC 7617 (HTTP), RFC 4616 and AUTH LOGIN (SMTP).
        name, password = values.get("username", b""), values.get("password", b"")
        yield from map(base64.b64encode, (name + b":" + password, b"\0" + name + b"\0" + password, name, password))

    def taken(self, answer: Answer, service: str) -> Receipt:
        """The Receipt for a 2xx answer; raises what any other status means, in words about `service`."""
        status, wait = answer.status, answer.retry_after
        if 200 <= status < 300:
            return Receipt(detail=f"HTTP {status}")
        secret = f"the Secret {self.secret_name}" if self.secret_name else f"AlertChannel {self.channel}"
        if status == 429 or (status == 503 and wait is not None):
            raise Retryable(Reason.RATE_LIMITED, f"{service} asked to slow down (HTTP {status}).", retry_after=wait)
        if status in _FROM_BETWEEN:
            text = f"A gateway before {service} had no answer from it (HTTP {status}): it may have taken the message."
            raise OutcomeUnknown(Reason.SERVER_ERROR, text, retry_after=wait)
        if status in (408, 421, 425) or status >= 500:
            raise Retryable(Reason.SERVER_ERROR, f"{service} failed (HTTP {status}).", retry_after=wait)
        if status in (401, 407):
            text = f"{service} doesn't accept the credentials (HTTP {status}): check {secret}."
            raise ChannelBroken(Reason.UNAUTHORIZED, text)
        if status == 403:
            raise ChannelBroken(Reason.FORBIDDEN, f"{service} refuses access (HTTP 403): check {secret}.")
        if status in (404, 405, 410) or 300 <= status < 400:
            text = f"{service} isn't at that address (HTTP {status}): check the address in {secret}."
            raise ChannelBroken(Reason.NOT_FOUND, text)
        text = f"{service} refuses the message (HTTP {status}): {answer.shown() or 'it does not say why'}."
        raise Rejected(Reason.HTTP_ERROR, text)


def _without(body: bytes, secrets: Iterable[bytes]) -> bytes:
    """The body without the secrets, however they are spelt there: percent-encoded or not, and as JSON."""
    spelt = {each for secret in secrets for each in (secret, unquote_to_bytes(secret), secret.replace(b"/", b"\\/"))}
    for secret in sorted(spelt, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            body = body.replace(secret, b"...")
    return body


class Channel(abc.ABC, Generic[P]):
    """One kind of channel with the settings of one AlertChannel. `P` is what it sends: bytes, a mail, …"""

    def __init__(self, spec: AlertChannelSpec) -> None:
        self.spec = spec

    @abc.abstractmethod
    def render(self, envelope: Envelope) -> P:
        """The payload. Pure: no clock, no network, no secret. Never raises, whatever the texts hold."""

    @abc.abstractmethod
    async def send(self, payload: P, outlet: Outlet) -> Receipt:
        """Takes the payload to the service, once. Raises the errors of this module, and nothing else."""
