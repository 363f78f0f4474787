"""Which of the process's long-lived loops advance: what /livez answers from.

A loop says at each turn that it goes round. While it waits for answers of the API server each answer, and each error,
is a sign of life too: a server that is slow or away is no reason to restart this process.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator

# Longer than any one request may take, and any pause that a loop makes besides those that it announces.
PATIENCE = 60.0  # seconds


class Loop:
    """One loop, which stands still when nothing was heard of it for longer than it may rest."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._until: float | None = None
        self.advance()

    def advance(self, pause: float = 0.0) -> None:
        """It goes round; it may now rest for `pause` seconds besides."""
        self._until = time.monotonic() + pause + PATIENCE

    def prolong(self, pause: float) -> None:
        """Something was heard of it: it may rest as after `advance`, or as it has announced where that is longer."""
        if self._until is not None:
            self._until = max(self._until, time.monotonic() + pause + PATIENCE)

    def wait_for_work(self) -> None:
        """It has nothing to do: no time is too long, until it advances again."""
        self._until = None

    @property
    def stands_still(self) -> bool:
        return self._until is not None and time.monotonic() > self._until


_loops: dict["asyncio.Task[object]", Loop] = {}


@contextlib.contextmanager
def long_lived(name: str) -> Iterator[Loop]:
    """The current task's loop, watched while entered."""
    task = asyncio.current_task()
    assert task is not None
    loop = _loops[task] = Loop(name)
    try:
        yield loop
    finally:
        del _loops[task]


def sign_of_life(pause: float = 0.0) -> None:
    """What the current task waited for has come, or failed; the next thing may take `pause` seconds more than others.

    No effect in a task that is no long-lived loop.
    """
    task = asyncio.current_task()
    loop = _loops.get(task) if task is not None else None
    if loop is not None:
        loop.prolong(pause)


def standing_still() -> list[str]:
    """The names of the loops that don't advance."""
    return sorted(loop.name for loop in _loops.values() if loop.stands_still)
