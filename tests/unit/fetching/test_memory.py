"""Large documents wait for each other, small ones don't, and waiting costs nobody their time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from specsync.fetching.client import Fetcher
from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.guard import Exceptions, Guard
from specsync.fetching.memory import SMALL, Room
from specsync.fetching.politeness import HostLimits
from specsync.fetching.request import FetchRequest
from tests.unit.fetching.servers import Seen, Server, serve

LARGE = SMALL + 1


@asynccontextmanager
async def a_deadline(seconds: float = 10) -> AsyncIterator[asyncio.Timeout]:
    async with asyncio.timeout(seconds) as deadline:
        yield deadline


def test_so_many_large_ones_at_once_and_any_number_of_small_ones() -> None:
    async def story() -> None:
        room = Room(places=2)
        large, most = 0, 0
        small_are_done = asyncio.Event()

        async def hold(size: int) -> None:
            nonlocal large, most
            async with a_deadline() as deadline:
                with room.share() as share:
                    await share.grow(size, deadline)
                    if size > SMALL:
                        large += 1
                        most = max(most, large)
                        await small_are_done.wait()
                        await asyncio.sleep(0)
                        large -= 1

        all_large = [asyncio.ensure_future(hold(LARGE)) for _ in range(6)]
        await asyncio.gather(*(hold(SMALL) for _ in range(20)))  # they end though all places are taken
        small_are_done.set()
        await asyncio.gather(*all_large)
        assert most == 2

    asyncio.run(story())


def test_several_small_bodies_of_one_job_are_a_large_one() -> None:
    async def story() -> None:
        room = Room(places=1)
        async with a_deadline() as deadline:
            with room.share() as first, room.share() as second:
                first.keep(SMALL)
                await first.grow(1, deadline)
                waiting = asyncio.ensure_future(second.grow(LARGE, deadline))
                await asyncio.sleep(0)
                assert not waiting.done()
                first.leave()
                await waiting

    asyncio.run(story())


def large_answer(places: asyncio.Event) -> object:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        places.set()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        return b"x" * LARGE

    return answer


async def fetch(fetcher: Fetcher, server: Server, seconds: float, max_bytes: int = 2 * LARGE) -> int:
    with fetcher.room.share() as share:
        url = f"http://127.0.0.1:{server.port}/"
        return len((await fetcher.fetch(FetchRequest(url=url, timeout=seconds, max_bytes=max_bytes, share=share))).body)


def test_waiting_for_a_place_does_not_count_for_the_timeout() -> None:
    async def story() -> None:
        asked = asyncio.Event()
        async with serve(large_answer(asked)) as server:  # type: ignore[arg-type]
            guard = Guard(Exceptions.parse([f"127.0.0.1:{server.port}"]), limits=HostLimits(0, 0))
            async with Fetcher(guard) as fetcher, a_deadline() as deadline:
                fetcher.room = Room(places=1)
                with fetcher.room.share() as holder:
                    await holder.grow(LARGE, deadline)
                    waiting = asyncio.ensure_future(fetch(fetcher, server, seconds=0.5))
                    await asked.wait()
                    done, _ = await asyncio.wait([waiting], timeout=0.8)  # longer than it may take
                    assert not done
                assert await waiting == LARGE

    asyncio.run(story())


def test_a_place_is_free_again_after_an_error() -> None:
    async def story() -> None:
        async with serve(large_answer(asyncio.Event())) as server:  # type: ignore[arg-type]
            guard = Guard(Exceptions.parse([f"127.0.0.1:{server.port}"]), limits=HostLimits(0, 0))
            async with Fetcher(guard) as fetcher:
                fetcher.room = Room(places=1)
                for _ in range(3):
                    with pytest.raises(FetchError) as caught:
                        await fetch(fetcher, server, seconds=10.0, max_bytes=LARGE - 1)
                    assert caught.value.reason == FetchReason.TOO_LARGE
                assert await fetch(fetcher, server, seconds=10.0) == LARGE

    asyncio.run(story())
