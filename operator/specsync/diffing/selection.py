"""A comparison as a team wants to see it: with its own severities, without what it ignores or doesn't ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from specsync.diffing.comparison import SEVERITIES, Cause, Comparison, Event, Severity, Summary
from specsync.diffing.severities import Overrides

_RANK: dict[Severity, int] = {severity: rank for rank, severity in enumerate(SEVERITIES)}


def select(
    comparison: Comparison, severities: Overrides, keeps: Callable[[Event], bool] = lambda _: True
) -> Comparison:
    """The comparison with the severities of ``severities`` and the events that ``keeps`` keeps, counted anew.

    ``keeps`` sees events with their new severity. The events and causes that were given are left as they are.
    """
    events = [changed for event in comparison.events if (changed := _judged(event, severities)) and keeps(changed)]
    events.sort(key=lambda event: _RANK[event.severity])  # stable: the order within a severity stays
    by_cause: dict[str, list[Event]] = {}
    for event in events:
        by_cause.setdefault(event.cause, []).append(event)
    said: dict[str, set[tuple[str, str]]] = {}
    for event in comparison.events:
        said.setdefault(event.cause, set()).add((event.id, event.summary))
    causes = [
        _counted(cause, by_cause[cause.fingerprint], said[cause.fingerprint])
        for cause in comparison.causes
        if cause.fingerprint in by_cause
    ]
    causes.sort(key=lambda cause: (_RANK[cause.severity], -cause.operations))
    counts = Counter(event.severity for event in events)
    summary = Summary(
        breaking=counts["breaking"],
        risky=counts["risky"],
        safe=counts["safe"],
        kinds=dict(sorted(Counter(event.kind for event in events).items())),
    )
    return msgspec.structs.replace(comparison, summary=summary, causes=causes, events=events)


def _judged(event: Event, severities: Overrides) -> Event | None:
    if event.id not in severities:
        return event
    severity = severities[event.id]
    return None if severity is None else msgspec.structs.replace(event, severity=severity)


def _counted(cause: Cause, events: list[Event], said: set[tuple[str, str]]) -> Cause:
    """The cause of what is left. Its sentence is made anew where it told of more."""
    worst = events[0]
    left = dict.fromkeys((event.id, event.summary) for event in events)
    summary = cause.summary
    if len(left) < len(said):
        more = len(left) - 1
        subject = "" if cause.scope in ("endpoint", "global") else f"{cause.scope} {cause.id}: "
        summary = f"{subject}{worst.summary}" + (f" (and {more} more)" if more else "")
    return msgspec.structs.replace(
        cause,
        severity=worst.severity,
        kind=worst.kind,
        summary=summary,
        operations=len({event.operation for event in events if event.operation is not None}),
        events=len(events),
    )
