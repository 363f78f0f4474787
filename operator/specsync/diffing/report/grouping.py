"""Comparisons in the order in which people read them: by edit of the document, or by operation."""

from __future__ import annotations

from collections import Counter

import msgspec

from specsync.diffing.comparison import SEVERITIES, Cause, Comparison, Event, Severity, Witness
from specsync.diffing.plain import plain
from specsync.diffing.wording import worded

RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}


class Edit(msgspec.Struct, gc=False):
    """One edit with its events; or several that say the same of one operation each, such as new endpoints."""

    severity: Severity
    summary: str
    causes: list[Cause]
    events: list[Event]

    def operations(self) -> list[str]:
        """``METHOD /path`` of each operation that it reaches, once."""
        return list(dict.fromkeys(operation_name(event) for event in self.events if event.operation is not None))


class OperationChanges(msgspec.Struct, gc=False):
    """What changed for one operation, worst first."""

    severity: Severity
    name: str
    """``METHOD /path``, or ``The whole API``."""
    events: list[Event]


def edits(comparison: Comparison) -> list[Edit]:
    """All edits, worst first. Text in them is plain."""
    events: dict[str, list[Event]] = {}
    for event in comparison.events:
        events.setdefault(event.cause, []).append(event)
    found: dict[tuple[str, str], Edit] = {}
    for cause in comparison.causes:
        reached = events.get(cause.fingerprint, [])
        key = (cause.severity, cause.summary if cause.scope == "endpoint" else cause.fingerprint)
        alike = found.get(key)
        if alike is None:
            found[key] = Edit(cause.severity, plain(cause.summary), [cause], reached)
        else:
            alike.causes.append(cause)
            alike.events = alike.events + reached
    return list(found.values())


def shown_by(events: list[Event]) -> Witness | None:
    """The shortest witness among events, the first of several."""
    found = [event.witness for event in events if event.witness is not None]
    return min(found, key=lambda witness: len(msgspec.json.encode(witness.value)), default=None)


class Example(msgspec.Struct, gc=False):
    """A witness in words, all of them plain."""

    where: str
    value: str
    """In JSON."""
    verdict: str

    @classmethod
    def of(cls, witness: Witness) -> Example:
        where = f"{witness.place}, at {witness.at}" if witness.at else witness.place
        verdict = "was accepted, is refused now" if witness.accepted_by == "old" else "may come now, was not allowed"
        value = msgspec.json.encode(witness.value).decode()
        return cls(plain(where), plain(value), f"{verdict}: {plain(witness.reason)}")

    def __str__(self) -> str:
        return f"for example ({self.where}): {self.value} {self.verdict}"


def example(events: list[Event]) -> str:
    """The shortest witness among events as a sentence; empty where there is none."""
    witness = shown_by(events)
    return str(Example.of(witness)) if witness is not None else ""


def by_operation(comparison: Comparison) -> list[OperationChanges]:
    """All operations with a change, those with the worst first; what concerns the whole API leads among its like."""
    found: dict[str, OperationChanges] = {}
    for event in comparison.events:  # worst first
        name = operation_name(event)
        changes = found.get(name)
        if changes is None:
            found[name] = OperationChanges(event.severity, name, [event])
        else:
            changes.events.append(event)
    return sorted(found.values(), key=lambda changes: (RANK[changes.severity], "/" in changes.name))


def notes(comparison: Comparison, group: str) -> list[tuple[str, list[Event]]]:
    """What is one entry for a tool: a sentence, and the events that it is about.

    ``group`` is ``cause`` (each rule is told once for an edit, with the operations that it reaches) or ``operation``
    (each event is an entry).
    """
    if group == "operation":
        return [(f"{operation_name(event)}: {plain(event.summary)}", [event]) for event in comparison.events]
    found: dict[tuple[str, str], list[Event]] = {}
    for event in comparison.events:
        found.setdefault((event.cause, event.id), []).append(event)
    summaries = {cause.fingerprint: cause.summary for cause in comparison.causes}
    rules = Counter(cause for cause, _ in found)
    return [
        (_sentence(events, summaries.get(cause) if rules[cause] == 1 else None), events)
        for (cause, _), events in found.items()
    ]


def _sentence(events: list[Event], summary: str | None) -> str:
    """``summary``: the cause's, where it is about nothing else."""
    told = [plain(summary)] if summary else list(dict.fromkeys(plain(event.summary) for event in events))
    operations = list(dict.fromkeys(operation_name(event) for event in events if event.operation is not None))
    more = f" (and {len(told) - 1} more like it)" if len(told) > 1 else ""
    if not operations:
        return told[0] + more
    if len(operations) == 1:
        return f"{operations[0]}: {told[0]}{more}"
    shown = ", ".join(operations[:3]) + (f" and {len(operations) - 3} more" if len(operations) > 3 else "")
    return f"{told[0]}{more}, in {len(operations)} operations: {shown}"


def operation_name(event: Event) -> str:
    if event.operation is None:
        return "The whole API"
    return plain(f"{event.operation.method} {event.operation.path}")


def counts(comparison: Comparison) -> list[tuple[Severity, int]]:
    """How many events there are of each severity, worst first."""
    return [(severity, getattr(comparison.summary, severity)) for severity in SEVERITIES]


def summary_line(comparison: Comparison) -> str:
    """``3 breaking, 1 risky, 12 safe changes from 4 edits``, or ``No changes``."""
    return in_words(comparison, {severity: f"{count} {severity}" for severity, count in counts(comparison)})


def in_words(comparison: Comparison, parts: dict[Severity, str]) -> str:
    """The summary line of ``parts``, which say how many there are of each severity."""
    shown = [(parts[severity], count) for severity, count in counts(comparison) if count]
    total = sum(count for _, count in shown)
    if not total:
        return "No changes"
    edits = len(comparison.causes)
    changes = "change" if total == 1 else "changes"
    return f"{', '.join(part for part, _ in shown)} {changes} from {edits} {'edit' if edits == 1 else 'edits'}"


def change(event: Event) -> tuple[str, str] | None:
    """Before and after in words; None where the sentence says it all."""
    if event.before is None or event.after is None or isinstance(event.after, bool):
        return None
    return plain(worded(event.before)), plain(worded(event.after))
