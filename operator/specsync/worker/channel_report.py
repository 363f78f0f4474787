"""An AlertChannel's status, which its one sender writes: whether it works, what went out, who sends.

Each write is fenced by the sender's id and epoch. Counts are written now and then, a change of Ready at once. What
others are to hear of a change comes before it is written: a successor that finds it unwritten tells them again, under
the same names.
"""

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import structlog
from msgspec import Meta
from msgspec.structs import replace

from specsync.alerting.channels.contract import ChannelBroken, DeliveryError
from specsync.alerting.channels.registry import channel_for
from specsync.alerting.message import Message, channel_message, test_message
from specsync.alerting.outbox import new_delivery
from specsync.alerting.secrets import OutletMaker
from specsync.kube.client import ApiError, Conflict, Invalid, KubeClient, NotFound
from specsync.kube.events import EventRecorder
from specsync.kube.store import Store
from specsync.resources import AlertChannel, AlertDelivery
from specsync.resources.alertchannel import (
    TEST_REQUESTED_AT,
    ChannelOutcome,
    HandledTest,
)
from specsync.resources.alertdelivery import AlertDeliveryStatus
from specsync.resources.conditions import condition, find, merge
from specsync.resources.meta import Definition, FrozenStruct, ObjectMeta, Resource, now, to_wire
from specsync.resources.reasons import Reason
from specsync.worker.sending import Outcome

log = structlog.get_logger()

_EVERY = 5.0  # seconds between writes of counts
_FAILING_AFTER = 3  # failures in a row; a channel that is broken counts as failing at once


class SenderLost(Exception):
    """Another worker sends by this channel now, or it is gone."""


@dataclass(frozen=True)
class _News:
    """What another channel is to be told of this one: if it was sent the delivery `after`, where one is named."""

    delivery: AlertDelivery
    after: str = ""


class _SentHead(FrozenStruct, frozen=True, kw_only=True):
    """An AlertDelivery without its message."""

    definition: ClassVar[Definition] = AlertDelivery.definition
    metadata: ObjectMeta
    status: Annotated[AlertDeliveryStatus, Meta()]

    @property
    def sent_at(self) -> dt.datetime:
        return self.status.sent_at or dt.datetime.min.replace(tzinfo=dt.UTC)


