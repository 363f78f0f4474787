"""A desk under faults: what may have come twice bears one id and says so, and others hear of a channel that fails."""

import asyncio

import pytest

from specsync.kube.client import ApiError
from specsync.kube.core import Secret
from specsync.resources.meta import ObjectMeta, now
from tests.unit.alerting.desk_world import World, until
from tests.unit.alerting.samples import channel, delivery

HOUR = 3600.0


def waiting(world: World, *names: str) -> None:
    for number, name in enumerate(names):
        world.api.add(delivery(name, created=number))


def test_a_message_of_unknown_outcome_goes_again_by_itself() -> None:
    """Else its copy would arrive under a group's id, by which no receiver knows it."""

    async def story(world: World) -> None:
        waiting(world, "first")
        async with world.desk() as desk:
            await until(lambda: len(world.service.arrived) == 1)
            await world.enqueue(delivery("older", created=-5), delivery("younger", created=5))
            await until(lambda: world.phases()["first"] == "Pending")
            world.later(HOUR, desk)
            await until(lambda: set(world.phases().values()) == {"Sent"})

    with World(0) as world:
        asyncio.run(story(world))
    assert len(world.service.ids("first")) == 1
    assert world.marked() == {"first"}


def test_a_group_that_may_have_been_taken_stays_together_whatever_fails_then() -> None:
    async def story(world: World) -> None:
        waiting(world, "a", "b", "c")
        async with world.desk() as desk:
            for number in (1, 2):
                await until(lambda number=number: len(world.service.arrived) == number)  # type: ignore[misc]
                await until(lambda: world.phases()["a"] == "Pending")
                await world.enqueue(delivery(f"more-{number}", created=9))
                world.later(HOUR, desk)
            await until(lambda: set(world.phases().values()) == {"Sent"})

    with World(0, 500) as world:
        asyncio.run(story(world))
    for name in ("a", "b", "c"):
        assert len(world.service.ids(name)) == 1, f"{name} came under several ids: {world.service.arrived}"
    assert world.marked() == {"a", "b", "c"}


def test_a_group_that_may_have_been_taken_and_is_refused_then_leaves_marks() -> None:
    async def story(world: World) -> None:
        waiting(world, "a", "b")
        async with world.desk() as desk:
            await until(lambda: world.api.status("AlertDelivery", "a").get("nextAttemptAt") is not None)
            world.later(HOUR, desk)
            await until(lambda: set(world.phases().values()) == {"Sent"})

    with World(0, 413) as world:
        asyncio.run(story(world))
    assert [titles for _, titles, _ in world.service.arrived] == [["a", "b"], ["a", "b"], ["a"], ["b"]]
    assert world.marked() == {"a", "b"}


def test_a_group_that_may_have_been_taken_is_given_up_as_a_whole() -> None:
    """Its members don't go out once more under other ids, without a mark, when their leader's time is over."""

    async def story(world: World) -> None:
        waiting(world, "a", "b")
        async with world.desk() as desk:
            await until(lambda: set(world.phases().values()) == {"DeadLettered"})
            world.later(HOUR, desk)
            await world.enqueue(delivery("later", created=HOUR))
            await until(lambda: world.phases()["later"] == "Sent")

    with World(0, give_up_after=1.0) as world:
        asyncio.run(story(world))
    assert [titles for _, titles, _ in world.service.arrived] == [["a", "b"], ["later"]]
    for name in ("a", "b"):
        status = world.api.status("AlertDelivery", name)
        assert [attempt["outcome"] for attempt in status["lastAttempts"]] == ["Unknown"], "a retry will be marked"
        assert status["reason"] == "Timeout"


