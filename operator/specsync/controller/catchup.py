"""Overdue work after an outage, spread: so many syncs a second in all, and so many of one host, not all at once."""

import datetime as dt
import time
from urllib.parse import urlsplit

from specsync.kube.store import Key
from specsync.resources import Dependency
from specsync.resources.meta import now

# Who is overdue by less was missed in a handover, and isn't held back.
_HANDOVER = dt.timedelta(seconds=60)


class CatchUp:
    """Says how long a scheduled sync that was overdue when this leader took office is to wait. Requests never are."""

    def __init__(self, rate: float, host_rate: float) -> None:
        """Syncs a second, in all and of one host; 0 lifts a limit."""
        self._pause = 1 / rate if rate else 0.0
        self._host_pause = 1 / host_rate if host_rate else 0.0
        self._since = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._turns: dict[Key, float] = {}  # when each may start, by the monotonic clock
        self._next = 0.0
        self._next_of_host: dict[str, float] = {}

    def begin(self) -> None:
        """Call it when in office: what is overdue at this moment is spread from now on."""
        self._since = now()
        self._turns.clear()
        self._next_of_host.clear()
        self._next = 0.0

    def wait(self, dependency: Dependency, due: dt.datetime) -> float:
        """Seconds until it is the turn of a Dependency that is due; 0 for now. Asked again it gives the same turn."""
        if due > self._since - _HANDOVER:
            return 0.0
        key = (dependency.metadata.namespace, dependency.metadata.name)
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = self._take_turn(_host(dependency))
        return max(0.0, turn - time.monotonic())

    def _take_turn(self, host: str) -> float:
        at = time.monotonic()
        if not host:
            turn = max(at, self._next)
        else:
            turn = max(at, self._next, self._next_of_host.get(host, 0.0))
            self._next_of_host[host] = turn + self._host_pause
        # A host that is behind doesn't keep the others waiting.
        self._next = max(at, self._next) + self._pause
        return turn


def _host(dependency: Dependency) -> str:
    """Who is asked for the document, empty for a ConfigMap."""
    source = dependency.spec.source
    if source.url is not None:
        return urlsplit(source.url).hostname or ""
    return f"{source.service_ref.name}.{dependency.metadata.namespace}" if source.service_ref else ""