class ChannelReport:
    """One channel's status as its sender knows it."""

    def __init__(
        self, client: KubeClient, events: EventRecorder, channels: Store[AlertChannel], channel: AlertChannel
    ) -> None:
        self._client = client
        self._events = events
        self._channels = channels
        self._channel = channel
        self._status = channel.status
        self._written = channel.status
        self._at = 0.0  # of the last write, monotonic
        self._urgent = False
        self.failures = 0  # sendings in a row of which the channel took nothing
        self._checked = channel.status.observed_generation
        self._others_know = self.failing_since is not None  # that it fails
        self._news: list[_News] = []  # what others are yet to be told

    @property
    def uid(self) -> str:
        return self._channel.metadata.uid

    @property
    def last_error(self) -> ChannelOutcome | None:
        return self._status.last_error

    @property
    def failing_since(self) -> dt.datetime | None:
        """Since when it takes nothing, as people were told."""
        return self._status.failing_since

    @property
    def failing(self) -> bool:
        """Whether the latest sending that says something of the channel failed."""
        return self.failures > 0 or self._ready() == "False"

    def rest(self) -> float:
        """Seconds after which there is something to write."""
        return max(0.05, self._at + _EVERY - time.monotonic()) if self._status != self._written else 3600.0

    async def notice(self, channel: AlertChannel, outlets: OutletMaker, deliveries: Store[AlertDelivery]) -> None:
        """A new spec is looked at; a test that was asked for becomes a delivery. Raises ApiError."""
        self._channel = channel
        if channel.metadata.generation != self._checked:
            await self._check(outlets)
        value = channel.metadata.annotations.get(TEST_REQUESTED_AT, "")[:256]
        handled = self._status.last_handled_test
        if not value or (handled is not None and handled.value == value):
            return
        test = new_delivery(channel, ("test", value), test_message(channel, now()), channel=channel.metadata.name)
        created = await _created(self._client, test)
        if not created.finished:
            deliveries.put(created)
        self._status = replace(self._status, last_handled_test=HandledTest(value=value, delivery=test.metadata.name))
        self._urgent = True

    async def learn_of_end(self) -> None:
        """The predecessor may have gone between the sending that ended the trouble and the word about it.

        Raises ApiError.
        """
        if self.failing_since is None:
            return
        meta, last = self._channel.metadata, self.last_error
        fields = f"status.phase=Sent,spec.channel={meta.name}"
        sent = await self._client.list(_SentHead, meta.namespace, fields=fields, page=50)
        latest = max(sent, key=lambda head: head.sent_at, default=None)
        if latest is not None and (last is None or latest.sent_at > last.time):
            await self.succeeded(latest.metadata.name, latest.status.response, latest.sent_at, 0)

    async def succeeded(self, delivery: str, detail: str, at: dt.datetime, number: int) -> None:
        """So many deliveries went out in one sending. Who was told that the channel fails is told of its end."""
        self.failures = 0
        success = ChannelOutcome(time=at, delivery=delivery, message=detail)
        since = self.failing_since
        self._status = replace(self._status, sent=self._status.sent + number, last_success=success, failing_since=None)
        self._set_ready(True, Reason.DELIVERED, f"the latest message was taken: {detail}", at)
        if since is not None:
            await self.record_event(
                self._channel, "Normal", Reason.CHANNEL_RECOVERED, "takes messages again", since.isoformat()
            )
            self._others_know = False
            message = channel_message(self._channel, "", at)
            self._news += [
                _News(self._about_this(("works again", since.isoformat()), message, other), after=begun.metadata.name)
                for other in self._others()
                for begun in [self._about_this(("failing", since.isoformat()), message, other)]
            ]

    async def failed(self, delivery: AlertDelivery, outcome: Outcome, *, given_up: int) -> None:
        """Nothing gets through. When that is certain, an Event says so, and other default channels are told."""
        error = outcome.error
        assert error is not None
        self.failures += 1
        self._note_error(delivery, error, outcome.at, given_up)
        if self.failures < _FAILING_AFTER and not isinstance(error, ChannelBroken) and not given_up:
            return
        self._set_ready(False, error.reason, error.message, outcome.at)
        trouble = f"{error.reason}: {error.message}"
        since = self.failing_since or outcome.at
        if self.failing_since is None:
            self._status = replace(self._status, failing_since=since)
            await self.record_event(self._channel, "Warning", Reason.CHANNEL_FAILING, trouble, since.isoformat())
        # Two that fail together would tell each other without end.
        if not self._others_know and delivery.spec.message.kind != "Channel":
            self._others_know = True
            message = channel_message(self._channel, trouble, outcome.at)
            self._news += [
                _News(self._about_this(("failing", since.isoformat()), message, other))
                for other in self._others()
                if other.spec.default
            ]

    async def refused(self, delivery: AlertDelivery, outcome: Outcome) -> None:
        """One message was refused for good; the channel itself works."""
        assert outcome.error is not None
        self.failures = 0
        self._note_error(delivery, outcome.error, outcome.at, 1)

    def count_failed(self, number: int) -> None:
        self._status = replace(self._status, failed=self._status.failed + number)

    def look_again(self) -> None:
        """Its settings are to be looked at once more: a Secret was written."""
        self._checked = -1

    async def record_event(self, about: Resource, type_: str, reason: Reason, text: str, occasion: str) -> None:
        """Writes an Event, as far as the API server takes it: nothing waits for that."""
        try:
            await self._events.record(about, type_, reason, text, occasion)
        except ApiError as error:
            log.warning("event not written", about=about.metadata.name, reason=reason.value, error=str(error))

    async def write_if_due(self, *, idle: bool) -> None:
        """Tells others what there is, then writes: what is urgent at once, counts now and then.

        Raises SenderLost, ApiError.
        """
        await self._tell_others()
        due = self._urgent or time.monotonic() >= self._at + (_EVERY if not idle else _EVERY / 2)
        if self._status != self._written and due:
            await self.write()

    async def write(self, *, hands_back: bool = False) -> None:
        """Writes the status, fenced; `hands_back` leaves the channel to others. Raises SenderLost, ApiError."""
        sender, status = self._status.sender, self._status
        assert sender is not None
        if hands_back:
            status = replace(status, sender=replace(sender, worker=""))
        meta = self._channel.metadata
        patch: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/uid", "value": meta.uid},
            {"op": "test", "path": "/status/sender/worker", "value": sender.worker},
            {"op": "test", "path": "/status/sender/epoch", "value": sender.epoch},
            {"op": "add", "path": "/status", "value": to_wire(status)},
        ]
        try:
            await self._client.patch(AlertChannel, meta.namespace, meta.name, patch, subresource="status")
        except (NotFound, Invalid) as error:
            if isinstance(error, Invalid) and await self._still_mine():
                raise
            raise SenderLost from error
        self._written, self._at, self._urgent = self._status, time.monotonic(), False

    async def hand_back(self) -> None:
        """Writes the last counts, and leaves the channel to others. Raises SenderLost, ApiError."""
        await self._tell_others()
        await self.write(hands_back=True)

    async def _check(self, outlets: OutletMaker) -> None:
        """Whether the settings look right, as far as that shows without sending anything."""
        at, generation, wrong = now(), self._channel.metadata.generation, None
        try:
            channel_for(self._channel.spec)
            await outlets.outlet(self._channel)
        except DeliveryError as error:
            wrong = error
        except ApiError as error:
            log.warning(
                "channel's Secret not read, trying again", channel=self._channel.metadata.name, error=str(error)
            )
            return
        self._checked, self._urgent = generation, True
        self._status = replace(self._status, observed_generation=generation)
        if wrong is not None:
            self._set_ready(False, wrong.reason, wrong.message, at)
            return
        ready = find(self._status.conditions, "Ready")
        if ready is None or ready.status == "False":
            name = self._channel.metadata.name
            text = (
                "nothing was sent by it yet in this form; send a test: "
                f'kubectl annotate --overwrite achan/{name} {TEST_REQUESTED_AT}="$(date +%s)"'
            )
            self._set_ready(True, Reason.CONFIGURED, text, at)

    def _note_error(self, delivery: AlertDelivery, error: DeliveryError, at: dt.datetime, given_up: int) -> None:
        noted = ChannelOutcome(
            time=at, delivery=delivery.metadata.name, reason=error.reason, message=error.message[:1024]
        )
        self._status = replace(self._status, failed=self._status.failed + given_up, last_error=noted)

    def _ready(self) -> str:
        ready = find(self._status.conditions, "Ready")
        return ready.status if ready else ""

    def _set_ready(self, ready: bool, reason: Reason, message: str, at: dt.datetime) -> None:
        old, generation = self._status.conditions, self._channel.metadata.generation
        conditions = merge(old, [condition("Ready", ready, reason, message, at, generation)])
        before = find(old, "Ready")
        if before is None or before.status != conditions[0].status:
            self._urgent = True
        if before is None or not ready or (before.status, before.reason) != ("True", reason):
            # A success like the last one is in lastSuccess.
            self._status = replace(self._status, conditions=conditions)

    async def _tell_others(self) -> None:
        """Writes what is yet to be told. Raises ApiError where that is to be tried again."""
        while self._news:
            news = self._news[0]
            try:
                if news.after:
                    await self._client.get(AlertDelivery, news.delivery.metadata.namespace, news.after)
                await _created(self._client, news.delivery)
            except NotFound:
                pass  # it never heard of the beginning
            except ApiError as error:
                if error.unknown:
                    raise
                log.warning("other channel not told", channel=news.delivery.spec.channel, error=str(error))
            self._news.remove(news)

    def _about_this(self, identity: Sequence[str], message: Message, other: AlertChannel) -> AlertDelivery:
        return new_delivery(self._channel, identity, message, channel=other.metadata.name)

    def _others(self) -> list[AlertChannel]:
        """The channels of the namespace, but this one."""
        mine = self._channel.metadata
        return [
            other
            for other in self._channels
            if other.metadata.namespace == mine.namespace and other.metadata.name != mine.name
        ]

    async def _still_mine(self) -> bool:
        meta, sender = self._channel.metadata, self._status.sender
        try:
            latest = await self._client.get(AlertChannel, meta.namespace, meta.name)
        except NotFound:
            return False
        theirs = latest.status.sender
        return latest.metadata.uid == meta.uid and theirs is not None and theirs == sender


async def _created(client: KubeClient, delivery: AlertDelivery) -> AlertDelivery:
    try:
        return await client.create(delivery)
    except Conflict:
        return await client.get(AlertDelivery, delivery.metadata.namespace, delivery.metadata.name)
