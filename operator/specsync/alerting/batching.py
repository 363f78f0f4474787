"""What goes out next by one channel: one delivery, a group of them, or a digest. Pure.

The first message of a storm goes at once; what comes within the window after it waits, and goes as one group. What may
have been taken already, a group or a single one, goes again as it was, under the same id.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from specsync.alerting.channels.contract import Envelope, Mode
from specsync.alerting.message import Level
from specsync.resources import AlertDelivery
from specsync.resources.alertdelivery import MAX_GROUP

_MAX_GROUP_BYTES = 256 * 1024
_ALONE = ("Test", "Resolve")  # never part of a group, and never kept waiting by one
_LEVELS: dict[Level, int] = {"Critical": 0, "Warning": 1, "Info": 2, "Good": 3}


@dataclass(frozen=True)
class Batch:
    """Deliveries that go out in one sending: the leader's status stands for all until it is known how it went."""

    leader: AlertDelivery
    members: tuple[AlertDelivery, ...]  # without the leader
    mode: Mode
    full: bool = False  # there are more that would have gone with it

    @property
    def id(self) -> str:
        """What receivers know it by: the same for the same deliveries, and new when a user asks for them again."""
        if self.leader.status.group is not None:
            return self.leader.status.group.id
        if not self.members:
            return _own_id(self.leader)
        parts = "/".join(sorted(_own_id(each) for each in (self.leader, *self.members)))
        return "group-" + hashlib.sha256(parts.encode()).hexdigest()[:32]

    def envelope(self) -> Envelope:
        messages = [each.spec.message for each in (self.leader, *self.members)]
        return Envelope(id=self.id, mode=self.mode, messages=tuple(sorted(messages, key=lambda m: _LEVELS[m.level])))


def is_due(delivery: AlertDelivery, at: dt.datetime) -> bool:
    """Whether a pending delivery may go out: neither its time nor that of its next attempt is yet to come."""
    if delivery.status.phase != "Pending":
        return False
    times = (delivery.spec.not_before, delivery.status.next_attempt_at)
    return all(time is None or time <= at for time in times)


def due_time(delivery: AlertDelivery) -> dt.datetime | None:
    """When a pending delivery will be due; None: now."""
    times = [time for time in (delivery.spec.not_before, delivery.status.next_attempt_at) if time is not None]
    return max(times, default=None)


def is_in_doubt(delivery: AlertDelivery) -> bool:
    """Whether the service may have it already: what goes out now may be a copy."""
    attempts = delivery.status.last_attempts
    return delivery.status.possibly_duplicated or bool(attempts and attempts[-1].outcome == "Unknown")


def bound_names(deliveries: Iterable[AlertDelivery]) -> set[str]:
    """The names of those that go with their group's leader, or not at all."""
    return {name for each in deliveries if each.status.group for name in each.status.group.members}


def next_batch(
    deliveries: Sequence[AlertDelivery],
    at: dt.datetime,
    *,
    groups: bool,
    window_open: bool,
    failing: bool = False,
    alone: Collection[str] = (),
) -> Batch | None:
    """What to send now, of the unfinished deliveries of one channel; None where nothing is due.

    `groups`: the channel takes several messages at once. `window_open`: one went out a moment ago, what isn't urgent
    waits. `failing`: the latest sending failed, so one goes by itself, the least tried: it shows whether that was the
    channel's fault or the message's. `alone`: uids of deliveries that go by themselves, for the service refused a group
    with them.
    """
    by_name = {each.metadata.name: each for each in deliveries}
    bound = bound_names(deliveries)
    due = sorted((d for d in deliveries if is_due(d, at) and d.metadata.name not in bound), key=_age)
    for delivery in due:
        if delivery.status.group is not None:
            members = [by_name[name] for name in delivery.status.group.members if name in by_name]
            return Batch(delivery, tuple(members), mode_of(delivery, members))
    for delivery in due:
        if delivery.spec.message.kind == "Test" or delivery.metadata.uid in alone or is_in_doubt(delivery):
            return Batch(delivery, (), mode_of(delivery, ()))
        if delivery.spec.message.kind == "Resolve" and not _begins_later(delivery, deliveries):
            return Batch(delivery, (), "Single")
    ordinary = [d for d in due if d.spec.message.kind not in _ALONE]
    if not groups:
        return Batch(_least_tried(ordinary) if failing else ordinary[0], (), "Single") if ordinary else None
    for delivery in ordinary:
        if delivery.spec.digest:
            return _bundle([d for d in ordinary if d.spec.digest and d.spec.preference == delivery.spec.preference])
    if not ordinary or window_open:
        return None
    return Batch(_least_tried(ordinary), (), "Single") if failing else _bundle(ordinary)


def _least_tried(deliveries: Iterable[AlertDelivery]) -> AlertDelivery:
    return min(deliveries, key=lambda delivery: delivery.status.attempts)


def opens_window(batch: Batch) -> bool:
    """Whether what comes now has to wait for the window after this sending."""
    return batch.mode != "Digest" and batch.leader.spec.message.kind not in _ALONE and not batch.full


def _bundle(deliveries: Sequence[AlertDelivery]) -> Batch:
    size = 0
    chosen: list[AlertDelivery] = []
    for delivery in deliveries[:MAX_GROUP]:
        size += len(msgspec.json.encode(delivery.spec.message))
        if chosen and size > _MAX_GROUP_BYTES:
            break
        chosen.append(delivery)
    leader, *members = chosen
    return Batch(leader, tuple(members), mode_of(leader, members), full=len(chosen) < len(deliveries))


def mode_of(leader: AlertDelivery, members: Sequence[AlertDelivery]) -> Mode:
    return "Digest" if leader.spec.digest else "Group" if members else "Single"


def _begins_later(end: AlertDelivery, deliveries: Sequence[AlertDelivery]) -> bool:
    """Whether what it ends has yet to be sent: an end that comes first would leave the incident open for good."""
    incident = end.spec.message.incident
    return any(d.spec.message.incident == incident and d.spec.message.kind == "Change" for d in deliveries)


def _own_id(delivery: AlertDelivery) -> str:
    uid, retry = delivery.metadata.uid, delivery.status.last_handled_retry
    return f"{uid}-{hashlib.sha256(retry.encode()).hexdigest()[:8]}" if retry else uid


def _age(delivery: AlertDelivery) -> tuple[dt.datetime, str]:
    created = delivery.metadata.creation_timestamp or dt.datetime.min.replace(tzinfo=dt.UTC)
    return (created, delivery.metadata.name)
