"""The channel-neutral message, and how it is made of what was found.

The structs are those of a delivery's spec (`resources/alertmessage.py`), under shorter names. All texts of vendors are
on one line, without control and direction marks, and cut; they still are data, to be escaped by each channel.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from specsync.diffing.plain import plain
from specsync.resources import AlertChannel, ChangeSet, Dependency
from specsync.resources.alertmessage import (
    MAX_CAUSES,
    MAX_MESSAGE_BYTES,
    MAX_OPERATIONS,
    MAX_SUNSETS,
    MAX_TEXT,
    Level,
    MessageKind,
)
from specsync.resources.alertmessage import AlertMessage as Message
from specsync.resources.alertmessage import MessageCause as Cause
from specsync.resources.alertmessage import MessageChange as Change
from specsync.resources.alertmessage import MessageCommand as Command
from specsync.resources.alertmessage import MessageCounts as Counts
from specsync.resources.alertmessage import MessageOperation as Operation
from specsync.resources.alertmessage import MessageSunset as Sunset
from specsync.resources.alertmessage import MessageWitness as Witness
from specsync.resources.changeset import ChangeCause, ChangeEvent, ChangeWitness, Severity
from specsync.resources.dependency import HealthState

__all__ = [
    "Cause",
    "Change",
    "Command",
    "Counts",
    "Level",
    "Message",
    "MessageKind",
    "Operation",
    "Part",
    "Sunset",
    "Witness",
    "change_message",
    "channel_message",
    "counted",
    "health_message",
    "reminder_message",
    "resolve_message",
    "sunset_message",
    "test_message",
]

_LEVELS: dict[Severity, Level] = {"breaking": "Critical", "risky": "Warning", "safe": "Info"}


@dataclass(frozen=True)
class Part:
    """What of a change set is told: some of its causes, worst first, each with those of its events that count."""

    causes: Sequence[tuple[ChangeCause, Sequence[ChangeEvent]]]
    counts: Counts
    whole: bool

    @property
    def severity(self) -> Severity:
        return "breaking" if self.counts.breaking else "risky" if self.counts.risky else "safe"


def change_message(change_set: ChangeSet, dependency: Dependency, part: Part, dashboard: str = "") -> Message:
    """What broke, for whom, grouped by cause, worst first. A pure function of its arguments.

    `dashboard` is the operator's setting, without a slash at its end: the link is `<it>/NAMESPACE/changes/NAME`.
    """
    spec, namespace, name = change_set.spec, change_set.metadata.namespace, change_set.metadata.name
    shown = _name(dependency)
    causes = [_cause(cause, events) for cause, events in part.causes[:MAX_CAUSES]]
    versions = _versions(spec.from_.version, spec.to.version)
    message = Message(
        kind="Change",
        level=_LEVELS[part.severity],
        title=_cut(f"{shown}: {counted(part.counts)}{versions}", 256),  # what a phone cuts off are the versions
        namespace=namespace,
        dependency=spec.dependency,
        display_name=shown,
        api_title=_title(dependency),
        at=change_set.metadata.creation_timestamp or dt.datetime.fromtimestamp(0, dt.UTC),
        change=Change(
            change_set=name,
            from_version=_cut(spec.from_.version, 128),
            to_version=_cut(spec.to.version, 128),
            counts=part.counts,
            causes=causes,
            more_causes=len(part.causes) - len(causes),
            partial=not part.whole,
        ),
        commands=[
            Command(label="See all of it", command=f"kubectl specsync changes {name} -n {namespace}"),
            Command(label="Acknowledge", command=f"kubectl specsync alerts ack {name} -n {namespace}"),
        ],
        link=f"{dashboard}/{quote(namespace)}/changes/{quote(name)}" if dashboard else "",
        incident=f"specsync/{change_set.metadata.uid or namespace + '/' + name}",
    )
    return _fitted(message)


def reminder_message(told: Message, after: str) -> Message:
    """The reminder of a breaking change that nobody has acknowledged `after` that time (a duration such as 24h)."""
    return replace(
        told,
        kind="Reminder",
        title=_cut(f"Still open after {after}: {told.title}", 256),
        text=f"Nobody has acknowledged this change within {after}.",
    )


def resolve_message(told: Message, why: str) -> Message:
    """The end of what `told` began: it was acknowledged, or the change was taken back. `why` is a sentence."""
    change = told.change and replace(told.change, causes=[], more_causes=0)
    return replace(
        told,
        kind="Resolve",
        level="Good",
        title=_cut(f"Closed: {told.title}", 256),
        text=_cut(why, 2048),
        change=change,
    )


def sunset_message(told: Message, sunsets: Sequence[Sunset], days: int) -> Message:
    """The word, `days` before the soonest of them, that operations end. `told` is the message of their change."""
    soonest = min(sunset.date for sunset in sunsets)
    number = len(sunsets)
    what = sunsets[0].operation
    first = f"{what.method} {what.path}" if number == 1 else f"{number} operations"
    ends = "ends" if number == 1 else "end"
    return replace(
        told,
        kind="Deprecation",
        level="Warning",
        title=_cut(
            f"{told.display_name}: {first} {ends} on {soonest}, in {days} {'day' if days == 1 else 'days'}", 256
        ),
        text="The provider has deprecated this and named the day of its end (sunset). Move to what replaces it.",
        change=None,
        sunsets=sorted(sunsets, key=lambda sunset: sunset.date)[:MAX_SUNSETS],
        commands=told.commands[:1],
        incident="",
    )


def health_message(
    dependency: Dependency, state: HealthState, text: str, at: dt.datetime, *, recovered: bool
) -> Message:
    """A Dependency's health has changed. `text` is a sentence that says how it came about, and what to do."""
    namespace, name, shown = dependency.metadata.namespace, dependency.metadata.name, _name(dependency)
    word = "is healthy again" if recovered else f"is {state}"
    return Message(
        kind="Health",
        level="Good" if recovered else "Critical" if state == "paused" else "Warning",
        title=_cut(f"{shown} {word}", 256),
        text=_cut(text, 2048),
        namespace=namespace,
        dependency=name,
        display_name=shown,
        api_title=_title(dependency),
        at=at,
        commands=[Command(label="See why", command=f"kubectl describe dep {name} -n {namespace}")],
        incident=f"specsync/{dependency.metadata.uid or namespace + '/' + name}/health",
    )


