"""A desk: the one place from which a channel's deliveries go out, as long as this worker is the channel's sender.

What isn't sent yet is in the deliveries themselves; a desk keeps nothing that its successor would miss.
"""

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import structlog
from msgspec.structs import replace

from specsync.alerting import metrics
from specsync.alerting.batching import Batch, bound_names, due_time, is_due, mode_of, next_batch, opens_window
from specsync.alerting.channels.contract import DeliveryError, Receipt, Rejected
from specsync.alerting.channels.registry import KINDS
from specsync.alerting.pace import AlertTiming, RateLimit, batch_given_up_at, given_up_at, pause_before_retry
from specsync.alerting.secrets import OutletMaker
from specsync.kube.client import ApiError, KubeClient, NotFound
from specsync.kube.events import EventRecorder
from specsync.kube.store import Store
from specsync.resources import AlertChannel, AlertDelivery
from specsync.resources.alertdelivery import DeliveryPhase
from specsync.resources.meta import now
from specsync.resources.reasons import Reason
from specsync.worker.channel_report import ChannelReport, SenderLost
from specsync.worker.claims import ClaimLost, Held
from specsync.worker.holding import held_back
from specsync.worker.secret_looks import SECRETS_EVERY, SecretLooks
from specsync.worker.sending import (
    Outcome,
    Pause,
    begin,
    is_of_channel,
    record_failure,
    record_sent,
    send,
    was_taken,
    write_pending,
)

log = structlog.get_logger()

UNFINISHED_DELIVERIES = "status.phase!=Sent,status.phase!=DeadLettered,status.phase!=Suppressed"
_LONGEST_REST = 30.0  # seconds, without anything that is due
_AFTER_ERROR = 2.0  # seconds, where the API server refuses a request
_CLOCKS_DIFFER = 5.0  # seconds at most between two workers' clocks, which the API server corrects


@dataclass(frozen=True)
class Post:
    """What all desks of a worker share."""

    client: KubeClient
    channels: Store[AlertChannel]
    deliveries: Store[AlertDelivery]  # the unfinished ones, by channel
    outlets: OutletMaker
    events: EventRecorder
    timing: AlertTiming
    worker: str
    safe: Callable[[], bool]  # whether nobody can have taken this worker for dead yet
    pause: Pause


