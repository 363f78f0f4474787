"""When a Dependency is due: pure functions of its spec and of the last sync."""

import datetime as dt
import hashlib

from specsync.resources import Dependency
from specsync.resources.duration import seconds

_SPREAD = 0.05  # of the interval, to either side


def effective_interval(dependency: Dependency, min_interval: float) -> float:
    """Seconds between scheduled syncs: the spec's, raised to the operator's minimum."""
    return max(seconds(dependency.spec.interval), min_interval)


def next_due(dependency: Dependency, started: dt.datetime, min_interval: float) -> dt.datetime:
    """Last start + interval ± 5 %, stable per uid, so that Dependencies that began together drift apart."""
    interval = effective_interval(dependency, min_interval)
    fraction = int.from_bytes(hashlib.sha256(dependency.metadata.uid.encode()).digest()[:4]) / 2**32  # 0 … 1
    offset = interval * (1 + _SPREAD * (2 * fraction - 1))
    return (started + dt.timedelta(seconds=offset)).replace(microsecond=0)


def is_of_a_wrong_clock(dependency: Dependency, due: dt.datetime, min_interval: float, at: dt.datetime) -> bool:
    """Whether a due time is later than any that is written now: the clock of the leader that wrote it was ahead."""
    return due > at + dt.timedelta(seconds=2 * effective_interval(dependency, min_interval))


def scheduled_job_name(dependency: Dependency) -> str | None:
    """The name of the job of the persisted due time: two schedulers can't make two. One that is asked for is early."""
    due = dependency.status.next_sync_time
    return None if due is None else job_name_at(dependency, due)


def job_name_at(dependency: Dependency, due: dt.datetime) -> str:
    return f"{dependency.metadata.name}-{int(due.timestamp())}"
