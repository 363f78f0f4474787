"""The leader's care of the outbox: what it deletes, and that no delivery keeps it from caring for the others."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from specsync.controller import alerts
from specsync.controller.alerts import AlertKeeper, DeliveryHead
from specsync.controller.retention import ChangeSetHead
from specsync.kube.client import ApiError, Invalid
from specsync.kube.store import Store
from specsync.resources import AlertChannel, AlertDelivery, clock
from specsync.resources.meta import now
from tests.unit.alerting.samples import channel


class Deleting:
    """A client that notes what is deleted."""

    def __init__(self) -> None:
        self.gone: list[str] = []

    async def delete(self, kind: Any, namespace: str, name: str, uid: str) -> None:
        self.gone.append(name)


def head(name: str, phase: str, days: int, **annotations: str) -> DeliveryHead:
    at = now() - dt.timedelta(days=days)
    body = {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": name,
            "resourceVersion": "1",
            "creationTimestamp": at,
            "annotations": annotations,
        },
        "spec": {"channel": "team", "message": {"kind": "Change"}},
        "status": {"phase": phase},
    }
    return msgspec.convert(body, DeliveryHead)


def pruned(*heads: DeliveryHead) -> list[str]:
    client = Deleting()
    keeper = AlertKeeper(client, Store(ChangeSetHead), 30 * 86400.0, lambda: True)  # type: ignore[arg-type]
    [store] = [watched.store for watched in keeper.watched if watched.store.kind is DeliveryHead]
    for each in heads:
        store.put(each)

    async def story() -> None:
        running = asyncio.create_task(keeper.run())
        for _ in range(20):
            await asyncio.sleep(0)
        running.cancel()

    asyncio.run(story())
    return client.gone


def test_what_ended_long_ago_goes_and_what_waits_or_is_asked_for_again_stays() -> None:
    old = [head(phase.lower(), phase, 31) for phase in ("Sent", "DeadLettered", "Suppressed", "Pending", "Sending")]
    asked = head("asked", "Sending", 31, **{"specsync.dev/retryRequestedAt": "now"})
    assert sorted(pruned(*old, asked, head("young", "Sent", 29))) == ["deadlettered", "sent", "suppressed"]


def test_a_clock_that_is_ahead_deletes_nothing_that_is_young(monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = head("young", "Sent", 1)
    monkeypatch.setattr(clock, "_offset", dt.timedelta(days=400))
    assert pruned(delivery) == []


def test_a_channel_keeps_its_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "_KEPT_PER_CHANNEL", 3)
    heads = [head(f"d{days}", "Sent", days) for days in (4, 2, 5, 1, 3)]
    assert pruned(*heads, head("waits", "Pending", 20)) == ["d5", "d4"]


RETRY = "specsync.dev/retryRequestedAt"


class Retrying(Deleting):
    """A client whose server has deliveries; `on_patch` happens before each write, and may raise its error."""

    def __init__(self, keeper_store: Store[DeliveryHead], on_patch: Callable[[str], None]) -> None:
        super().__init__()
        self.store = keeper_store
        self.on_patch = on_patch
        self.retried: list[str] = []

    async def get(self, kind: Any, namespace: str, name: str) -> AlertDelivery:
        known = self.store.get(namespace, name)
        assert known is not None
        message = {"kind": "Change", "level": "Info", "title": "t", "namespace": "ns", "at": now()}
        body = {"metadata": known.metadata, "status": known.status, "spec": {"channel": "team", "message": message}}
        return msgspec.convert(msgspec.to_builtins(body), AlertDelivery)

    async def patch(self, kind: Any, namespace: str, name: str, patch: Any, **_: Any) -> DeliveryHead:
        self.on_patch(name)
        known = self.store.get(namespace, name)
        assert known is not None
        self.retried.append(name)
        body = msgspec.to_builtins(known) | {"status": patch[-1]["value"]}
        body["metadata"]["resourceVersion"] = str(int(known.metadata.resource_version) + 1)
        return msgspec.convert(body, DeliveryHead)


def care(on_patch: Callable[[Retrying, str], None], *heads: DeliveryHead, until: Callable[[Retrying], bool]) -> None:
    """Runs the keeper until all is as it should be; never, if it isn't."""

    async def story() -> None:
        client = Retrying(Store(DeliveryHead), lambda name: on_patch(client, name))
        keeper = AlertKeeper(client, Store(ChangeSetHead), 30 * 86400.0, lambda: True)  # type: ignore[arg-type]
        [client.store] = [watched.store for watched in keeper.watched if watched.store.kind is DeliveryHead]
        running = asyncio.create_task(keeper.run())
        for each in heads:
            client.store.put(each)
        try:
            async with asyncio.timeout(5):
                while not until(client):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            assert not running.done()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())


