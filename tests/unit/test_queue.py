"""The work queue: each key once, never twice at a time, none lost."""

import asyncio
from collections.abc import Awaitable, Callable

import uvloop

from specsync.kube.queue import WorkQueue


def run(body: Callable[[WorkQueue[str]], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(10):
            await body(WorkQueue())

    asyncio.run(main())


def test_a_key_is_waiting_only_once() -> None:
    async def body(queue: WorkQueue[str]) -> None:
        for key in ("a", "b", "a", "a"):
            queue.add(key)
        assert len(queue) == 2
        assert [await queue.get(), await queue.get()] == ["a", "b"]
        assert len(queue) == 0

    run(body)


def test_a_key_that_is_worked_on_is_given_to_no_second_worker_but_comes_back() -> None:
    async def body(queue: WorkQueue[str]) -> None:
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        queue.add("b")
        assert await queue.get() == "b", "a is being worked on"
        queue.done("a")
        assert await queue.get() == "a"
        queue.done("a")
        assert len(queue) == 0

    run(body)


def test_of_several_times_the_earliest_counts() -> None:
    async def body(queue: WorkQueue[str]) -> None:
        queue.add_after("a", 3600)
        queue.add_after("a", 0.01)
        queue.add_after("a", 3600)
        assert await queue.get() == "a"
        queue.done("a")
        assert len(queue) == 0

    run(body)


def test_failures_in_a_row_wait_longer_until_a_success() -> None:
    async def body(queue: WorkQueue[str]) -> None:
        loop = asyncio.get_running_loop()
        waits = []
        for _ in range(3):
            queue.add_backing_off("a")
            due, timer = queue._timers.pop("a")
            waits.append(due - loop.time())
            timer.cancel()
        assert waits == sorted(waits)
        assert waits[2] > 2 * waits[0]
        queue.succeeded("a")
        queue.add_backing_off("a")
        assert queue._timers["a"][0] - loop.time() < waits[1]

    run(body)


def test_a_key_that_is_due_at_once_can_be_added_again_on_every_loop() -> None:
    async def body() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add_after("a", 0)
        queue.add_after("a", 0)
        queue.add_backing_off("a")
        assert await queue.get() == "a"
        queue.done("a")

    for new_loop in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(body())