def test_a_message_that_a_service_fails_on_does_not_keep_the_others_from_it() -> None:
    async def story(world: World) -> None:
        world.service.poison = "a"
        waiting(world, "a", "b", "c")
        others = {"b", "c"}
        async with world.desk() as desk:
            while others - {name for name, phase in world.phases().items() if phase == "Sent"}:
                arrived = len(world.service.arrived)
                await until(lambda: world.api.status("AlertDelivery", "a")["phase"] == "Pending")
                world.later(HOUR, desk)
                await until(lambda arrived=arrived: len(world.service.arrived) > arrived)  # type: ignore[misc]
                await until(lambda: "Sending" not in world.phases().values())
            assert world.phases() == {"a": "Pending", "b": "Sent", "c": "Sent"}

    with World() as world:
        asyncio.run(story(world))
    assert len(world.service.arrived) < 12


def test_a_channel_is_tried_less_and_less_often_whichever_message_shows_that_it_fails() -> None:
    """Each message is tried for the first time: its own pause would be the shortest."""

    async def story(world: World) -> None:
        waiting(world, *"abcdef")
        async with world.desk() as desk:
            for number in range(1, 6):
                await until(lambda number=number: len(world.service.arrived) == number)  # type: ignore[misc]
                await until(lambda number=number: desk.report.failures == number)  # type: ignore[misc]
                await until(lambda: "Sending" not in world.phases().values())
                world.later(5 * 1.3 * 2 ** (number - 2), desk)
                for _ in range(50):
                    await asyncio.sleep(0)
                assert len(world.service.arrived) == number
                world.later(5 * 1.3 * 2 ** (number - 1), desk)

    with World(*[500] * 9) as world:
        asyncio.run(story(world))


def test_a_secret_that_was_written_ends_the_pause_of_a_channel_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specsync.worker.secret_looks.SECRETS_EVERY", 0.0)

    async def story(world: World) -> None:
        world.api.add(secret(b"wrong"))
        waiting(world, "a")
        async with world.desk() as desk:
            await until(lambda: ready(world) == ("False", "Unauthorized"))
            for _ in range(50):  # it waits
                await asyncio.sleep(0)
            desk.wake.set()
            for _ in range(50):
                await asyncio.sleep(0)
            assert len(world.service.arrived) == 1, "nothing was written"
            world.api.add(secret(b"right"))
            desk.wake.set()
            await until(lambda: world.phases() == {"a": "Sent"})

    with World(401, secret="hook") as world:
        asyncio.run(story(world))


def secret(token: bytes) -> Secret:
    return Secret(metadata=ObjectMeta(name="hook", namespace="ns"), data={"bearerToken": token})


def test_what_waited_for_days_is_not_lost_by_the_first_hiccup() -> None:
    """No worker was there for a long weekend, or the channel was suspended: its time is over when it is tried first."""

    async def story(world: World) -> None:
        waiting(world, "a", "b")
        world.later(5 * 24 * HOUR)
        async with world.desk() as desk:
            await until(lambda: world.api.status("AlertDelivery", "a").get("attempts") == 1)
            await until(lambda: world.phases() == {"a": "Pending", "b": "Pending"})
            world.later(60, desk)
            await until(lambda: world.phases() == {"a": "Sent", "b": "Sent"})

    with World(503) as world:
        asyncio.run(story(world))


def test_a_failed_attempt_is_repeated_after_its_pause_not_after_the_window() -> None:
    async def story(world: World) -> None:
        waiting(world, "a")
        async with world.desk() as desk:
            await until(lambda: world.api.status("AlertDelivery", "a").get("nextAttemptAt") is not None)
            world.later(HOUR, desk)
            await until(lambda: world.phases() == {"a": "Sent"})

    with World(500, window=HOUR) as world:
        asyncio.run(story(world))


def test_a_clock_that_was_put_back_leaves_nothing_behind() -> None:
    """What was under way when the clock was a day ahead isn't left for a day."""
    claim = {"worker": "dead", "epoch": 2, "claimedAt": "2026-01-03T12:00:00Z"}

    async def story(world: World) -> None:
        world.api.add(delivery("a", status={"phase": "Sending", "attempts": 2, "claim": claim}))
        async with world.desk():
            await until(lambda: world.phases() == {"a": "Sent"})

    with World() as world:
        asyncio.run(story(world))
    assert world.marked() == {"a"}


