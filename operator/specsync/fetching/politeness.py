"""Politeness: how much, how often and when one host is asked, by all requests of a worker together.

A host is a name, whatever the port: what a vendor limits is who asks, and that is this worker.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from specsync.fetching.errors import FetchError, FetchReason

_BURST = 10
"""Requests that may go at once to a host that was not asked for a while, before the rate counts."""
_LONGEST_WAIT = 30.0  # seconds for a turn: a job that waits holds one of the worker's places
_SHORT_REST = 5.0  # seconds that are waited for rather than reported: the next attempt may come a little early
_LONGEST_REST = 3600.0  # seconds: one answer must not keep a host from everybody for a day
_NO_TIME = 0.001  # seconds
_MANY_HOSTS = 1000


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What the operator's administrator allows for each host: requests at once, and a second; 0 lifts a limit."""

    concurrency: int = 4
    rate: float = 5.0


@dataclass(slots=True)
class _Host:
    slots: asyncio.Semaphore | None
    users: int = 0  # requests that are under way or wait for their turn
    due: float = 0.0  # when the next request would go, at the full rate and without a burst
    rest_until: float = 0.0
    rest_reason: FetchReason = FetchReason.RATE_LIMITED


class Politeness:
    """Keeps the limits of each host, and the pauses that its answers ask for. For one event loop."""

    def __init__(
        self,
        limits: HostLimits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limits = limits or HostLimits()
        self._clock = clock
        self._sleep = sleep
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str, deadline: asyncio.Timeout) -> AsyncIterator[None]:
        """A request's turn at ``host``. The time that it waits for it doesn't count for ``deadline``.

        Raises FetchError: RateLimited when the turn doesn't come soon; what made the host rest while it does.
        What an answer within says of pauses (`FetchError.rest`) holds for all requests to the host from then on.
        """
        state = self._state(host)
        state.users += 1
        try:
            with paused(deadline):
                await self._enter(host, state)
            try:
                yield
            except FetchError as error:
                self._let_rest(state, error)
                raise
            finally:
                if state.slots is not None:
                    state.slots.release()
        finally:
            state.users -= 1

    async def _enter(self, host: str, state: _Host) -> None:
        """Waits for a place and then for its time. Holds the place when it returns."""
        self._check_rest(host, state)
        if state.slots is not None:
            try:
                async with asyncio.timeout(_LONGEST_WAIT):
                    await state.slots.acquire()
            except TimeoutError:
                raise self._crowded(host, _LONGEST_WAIT) from None
        try:
            wait = self._book(host, state)
            if wait > _NO_TIME:
                await self._sleep(wait)
            self._check_rest(host, state)  # another's answer may have come meanwhile
        except BaseException:
            if state.slots is not None:
                state.slots.release()
            raise

    def _book(self, host: str, state: _Host) -> float:
        """Takes the next time that is free by the rate (GCRA); seconds until then."""
        now = self._clock()
        rest = max(state.rest_until - now, 0.0)
        rate = self._limits.rate
        if not rate:
            return rest
        due = max(state.due, now)
        wait = max(due - (_BURST - 1) / rate - now, rest)
        if wait > _LONGEST_WAIT:
            raise self._crowded(host, wait)
        state.due = due + 1 / rate
        return wait

    def _check_rest(self, host: str, state: _Host) -> None:
        left = state.rest_until - self._clock()
        if left <= _SHORT_REST:
            return
        seconds = math.ceil(left)
        text = (
            f"{host} asked a moment ago to be asked less, or could not answer, and is left alone for {seconds} more "
            "seconds; it is tried again then: a longer interval helps."
        )
        raise FetchError(state.rest_reason, text, retryable=True, retry_after=float(seconds))

    def _let_rest(self, state: _Host, error: FetchError) -> None:
        if error.rest is None:
            return
        until = self._clock() + min(error.rest, _LONGEST_REST)
        if until > state.rest_until:
            state.rest_until, state.rest_reason = until, error.reason
        if self._limits.rate:  # after a rest they come one by one
            state.due = max(state.due, state.rest_until + (_BURST - 1) / self._limits.rate)

    def _crowded(self, host: str, wait: float) -> FetchError:
        text = (
            f"Too many documents of {host} are due at once for the operator's limits (--host-concurrency, "
            "--host-rate): it is tried again; longer intervals help."
        )
        return FetchError(FetchReason.RATE_LIMITED, text, retry_after=wait)

    def _state(self, host: str) -> _Host:
        if len(self._hosts) > _MANY_HOSTS:
            now = self._clock()
            self._hosts = {
                name: state
                for name, state in self._hosts.items()
                if state.users or state.rest_until > now or state.due > now
            }
        state = self._hosts.get(host)
        if state is None:
            slots = asyncio.Semaphore(self._limits.concurrency) if self._limits.concurrency else None
            state = self._hosts[host] = _Host(slots)
        return state


@contextmanager
def paused(deadline: asyncio.Timeout) -> Iterator[None]:
    """Stops the clock of a deadline; afterwards it has as much time left as before."""
    clock, when = asyncio.get_running_loop().time, deadline.when()
    left = None if when is None else when - clock()
    deadline.reschedule(None)
    try:
        yield
    finally:
        deadline.reschedule(None if left is None else clock() + left)
