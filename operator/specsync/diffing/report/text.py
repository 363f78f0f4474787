"""A comparison for a terminal: the counts, then what was edited, worst first, with the operations that it reaches."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from specsync.diffing.comparison import SEVERITIES, Cause, Comparison, Event, Severity
from specsync.diffing.session import worded

_STYLES: dict[Severity, str] = {"breaking": "\x1b[31;1m", "risky": "\x1b[33m", "safe": "\x1b[32m"}
_DIM, _BOLD, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"


def text(
    comparison: Comparison,
    *,
    color: bool = False,
    width: int = 100,
    operations: int = 3,
    severities: tuple[Severity, ...] = SEVERITIES,
) -> str:
    """The comparison as lines of at most ``width`` columns where words allow it.

    ``operations``: how many of a cause's operations are named. ``severities``: which causes are shown; all are counted.
    """
    lines = [_counts(comparison, color=color)]
    events = _events_by_cause(comparison)
    for severity in severities:
        causes = [cause for cause in comparison.causes if cause.severity == severity]
        if causes:
            title = f"{severity.capitalize()} ({len(causes)})"
            lines.extend(("", f"{_STYLES[severity]}{title}{_RESET}" if color else title))
        for cause in causes:
            lines.extend(_cause(cause, events[cause.fingerprint], color=color, width=width, most=operations))
    return "\n".join(lines) + "\n"


def summary_line(comparison: Comparison) -> str:
    """``3 breaking, 1 risky, 12 safe changes in 4 edits``, or ``No changes``."""
    return _counts(comparison, color=False)


def _counts(comparison: Comparison, *, color: bool) -> str:
    counts: list[tuple[Severity, int]] = [(severity, getattr(comparison.summary, severity)) for severity in SEVERITIES]
    total = sum(count for _, count in counts)
    if not total:
        return "No changes"
    parts = [
        f"{_STYLES[severity]}{count} {severity}{_RESET}" if color else f"{count} {severity}"
        for severity, count in counts
        if count
    ]
    edits = len(comparison.causes)
    changes = "change" if total == 1 else "changes"
    return f"{', '.join(parts)} {changes} from {edits} {'edit' if edits == 1 else 'edits'}"


def _events_by_cause(comparison: Comparison) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in comparison.events:
        found.setdefault(event.cause, []).append(event)
    return found


def _cause(cause: Cause, events: list[Event], *, color: bool, width: int, most: int) -> Iterator[str]:
    yield from textwrap.wrap(
        cause.summary, width, initial_indent="  ", subsequent_indent="    ", break_long_words=False
    )
    change = _change(events[0])
    if change and not any(part in cause.summary for part in change.split(" → ")):
        yield f"      {change}"
    named = list(dict.fromkeys(_operation(event) for event in events if event.operation is not None))
    shown = named[:most] if len(named) > most + 1 else named
    for operation in shown:
        yield f"      {_DIM}{operation}{_RESET}" if color else f"      {operation}"
    if len(named) > len(shown):
        rest = f"… and {len(named) - len(shown)} more operations"
        yield f"      {_DIM}{rest}{_RESET}" if color else f"      {rest}"


def _operation(event: Event) -> str:
    assert event.operation is not None
    return f"{event.operation.method} {event.operation.path}"


def _change(event: Event) -> str:
    if event.before is None and event.after is None:
        return ""
    if event.before is None or event.after is None:
        return ""
    return f"{worded(event.before)} → {worded(event.after)}"
