"""One sending, from claim to record: the part of the outbox that a crash may interrupt anywhere.

claim    the leader of the batch, with the names of the members: Sending (one write)
send     the one request to the channel's service
record   the members first, then the leader (one write each)

Who finds a leader in Sending, whose sender is gone, can't know whether it was sent, unless a member says so: those are
recorded as sent only after the service has taken the message. Without that word it is sent again, and marked.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog
from msgspec.structs import replace

from specsync.alerting import metrics
from specsync.alerting.batching import Batch
from specsync.alerting.channels.contract import (
    ChannelBroken,
    DeliveryError,
    OutcomeUnknown,
    Receipt,
    Rejected,
    Retryable,
)
from specsync.alerting.channels.registry import channel_for
from specsync.alerting.secrets import OutletMaker
from specsync.kube.client import ApiError, Invalid, KubeClient, NotFound
from specsync.resources import AlertChannel, AlertDelivery
from specsync.resources.alertdelivery import (
    MAX_ATTEMPTS_SHOWN,
    AlertDeliveryStatus,
    DeliveryAttempt,
    DeliveryGroup,
)
from specsync.resources.meta import now, to_wire
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import Claim
from specsync.worker.claims import Held, take

log = structlog.get_logger()

Pause = Callable[[str], None]

_GRACE = 5.0  # seconds beyond the channel's own timeout, after which a sending is given up


@dataclass(frozen=True)
class Outcome:
    """How a sending went: a receipt, or an error. `at`: when it ended."""

    batch: Batch
    at: dt.datetime
    receipt: Receipt | None = None
    error: DeliveryError | None = None

    @property
    def word(self) -> str:
        return "Accepted" if self.error is None else "Unknown" if isinstance(self.error, OutcomeUnknown) else "Failed"


async def begin(
    client: KubeClient, batch: Batch, worker: str, pause: Pause, *, sends: bool = True
) -> Held[AlertDelivery] | None:
    """Claims the leader for the whole batch; None where somebody was quicker. Raises ApiError.

    Where an earlier sending has an unknown outcome, all of them are marked as possibly doubled from now on, unless
    this claim `sends` nothing: it only records what is known to have been taken.
    """
    leader, status, at = batch.leader, batch.leader.status, now()
    old = status.claim
    new = Claim(worker=worker, epoch=(old.epoch if old else 0) + 1, claimed_at=at)
    attempts = status.last_attempts
    if status.phase == "Sending" and sends:
        text = "the worker that sent it went away before it could say how that went"
        gone = old.worker if old else ""
        lost = DeliveryAttempt(
            at=(old.claimed_at if old else None) or at,
            outcome="Unknown",
            worker=gone,
            reason=Reason.WORKER_LOST,
            message=text,
        )
        attempts = _with(attempts, lost)
    doubled = status.possibly_duplicated or bool(sends and attempts and attempts[-1].outcome == "Unknown")
    if doubled and not status.possibly_duplicated:
        metrics.DUPLICATES.inc(1 + len(batch.members))
    members = [member.metadata.name for member in batch.members]
    group = DeliveryGroup(id=batch.id, leader=leader.metadata.name, members=members) if members else status.group
    claimed = replace(
        status,
        phase="Sending",
        claim=new,
        attempts=status.attempts + sends,
        last_attempts=attempts,
        next_attempt_at=None,
        group=group,
        possibly_duplicated=doubled,
    )
    pause("delivery-before-claim")
    taken = await take(client, leader, claimed, new)
    if taken is None:
        return None
    pause("delivery-claimed")
    return Held(client, taken)


async def send(outlets: OutletMaker, channel: AlertChannel, batch: Batch, pause: Pause) -> Outcome:
    """The one request. Never raises but on cancellation: whatever happens is an outcome."""
    try:
        kind = channel_for(channel.spec)
        payload = kind.render(batch.envelope())
        outlet = await outlets.outlet(channel)
    except DeliveryError as error:
        return Outcome(batch, now(), error=error)
    except ApiError as error:
        text = f"the API server did not give the channel's Secret: {error}"
        return Outcome(batch, now(), error=Retryable(Reason.API_ERROR, text))
    except Exception as error:
        log.exception("message not rendered", channel=channel.metadata.name)
        text = f"the message could not be made ({type(error).__name__}); the operator's log says more. Please report it"
        return Outcome(batch, now(), error=Retryable(Reason.INTERNAL_ERROR, text))
    try:
        pause("delivery-before-send")
        async with asyncio.timeout(outlet.timeout + _GRACE):
            receipt = await kind.send(payload, outlet)
        pause("delivery-sent")
        return Outcome(batch, now(), receipt=receipt)
    except DeliveryError as error:
        return Outcome(batch, now(), error=error)
    except TimeoutError:
        text = f"the channel's service gave no answer within {outlet.timeout + _GRACE:g} seconds"
        return Outcome(batch, now(), error=OutcomeUnknown(Reason.TIMEOUT, text))
    except Exception as error:
        log.exception("sending failed unexpectedly", channel=channel.metadata.name)
        text = f"sending failed ({type(error).__name__}); the operator's log says more. Please report it"
        return Outcome(batch, now(), error=OutcomeUnknown(Reason.INTERNAL_ERROR, text))


async def record_sent(
    client: KubeClient, held: Held[AlertDelivery], outcome: Outcome, pause: Pause
) -> list[AlertDelivery]:
    """Records that the service took it: the members, then the leader. All as they are then.

    Raises ClaimLost, ApiError.
    """
    leader, receipt = held.job, outcome.receipt or Receipt()
    group = leader.status.group and replace(leader.status.group, members=[])

    def as_member(member: AlertDelivery) -> AlertDeliveryStatus:
        sent = _sent(member.status, receipt, outcome.at)
        doubled = leader.status.possibly_duplicated
        return replace(sent, group=group, possibly_duplicated=doubled, attempts=sent.attempts + 1)

    recorded = await _record_members(client, outcome.batch.members, as_member, pause)
    attempt = DeliveryAttempt(at=outcome.at, outcome="Accepted", worker=_worker(leader), message=receipt.detail[:512])
    status = replace(
        _sent(leader.status, receipt, outcome.at),
        group=group,
        last_attempts=_with(leader.status.last_attempts, attempt),
    )
    await held.write(status)
    pause("delivery-recorded")
    return [*recorded, held.job]


async def record_failure(
    client: KubeClient, held: Held[AlertDelivery], outcome: Outcome, retry_at: dt.datetime | None, pause: Pause
) -> list[AlertDelivery]:
    """Records a failed sending: another follows at `retry_at`, None gives it up. Those that it wrote, as they are then.

    A group stays together only where it may have been taken, by this sending or an earlier one: it must go again as it
    was. Where it can't (it is refused or given up), its members are told of that first. Raises ClaimLost, ApiError.
    """
    error, status = outcome.error, held.job.status
    assert error is not None
    unknown = isinstance(error, OutcomeUnknown)
    in_doubt = unknown or status.possibly_duplicated
    stays = in_doubt and retry_at is not None and not isinstance(error, Rejected)
    attempt = DeliveryAttempt(
        at=outcome.at,
        outcome="Unknown" if unknown else "Failed",
        worker=_worker(held.job),
        reason=error.reason,
        message=error.message[:1024],
    )

    def as_member(member: AlertDelivery) -> AlertDeliveryStatus:
        attempts, doubled = _with(member.status.last_attempts, attempt), status.possibly_duplicated
        told = replace(member.status, last_attempts=attempts, possibly_duplicated=doubled)
        if retry_at is not None:
            return told
        return replace(told, phase="DeadLettered", reason=error.reason, message=attempt.message)

    members = outcome.batch.members if in_doubt and not stays else ()
    recorded = await _record_members(client, members, as_member, pause)
    ended = replace(
        status,
        phase="Pending" if retry_at else "DeadLettered",
        claim=status.claim and (replace(status.claim, worker="") if retry_at else status.claim),
        last_attempts=_with(status.last_attempts, attempt),
        next_attempt_at=retry_at,
        reason=error.reason,
        message=attempt.message,
        group=status.group if stays else None,
    )
    await held.write(ended)
    return [*recorded, held.job]


async def _record_members(
    client: KubeClient,
    members: Iterable[AlertDelivery],
    status_of: Callable[[AlertDelivery], AlertDeliveryStatus],
    pause: Pause,
) -> list[AlertDelivery]:
    recorded = []
    for member in members:
        written = await write_pending(client, member, status_of(member))
        if written is not None:
            recorded.append(written)
        pause("delivery-member-recorded")
    return recorded


async def write_pending(
    client: KubeClient, delivery: AlertDelivery, status: AlertDeliveryStatus
) -> AlertDelivery | None:
    """Writes the status of a delivery that waits unclaimed. What the server holds then; None where it is gone.

    Raises ApiError.
    """
    meta = delivery.metadata
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": meta.uid},
        {"op": "test", "path": "/status/phase", "value": "Pending"},
        {"op": "add", "path": "/status", "value": to_wire(status)},
    ]
    while True:
        try:
            return await client.patch(AlertDelivery, meta.namespace, meta.name, patch, subresource="status")
        except NotFound:
            return None
        except Invalid:
            # An earlier attempt of this write was carried out though its answer was lost, or the schema refuses it.
            latest = await client.get(AlertDelivery, meta.namespace, meta.name)
            if latest.status.phase == "Pending":
                raise
            return latest
        except ApiError as error:
            if not error.unknown:
                raise
            await asyncio.sleep(max(0.5, error.retry_after or 0.0))


async def was_taken(client: KubeClient, leader: AlertDelivery) -> AlertDelivery | None:
    """A member of the leader's group that was recorded as sent: then all of them were. Raises ApiError."""
    group = leader.status.group
    if group is None:
        return None
    for name in group.members:
        try:
            member = await client.get(AlertDelivery, leader.metadata.namespace, name)
        except NotFound:
            continue
        theirs = member.status.group
        if member.status.phase == "Sent" and theirs is not None and theirs.id == group.id:
            return member
    return None


def is_of_channel(error: DeliveryError) -> bool:
    """Whether the failure is the channel's and not this message's: nothing else would get through either."""
    return isinstance(error, ChannelBroken | Retryable | OutcomeUnknown) and not isinstance(error, Rejected)


def _sent(status: AlertDeliveryStatus, receipt: Receipt, at: dt.datetime) -> AlertDeliveryStatus:
    return replace(
        status,
        phase="Sent",
        next_attempt_at=None,
        sent_at=at,
        response=receipt.detail[:512],
        reference=receipt.reference[:512],
        reason="",
        message="",
    )


def _with(attempts: list[DeliveryAttempt], new: DeliveryAttempt) -> list[DeliveryAttempt]:
    return [*attempts, new][-MAX_ATTEMPTS_SHOWN:]


def _worker(delivery: AlertDelivery) -> str:
    return delivery.status.claim.worker if delivery.status.claim else ""