class Desk:
    """Sends by one channel until it is cancelled, or loses it. One sending at a time."""

    def __init__(self, post: Post, channel: AlertChannel) -> None:
        """`channel` as it was written last, with this worker as its sender."""
        self._post = post
        self._namespace, self._name = channel.metadata.namespace, channel.metadata.name
        self.report = ChannelReport(post.client, post.events, post.channels, channel)
        self._rate = RateLimit()
        self._window_until = self._first_window(channel)
        self._paused_until: dt.datetime | None = None
        self._failing_since = self.report.failing_since  # since the first failure after a success
        self._generation = channel.metadata.generation
        self._asked: set[tuple[str, str]] = set()  # what users asked for: retries and tests, as far as noticed
        self._hurried: set[str] = set()  # versions of deliveries whose next attempt needn't be waited for
        self._alone: set[str] = set()  # uids of members of a group that was refused
        self._secrets = SecretLooks(post.outlets)
        self.wake = asyncio.Event()
        self.closing = False  # true: what is under way comes to its end, and nothing is begun any more

    async def run(self) -> None:
        """Returns when the channel is gone or another's. Raises ApiError at its beginning."""
        await self._catch_up()
        while not self.closing:
            self.wake.clear()
            try:
                rest = await self._step()
                await self.report.write_if_due(idle=rest > 0)
            except SenderLost:
                log.info("channel is another worker's now", channel=self._name)
                return
            except ClaimLost:
                rest = 0.0
            except ApiError as error:
                log.warning("delivery can't go on", channel=self._name, error=str(error))
                rest = _AFTER_ERROR
            if rest < 0:
                return
            if rest:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(rest, self.report.rest())):
                        await self.wake.wait()

    async def _catch_up(self) -> None:
        """Looks at all that is unfinished, consistently: what the predecessor wrote last may not be in the store yet.

        Members of a group aren't claimed one by one, so that one that was sent must not look as if it still waited.
        """
        fields = f"{UNFINISHED_DELIVERIES},spec.channel={self._name}"
        listed = await self._post.client.list(AlertDelivery, self._namespace, fields=fields)
        for delivery in listed:
            self._post.deliveries.put(delivery)
        present = {delivery.metadata.uid for delivery in listed}
        for delivery in self._waiting():
            if delivery.metadata.uid not in present:
                await self._learn(delivery)
        self._paused_until = self._first_pause()
        await self.report.learn_of_end()

    async def _step(self) -> float:
        """One thing that is due. Seconds to rest then; 0 for none, less where the channel is gone."""
        channel = self._post.channels.get(self._namespace, self._name)
        if channel is None or channel.metadata.uid != self.report.uid:
            return -1.0
        await self._notice_changes(channel)
        if await self._secrets.written(channel, failing=self.report.failing):
            self.report.look_again()
            self._hurry()
        if channel.spec.suspend or not self._post.safe():
            return _LONGEST_REST if channel.spec.suspend else 1.0
        waiting = self._waiting()
        at = now()
        orphans = [d for d in waiting if d.status.phase == "Sending"]
        for orphan in orphans:
            if self._adoption_wait(orphan, at) <= 0:
                return await self._adopt(channel, orphan, waiting)
        await self._give_up_late(channel, waiting, at)
        if self._paused_until is not None and at < self._paused_until:
            return min((self._paused_until - at).total_seconds(), SECRETS_EVERY)
        limit = self._rate.wait(channel.spec.rate_limit.messages_per_minute, time.monotonic())
        if limit > 0:
            return limit
        window = self._window_until - time.monotonic()
        batch = next_batch(
            self._waiting(),
            at,
            groups=KINDS[channel.spec.type].groups,
            window_open=window > 0,
            failing=self.report.failures > 0,
            alone=self._alone,
        )
        if batch is None:
            waits = [self._adoption_wait(orphan, at) for orphan in orphans]
            return min([self._until_next(waiting, at, window), *waits])
        if not await self._drop_held_back(channel, batch):
            await self._dispatch(channel, batch)
        return 0.0

    # What a step is made of

    async def _notice_changes(self, channel: AlertChannel) -> None:
        if channel.metadata.generation != self._generation:
            self._generation = channel.metadata.generation
            self._hurry()
        await self.report.notice(channel, self._post.outlets, self._post.deliveries)
        waiting = self._waiting()
        asked = {(d.metadata.uid, d.status.last_handled_retry) for d in waiting if d.status.last_handled_retry}
        asked |= {(d.metadata.uid, "") for d in waiting if d.spec.message.kind == "Test"}
        if asked - self._asked:
            # Somebody wants to know, having mended it perhaps: it needn't wait for the others' next attempt.
            self._paused_until = None
        self._asked = asked

    def _hurry(self) -> None:
        """Works again, or was mended, perhaps: what waits for another attempt needn't wait longer."""
        self._paused_until = None
        self._hurried = {_version(d) for d in self._waiting() if d.status.next_attempt_at is not None}

    def _adoption_wait(self, orphan: AlertDelivery, at: dt.datetime) -> float:
        """Seconds until what nobody sends any more is taken over: at once, but later and later where that ends badly.

        So an answer that can't be recorded, for whatever reason, doesn't become a stream of copies.
        """
        claim, attempts = orphan.status.claim, orphan.status.attempts
        if attempts <= 1 or claim is None or claim.claimed_at is None:
            return 0.0
        pause = min(self._post.timing.last_retry, self._post.timing.first_retry * 2.0 ** (min(attempts, 30) - 2))
        since = (at - claim.claimed_at).total_seconds()
        return pause - since if since > -_CLOCKS_DIFFER else 0.0  # else the clock was put back

    async def _adopt(self, channel: AlertChannel, orphan: AlertDelivery, waiting: Iterable[AlertDelivery]) -> float:
        """A delivery that a worker was sending when it went away."""
        by_name = {each.metadata.name: each for each in waiting}
        names = orphan.status.group.members if orphan.status.group else []
        members = [by_name[name] for name in names if name in by_name]
        batch = Batch(orphan, tuple(members), mode_of(orphan, members))
        witness = await was_taken(self._post.client, orphan)
        if witness is None:
            await self._dispatch(channel, batch)
            return 0.0
        held = await begin(self._post.client, batch, self._post.worker, self._post.pause, sends=False)
        if held is None:
            await self._learn(orphan)
        else:
            receipt = Receipt(detail=witness.status.response, reference=witness.status.reference)
            outcome = Outcome(batch, witness.status.sent_at or now(), receipt=receipt)
            await self._record_sent(channel, held, outcome, receipt)
        return 0.0

    async def _dispatch(self, channel: AlertChannel, batch: Batch) -> None:
        """Claim, send, record."""
        held = await begin(self._post.client, batch, self._post.worker, self._post.pause)
        if held is None:
            await self._learn(batch.leader)
            return
        self._post.deliveries.put(held.job)
        if not self._post.safe():
            return  # frozen meanwhile, perhaps: whoever took over sends it
        self._rate.note(time.monotonic())
        outcome = await send(self._post.outlets, channel, batch, self._post.pause)
        reason = outcome.error.reason.value if outcome.error else ""
        metrics.sendings(channel.spec.type, outcome.word, reason).inc()
        if outcome.word != "Failed" and opens_window(batch):  # of what surely failed nobody has heard
            self._window_until = time.monotonic() + self._post.timing.window
        if outcome.error is None:
            await self._record_sent(channel, held, outcome, outcome.receipt or Receipt())
        else:
            await self._record_failure(channel, held, outcome, outcome.error)

    async def _record_sent(
        self, channel: AlertChannel, held: Held[AlertDelivery], outcome: Outcome, receipt: Receipt
    ) -> None:
        batch = outcome.batch
        await self._recorded(lambda: record_sent(self._post.client, held, outcome, self._post.pause))
        for delivery in (batch.leader, *batch.members):
            metrics.deliveries(channel.spec.type, "Sent").inc()
            due = max(filter(None, (delivery.metadata.creation_timestamp, delivery.spec.not_before)))
            metrics.latencies(channel.spec.type).observe(max(0.0, (outcome.at - due).total_seconds()))
        if self.report.failing:
            self._hurry()
        self._paused_until = self._failing_since = None
        await self.report.succeeded(held.job.metadata.name, receipt.detail, outcome.at, 1 + len(batch.members))

    async def _record_failure(
        self, channel: AlertChannel, held: Held[AlertDelivery], outcome: Outcome, error: DeliveryError
    ) -> None:
        batch, timing = outcome.batch, self._post.timing
        log.warning(
            "alert not sent",
            channel=self._name,
            delivery=held.job.metadata.name,
            reason=error.reason.value,
            error=error.message,
        )
        wait = pause_before_retry(held.job.status.attempts, error, timing)
        again = outcome.at + dt.timedelta(seconds=max(1, round(wait)))
        since = self._failing_since = self._failing_since or outcome.at
        retry_at = again if again <= batch_given_up_at(batch, timing, since) else None
        if isinstance(error, Rejected):
            # One of a group is what it refuses: which one, each by itself will tell.
            retry_at = outcome.at if batch.members else None
            self._alone |= {each.metadata.uid for each in (batch.leader, *batch.members)}
        written = await self._recorded(
            lambda: record_failure(self._post.client, held, outcome, retry_at, self._post.pause)
        )
        given_up = [delivery for delivery in written if delivery.status.phase == "DeadLettered"]
        if is_of_channel(error):
            await self.report.failed(held.job, outcome, given_up=len(given_up))
            pause = pause_before_retry(self.report.failures, error, timing)
            self._paused_until = outcome.at + dt.timedelta(seconds=max(0.5, pause))
        elif given_up:
            self._failing_since = None
            await self.report.refused(held.job, outcome)
        for delivery in given_up:
            await self._tell_given_up(channel, delivery)

    async def _recorded(self, write: Callable[[], Awaitable[list[AlertDelivery]]]) -> list[AlertDelivery]:
        """Writes how a sending went. What is refused only for now is written again: nobody else can say how it went.

        Raises ClaimLost, ApiError.
        """
        while True:
            try:
                written = await write()
            except ApiError as error:
                if not error.for_now:
                    raise
                log.warning("sending not recorded, trying again", channel=self._name, error=str(error))
                await asyncio.sleep(_AFTER_ERROR)
            else:
                self._keep(written)
                return written

    async def _give_up_late(self, channel: AlertChannel, waiting: Iterable[AlertDelivery], at: dt.datetime) -> None:
        """What waits behind another and is over its time is given up with it, if the channel fails all the same."""
        if self._paused_until is None or at >= self._paused_until:
            return
        waiting, last = list(waiting), self.report.last_error
        bound = bound_names(waiting)
        for delivery in waiting:
            late = is_due(delivery, at) and given_up_at(delivery, self._post.timing, self._failing_since) < at
            if not late or delivery.status.group is not None or delivery.metadata.name in bound:
                continue
            reason, text = (last.reason, last.message) if last else (Reason.DELIVERY_FAILED.value, "")
            ended = await self._end(delivery, "DeadLettered", reason, text)
            if ended is not None:
                await self._tell_given_up(channel, ended)
                self.report.count_failed(1)

    async def _drop_held_back(self, channel: AlertChannel, batch: Batch) -> bool:
        """Ends what of the batch isn't wanted any more; whether there was any. One that goes again goes as it was."""
        found = False
        for delivery in (batch.leader, *batch.members) if batch.leader.status.group is None else ():
            why = await held_back(self._post.client, delivery)
            if why is not None:
                found = True
                await self._end(delivery, "Suppressed", why[0].value, why[1])
                metrics.deliveries(channel.spec.type, "Suppressed").inc()
        return found

    async def _end(self, delivery: AlertDelivery, phase: DeliveryPhase, reason: str, text: str) -> AlertDelivery | None:
        """Ends what waits without sending it; None where it is gone."""
        status = replace(delivery.status, phase=phase, next_attempt_at=None, reason=reason, message=text[:1024])
        ended = await write_pending(self._post.client, delivery, status)
        if ended is None:
            self._post.deliveries.bury(delivery)
        else:
            self._keep([ended])
        return ended

    async def _tell_given_up(self, channel: AlertChannel, delivery: AlertDelivery) -> None:
        metrics.deliveries(channel.spec.type, "DeadLettered").inc()
        name, status = delivery.metadata.name, delivery.status
        text = (
            f"given up: {status.message or 'the channel took nothing in time'} Mend it, then send it again: "
            f'kubectl annotate --overwrite adel/{name} specsync.dev/retryRequestedAt="$(date +%s)"'
        )
        occasion = f"{delivery.metadata.uid}/{status.attempts}/{status.last_handled_retry}"
        await self.report.record_event(delivery, "Warning", Reason.DELIVERY_FAILED, text, occasion)

    def _waiting(self) -> list[AlertDelivery]:
        found = self._post.deliveries.owned_by(self._namespace, self._name)
        if not self._hurried:
            return found
        return [_at_once(each) if _version(each) in self._hurried else each for each in found]

    def _until_next(self, waiting: Iterable[AlertDelivery], at: dt.datetime, window: float) -> float:
        """Seconds until something is due, or the window is over for what is."""
        rests = [_LONGEST_REST]
        for delivery in waiting:
            due = due_time(delivery)
            if due is not None and due > at:
                rests.append((due - at).total_seconds())
            elif window > 0:
                rests.append(window)
        return max(0.02, min(rests))

    def _keep(self, written: Iterable[AlertDelivery]) -> None:
        """The watch leaves finished ones out; so does the store, at once, and for good up to this version of them."""
        for delivery in written:
            self._post.deliveries.put(delivery)
            if delivery.finished:
                self._post.deliveries.remove(delivery)
                self._alone.discard(delivery.metadata.uid)

    async def _learn(self, delivery: AlertDelivery) -> None:
        try:
            latest = await self._post.client.get(AlertDelivery, self._namespace, delivery.metadata.name)
        except NotFound:
            self._post.deliveries.bury(delivery)
            return
        self._keep([latest])

    def _first_window(self, channel: AlertChannel) -> float:
        """A successor keeps to the window that its predecessor opened."""
        last = channel.status.last_success
        left = 0.0 if last is None else self._post.timing.window - (now() - last.time).total_seconds()
        return time.monotonic() + max(0.0, min(left, self._post.timing.window))

    def _first_pause(self) -> dt.datetime | None:
        waits = (d.status.next_attempt_at for d in self._waiting())
        return max((time for time in waits if time is not None), default=None)


def _at_once(delivery: AlertDelivery) -> AlertDelivery:
    return replace(delivery, status=replace(delivery.status, next_attempt_at=None))


def _version(delivery: AlertDelivery) -> str:
    return f"{delivery.metadata.uid}/{delivery.metadata.resource_version}"
