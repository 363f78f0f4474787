"""An AlertChannel's status, which its one sender writes: whether it works, what went out, who sends.

Each write is fenced by the sender's id and epoch. Counts are written now and then, a change of Ready at once.
"""

import datetime as dt
import time
from typing import Any

import structlog
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
from specsync.resources.conditions import condition, find, merge
from specsync.resources.meta import now, to_wire
from specsync.resources.reasons import Reason
from specsync.worker.sending import Outcome

log = structlog.get_logger()

_EVERY = 5.0  # seconds between writes of counts
_FAILING_AFTER = 3  # failures in a row; a channel that is broken counts as failing at once


class SenderLost(Exception):
    """Another worker sends by this channel now, or it is gone."""


class ChannelReport:
    """One channel's status as its sender knows it."""

    def __init__(self, client: KubeClient, events: EventRecorder, channel: AlertChannel) -> None:
        self._client = client
        self._events = events
        self._channel = channel
        self._status = channel.status
        self._written = channel.status
        self._at = 0.0  # of the last write, monotonic
        self._urgent = False
        self._failures = 0
        self._checked = -1  # the generation that was looked at
        # What looks wrong before anything is sent makes it unready too: it is told when the first message fails.
        ready, last = find(self._status.conditions, "Ready"), self._status.last_error
        unready_since = ready.last_transition_time if ready is not None and ready.status == "False" else None
        told = unready_since is not None and last is not None and last.time >= unready_since
        self._failing_since = unready_since if told else None  # as an Event and other channels were told

    @property
    def uid(self) -> str:
        return self._channel.metadata.uid

    @property
    def last_error(self) -> ChannelOutcome | None:
        return self._status.last_error

    @property
    def failing(self) -> bool:
        """Whether the latest sending that says something of the channel failed."""
        return self._failures > 0 or self._ready() == "False"

    def rest(self) -> float:
        """Seconds after which there is something to write."""
        return max(0.05, self._at + _EVERY - time.monotonic()) if self._status != self._written else 3600.0

    async def notice(self, channel: AlertChannel, outlets: OutletMaker, deliveries: Store[AlertDelivery]) -> None:
        """A new spec is looked at; a test that was asked for becomes a delivery. Raises ApiError."""
        self._channel = channel
        if channel.metadata.generation != self._checked:
            self._checked = channel.metadata.generation
            await self._check(outlets)
        value = channel.metadata.annotations.get(TEST_REQUESTED_AT, "")[:256]
        handled = self._status.last_handled_test
        if not value or (handled is not None and handled.value == value):
            return
        test = new_delivery(channel, ("test", value), test_message(channel, now()), channel=channel.metadata.name)
        deliveries.put(await _created(self._client, test))
        self._status = replace(self._status, last_handled_test=HandledTest(value=value, delivery=test.metadata.name))
        self._urgent = True

    async def succeeded(
        self, delivery: AlertDelivery, outcome: Outcome, number: int, channels: Store[AlertChannel]
    ) -> None:
        """So many deliveries went out in one sending. Who was told that the channel fails is told of its end."""
        self._failures = 0
        detail = outcome.receipt.detail if outcome.receipt else ""
        success = ChannelOutcome(time=outcome.at, delivery=delivery.metadata.name, message=detail)
        self._status = replace(self._status, sent=self._status.sent + number, last_success=success)
        since, self._failing_since = self._failing_since, None
        self._set_ready(True, Reason.DELIVERED, f"the latest message was taken: {detail}", outcome.at)
        if since is not None:
            text = "takes messages again"
            await self._events.record(self._channel, "Normal", Reason.CHANNEL_RECOVERED, text, f"{outcome.at}")
            await self._tell_of_end(channels, since, outcome.at)

    async def failed(
        self, delivery: AlertDelivery, outcome: Outcome, channels: Store[AlertChannel], *, given_up: int
    ) -> None:
        """Nothing gets through. When that is certain, an Event says so, and other default channels are told."""
        error = outcome.error
        assert error is not None
        self._failures += 1
        self._note_error(delivery, error, outcome.at, given_up)
        if self._failures < _FAILING_AFTER and not isinstance(error, ChannelBroken) and not given_up:
            return
        self._set_ready(False, error.reason, error.message, outcome.at)
        if self._failing_since is not None:
            return
        self._failing_since = since = self._status.conditions[0].last_transition_time
        trouble = f"{error.reason}: {error.message}"
        await self._events.record(self._channel, "Warning", Reason.CHANNEL_FAILING, trouble, f"{outcome.at}")
        if delivery.spec.message.kind != "Channel":
            await self._tell_others(channels, channel_message(self._channel, trouble, outcome.at), since)

    async def refused(self, delivery: AlertDelivery, outcome: Outcome) -> None:
        """One message was refused for good; the channel itself works."""
        assert outcome.error is not None
        self._failures = 0
        self._note_error(delivery, outcome.error, outcome.at, 1)

    def count_failed(self, number: int) -> None:
        self._status = replace(self._status, failed=self._status.failed + number)

    async def write_if_due(self, *, idle: bool) -> None:
        """Writes what isn't written yet: what is urgent at once, counts now and then. Raises SenderLost, ApiError."""
        due = self._urgent or time.monotonic() >= self._at + (_EVERY if not idle else _EVERY / 2)
        if self._status != self._written and due:
            await self.write()

    async def write(self) -> None:
        """Writes the status, fenced. Raises SenderLost, ApiError."""
        sender = self._status.sender
        assert sender is not None
        meta = self._channel.metadata
        patch: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/uid", "value": meta.uid},
            {"op": "test", "path": "/status/sender/worker", "value": sender.worker},
            {"op": "test", "path": "/status/sender/epoch", "value": sender.epoch},
            {"op": "add", "path": "/status", "value": to_wire(self._status)},
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
        sender = self._status.sender
        assert sender is not None
        await self.write()
        meta = self._channel.metadata
        patch: list[dict[str, Any]] = [
            {"op": "test", "path": "/status/sender/worker", "value": sender.worker},
            {"op": "test", "path": "/status/sender/epoch", "value": sender.epoch},
            {"op": "add", "path": "/status/sender/worker", "value": ""},
        ]
        await self._client.patch(AlertChannel, meta.namespace, meta.name, patch, subresource="status")

    async def _check(self, outlets: OutletMaker) -> None:
        """Whether the settings look right, as far as that shows without sending anything."""
        at = now()
        self._status = replace(self._status, observed_generation=self._channel.metadata.generation)
        self._urgent = True
        try:
            channel_for(self._channel.spec)
            await outlets.outlet(self._channel)
        except DeliveryError as error:
            self._set_ready(False, error.reason, error.message, at)
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

    async def _tell_others(self, channels: Store[AlertChannel], message: Message, since: dt.datetime) -> None:
        """The default channels of the namespace, but this one."""
        for other in self._others(channels):
            told = new_delivery(self._channel, ("failing", since.isoformat()), message, channel=other)
            try:
                await _created(self._client, told)
            except ApiError as failure:
                log.warning("other channel not told", channel=other, error=str(failure))

    async def _tell_of_end(self, channels: Store[AlertChannel], since: dt.datetime, at: dt.datetime) -> None:
        message = channel_message(self._channel, "", at)
        for other in self._others(channels):
            begun = new_delivery(self._channel, ("failing", since.isoformat()), message, channel=other)
            try:
                await self._client.get(AlertDelivery, begun.metadata.namespace, begun.metadata.name)
                end = ("works again", since.isoformat())
                await _created(self._client, new_delivery(self._channel, end, message, channel=other))
            except NotFound:
                pass  # it never heard of the beginning
            except ApiError as failure:
                log.warning("other channel not told", channel=other, error=str(failure))

    def _others(self, channels: Store[AlertChannel]) -> list[str]:
        mine = self._channel.metadata
        return [
            other.metadata.name
            for other in channels
            if other.metadata.namespace == mine.namespace and other.metadata.name != mine.name and other.spec.default
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
