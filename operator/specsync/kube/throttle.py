"""Slow requests while the API server is in trouble, full speed as soon as it is well.

Whatever loop asks, and however often: the process as a whole can't storm a server that is down, overloaded, full,
or that refuses everything.
"""

import asyncio
import random
import time
from typing import Literal

import structlog

from specsync.kube.metrics import API_TROUBLE

log = structlog.get_logger()

Sort = Literal["reads", "writes", "leases"]

# Seconds between two requests of one sort, after the first failure and at last.
_FIRST_PAUSE, _LAST_PAUSE = 0.05, 0.5
# Single failures are life; from so many in a row on it is trouble, and said so.
_TROUBLE = 5
# No Retry-After keeps us longer, in seconds.
_LONGEST_REST = 60.0


class Throttle:
    """Requests of one sort: reads and writes fail apart, as where etcd is full.

    Leases don't wait for their turn: a heartbeat is one small request a second at most, and others judge by it.
    """

    def __init__(self, sort: Sort) -> None:
        self._sort = sort
        self._failures = 0  # in a row
        self._since = 0.0  # when the first of them was, by the monotonic clock
        self._next = 0.0  # when the next request may go
        self._well = asyncio.Event()
        self._metric = API_TROUBLE.labels(sort)
        self._metric.set(0)

    async def turn(self, patience: float) -> float:
        """Waits for this request's turn, at most `patience` seconds; at once while all is well.

        Returns 0, or where the turn is too far away how many seconds it is: don't send the request then.
        """
        if not self._failures:
            return 0.0
        now = time.monotonic()
        mine = max(now, self._next)
        if mine - now > patience:
            return mine - now
        pause = min(_FIRST_PAUSE * 2 ** min(self._failures, 8), _LAST_PAUSE)
        self._next = mine + pause * random.uniform(0.8, 1.2)  # noqa: S311
        try:
            async with asyncio.timeout(mine - now):
                await self._well.wait()
        except TimeoutError:
            pass
        return 0.0

    def succeeded(self) -> None:
        if not self._failures:
            return
        if self._failures >= _TROUBLE:
            seconds = round(time.monotonic() - self._since, 1)
            log.info("requests to the API server succeed again", sort=self._sort, seconds=seconds)
            self._metric.set(0)
        self._failures, self._next = 0, 0.0
        self._well.set()

    def failed(self, error: str, retry_after: float | None) -> None:
        """`retry_after`: how many seconds the server wants to be left alone."""
        now = time.monotonic()
        self._failures += 1
        if self._failures == 1:
            self._since = now
            self._well.clear()
        if retry_after is not None:
            # Not all clients at the same instant, and never too early.
            rest = min(retry_after, _LONGEST_REST) * random.uniform(1.0, 1.2)  # noqa: S311
            self._next = max(self._next, now + rest)
        if self._failures == _TROUBLE:
            log.error("requests to the API server fail", sort=self._sort, error=error)
            self._metric.set(1)
