"""How much memory documents may take at once: any number of small ones, and a few large ones at a time.

A large document waits in the middle of its download until another one is done with; its server waits with it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from specsync.fetching.politeness import paused

SMALL = 4 * 1024 * 1024
"""Bytes that need no place of their own: most documents have less."""


class Room:
    """Places for large documents; for one event loop."""

    def __init__(self, places: int = 3) -> None:
        self._places = asyncio.Semaphore(places)

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """What one job keeps in memory. To be left when it keeps nothing of it any more."""
        share = Share(self._places)
        try:
            yield share
        finally:
            share.leave()


class Share:
    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._has_place = False
        self._kept = 0

    async def grow(self, size: int, deadline: asyncio.Timeout) -> None:
        """To be called when a body has grown to ``size`` bytes. Waiting for a place doesn't count for ``deadline``."""
        if self._has_place or self._kept + size <= SMALL:
            return
        with paused(deadline):
            await self._places.acquire()
        self._has_place = True

    def keep(self, size: int) -> None:
        """A body of ``size`` bytes is whole, and stays in memory beside the ones that follow."""
        self._kept += size

    def leave(self) -> None:
        self._kept = 0
        if self._has_place:
            self._has_place = False
            self._places.release()
