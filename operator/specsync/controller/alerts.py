"""What the leader does for alerts: health, retries that users ask for, ends of incidents, the end of old deliveries.

Deliveries that it makes bear names that follow from what they are about, so that a leader after a crash makes the same.
"""

import asyncio
import contextlib
import datetime as dt
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, ClassVar

import structlog
from msgspec import Meta
from msgspec.structs import replace

from specsync.alerting.channels.registry import KINDS
from specsync.alerting.message import health_message
from specsync.alerting.outbox import delivery_name, new_delivery, resolves_of
from specsync.alerting.routing import Situation, interested
from specsync.controller.retention import ChangeSetHead
from specsync.kube.client import ApiError, Conflict, Invalid, KubeClient, NotFound
from specsync.kube.loops import long_lived
from specsync.kube.store import Key, Store
from specsync.kube.watch import Watched
from specsync.resources import AlertChannel, AlertDelivery, AlertPreference, Dependency, SyncJob, clock
from specsync.resources.alertdelivery import FINISHED_DELIVERY_PHASES, AlertDeliveryStatus
from specsync.resources.dependency import DependencyStatus
from specsync.resources.meta import Definition, FrozenStruct, ObjectMeta, now, to_wire
from specsync.resources.syncjob import RETRY_REQUESTED_AT

log = structlog.get_logger()

_PRUNE_EVERY = 60.0  # seconds
_PRUNED_AT_ONCE = 100
_KEPT_PER_CHANNEL = 500  # finished deliveries
_AFTER_ERROR = 2.0
_BAD = ("unhealthy", "paused")

Keys = dict[Key, None]  # a set that keeps its order


class MessageHead(FrozenStruct, frozen=True, kw_only=True):
    kind: str


class DeliveryHeadSpec(FrozenStruct, frozen=True, kw_only=True):
    channel: str
    dependency: str = ""
    change_set: str = ""
    message: MessageHead


class DeliveryHead(FrozenStruct, frozen=True, kw_only=True):
    """An AlertDelivery without its message, as much as the leader keeps in memory."""

    definition: ClassVar[Definition] = AlertDelivery.definition
    metadata: ObjectMeta
    spec: Annotated[DeliveryHeadSpec, Meta()]
    status: AlertDeliveryStatus = AlertDeliveryStatus()

    @property
    def finished(self) -> bool:
        return self.status.phase in FINISHED_DELIVERY_PHASES

    @property
    def retry(self) -> str:
        """The value of a retry that was asked for and not handled; empty without one."""
        value = self.metadata.annotations.get(RETRY_REQUESTED_AT, "")[:256]
        return "" if value == (self.status.last_handled_retry or "") else value


