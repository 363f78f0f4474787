"""When a message is due: digests and quiet hours, in the time zones of users. Pure.

Times of day are wall-clock times: where a day has no 02:30, the clock that is put forward shows 03:30 then.
"""

import datetime as dt
import functools
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from specsync.resources.alertpreference import Digest, QuietHours
from specsync.resources.timing import WEEKDAYS

_MOST_WINDOWS = 15  # quiet windows that follow one another; whoever is never to be disturbed should mute


@functools.lru_cache(maxsize=1024)  # users write the names
def zone_of(name: str) -> ZoneInfo | None:
    """The time zone of that name, None where the IANA list has none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def next_digest(digest: Digest, at: dt.datetime) -> dt.datetime:
    """The first time after `at` at which the digest is due, in UTC. An unknown time zone counts as UTC."""
    zone, (hour, minute) = _zone(digest.time_zone), _clock(digest.at)
    local = at.astimezone(zone)
    if digest.every == "Hour":
        due = local.replace(minute=minute, second=0, microsecond=0).astimezone(dt.UTC)
        return due if due > at else due + dt.timedelta(hours=1)
    days = range(9) if digest.every == "Week" else range(2)
    for ahead in days:
        day = local.date() + dt.timedelta(days=ahead)
        if digest.every == "Week" and WEEKDAYS[day.weekday()] != digest.day:
            continue
        due = _at(day, hour, minute, zone)
        if due > at:
            return due
    raise AssertionError("every week has every weekday")


def after_quiet(quiet: QuietHours, at: dt.datetime) -> dt.datetime:
    """`at` where it is not in quiet hours, else their end, in UTC. An unknown time zone counts as UTC."""
    for _ in range(_MOST_WINDOWS):
        end = _end_of_window(quiet, at)
        if end is None:
            break
        at = end
    return at


def _end_of_window(quiet: QuietHours, at: dt.datetime) -> dt.datetime | None:
    zone, begins, ends = _zone(quiet.time_zone), _clock(quiet.from_), _clock(quiet.to)
    today = at.astimezone(zone).date()
    for day in (today - dt.timedelta(days=1), today):
        if quiet.days and WEEKDAYS[day.weekday()] not in quiet.days:
            continue
        last = day if ends > begins else day + dt.timedelta(days=1)
        start, end = _at(day, *begins, zone), _at(last, *ends, zone)
        if start <= at < end:
            return end
    return None


def _at(day: dt.date, hour: int, minute: int, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute), zone).astimezone(dt.UTC)


def _zone(name: str) -> dt.tzinfo:
    return zone_of(name) or dt.UTC


def _clock(text: str) -> tuple[int, int]:
    hour, _, minute = text.partition(":")
    return int(hour), int(minute)
