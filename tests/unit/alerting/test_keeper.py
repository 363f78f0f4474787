"""What the leader deletes of the outbox: what ended long ago, and what is too much of one channel."""

import asyncio
import datetime as dt
from typing import Any

import msgspec
import pytest

from specsync.controller import alerts
from specsync.controller.alerts import AlertKeeper, DeliveryHead
from specsync.controller.retention import ChangeSetHead
from specsync.kube.store import Store
from specsync.resources.meta import now


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
        store.put(each)  # type: ignore[arg-type]

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


def test_a_channel_keeps_its_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "_KEPT_PER_CHANNEL", 3)
    heads = [head(f"d{days}", "Sent", days) for days in (4, 2, 5, 1, 3)]
    assert pruned(*heads, head("waits", "Pending", 20)) == ["d5", "d4"]