def test_an_api_server_that_refuses_for_now_makes_no_copy() -> None:
    """As one does that has just started: it knows no rights yet."""
    refused: list[str] = []

    def refuses(verb: str, kind: str, name: str) -> None:
        if world.service.arrived and verb in ("patch", "update") and kind == "AlertDelivery" and len(refused) < 2:
            refused.append(name)
            raise ApiError(403, "Forbidden", "no rights yet")

    async def story(world: World) -> None:
        waiting(world, "a")
        world.api.trouble = refuses
        async with world.desk():
            await until(lambda: world.phases() == {"a": "Sent"})

    with World() as world:
        asyncio.run(story(world))
    assert len(refused) == 2
    assert len(world.service.arrived) == 1


def told(world: World) -> list[str]:
    """What the other channel is told."""
    found = [world.api.objects["AlertDelivery", name] for name in world.api.names("AlertDelivery")]
    return sorted(each["spec"]["message"]["title"] for each in found if each["spec"]["channel"] == "ops")


FAILS, WORKS = "Alert channel team takes no messages", "Alert channel team takes messages again"


def test_others_hear_of_a_channel_though_the_api_server_was_away_just_then() -> None:
    def away(verb: str, kind: str, name: str) -> None:
        if (verb, kind) == ("create", "Event") or (verb == "create" and kind == "AlertDelivery" and not answers):
            answers.append(name)
            raise ApiError(0, "NoAnswer", "no answer")

    answers: list[str] = []

    async def story(world: World) -> None:
        world.api.add(channel("ops", default=True))
        waiting(world, "a")
        world.api.trouble = away
        async with world.desk() as desk:
            await until(lambda: told(world) == [FAILS])
            answers.clear()
            world.later(HOUR, desk)
            await until(lambda: told(world) == [WORKS, FAILS])

    with World(401) as world:
        asyncio.run(story(world))


def test_a_successor_tells_of_the_end_that_its_predecessor_did_not_come_to() -> None:
    """The channel was mended, the message is recorded as sent, and then the worker was killed."""

    async def story(world: World) -> None:
        world.api.add(channel("ops", default=True))
        waiting(world, "a")
        async with world.desk():
            await until(lambda: told(world) == [FAILS])
            await until(lambda: "failingSince" in world.api.status("AlertChannel", "team"))
        world.later(HOUR)
        world.api.status("AlertDelivery", "a").update(phase="Sent", sentAt=now().isoformat(), response="HTTP 202")
        async with world.desk(worker="w"):
            await until(lambda: told(world) == [WORKS, FAILS])
            await until(lambda: "failingSince" not in world.api.status("AlertChannel", "team"))

    with World(401) as world:
        asyncio.run(story(world))
    assert ready(world) == ("True", "Delivered")


def test_a_channel_that_fails_does_not_look_well_to_its_next_sender() -> None:
    async def story(world: World) -> None:
        waiting(world, "a")
        async with world.desk():
            await until(lambda: ready(world) == ("False", "Unauthorized"))
        world.api.history.clear()
        async with world.desk() as desk:
            for _ in range(50):  # it waits for the next attempt
                await asyncio.sleep(0)
            world.later(HOUR, desk)
            await until(lambda: world.api.status("AlertDelivery", "a")["attempts"] == 2)
            await until(lambda: world.phases() == {"a": "Pending"})

    with World(401, 401) as world:
        asyncio.run(story(world))
    seen = [found["status"]["conditions"] for kind, found in world.api.history if kind == "AlertChannel"]
    assert {condition["status"] for conditions in seen for condition in conditions} <= {"False"}


def ready(world: World) -> tuple[str, str] | None:
    conditions = world.api.status("AlertChannel", "team").get("conditions", [])
    return (conditions[0]["status"], conditions[0]["reason"]) if conditions else None
