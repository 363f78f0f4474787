"""What the leader deletes for its age is old by its own clock too: the API server's alone may be wrong."""

import asyncio
import datetime as dt
from typing import Any

import pytest

from specsync.controller.prune import Pruner
from specsync.controller.retention import ChangeSetHead, ChangeSetHeadSpec
from specsync.kube.store import Store
from specsync.resources import SpecSnapshot, SyncJob, clock
from specsync.resources.changeset import SnapshotPointer
from specsync.resources.dependency import History
from specsync.resources.meta import ObjectMeta, now
from tests.unit.objects import dependency


class Deleting:
    """A client that notes what is deleted."""

    def __init__(self) -> None:
        self.gone: list[str] = []

    async def delete(self, kind: Any, namespace: str, name: str, uid: str) -> None:
        self.gone.append(name)


def change_set(days: int) -> ChangeSetHead:
    created = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    meta = ObjectMeta(
        name=f"{days}-days", namespace="ns", uid=f"uid-{days}", resource_version="1", creation_timestamp=created
    )
    side = SnapshotPointer(snapshot="shop-1", digest="sha256:1")
    return ChangeSetHead(metadata=meta, spec=ChangeSetHeadSpec(dependency="shop", from_=side, to=side))


@pytest.mark.parametrize("ahead", [dt.timedelta(0), dt.timedelta(days=400)])
def test_a_clock_that_is_ahead_deletes_nothing_that_is_young(
    monkeypatch: pytest.MonkeyPatch, ahead: dt.timedelta
) -> None:
    monkeypatch.setattr(clock, "_offset", ahead)
    client: Any = Deleting()
    change_sets: Store[ChangeSetHead] = Store(ChangeSetHead, owner=lambda c: c.spec.dependency)
    for days in (1, 20, 40):
        change_sets.put(change_set(days))
    jobs, snapshots = Store(SyncJob, owner=lambda j: j.spec.target.name), Store(SpecSnapshot, owner=lambda s: "shop")
    pruner = Pruner(client, jobs, snapshots, change_sets, lambda: True)
    asyncio.run(pruner.prune(dependency(history=History(max_age_days=30)), now(), busy=False))
    assert client.gone == ["40-days"]