class AlertKeeper:
    """The leader's part in alerts. `watched` is to be watched; `run` while in office."""

    def __init__(
        self,
        client: KubeClient,
        change_sets: Store[ChangeSetHead],
        keep_finished: float,
        in_office: Callable[[], bool],
    ) -> None:
        """`keep_finished`: seconds for which finished deliveries stay."""
        self._client = client
        self._change_sets = change_sets
        self._keep_finished = dt.timedelta(seconds=keep_finished)
        self._in_office = in_office
        self._channels: Store[AlertChannel] = Store(AlertChannel)
        self._preferences: Store[AlertPreference] = Store(AlertPreference)
        self._deliveries: Store[DeliveryHead] = Store(DeliveryHead, owner=lambda d: d.spec.change_set)
        self.watched = [Watched(self._channels), Watched(self._preferences), Watched(self._deliveries)]
        self._retries: Keys = {}  # deliveries of which a retry was asked for
        self._known: Keys = {}  # change sets that somebody has acknowledged or resolved, to be looked at
        self._wake = asyncio.Event()
        self._deliveries.on_change.append(self._on_delivery)
        change_sets.on_change.append(self._on_change_set)

    async def tell_health(self, before: Dependency, after: DependencyStatus, job: SyncJob, text: str) -> None:
        """Deliveries of a change of health that is worth one. Raises ApiError."""
        old, new = before.status.health.state, after.health.state
        recovered = new == "healthy" and old in _BAD
        if not recovered and (new == old or new not in _BAD):
            return
        namespace = before.metadata.namespace
        situation = Situation(
            before,
            [c for c in self._channels if c.metadata.namespace == namespace],
            [p for p in self._preferences if p.metadata.namespace == namespace],
            frozenset(),
            now(),
        )
        # The job and not the time: a leader that goes on after a crash must come to the same name.
        epoch = job.status.claim.epoch if job.status.claim else 0
        identity = ("health", new, job.metadata.uid, str(epoch))
        message = health_message(before, new, text, job.status.finished_at or situation.at, recovered=recovered)
        for channel, preference, when, digest in interested(situation, "Health"):
            delivery = new_delivery(
                before,
                identity,
                message,
                channel=channel,
                preference=preference.metadata.name if preference else "",
                not_before=when,
                digest=digest,
            )
            await self._create(delivery)

    async def run(self) -> None:
        """Runs until cancelled."""
        for delivery in self._deliveries:
            self._on_delivery(delivery)
        for change_set in self._change_sets:
            self._on_change_set(change_set)
        with long_lived("alerts") as loop:
            while True:
                self._wake.clear()
                loop.advance()
                if not await self._handle():
                    await asyncio.sleep(_AFTER_ERROR)
                    continue
                loop.advance(_PRUNE_EVERY)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(_PRUNE_EVERY, self._keep_finished.total_seconds())):
                        await self._wake.wait()

    async def _handle(self) -> bool:
        """Does what there is to do; whether nothing of it is left. What fails keeps nothing else from being done."""
        retried = await _succeeds(_serve(self._retries, self._retry))
        ended = await _succeeds(_serve(self._known, self._end_incidents))
        return await _succeeds(self._prune()) and retried and ended

    def _on_delivery(self, delivery: DeliveryHead) -> None:
        self._note(self._retries, self._deliveries, delivery, bool(delivery.retry))
        change_set = self._change_sets.get(delivery.metadata.namespace, delivery.spec.change_set)
        if change_set is not None and delivery.spec.message.kind == "Change":
            self._on_change_set(change_set)  # somebody may have been quicker to acknowledge it than its job to tell it

    def _on_change_set(self, change_set: ChangeSetHead) -> None:
        known = change_set.spec.acknowledged is not None or change_set.spec.resolved is not None
        self._note(self._known, self._change_sets, change_set, known)

    def _note(self, keys: Keys, store: Store[Any], changed: DeliveryHead | ChangeSetHead, wanted: bool) -> None:
        """Whether an object is to be looked at. A standby notes it too, and forgets what is gone."""
        key = (changed.metadata.namespace, changed.metadata.name)
        if wanted and store.get(*key) is not None:
            keys[key] = None
            self._wake.set()
        else:
            keys.pop(key, None)

    async def _retry(self, namespace: str, name: str) -> None:
        """Lets a delivery go out once more, whatever became of it; one that waits needn't wait longer."""
        head = self._deliveries.get(namespace, name)
        if head is None or not head.retry or head.status.phase == "Sending":
            return  # the end of the sending brings it back
        try:
            delivery = await self._client.get(AlertDelivery, namespace, name)
        except NotFound:
            self._deliveries.bury(head)
            return
        status = replace(
            delivery.status,
            phase="Pending",
            attempts=0,
            next_attempt_at=None,
            sent_at=None,
            response="",
            reference="",
            group=None if delivery.finished else delivery.status.group,
            reason="",
            message="",
            retried_from=now(),
            last_handled_retry=head.retry,
        )
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": delivery.metadata.uid},
            {"op": "test", "path": "/metadata/resourceVersion", "value": delivery.metadata.resource_version},
            {"op": "add", "path": "/status", "value": to_wire(status)},
        ]
        if delivery.status.phase == "Sending":
            return
        try:
            written = await self._client.patch(DeliveryHead, namespace, name, patch, subresource="status")
        except (Invalid, NotFound):
            return  # it changed meanwhile: the watch brings it back
        self._deliveries.put(written)
        log.info("delivery goes out again", delivery=f"{namespace}/{name}")

    async def _end_incidents(self, namespace: str, name: str) -> None:
        """Tells channels that keep incidents open that this change set is known, or dealt with."""
        change_set = self._change_sets.get(namespace, name)
        if change_set is None:
            return
        triage = change_set.spec.resolved or change_set.spec.acknowledged
        if triage is None:
            return
        channels = [c for c in self._channels if c.metadata.namespace == namespace]
        resolving = {c.metadata.name for c in channels if KINDS[c.spec.type].resolves}
        told = []
        for head in self._deliveries.owned_by(namespace, name):
            if head.spec.message.kind != "Change" or head.spec.channel not in resolving or self._is_ended(head):
                continue
            with contextlib.suppress(NotFound):
                told.append(await self._client.get(AlertDelivery, namespace, head.metadata.name))
        word = "Resolved" if change_set.spec.resolved is not None else "Acknowledged"
        note = f": {triage.note}" if triage.note else "."
        for delivery in resolves_of(told, channels, f"{word} by {triage.by}{note}"):
            await self._create(delivery)

    def _is_ended(self, head: DeliveryHead) -> bool:
        name = delivery_name(head.spec.dependency, head.metadata.uid, head.spec.channel, "resolve")
        return self._deliveries.get(head.metadata.namespace, name) is not None

    async def _create(self, delivery: AlertDelivery) -> None:
        with contextlib.suppress(Conflict):  # made before a crash
            await self._client.create(delivery)

    async def _prune(self) -> None:
        """Deletes finished deliveries that are old, or too many of one channel: the oldest first, some at a time."""
        by_channel: dict[Key, list[DeliveryHead]] = defaultdict(list)
        for head in self._deliveries:
            if head.finished and not head.retry:
                by_channel[head.metadata.namespace, head.spec.channel].append(head)
        oldest = clock.earlier(now()) - self._keep_finished
        gone: list[DeliveryHead] = []
        for heads in by_channel.values():
            heads.sort(key=_ended, reverse=True)
            gone += [head for i, head in enumerate(heads) if i >= _KEPT_PER_CHANNEL or _ended(head) < oldest]
        for head in sorted(gone, key=_ended)[:_PRUNED_AT_ONCE]:
            if not self._in_office():
                return
            meta = head.metadata
            await self._client.delete(DeliveryHead, meta.namespace, meta.name, meta.uid)
            self._deliveries.bury(head)


async def _serve(keys: Keys, act: Callable[[str, str], Awaitable[None]]) -> None:
    """One key after the other. One that fails ends it, and goes behind the others: it keeps them waiting only once."""
    while keys:
        key = next(iter(keys))
        del keys[key]  # before its turn: what changes meanwhile adds it again
        try:
            await act(*key)
        except Exception:
            keys[key] = None
            raise


async def _succeeds(work: Awaitable[None]) -> bool:
    try:
        await work
    except ApiError as error:
        log.warning("alerts not kept, trying again", error=str(error))
    except Exception:
        log.exception("alerts not kept for an unexpected reason, trying again")
    else:
        return True
    return False


def _ended(head: DeliveryHead) -> dt.datetime:
    last = head.status.last_attempts[-1].at if head.status.last_attempts else None
    times = (head.status.sent_at, last, head.metadata.creation_timestamp)
    return max((time for time in times if time is not None), default=dt.datetime.min.replace(tzinfo=dt.UTC))
