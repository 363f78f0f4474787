"""The sweep: every kind that refers to blobs is asked, and a process that may not lead any more deletes nothing."""

import asyncio
import datetime as dt
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from specsync.blobs.location import Location
from specsync.blobs.objectstore import ObjectBlobs
from specsync.blobs.settings import Environment
from specsync.controller.sweep import REFERRING, Sweeper, _keys
from specsync.kube import loops
from specsync.kube.core import Namespace
from specsync.resources import KINDS
from specsync.resources.blobref import BlobRef
from specsync.resources.meta import ObjectMeta, OwnerReference

OWNER = OwnerReference(api_version="specsync.dev/v1alpha1", kind="SyncJob", name="shop-1", uid="u")


def types_within(type_: Any) -> Iterator[Any]:
    """A type and all that its fields and arguments are made of."""
    seen: set[Any] = set()
    waiting = [type_]
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        yield each
        waiting += [part for part in get_args(each) if isinstance(part, type) or get_args(part)]
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            waiting += get_type_hints(each).values()


def test_each_kind_that_refers_to_blobs_is_asked() -> None:
    refer = {kind.definition.kind for kind in KINDS if BlobRef in types_within(kind)}
    assert {kind.definition.kind for kind in REFERRING} == refer


def test_references_are_found_wherever_they_stand() -> None:
    one, two = ({"backend": "s3", "key": f"sha256:{n}", "size": 1} for n in (1, 2))
    assert list(_keys({"stages": [{"fetch": {"raw": one, "key": 3}}, {"diff": {"changes": two}}], "key": "no"})) == [
        "sha256:1",
        "sha256:2",
    ]


class Client:
    """A cluster without any object of ours."""

    async def get(self, kind: Any, namespace: str, name: str) -> Any:
        assert (kind, namespace, name) == (Namespace, "", "kube-system")
        return Namespace(metadata=ObjectMeta(name=name, uid="this-cluster"))

    async def list(self, kind: Any, namespace: str) -> list[Any]:
        return []


async def sweep(folder: Path, *, in_office: bool, namespaces: tuple[str, ...] = ()) -> list[str]:
    """What is left of one old object and one young one in each of two namespaces."""
    store = ObjectBlobs(Location("file", "", str(folder)), Environment(), timeout=5)
    for namespace in ("team-a", "team-b"):
        await store.put(namespace, b"old", OWNER)
    then = time.time() - dt.timedelta(days=2).total_seconds()
    for path in folder.rglob("*.zst"):
        os.utime(path, (then, then))
    for namespace in ("team-a", "team-b"):
        await store.put(namespace, b"young", OWNER)
    sweeper = Sweeper(Client(), [store], 86400.0, namespaces, lambda: in_office)  # type: ignore[arg-type]
    await sweeper._sweep(store)
    return sorted(path.parent.parent.name for path in folder.rglob("*.zst"))


@pytest.mark.parametrize(
    ("in_office", "namespaces", "left"),
    [
        (True, (), ["team-a", "team-b"]),
        (True, ("team-a",), ["team-a", "team-b", "team-b"]),
        (False, (), ["team-a", "team-a", "team-b", "team-b"]),
    ],
)
def test_what_goes(tmp_path: Path, in_office: bool, namespaces: tuple[str, ...], left: list[str]) -> None:
    assert asyncio.run(sweep(tmp_path, in_office=in_office, namespaces=namespaces)) == left


def test_another_clusters_store_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "specsync-sweep").write_bytes(b"another-cluster")
    assert asyncio.run(sweep(tmp_path, in_office=True)) == ["team-a", "team-a", "team-b", "team-b"]
    assert (tmp_path / "specsync-sweep").read_bytes() == b"another-cluster"


def test_livez_sees_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "PATIENCE", -1.0)
    store = ObjectBlobs(Location("file", "", str(tmp_path)), Environment(), timeout=0.0)
    sweeping = asyncio.Event()

    async def hang(_: object) -> None:
        sweeping.set()
        await asyncio.Event().wait()

    async def scenario() -> list[str]:
        sweeper = Sweeper(Client(), [store], 86400.0, (), lambda: True)  # type: ignore[arg-type]
        sweeper._sweep = hang  # type: ignore[method-assign]
        task = asyncio.ensure_future(sweeper.run())
        await sweeping.wait()
        found = loops.standing_still()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return found

    assert asyncio.run(scenario()) == ["sweep"]
