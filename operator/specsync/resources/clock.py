"""The clock that all times of objects are of: the API server's, as far as this process knows it.

Workers and controllers read each other's times (`startedAt` and the job's deadline, `retryAt`, due times), and a
machine whose clock is wrong would end or delay what others have begun. So the API server's answers correct the clock.
"""

import datetime as dt

_offset = dt.timedelta(0)  # how far the API server's clock is ahead of this machine's


def present() -> dt.datetime:
    """The current time in UTC, by the API server's clock."""
    return dt.datetime.now(dt.UTC) + _offset


def earlier(at: dt.datetime) -> dt.datetime:
    """That time, or this machine's where it is earlier: what is lost for good by its age must be old by both clocks."""
    return min(at, dt.datetime.now(dt.UTC))


def correct(told: dt.datetime, took: float) -> float:
    """Takes the time that the API server told, to the second, in an answer that took so many seconds.

    What that can't contradict (a second more or less, besides) is left as it is. Returns how many seconds the API
    server is ahead of this machine's clock.
    """
    global _offset
    at = present()
    if not told - dt.timedelta(seconds=1) <= at <= told + dt.timedelta(seconds=2 + took):
        _offset += told + dt.timedelta(seconds=0.5) - at
    return _offset.total_seconds()