def channel_message(channel: AlertChannel, trouble: str, at: dt.datetime) -> Message:
    """A channel takes no messages, as `trouble` says; without trouble, it takes them again. For other channels."""
    namespace, name = channel.metadata.namespace, channel.metadata.name
    text = "What it should have got waits, and is sent when it works again."
    return Message(
        kind="Channel",
        level="Warning" if trouble else "Good",
        title=f"Alert channel {name} takes {'no messages' if trouble else 'messages again'}",
        text=_cut(f"{trouble} {text}" if trouble else "What waited for it is being sent.", 2048),
        namespace=namespace,
        at=at,
        commands=[Command(label="See why", command=f"kubectl describe achan {name} -n {namespace}")] if trouble else [],
        incident=f"specsync/{channel.metadata.uid}/channel",
    )


def test_message(channel: AlertChannel, at: dt.datetime) -> Message:
    """What a user asks for to see whether a channel works."""
    namespace, name = channel.metadata.namespace, channel.metadata.name
    return Message(
        kind="Test",
        level="Info",
        title=f"Test of alert channel {name}",
        text="This is what you asked for. Nothing has changed, and nothing is wrong.",
        namespace=namespace,
        at=at,
        commands=[Command(label="See how it went", command=f"kubectl describe achan {name} -n {namespace}")],
    )


def counted(counts: Counts) -> str:
    """ "2 breaking, 1 risky and 3 safe changes"."""
    parts = [
        f"{number} {word}"
        for number, word in ((counts.breaking, "breaking"), (counts.risky, "risky"), (counts.safe, "safe"))
        if number
    ]
    total = counts.breaking + counts.risky + counts.safe
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else "no"
    return f"{listed} change{'' if total == 1 else 's'}"


def _cause(cause: ChangeCause, events: Sequence[ChangeEvent]) -> Cause:
    operations = _distinct(
        Operation(method=_cut(e.operation.method, 16), path=_cut(e.operation.path)) for e in events if e.operation
    )
    worst = events[0] if events else None
    witness = next((_witness(e.witness) for e in events if e.witness is not None), None)
    return Cause(
        summary=_cut(cause.summary),
        severity=worst.severity if worst else cause.severity,
        kind=cause.kind,
        domain=_cut(worst.domain, 128) if worst else "",
        operations=operations[:MAX_OPERATIONS],
        operation_count=max(cause.operations, len(operations)),
        before=_value(worst.before) if worst else None,
        after=_value(worst.after) if worst else None,
        witness=witness,
    )


def _witness(found: ChangeWitness) -> Witness:
    return Witness(
        place=_cut(found.place, 256),
        accepted_by=found.accepted_by,
        value=_cut(found.value, 1024),
        reason=_cut(found.reason, 256),
    )


def _fitted(message: Message) -> Message:
    """The message within its limit of bytes: the last causes go first, the first is the last to go."""
    while (change := message.change) is not None and len(msgspec.json.encode(message)) > MAX_MESSAGE_BYTES:
        left = max(1, len(change.causes) * 3 // 4)
        if left == len(change.causes):
            break
        cut = replace(change, causes=change.causes[:left], more_causes=change.more_causes + len(change.causes) - left)
        message = replace(message, change=cut)
    return message


def _distinct(operations: Iterable[Operation]) -> list[Operation]:
    return list({(o.method, o.path): o for o in operations}.values())


def _name(dependency: Dependency) -> str:
    return _cut(dependency.spec.display_name or _title(dependency) or dependency.metadata.name, 256)


def _title(dependency: Dependency) -> str:
    return _cut(dependency.status.current.title, 256) if dependency.status.current else ""


def _versions(before: str, after: str) -> str:
    before, after = _cut(before, 40), _cut(after, 40)
    if before and after and before != after:
        return f" ({before} → {after})"
    return f" ({after})" if after else ""


def _value(text: str | None) -> str | None:
    return None if text is None else _cut(text)


def _cut(text: str, longest: int = MAX_TEXT) -> str:
    text = plain(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"
