"""Who is told of a change set and why, and what became of it, in words: what `specsync alerts explain` prints. Pure."""

import datetime as dt
from collections.abc import Sequence

from specsync.alerting.message import Counts, counted
from specsync.alerting.routing import Verdict
from specsync.diffing.plain import plain
from specsync.resources import AlertChannel, AlertDelivery, ChangeSet
from specsync.resources.changeset import ChangeSetSpec
from specsync.resources.conditions import find


def heading(change_set: ChangeSet) -> list[str]:
    """What it is about, and who knows of it."""
    spec = change_set.spec
    counts = Counts(breaking=spec.summary.breaking, risky=spec.summary.risky, safe=spec.summary.safe)
    lines = [f"ChangeSet {change_set.metadata.name} of Dependency {spec.dependency}: {counted(counts)}"]
    return lines + _triaged(spec)


def _triaged(spec: ChangeSetSpec) -> list[str]:
    found = (("Acknowledged", spec.acknowledged), ("Resolved", spec.resolved))
    lines = []
    for word, triage in found:
        if triage is not None:
            when = f", {_shown(triage.at)}" if triage.at else ""
            note = f": {plain(triage.note)}" if triage.note else ""
            lines.append(f"{word} by {plain(triage.by)}{when}{note}")
    return lines


def by_channel(
    verdicts: Sequence[Verdict], told: Sequence[AlertDelivery], channels: Sequence[AlertChannel], at: dt.datetime
) -> list[str]:
    """For each channel why it gets the change set or not, and the state of what was `told` to it, as of `at`."""
    existing = {channel.metadata.name: channel for channel in channels}
    lines = []
    names = sorted({v.channel for v in verdicts} | {d.spec.channel for d in told})
    for name in names:
        lines.append(f"{name}")
        for verdict in (v for v in verdicts if v.channel == name):
            word = "gets" if verdict.route is not None else "doesn't get"
            what = "it" if verdict.topic == "Change" else "the sunset dates in it"
            by = f"by AlertPreference {verdict.preference}" if verdict.preference else "by default"
            lines.append(f"  {word} {what} {by}: {plain(verdict.why)}")
        deliveries = [d for d in told if d.spec.channel == name]
        lines += [f"  {_state(delivery, existing.get(name), at)}" for delivery in sorted(deliveries, key=_due)]
        wanted = any(v.route for v in verdicts if v.channel == name)
        if deliveries and not wanted:
            lines.append("  (what was decided then differs: channels or preferences have changed since)")
        elif wanted and not deliveries:
            lines.append("  (there is no delivery of it: it was decided before this was so, or is deleted by now)")
    return lines or ["There is no AlertChannel in this namespace, and no AlertPreference that names one."]


def _due(delivery: AlertDelivery) -> dt.datetime:
    return delivery.spec.not_before or dt.datetime.min.replace(tzinfo=dt.UTC)


def _state(delivery: AlertDelivery, channel: AlertChannel | None, at: dt.datetime) -> str:
    status, kind = delivery.status, delivery.spec.message.kind
    match status.phase:
        case "Sent":
            how = f"sent {_shown(status.sent_at)}" + (f" ({plain(status.response)})" if status.response else "")
            if status.group is not None:
                how += ", in a digest" if delivery.spec.digest else ", in a group with others"
        case "Pending":
            how = _waiting(delivery, channel, at)
        case "DeadLettered":
            how = f"given up ({status.reason}): {plain(status.message)}"
        case "Suppressed":
            how = f"not sent ({status.reason}): {plain(status.message)}"
        case _:
            how = "is being sent"
    doubled = "; possibly twice" if status.possibly_duplicated else ""
    return f"{kind} {delivery.metadata.name}: {how}{doubled}"


def _waiting(delivery: AlertDelivery, channel: AlertChannel | None, at: dt.datetime) -> str:
    status, name = delivery.status, delivery.spec.channel
    due = delivery.spec.not_before
    if due is not None and due > at:
        return f"waits until {_shown(due)}" + (", for its digest" if delivery.spec.digest else "")
    if channel is None:
        return f"waits for AlertChannel {name}, which doesn't exist"
    if channel.spec.suspend:
        return f"waits, for AlertChannel {name} is suspended (spec.suspend)"
    if status.attempts:
        times = f"{status.attempts} time{'' if status.attempts == 1 else 's'}"
        return f"failed {times}, next try {_shown(status.next_attempt_at)}: {plain(status.message)}"
    ready = find(channel.status.conditions, "Ready")
    if ready is not None and ready.status == "False":
        return f"waits, for the channel takes nothing: {plain(ready.message)}"
    limit = channel.spec.rate_limit.messages_per_minute
    return f"waits for its turn: soon, in a group with others, or within the channel's {limit} messages a minute"


def _shown(at: dt.datetime | None) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "soon"
