"""The sweep of a real S3 server, and a change of where content goes: nothing that is needed is lost."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster import ControlPlane, ObjectServer
from tests.conftest import OperatorKubeconfig
from tests.integration import objectstore
from tests.integration.crew import Crew, Member, contract
from tests.waiting import eventually

TWO_DAYS = 2 * 86400
CONFIGMAPS = ("--blob-store", "configmap")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    with ObjectServer(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def prefix(namespace: str) -> str:
    """One of its own for each test, for a sweep looks at all of it."""
    return f"clusters/{namespace}"


@pytest.fixture
def options(
    cluster: ControlPlane, operator_kubeconfig: OperatorKubeconfig, server: ObjectServer, prefix: str
) -> Iterator[tuple[str, ...]]:
    operator_kubeconfig("worker")  # the namespace of the Secret is there then
    with objectstore.granted(cluster, server):
        yield objectstore.options(server, prefix)


@pytest.fixture
def crew(options: tuple[str, ...], crew: Crew) -> Crew:
    """One that ends before its rights do."""
    return crew


@pytest.fixture
def bucket(server: ObjectServer, prefix: str, namespace: str) -> Path:
    """The folder of the namespace's objects."""
    return server.folder / prefix / "blobs" / namespace


def stored(bucket: Path) -> set[str]:
    return {f"sha256:{path.stem}" for path in bucket.rglob("*.zst")}


def age(bucket: Path) -> None:
    """Makes all that is there older than the grace period, by the server's own account."""
    then = time.time() - TWO_DAYS
    for path in bucket.rglob("*.zst"):
        os.utime(path, (then, then))


def garbage(bucket: Path, name: str, *, old: bool) -> str:
    """An object that nothing refers to; its key."""
    digest = name.encode().hex().ljust(64, "0")
    path = bucket / digest[:2] / f"{digest}.zst"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"nobody needs this")
    if old:
        os.utime(path, (time.time() - TWO_DAYS,) * 2)
    return f"sha256:{digest}"


def keys(value: Any) -> set[str]:
    """The keys of all references to blobs within an object."""
    if isinstance(value, list):
        return {key for each in value for key in keys(each)}
    if isinstance(value, dict):
        own = {value["key"]} if {"backend", "key", "size"} <= value.keys() else set()
        return own | {key for each in value.values() for key in keys(each)}
    return set()


def referred(crew: Crew) -> set[str]:
    return keys([crew.all(plural) for plural in ("specsnapshots", "changesets", "syncjobs")])


def swept(controller: Member) -> dict[str, Any]:
    """What its first round says."""
    done = [entry for entry in controller.log() if entry.get("event") == "object store swept"]
    return done[0]


def test_what_nothing_refers_to_goes_and_all_else_stays(
    crew: Crew, bucket: Path, options: tuple[str, ...], namespace: str
) -> None:
    first = crew.start("controller", *options)
    crew.start("worker", *options)
    crew.depend_on("shop", contract("Shop", fields=3))
    crew.wait_for_result("shop", "Baseline")
    crew.publish("shop", contract("Shop", version="2", fields=2))
    crew.request_sync("shop", "1")
    crew.wait_for_result("shop", "Changed")
    needed = referred(crew)
    assert len(needed) >= 7
    assert stored(bucket) == needed, "nothing is stored that nothing refers to"
    first.stop()

    age(bucket)
    old, young = garbage(bucket, "old", old=True), garbage(bucket, "young", old=False)
    foreign = garbage(bucket.parent / "another-namespace", "old", old=True)
    second = crew.start("controller", *options)
    found = eventually(lambda: swept(second), timeout=30, what="a round of the sweep")
    assert (found["removed"], found["kept"]) == (1, len(needed) + 1)
    assert stored(bucket) == needed | {young}
    assert old not in stored(bucket)
    assert foreign in stored(bucket.parent / "another-namespace"), "of a namespace that this operator doesn't watch"
    second.stop()

    # The content of a Dependency that is gone is garbage, when it is old enough.
    crew.cluster.kubectl("delete", "dep", "shop", namespace=namespace)
    eventually(lambda: referred(crew) == set(), what="the garbage collector to take all that the Dependency owned")
    third = crew.start("controller", *options)
    eventually(lambda: swept(third), timeout=30, what="a round of the sweep")
    assert stored(bucket) == {young}


def test_a_put_makes_an_object_young_again(crew: Crew, bucket: Path, options: tuple[str, ...]) -> None:
    worker = crew.start("worker", *options)
    controller = crew.start("controller", *options)
    crew.depend_on("shop", contract("Shop", fields=3))
    crew.wait_for_result("shop", "Baseline")
    controller.stop()
    before = stored(bucket)
    age(bucket)
    # The same document for another Dependency: what it puts is there already.
    crew.depend_on("twin", contract("Shop", fields=3))
    controller = crew.start("controller", *options)
    crew.wait_for_result("twin", "Baseline")
    assert stored(bucket) == before
    assert min(path.stat().st_mtime for path in bucket.rglob("*.zst")) > time.time() - 3600
    assert worker.stop() == 0


def test_a_store_that_another_cluster_sweeps_is_left_alone(
    crew: Crew, bucket: Path, server: ObjectServer, prefix: str, options: tuple[str, ...]
) -> None:
    old = garbage(bucket, "old", old=True)
    (server.folder / prefix / "specsync-sweep").write_bytes(b"the uid of another cluster")
    controller = crew.start("controller", *options)
    eventually(lambda: controller.says("another cluster does"), timeout=30, what="the sweep to refuse")
    assert stored(bucket) == {old}


def current(crew: Crew, version: str) -> Any:
    """The current snapshot, once it is of that version."""
    status = crew.get("dependencies", "shop")["status"]
    assert "activeJob" not in status
    assert status["current"]["version"] == version
    return crew.get("specsnapshots", status["current"]["snapshot"])


def test_content_stays_readable_when_the_store_is_changed_and_changed_back(
    crew: Crew, bucket: Path, options: tuple[str, ...]
) -> None:
    crew.start("controller", *options)
    crew.depend_on("shop", contract("Shop", fields=4))
    stays = (
        ("Baseline", CONFIGMAPS, "configmap", 4),
        ("Changed", options, "s3", 3),
        ("Changed", (*CONFIGMAPS, *options), "configmap", 2),
        ("Changed", options, "s3", 1),
    )
    for number, (result, flags, backend, fields) in enumerate(stays):
        crew.publish("shop", contract("Shop", version=str(number), fields=fields))
        worker = crew.start("worker", *flags)
        if number:
            crew.request_sync("shop", str(number))
        snapshot = eventually(lambda: current(crew, str(number)), timeout=30, what=f"version {number}")  # noqa: B023
        assert crew.get("dependencies", "shop")["status"]["lastSync"]["result"] == result
        assert {ref["backend"] for ref in snapshot["spec"]["blobs"].values()} == {backend}
        assert worker.stop() == 0
    for change_set in crew.all("changesets"):
        assert change_set["spec"]["summary"]["breaking"] == 1, "compared with what was in the other store"
    assert "BlobMissing" not in json.dumps(crew.events_about("shop"))
    assert bucket.is_dir()