@pytest.mark.parametrize("error", [ApiError(403, "Forbidden", "by a policy"), KeyError("unexpected")])
def test_a_delivery_that_can_not_be_retried_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(alerts, "_AFTER_ERROR", 0.001)

    def refuse(_: Retrying, name: str) -> None:
        if name == "refused":
            raise error

    asked = [head(name, "DeadLettered", 1, **{RETRY: "now"}) for name in ("refused", "fine")]
    care(
        refuse,
        *asked,
        head("old", "Sent", 31),
        until=lambda client: client.retried == ["fine"] and client.gone == ["old"],
    )


def test_a_delivery_that_changes_while_it_is_retried_is_looked_at_again() -> None:
    def change(client: Retrying, name: str) -> None:
        known = client.store.get("ns", name)
        assert known is not None
        if known.metadata.resource_version == "1":
            body = msgspec.to_builtins(known)
            body["metadata"] |= {"resourceVersion": "2", "annotations": {RETRY: "later"}}
            client.store.put(msgspec.convert(body, DeliveryHead))
            raise Invalid(422, "Invalid", "the test failed")

    care(change, head("d", "DeadLettered", 1, **{RETRY: "now"}), until=lambda client: client.retried == ["d"])


def test_a_standby_remembers_nothing_of_what_is_gone() -> None:
    keeper = AlertKeeper(Deleting(), Store(ChangeSetHead), 30 * 86400.0, lambda: False)  # type: ignore[arg-type]
    [store] = [watched.store for watched in keeper.watched if watched.store.kind is DeliveryHead]
    delivery = head("d", "DeadLettered", 1, **{RETRY: "now"})
    store.put(delivery)
    assert keeper._retries
    store.bury(delivery)
    assert not keeper._retries


POINTER = {"snapshot": "s", "digest": "sha256:1"}


class Ending(Retrying):
    """A client that notes what is created."""

    async def create(self, obj: AlertDelivery) -> AlertDelivery:
        self.retried.append(f"{obj.spec.message.kind} to {obj.spec.channel}")
        return obj


def test_who_acknowledges_before_the_alert_is_written_ends_its_incident_too() -> None:
    acknowledged = {
        "metadata": {"name": "shop-1", "namespace": "ns", "uid": "chg", "resourceVersion": "1"},
        "spec": {"dependency": "shop", "from": POINTER, "to": POINTER, "acknowledged": {"by": "anna"}},
    }

    async def story() -> None:
        client, change_sets = Ending(Store(DeliveryHead), lambda _: None), Store(ChangeSetHead)
        keeper = AlertKeeper(client, change_sets, 30 * 86400.0, lambda: True)  # type: ignore[arg-type]
        stores = {watched.store.kind: watched.store for watched in keeper.watched}
        client.store = stores[DeliveryHead]
        stores[AlertChannel].put(channel("team"))
        running = asyncio.create_task(keeper.run())
        change_sets.put(msgspec.convert(acknowledged, ChangeSetHead))
        for _ in range(20):
            await asyncio.sleep(0)
        assert client.retried == [], "there is nothing to end"
        told = msgspec.to_builtins(head("d", "Sent", 0))
        told["spec"]["changeSet"] = "shop-1"
        client.store.put(msgspec.convert(told, DeliveryHead))
        for _ in range(20):
            await asyncio.sleep(0)
        running.cancel()
        assert client.retried == ["Resolve to team"]

    asyncio.run(story())
