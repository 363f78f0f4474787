"""A worker's part in sending: what it gives up for want of a channel, and how it ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

from specsync.alerting.pace import AlertTiming
from specsync.kube.client import KubeClient
from specsync.kube.events import EventRecorder
from specsync.kube.leases import LeaseTiming, Roster
from specsync.resources import AlertChannel, AlertDelivery
from specsync.worker.deliveries import Deliveries
from tests.unit.alerting.desk_world import Outlets, World, until
from tests.unit.alerting.samples import channel, delivery


@contextlib.asynccontextmanager
async def worker(world: World) -> AsyncIterator[Deliveries]:
    """One whose stores know nothing yet."""
    client = cast(KubeClient, world.api)
    roster = Roster(client, "specsync-system", LeaseTiming())
    timing = AlertTiming(window=0.0, give_up_after=1.0)
    outlets, events = Outlets(world.api, world.service), EventRecorder(client, "worker", "w")
    found = Deliveries(client, outlets, events, roster, timing, "w", lambda: True, lambda _: None)
    task = asyncio.create_task(found.run())
    yield found
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def see(deliveries: Deliveries, world: World, kind: type[Any], name: str) -> None:
    """The watch of that kind shows an object."""
    [store] = [watched.store for watched in deliveries.watched if watched.store.kind is kind]
    store.put(await world.api.get(kind, "ns", name))


def test_what_is_late_is_not_given_up_because_the_channels_are_not_listed_yet() -> None:
    """After a weekend without a worker, or where a channel was suspended for long: deliveries come first, perhaps."""

    async def story(world: World) -> None:
        world.api.add(delivery("late"))
        world.api.add(delivery("to-nobody", channel="nobody"))
        async with worker(world) as deliveries:
            for name in ("late", "to-nobody"):
                await see(deliveries, world, AlertDelivery, name)
            await until(lambda: world.phases()["to-nobody"] == "DeadLettered")
            assert world.phases()["late"] == "Pending"
            await see(deliveries, world, AlertChannel, "team")
            await until(lambda: world.phases()["late"] == "Sent")

    with World() as world:
        asyncio.run(story(world))
    assert world.api.status("AlertDelivery", "to-nobody")["reason"] == "ChannelNotFound"


def test_channels_are_handed_back_also_one_that_was_taken_at_the_very_end() -> None:
    async def story(world: World) -> None:
        async with worker(world) as deliveries:
            ending: list[asyncio.Task[None]] = []

            def end(verb: str, kind: str, name: str) -> None:
                if (verb, kind, name) == ("patch", "AlertChannel", "last") and not ending:
                    ending.append(asyncio.create_task(deliveries.drain(1.0)))

            world.api.trouble = end
            await see(deliveries, world, AlertChannel, "team")
            await until(lambda: world.api.status("AlertChannel", "team")["sender"]["epoch"] == 2)
            world.api.add(channel("last", webhook={"url": "https://hooks.example.com/"}))
            world.api.add(delivery("a", channel="last"))
            await see(deliveries, world, AlertChannel, "last")
            await until(lambda: bool(ending))
            await ending[0]
            await until(lambda: world.api.status("AlertChannel", "last").get("sender") is not None)
        await deliveries.hand_back()

    with World() as world:
        asyncio.run(story(world))
    senders = [world.api.status("AlertChannel", name)["sender"] for name in ("team", "last")]
    assert senders == [{"worker": "", "epoch": 2}, {"worker": "", "epoch": 1}]
    assert world.service.arrived == [], "nothing is begun"
