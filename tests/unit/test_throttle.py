"""Requests in trouble are few, go at once when it is over, and never before the server wants them."""

import asyncio
import time

from specsync.kube.throttle import Throttle


async def sent(throttle: Throttle, tasks: int, seconds: float) -> int:
    """How many requests so many tasks send within the time, when each one fails."""
    count = 0

    async def storm() -> None:
        nonlocal count
        while True:
            if await throttle.turn(patience=10.0):
                await asyncio.sleep(0.01)
                continue
            count += 1
            throttle.failed("down", None)
            await asyncio.sleep(0)

    storms = [asyncio.ensure_future(storm()) for _ in range(tasks)]
    await asyncio.sleep(seconds)
    for task in storms:
        task.cancel()
    await asyncio.gather(*storms, return_exceptions=True)
    return count


def test_a_hundred_tasks_that_fail_ask_hardly_more_than_one() -> None:
    # All hundred go at first, for nobody knows yet; then two a second in all.
    assert asyncio.run(sent(Throttle("reads"), tasks=100, seconds=1.0)) < 115
    assert asyncio.run(sent(Throttle("reads"), tasks=1, seconds=1.0)) < 15


def test_all_who_wait_go_as_soon_as_one_request_succeeds() -> None:
    async def scenario() -> list[float]:
        throttle = Throttle("writes")
        for _ in range(20):
            throttle.failed("down", None)
        throttle.failed("overloaded", retry_after=9.0)
        waiting = [asyncio.ensure_future(throttle.turn(patience=30.0)) for _ in range(20)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        throttle.succeeded()
        return await asyncio.wait_for(asyncio.gather(*waiting), timeout=5.0)

    assert asyncio.run(scenario()) == [0.0] * 20


def test_a_turn_that_is_too_far_away_is_refused_and_takes_nobody_elses() -> None:
    async def scenario() -> None:
        throttle = Throttle("reads")
        throttle.failed("overloaded", retry_after=40.0)
        for _ in range(50):
            assert 40.0 - 1.0 < await throttle.turn(patience=10.0) < 50.0

    asyncio.run(scenario())


def test_no_server_keeps_us_away_for_more_than_a_minute_or_so() -> None:
    async def scenario() -> float:
        throttle = Throttle("reads")
        throttle.failed("overloaded", retry_after=86400.0)
        return await throttle.turn(patience=1.0)

    assert asyncio.run(scenario()) <= 72.0


def test_nobody_waits_while_all_is_well() -> None:
    async def scenario() -> None:
        throttle = Throttle("reads")
        began = time.monotonic()
        for _ in range(10_000):
            assert await throttle.turn(patience=0.0) == 0.0
            throttle.succeeded()
        assert throttle._next < began

    asyncio.run(scenario())
