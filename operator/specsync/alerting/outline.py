"""What an envelope says, as lines for people: the same for every channel, which only lays it out and escapes it.

Texts of vendors come out on one line, without control and direction marks. They still are data: a channel writes them
where its service reads no markup, or escapes them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from specsync.alerting.channels.contract import Envelope
from specsync.alerting.message import Cause, Level, Message, Operation
from specsync.diffing.plain import plain

P = TypeVar("P")

_MOST_ENTRIES = 50
_SHOWN_OPERATIONS = 3
_SHOWN_NAMES, _SHOWN_NAME = 3, 40  # of a group, and characters of each
_SHOWN_VALUE = 120  # characters of a value before or after, and of a witness


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One edit, operation or fact: a line, and what is below it."""

    mark: str  # "breaking", "risky", "safe", or empty
    line: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """One message."""

    level: Level
    title: str
    origin: str  # for whom: "namespace team-a, Dependency shop, API Orders"
    text: str
    entries: tuple[Entry, ...]
    more: int  # entries that are left out here
    what: str  # what an entry is called: "edit", "operation"
    commands: tuple[tuple[str, str], ...]  # label, what to type
    link: str  # of the operator's own page, or empty

    @property
    def more_line(self) -> str:
        """ "and 12 more edits", or empty."""
        return f"and {self.more} more {self.what}{'' if self.more == 1 else 's'}" if self.more else ""


