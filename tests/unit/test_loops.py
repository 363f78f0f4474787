"""A loop that stands still is named; one that waits for work, or that only hears errors, is not."""

import asyncio
import time

import pytest

from specsync.kube.loops import long_lived, sign_of_life, standing_still


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


def test_who_says_nothing_stands_still_until_it_advances(clock: Clock) -> None:
    async def scenario() -> None:
        with long_lived("claim") as loop:
            clock.now += 59
            assert standing_still() == []
            clock.now += 2
            assert standing_still() == ["claim"]
            loop.advance(pause=300)
            clock.now += 359
            assert standing_still() == []
        assert standing_still() == []

    asyncio.run(scenario())


def test_no_time_without_work_is_too_long(clock: Clock) -> None:
    async def scenario() -> None:
        with long_lived("reconcile") as loop:
            loop.wait_for_work()
            clock.now += 1_000_000
            assert standing_still() == []
            loop.advance()
            clock.now += 61
            assert standing_still() == ["reconcile"]

    asyncio.run(scenario())


def test_answers_and_errors_are_signs_of_life_of_their_own_task_only(clock: Clock) -> None:
    async def request() -> None:
        sign_of_life()

    async def scenario() -> None:
        sign_of_life()  # in a task that is no loop: nothing
        with long_lived("resync"):
            clock.now += 50
            await request()
            clock.now += 50
            assert standing_still() == []
            clock.now += 11
            await asyncio.create_task(request())
            assert standing_still() == ["resync"]

    asyncio.run(scenario())


def test_a_sign_of_life_takes_back_no_rest_that_was_announced(clock: Clock) -> None:
    """The sweep asks the API server in between, and then a store that may take longer than other loops may."""

    async def scenario() -> None:
        with long_lived("sweep") as loop:
            loop.advance(pause=120)
            sign_of_life()
            clock.now += 179
            assert standing_still() == []
            clock.now += 2
            assert standing_still() == ["sweep"]

    asyncio.run(scenario())
