"""Sunset dates in a change set, and when to remind of them. Pure.

A provider deprecates an operation and names the day of its end (`x-sunset`, as in the rules of `specsync diff`).
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator

from specsync.alerting.message import Operation, Sunset
from specsync.alerting.selecting import Causes

# Rules that say that an operation now has a sunset; `after` is the day.
_RULES = frozenset(
    {"endpoint-deprecated-with-sunset", "api-sunset-date-too-small", "api-sunset-date-changed-too-small"}
)
REMINDERS = (30, 7, 1)  # days before the sunset
_HOUR = dt.time(9, 0, tzinfo=dt.UTC)
MAX_DATES = 5  # the soonest ones, for each change set


def sunset_causes(causes: Causes, at: dt.datetime) -> set[int]:
    """Which causes name a sunset that is yet to come."""
    return {i for i in range(len(causes.causes)) if any(True for _ in _sunsets(causes, (i,), at))}


def sunsets_by_date(causes: Causes, indexes: Iterable[int], at: dt.datetime) -> dict[dt.date, list[Sunset]]:
    """The operations that end, by the day, soonest first: of these causes, as of `at`."""
    found: dict[dt.date, dict[tuple[str, str], Sunset]] = defaultdict(dict)
    for day, sunset in _sunsets(causes, indexes, at):
        found[day][sunset.operation.method, sunset.operation.path] = sunset
    return {day: list(found[day].values()) for day in sorted(found)[:MAX_DATES]}


def reminder_times(day: dt.date, at: dt.datetime) -> list[tuple[int, dt.datetime | None]]:
    """When to tell of a sunset: at once (None) and before it; each with the days that are left then."""
    left = (day - at.date()).days
    later = [(days, dt.datetime.combine(day - dt.timedelta(days=days), _HOUR)) for days in REMINDERS if days < left]
    return [(left, None), *later]


def _sunsets(causes: Causes, indexes: Iterable[int], at: dt.datetime) -> Iterator[tuple[dt.date, Sunset]]:
    for index in indexes:
        if index >= len(causes.causes):
            continue
        for event in causes.reach(causes.causes[index]):
            if event.id not in _RULES or event.operation is None or event.after is None:
                continue
            try:
                day = dt.date.fromisoformat(str(event.after))
            except ValueError:
                continue
            if day > at.date():
                # A longer path would be cut in the message: nobody could type it.
                operation = Operation(method=event.operation.method[:16], path=event.operation.path[:512])
                yield day, Sunset(operation=operation, date=day.isoformat())