@dataclass(frozen=True, kw_only=True)
class Outline:
    """A whole envelope."""

    level: Level
    headline: str
    summary: str  # the headline with the worst of it, for where nothing else is shown: a notification, a subject
    sections: tuple[Section, ...]
    more: int  # messages that are left out here

    @property
    def more_line(self) -> str:
        """ "and 3 more alerts: kubectl get adel", or empty."""
        return f"and {self.more} more alert{'' if self.more == 1 else 's'}: kubectl get adel -A" if self.more else ""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much of an envelope is shown."""

    entries: int = 1000  # of each message
    details: bool = True
    messages: int = 1000


def outline(envelope: Envelope, budget: Budget | None = None) -> Outline:
    """What the envelope says, as far as the budget goes; worst first."""
    budget = budget or Budget()
    shown = envelope.messages[: budget.messages]
    return Outline(
        level=envelope.messages[0].level,
        headline=_headline(envelope),
        summary=_summary(envelope),
        sections=tuple(_section(message, budget) for message in shown),
        more=len(envelope.messages) - len(shown),
    )


# What somebody reads in a chat: more of it is a wall, and a command away.
CHAT_ENTRIES, CHAT_GROUP_ENTRIES = 10, 3


def fitted(envelope: Envelope, make: Callable[[Outline], P], fits: Callable[[P], bool], *, chat: bool = False) -> P:
    """The fullest payload that fits: first edits are left out, then details, then messages; the title never is.

    `chat`: no longer than what people read there.
    """
    payload: P | None = None
    most = (CHAT_ENTRIES if len(envelope.messages) == 1 else CHAT_GROUP_ENTRIES) if chat else _MOST_ENTRIES
    for budget in _budgets(len(envelope.messages), most):
        payload = make(outline(envelope, budget))
        if fits(payload):
            break
    assert payload is not None
    return payload


def _budgets(messages: int, most: int) -> Iterator[Budget]:
    for entries in (_MOST_ENTRIES, 30, 20, 10, 8, 5, 3, 2, 1):
        if entries <= most:
            yield Budget(entries=entries)
    yield Budget(entries=1, details=False)
    while messages > 1:
        messages = messages * 2 // 3
        yield Budget(entries=1, details=False, messages=messages)
    yield Budget(entries=0, details=False, messages=1)


def _headline(envelope: Envelope) -> str:
    number, title = len(envelope.messages), plain(envelope.messages[0].title)
    if number == 1:
        return f"Digest: {title}" if envelope.mode == "Digest" else title
    breaking = sum(1 for message in envelope.messages if message.level == "Critical")
    grave = f", {'all' if breaking == number else breaking} breaking or failing" if breaking else ""
    about = list(dict.fromkeys(plain(message.display_name or message.title) for message in envelope.messages))
    named = ", ".join(_short(name, _SHOWN_NAME) for name in about[:_SHOWN_NAMES])
    left = len(about) - _SHOWN_NAMES
    word = "Digest of " if envelope.mode == "Digest" else ""
    return f"{word}{number} alerts{grave}: {named}" + (f" and {left} more" if left > 0 else "")


def _summary(envelope: Envelope) -> str:
    headline, first = _headline(envelope), envelope.messages[0]
    entries, hidden = _entries(first)
    if len(envelope.messages) > 1 or not entries or first.sunsets:
        return headline
    left = len(entries) - 1 + hidden
    return f"{headline} – {entries[0].line}" + (f" (and {left} more)" if left else "")


def _section(message: Message, budget: Budget) -> Section:
    entries, hidden = _entries(message)
    shown = entries[: budget.entries]
    if not budget.details:
        shown = [Entry(mark=entry.mark, line=entry.line) for entry in shown]
    return Section(
        level=message.level,
        title=plain(message.title),
        origin=_origin(message),
        text=plain(message.text),
        entries=tuple(shown),
        more=len(entries) - len(shown) + hidden,
        what="operation" if message.sunsets else "edit",
        commands=tuple((plain(command.label), plain(command.command)) for command in message.commands),
        link=message.link,
    )


def _origin(message: Message) -> str:
    parts = [f"namespace {plain(message.namespace)}"]
    if message.dependency:
        parts.append(f"Dependency {plain(message.dependency)}")
    if message.api_title and message.api_title != message.display_name:
        parts.append(f"API {plain(message.api_title)}")
    if message.change is not None and message.change.partial:
        parts.append("part of a larger change")
    return ", ".join(parts)


def _entries(message: Message) -> tuple[list[Entry], int]:
    if message.sunsets:
        return [Entry(mark="", line=f"{_operation(s.operation)} ends on {plain(s.date)}") for s in message.sunsets], 0
    if message.change is None:
        return [], 0
    return [_cause(cause) for cause in message.change.causes], message.change.more_causes


def _cause(cause: Cause) -> Entry:
    details = []
    line = plain(cause.summary)
    if cause.before is not None and cause.after is not None:
        details.append(f"{_value(cause.before)} → {_value(cause.after)}")
    elif cause.before and cause.before not in cause.summary:
        details.append(f"was: {_value(cause.before)}")
    elif cause.after and cause.after not in cause.summary:
        details.append(f"now: {_value(cause.after)}")
    if len(cause.operations) == 1 and cause.operation_count <= 1:
        line = f"{_operation(cause.operations[0])}: {line}"
    elif cause.operations:
        named = ", ".join(_operation(operation) for operation in cause.operations[:_SHOWN_OPERATIONS])
        left = max(cause.operation_count, len(cause.operations)) - min(len(cause.operations), _SHOWN_OPERATIONS)
        details.append(f"in {named}" + (f" and {left} more" if left else ""))
    if cause.witness is not None:
        happens = (
            "was accepted and is refused now"
            if cause.witness.accepted_by == "old"
            else "may come now, and was not allowed"
        )
        value, reason = _short(cause.witness.value), _short(cause.witness.reason)
        details.append(f"for example ({plain(cause.witness.place)}): {value} {happens}: {reason}")
    return Entry(mark=cause.severity, line=line, details=tuple(details))


def _operation(operation: Operation) -> str:
    return f"{plain(operation.method)} {plain(operation.path)}"


def _value(text: str | None) -> str:
    return _short(text or "") or '""'


def _short(text: str, longest: int = _SHOWN_VALUE) -> str:
    text = plain(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"
