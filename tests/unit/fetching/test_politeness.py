"""Politeness: how one host is asked by all requests of a worker together. Time is the test's own."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from specsync.fetching.client import Fetcher
from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.guard import Exceptions, Guard
from specsync.fetching.politeness import HostLimits, Politeness
from specsync.fetching.request import FetchRequest
from tests.unit.fetching.servers import Answer, Names, Seen, Server, failure_of, reply, serve


class Clock:
    """A clock that only sleepers move."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds
        await asyncio.sleep(0)


class Vendors:
    """Names for one server, and a Fetcher that knows them."""

    def __init__(self, server: Server, politeness: Politeness) -> None:
        hosts = ("a.test", "b.test")
        names = Names(a_test=["127.0.0.1"], b_test=["127.0.0.1"])
        opened = Exceptions.parse([f"{host}:{server.port}" for host in hosts])
        self.fetcher = Fetcher(Guard(opened, names), politeness)
        self.port = server.port

    def request(self, host: str, path: str = "/", timeout: float = 60.0) -> FetchRequest:
        return FetchRequest(url=f"http://{host}:{self.port}{path}", timeout=timeout)


class Crowd:
    """A server that answers when it is told to, and counts how many ask at once."""

    def __init__(self) -> None:
        self.now: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.changed = asyncio.Condition()
        self.go_on = asyncio.Event()

    async def __call__(self, seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        host = (seen.header("Host") or "").partition(":")[0]
        async with self.changed:
            self.now[host] = self.now.get(host, 0) + 1
            self.most[host] = max(self.most.get(host, 0), self.now[host])
            self.changed.notify_all()
        await self.go_on.wait()
        self.now[host] -= 1
        return reply(body=b"{}")


def test_a_host_has_so_many_requests_at_once_and_no_more() -> None:
    async def story() -> None:
        crowd = Crowd()
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(serve(crowd))
            vendors = Vendors(server, Politeness(HostLimits(3, 0)))
            await stack.enter_async_context(vendors.fetcher)
            wanted = [vendors.fetcher.fetch(vendors.request(host)) for host in ("a.test", "b.test") * 10]
            fetching = asyncio.gather(*wanted)
            async with asyncio.timeout(20), crowd.changed:
                await crowd.changed.wait_for(lambda: crowd.now == {"a.test": 3, "b.test": 3})
            crowd.go_on.set()
            assert len(await fetching) == 20
        assert crowd.most == {"a.test": 3, "b.test": 3}

    asyncio.run(story())


async def take_turn(politeness: Politeness, host: str = "a.test") -> None:
    async with asyncio.timeout(60) as deadline, politeness.turn(host, deadline):
        pass


def test_a_host_is_asked_so_often_and_no_more() -> None:
    async def story() -> None:
        clock = Clock()
        politeness = Politeness(HostLimits(0, 5), clock=clock, sleep=clock.sleep)
        for _ in range(10):
            await take_turn(politeness)
        assert clock.slept == []  # a host that was not asked for a while may be asked some times at once
        for _ in range(10):
            await take_turn(politeness)
        assert clock.slept == [0.2] * 10
        await take_turn(politeness, "b.test")
        assert len(clock.slept) == 10

    asyncio.run(story())


def test_without_limits_nobody_waits() -> None:
    async def story() -> None:
        clock = Clock()
        politeness = Politeness(HostLimits(0, 0), clock=clock, sleep=clock.sleep)
        for _ in range(1000):
            await take_turn(politeness)
        assert clock.slept == []

    asyncio.run(story())


def test_who_would_wait_too_long_is_told_so() -> None:
    async def story() -> None:
        clock = Clock()
        politeness = Politeness(HostLimits(0, 0.01), clock=clock, sleep=clock.sleep)
        for _ in range(10):
            await take_turn(politeness)
        with pytest.raises(FetchError) as caught:
            await take_turn(politeness)
        assert (caught.value.reason, caught.value.retryable) == (FetchReason.RATE_LIMITED, True)
        assert caught.value.retry_after == pytest.approx(100)
        assert "Too many documents of a.test" in caught.value.message

    asyncio.run(story())


def test_who_would_wait_too_long_for_a_place_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specsync.fetching.politeness._LONGEST_WAIT", 0.05)

    async def story() -> None:
        politeness = Politeness(HostLimits(1, 0))
        async with asyncio.timeout(60) as deadline, politeness.turn("a.test", deadline):
            with pytest.raises(FetchError) as caught:
                await take_turn(politeness)
        assert caught.value.reason == FetchReason.RATE_LIMITED
        await take_turn(politeness)  # the place is free again

    asyncio.run(story())


def test_waiting_for_a_turn_stops_the_clock_of_the_timeout() -> None:
    async def story() -> None:
        clock = Clock()
        seen: list[float | None] = []

        async def sleep(seconds: float) -> None:
            seen.append(deadline.when())
            await clock.sleep(seconds)

        politeness = Politeness(HostLimits(0, 5), clock=clock, sleep=sleep)
        for _ in range(10):
            await take_turn(politeness)
        async with asyncio.timeout(60) as deadline, politeness.turn("a.test", deadline):
            seen.append(deadline.when())
        assert seen[0] is None
        assert seen[1] is not None
        assert seen[1] > asyncio.get_running_loop().time()

    asyncio.run(story())


def test_who_gives_up_leaves_its_place_to_others() -> None:
    async def story() -> None:
        politeness = Politeness(HostLimits(1, 0))
        async with asyncio.timeout(60) as deadline, politeness.turn("a.test", deadline):
            waiting = asyncio.create_task(take_turn(politeness))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(20):
            await take_turn(politeness)

    asyncio.run(story())


def first(answer: bytes) -> Answer:
    """That answer to the first request, a document to all others."""
    answers = [answer]

    async def give(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        return answers.pop() if answers else reply(body=b"{}")

    return give


def in_an_hour() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)


@pytest.mark.parametrize(
    ("answer", "reason", "least", "most"),
    [
        (reply(429, Retry_After="120"), FetchReason.RATE_LIMITED, 120, 120),
        (reply(429, Retry_After=in_an_hour()), FetchReason.RATE_LIMITED, 3000, 3600),
        (reply(429), FetchReason.RATE_LIMITED, 60, 60),
        (reply(403, Retry_After="120"), FetchReason.RATE_LIMITED, 120, 120),
        (reply(503, Retry_After="120"), FetchReason.RATE_LIMITED, 120, 120),
        (reply(503), FetchReason.RATE_LIMITED, 30, 30),
        (reply(429, Retry_After="80000"), FetchReason.RATE_LIMITED, 3600, 3600),
    ],
    ids=["429", "429 until", "429 bare", "403", "503", "503 bare", "429 for a day"],
)
def test_one_answer_gives_a_host_its_rest_from_everybody(
    answer: bytes, reason: FetchReason, least: float, most: float
) -> None:
    async def story() -> None:
        clock = Clock()
        async with serve(first(answer)) as server:
            vendors = Vendors(server, Politeness(HostLimits(4, 5), clock=clock, sleep=clock.sleep))
            async with vendors.fetcher as fetcher:
                assert (await failure_of(fetcher.fetch(vendors.request("a.test", "/one")))).reason == reason
                error = await failure_of(fetcher.fetch(vendors.request("a.test", "/two?key=s3cret")))
                assert (error.reason, error.retryable) == (reason, True)
                assert error.retry_after is not None
                assert least <= error.retry_after <= most
                assert "a.test" in error.message
                assert "s3cret" not in error.message
                assert len(server.requests) == 1
                await fetcher.fetch(vendors.request("b.test"))  # another host is asked as ever
                clock.now += error.retry_after
                assert (await fetcher.fetch(vendors.request("a.test"))).body == b"{}"

    asyncio.run(story())


def test_after_a_rest_a_host_is_asked_by_one_after_the_other() -> None:
    async def story() -> None:
        clock = Clock()
        async with serve(first(reply(429, Retry_After="60"))) as server:
            vendors = Vendors(server, Politeness(HostLimits(4, 5), clock=clock, sleep=clock.sleep))
            async with vendors.fetcher as fetcher:
                await failure_of(fetcher.fetch(vendors.request("a.test")))
                clock.now += 58  # a little early: waits rather than fails
                for _ in range(5):
                    await fetcher.fetch(vendors.request("a.test"))
        assert clock.slept == [2.0, 0.2, 0.2, 0.2, 0.2]

    asyncio.run(story())


@pytest.mark.parametrize("status", [200, 304, 401, 404, 500, 502])
def test_other_answers_give_no_rest(status: int) -> None:
    async def story() -> None:
        async with serve(first(reply(status, Retry_After="120"))) as server:
            vendors = Vendors(server, Politeness(HostLimits(4, 5)))
            async with vendors.fetcher as fetcher:
                await asyncio.gather(fetcher.fetch(vendors.request("a.test")), return_exceptions=True)
                assert (await fetcher.fetch(vendors.request("a.test"))).body == b"{}"

    asyncio.run(story())


def test_a_redirect_to_a_host_that_rests_is_not_followed_now() -> None:
    async def story() -> None:
        async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
            if seen.path == "/to-b":
                return reply(302, Location=f"http://b.test:{vendors.port}/")
            return reply(429, Retry_After="60")

        async with serve(answer) as server:
            vendors = Vendors(server, Politeness(HostLimits(4, 5)))
            async with vendors.fetcher as fetcher:
                await failure_of(fetcher.fetch(vendors.request("b.test")))
                error = await failure_of(fetcher.fetch(vendors.request("a.test", "/to-b")))
        assert error.reason == FetchReason.RATE_LIMITED
        assert "b.test" in error.message
        assert [seen.path for seen in server.requests] == ["/", "/to-b"]

    asyncio.run(story())


def test_hosts_of_the_past_are_forgotten() -> None:
    async def story() -> None:
        clock = Clock()
        politeness = Politeness(HostLimits(4, 5), clock=clock, sleep=clock.sleep)
        for number in range(5000):
            clock.now += 1
            await take_turn(politeness, f"{number}.test")
        assert len(politeness._hosts) <= 1002

    asyncio.run(story())
