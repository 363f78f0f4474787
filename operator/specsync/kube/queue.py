"""A work queue of keys: each key is in it once, and is never worked on twice at a time.

The semantics are those of client-go's workqueue (k8s.io/client-go/util/workqueue).
"""

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Keys to reconcile. A key that is added while it is worked on comes back when that work is done."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[K] = asyncio.Queue()
        self._dirty: set[K] = set()  # to be worked on
        self._active: set[K] = set()  # being worked on
        # When, by the loop's clock, and what adds the key then.
        self._timers: dict[K, tuple[float, asyncio.Handle]] = {}
        self._failures: dict[K, int] = {}

    def __len__(self) -> int:
        return len(self._dirty)

    def add(self, key: K) -> None:
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._active:
            self._waiting.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Adds the key after some time; of several such calls the earliest counts."""
        loop = asyncio.get_running_loop()
        due = loop.time() + max(0.0, seconds)
        known = self._timers.get(key)
        if known is not None:
            # uvloop's handles know no `when` where they are due at once, so the time is kept beside.
            if known[0] <= due:
                return
            known[1].cancel()
        self._timers[key] = (due, loop.call_at(due, self._ripe, key))

    def add_backing_off(self, key: K) -> None:
        """Adds a key whose work failed, later with each failure in a row: 0.4 s doubling to 60 s."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        self.add_after(key, min(60.0, 0.2 * 2 ** min(failures, 12)))

    def succeeded(self, key: K) -> None:
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key; call `done` when its work has ended, however."""
        key = await self._waiting.get()
        self._dirty.discard(key)
        self._active.add(key)
        return key

    def done(self, key: K) -> None:
        self._active.discard(key)
        if key in self._dirty:
            self._waiting.put_nowait(key)

    def _ripe(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)
