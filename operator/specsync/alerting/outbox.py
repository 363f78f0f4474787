"""The outbox: which AlertDeliveries a decision of routing calls for. Pure, with names that follow from the decision.

So who makes them twice makes the same, and finds them there already.
"""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Sequence

from specsync.alerting.channels.registry import KINDS
from specsync.alerting.message import (
    Message,
    change_message,
    reminder_message,
    resolve_message,
    sunset_message,
)
from specsync.alerting.selecting import Causes, from_bits
from specsync.alerting.sunsets import reminder_times, sunsets_by_date
from specsync.resources import AlertChannel, AlertDelivery, ChangeSet, Dependency
from specsync.resources.alertdelivery import AlertDeliverySpec
from specsync.resources.meta import ObjectMeta, OwnerReference, Resource, owner_reference
from specsync.resources.syncjob import AlertOutput, AlertRoute


def delivery_name(about: str, *identity: str) -> str:
    """The name of a delivery: what it is about, and a digest of all that makes it this one."""
    digest = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:16]
    return f"{about[:63]}-{digest}"


def new_delivery(
    about: Resource,
    identity: Sequence[str],
    message: Message,
    *,
    channel: str,
    preference: str = "",
    not_before: dt.datetime | None = None,
    digest: bool = False,
    change_set: str = "",
    owner: OwnerReference | None = None,
) -> AlertDelivery:
    """A delivery of what happened to `about`, which owns it unless `owner` is given."""
    meta = about.metadata
    return AlertDelivery(
        metadata=ObjectMeta(
            name=delivery_name(message.dependency or meta.name, meta.uid, channel, *identity),
            namespace=meta.namespace,
            owner_references=[owner or owner_reference(about)],
        ),
        spec=AlertDeliverySpec(
            channel=channel,
            preference=preference,
            dependency=message.dependency,
            change_set=message.change.change_set if message.change else change_set,
            not_before=not_before,
            digest=digest,
            message=message,
        ),
    )


def deliveries_of(
    causes: Causes, dependency: Dependency, output: AlertOutput, dashboard: str = ""
) -> list[AlertDelivery]:
    """All deliveries of a change set, by the recorded decision. They belong to the Dependency, not to the change set:
    what waits is sent even if retention removes that.
    """
    change_set = causes.change_set
    told: dict[str, set[int]] = defaultdict(set)  # by channel: the causes that its message of the change tells
    for route in output.routes:
        if route.topic == "Change":
            told[route.channel] |= from_bits(route.causes)
    found = []
    for route in output.routes:
        message = change_message(change_set, dependency, causes.part(from_bits(route.causes)), dashboard)
        if route.topic == "Change":
            found += _of_change(change_set, dependency, route, message)
        elif output.routed_at is not None:
            found += _of_sunsets(change_set, dependency, causes, route, message, output.routed_at, told[route.channel])
    return found


def resolves_of(told: Sequence[AlertDelivery], channels: Sequence[AlertChannel], why: str) -> list[AlertDelivery]:
    """The end of what these deliveries began, by channels to which that means something. `why` is a sentence.

    One for each delivery of a change: the receiver knows it by the incident's key. Digests begin no incident.
    """
    resolving = {c.metadata.name for c in channels if KINDS[c.spec.type].resolves}
    return [
        new_delivery(
            delivery,
            ("resolve",),
            resolve_message(delivery.spec.message, why),
            channel=delivery.spec.channel,
            preference=delivery.spec.preference,
            owner=delivery.metadata.owner_references[0] if delivery.metadata.owner_references else None,
        )
        for delivery in told
        if delivery.spec.message.kind == "Change"
        and not delivery.spec.digest
        and delivery.spec.channel in resolving
        and delivery.status.phase != "Suppressed"
    ]


def _of_change(
    change_set: ChangeSet, dependency: Dependency, route: AlertRoute, message: Message
) -> list[AlertDelivery]:
    when = route.not_before.isoformat() if route.not_before else ""
    found = [
        new_delivery(
            dependency,
            (change_set.metadata.uid, route.preference, "change", when),
            message,
            channel=route.channel,
            preference=route.preference,
            not_before=route.not_before,
            digest=route.digest,
        )
    ]
    if route.remind_at is not None:
        found.append(
            new_delivery(
                dependency,
                (change_set.metadata.uid, route.preference, "reminder"),
                reminder_message(message, route.remind_after),
                channel=route.channel,
                preference=route.preference,
                not_before=route.remind_at,
            )
        )
    return found


def _of_sunsets(
    change_set: ChangeSet,
    dependency: Dependency,
    causes: Causes,
    route: AlertRoute,
    message: Message,
    at: dt.datetime,
    told: set[int],
) -> list[AlertDelivery]:
    """`told`: causes that the message of the change itself tells to the channel: of those it gets reminders only."""
    found = []
    news = sunsets_by_date(causes, from_bits(route.causes) - told, at)
    for day, sunsets in sunsets_by_date(causes, from_bits(route.causes), at).items():
        for days, when in reminder_times(day, at):
            at_once = when is None
            if at_once and day not in news:
                continue
            found.append(
                new_delivery(
                    dependency,
                    (change_set.metadata.uid, route.preference, "sunset", day.isoformat(), str(days)),
                    sunset_message(message, news[day] if at_once else sunsets, days),
                    channel=route.channel,
                    preference=route.preference,
                    not_before=route.not_before if at_once else when,
                    digest=route.digest and at_once,
                    change_set=change_set.metadata.name,
                )
            )
    return found
