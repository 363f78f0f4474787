"""Sends what is in the outbox: for each AlertChannel one worker is the sender, as long as it lives.

A worker takes a channel that has no sender, or whose sender is dead, by a JSON Patch that tests the old sender. So
nobody else sends by it: rate limits, groups and the order of messages need no agreement between workers. Each delivery
is claimed besides, with its own epoch, for a worker that was frozen may wake in the middle of a sending.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any

import structlog
from msgspec.structs import replace

from specsync.alerting import metrics
from specsync.alerting.pace import AlertTiming, given_up_at
from specsync.alerting.secrets import OutletMaker
from specsync.kube.client import ApiError, Conflict, Invalid, KubeClient, NotFound
from specsync.kube.events import EventRecorder
from specsync.kube.leases import Roster
from specsync.kube.loops import long_lived
from specsync.kube.store import Key, Store
from specsync.kube.watch import Watched
from specsync.resources import AlertChannel, AlertDelivery
from specsync.resources.alertchannel import Sender
from specsync.resources.meta import now, to_wire
from specsync.resources.reasons import Reason
from specsync.worker.channel_report import SenderLost
from specsync.worker.desk import UNFINISHED_DELIVERIES, Desk, Post
from specsync.worker.sending import write_pending

log = structlog.get_logger()

_SCAN_SECONDS = 1.0
_AFTER_ERROR = 5.0
_AT_ONCE = 20  # channels that are taken, or handed back


class Deliveries:
    """A worker's part in sending. `watched` is to be watched; `run` until cancelled, then `hand_back`."""

    def __init__(
        self,
        client: KubeClient,
        outlets: OutletMaker,
        events: EventRecorder,
        roster: Roster,
        timing: AlertTiming,
        worker: str,
        safe: Callable[[], bool],
        pause: Callable[[str], None],
    ) -> None:
        """`safe` says whether nobody can have taken this worker for dead yet."""
        channels: Store[AlertChannel] = Store(AlertChannel)
        deliveries: Store[AlertDelivery] = Store(AlertDelivery, owner=lambda d: d.spec.channel)
        self.watched = [Watched(channels), Watched(deliveries, UNFINISHED_DELIVERIES)]
        self._post = Post(client, channels, deliveries, outlets, events, timing, worker, safe, pause)
        self._roster = roster
        self._desks: dict[Key, tuple[Desk, asyncio.Task[None]]] = {}
        self._closing = False
        self._wake = asyncio.Event()
        channels.on_change.append(self._wake_desk)
        deliveries.on_change.append(lambda d: self._wake_by_key((d.metadata.namespace, d.spec.channel)))

    def holders(self) -> set[str]:
        """Workers whose Leases must be remembered: they send, or left something in the middle of it."""
        senders = {c.status.sender.worker for c in self._post.channels if c.status.sender}
        return senders | {d.status.claim.worker for d in self._post.deliveries if d.status.claim}

    async def run(self) -> None:
        """Takes channels, and has them served, until cancelled."""
        with long_lived("deliveries") as loop:
            while True:
                loop.advance(_SCAN_SECONDS)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_SCAN_SECONDS):
                        await self._wake.wait()
                self._wake.clear()
                free = [channel for channel in self._post.channels if self._is_free(channel)]
                random.shuffle(free)
                for first in range(0, len(free), _AT_ONCE):
                    loop.advance()
                    await asyncio.gather(*(self._take(channel) for channel in free[first : first + _AT_ONCE]))
                await self._give_up_without_channel()

    async def drain(self, seconds: float) -> None:
        """Begins nothing more, and gives what is being sent a moment to come to its end."""
        self._closing = True  # from now on all desks are kept, for `hand_back`
        for desk, _ in self._desks.values():
            desk.closing = True
            desk.wake.set()
        if self._desks:
            await asyncio.wait([task for _, task in self._desks.values()], timeout=seconds)

    async def stop(self) -> None:
        """Drops all at once, without a word: others may take over any moment."""
        for _, task in self._desks.values():
            task.cancel()

    async def hand_back(self) -> None:
        """Ends the desks, and leaves the channels to others, with the last counts written."""
        self._closing = True
        await self.stop()
        desks = list(self._desks.values())
        await asyncio.gather(*(task for _, task in desks), return_exceptions=True)
        for first in range(0, len(desks), _AT_ONCE):
            await asyncio.gather(*(self._hand_back(desk) for desk, _ in desks[first : first + _AT_ONCE]))

    async def _hand_back(self, desk: Desk) -> None:
        try:
            await desk.report.hand_back()
        except (SenderLost, ApiError) as error:
            log.warning("channel not handed back", error=str(error))

    async def aclose(self) -> None:
        await self._post.outlets.aclose()

    def _is_free(self, channel: AlertChannel) -> bool:
        """A sender of this process that has no desk, as after an end without a word, is none."""
        sender = channel.status.sender
        if (channel.metadata.namespace, channel.metadata.name) in self._desks:
            return False
        if sender is None or not sender.worker or sender.worker == self._post.worker:
            return True
        return self._roster.dead(sender.worker)

    async def _take(self, channel: AlertChannel) -> None:
        key = (channel.metadata.namespace, channel.metadata.name)
        await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311 -- so that not all workers try at once
        if self._closing or not self._post.safe():
            return
        taken = await self._try_take(channel)
        if taken is None:
            return
        self._post.channels.put(taken)
        desk = Desk(self._post, taken)
        desk.closing = self._closing
        task = asyncio.create_task(self._serve(desk), name=f"channel {channel.metadata.name}")
        self._desks[key] = (desk, task)
        log.info("sends by channel", channel="/".join(key), epoch=taken.status.sender and taken.status.sender.epoch)

        def ended(_: "asyncio.Task[None]") -> None:
            if not self._closing:
                del self._desks[key]
            self._wake.set()

        task.add_done_callback(ended)

    async def _serve(self, desk: Desk) -> None:
        try:
            await desk.run()
        except ApiError as error:
            log.warning("channel can't be served, trying again", error=str(error))
            await asyncio.sleep(_AFTER_ERROR)
        except Exception:
            log.exception("channel failed unexpectedly")
            await asyncio.sleep(_AFTER_ERROR)

    async def _try_take(self, channel: AlertChannel) -> AlertChannel | None:
        meta, old = channel.metadata, channel.status.sender
        tests: list[dict[str, Any]] = [{"op": "test", "path": "/metadata/uid", "value": meta.uid}]
        if old is None:
            tests.append({"op": "test", "path": "/status/sender", "value": None})
        else:
            tests.append({"op": "test", "path": "/status/sender/worker", "value": old.worker})
            tests.append({"op": "test", "path": "/status/sender/epoch", "value": old.epoch})
        new = Sender(worker=self._post.worker, epoch=(old.epoch if old else 0) + 1)
        patch = [*tests, {"op": "add", "path": "/status/sender", "value": to_wire(new)}]
        try:
            return await self._post.client.patch(AlertChannel, meta.namespace, meta.name, patch, subresource="status")
        except (Invalid, NotFound, Conflict):
            pass  # another was quicker
        except ApiError as error:
            log.warning("channel not taken, trying again", channel=meta.name, error=str(error))
        with contextlib.suppress(ApiError):
            self._post.channels.put(await self._post.client.get(AlertChannel, meta.namespace, meta.name))
        return None

    async def _give_up_without_channel(self) -> None:
        """What waits for a channel that doesn't exist is given up at its time, as all else."""
        at = now()
        for delivery in self._post.deliveries:
            meta, name = delivery.metadata, delivery.spec.channel
            if delivery.status.phase != "Pending" or given_up_at(delivery, self._post.timing) > at:
                continue
            if self._post.channels.get(meta.namespace, name) is not None or await self._exists(meta.namespace, name):
                continue
            text = f"AlertChannel {name} doesn't exist in namespace {meta.namespace}: create it, then ask for a retry."
            status = replace(delivery.status, phase="DeadLettered", reason=Reason.CHANNEL_NOT_FOUND, message=text)
            try:
                ended = await write_pending(self._post.client, delivery, status)
            except ApiError as error:
                log.warning("delivery not given up", delivery=meta.name, error=str(error))
                continue
            self._post.deliveries.remove(ended or delivery)
            if ended is not None:
                metrics.deliveries("Unknown", "DeadLettered").inc()
                occasion = f"{meta.uid}/{delivery.status.last_handled_retry}"
                await self._post.events.record(delivery, "Warning", Reason.DELIVERY_FAILED, text, occasion)

    async def _exists(self, namespace: str, name: str) -> bool:
        """Whether there is such a channel, or may be: the store doesn't know at once, nor while it isn't filled."""
        try:
            await self._post.client.get(AlertChannel, namespace, name)
        except NotFound:
            return False
        except ApiError as error:
            log.warning("channel not read", channel=name, error=str(error))
        return True

    def _wake_desk(self, channel: AlertChannel) -> None:
        self._wake_by_key((channel.metadata.namespace, channel.metadata.name))

    def _wake_by_key(self, key: Key) -> None:
        desk = self._desks.get(key)
        if desk is None:
            self._wake.set()
        else:
            desk[0].wake.set()
