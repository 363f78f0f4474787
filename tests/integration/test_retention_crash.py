"""Retention under kill -9: whatever instant the leader dies at, nothing that stays refers to what is gone."""

import json
from typing import Any

from tests.integration.crew import Crew, contract
from tests.integration.test_crash import Lives
from tests.waiting import eventually

VERSIONS = 6
# So that a busy machine renews in time.
BRISK = ("--heartbeat", "500ms", "--lease-duration", "1500ms")
SHORT = {"jobs": 1, "snapshots": 2, "changeSets": 2}


def check_nothing_dangles(crew: Crew, name: str) -> None:
    """Whatever is kept refers to what is there. Deletions go on meanwhile: what referred to it may just have gone."""
    status = crew.get("dependencies", name)["status"]
    needed = {status[each]["snapshot"] for each in ("current", "baseline") if each in status}
    for change_set in crew.all("changesets"):
        needed |= {change_set["spec"][side]["snapshot"] for side in ("from", "to")}
    lacking = needed - {snapshot["metadata"]["name"] for snapshot in crew.all("specsnapshots")}
    still = {c["spec"][side]["snapshot"] for c in crew.all("changesets") for side in ("from", "to")}
    assert not lacking & still
    assert not lacking & {status[each]["snapshot"] for each in ("current", "baseline") if each in status}


def test_a_leader_that_dies_between_deletions_leaves_no_dangling_reference(crew: Crew) -> None:
    """A long history is made short at once; each life of the controller ends with its first write."""
    crew.start("worker", name="worker")
    controller = crew.start("controller")
    crew.depend_on("shop", contract("Shop", fields=VERSIONS + 1))
    for version in range(1, VERSIONS + 1):
        if version > 1:
            crew.publish("shop", contract("Shop", version=str(version), fields=VERSIONS + 1 - version))
            crew.request_sync("shop", str(version))
        eventually(lambda: is_at(crew, str(version)), timeout=30, what=f"version {version}")  # noqa: B023
    assert controller.stop() == 0
    assert (len(crew.all("changesets")), len(crew.all("specsnapshots"))) == (VERSIONS - 1, VERSIONS)

    patch = json.dumps({"spec": {"history": SHORT}})
    crew.cluster.kubectl("patch", "dep", "shop", "--type=merge", "-p", patch, namespace=crew.namespace)
    lives = Lives(crew, BRISK)
    lives.until(lambda: settled(crew))
    # Three change sets, two snapshots, the jobs.
    assert lives.deaths >= 6
    lives.end()

    status = crew.get("dependencies", "shop")["status"]
    sides = {change["spec"][side]["snapshot"] for change in crew.all("changesets") for side in ("from", "to")}
    left = {snapshot["metadata"]["name"] for snapshot in crew.all("specsnapshots")}
    assert left == sides | {status["baseline"]["snapshot"], status["current"]["snapshot"]}
    eventually(lambda: owners_are_there(crew), timeout=30, what="the blobs of what is gone to go, and no others")


def is_at(crew: Crew, version: str) -> bool:
    status: dict[str, Any] = crew.get("dependencies", "shop")["status"]
    return status.get("current", {}).get("version") == version and "activeJob" not in status


def settled(crew: Crew) -> bool:
    check_nothing_dangles(crew, "shop")
    counts = {plural: len(crew.all(plural)) for plural in ("syncjobs", "changesets", "specsnapshots")}
    return counts == {"syncjobs": 1, "changesets": 2, "specsnapshots": 4}


def owners_are_there(crew: Crew) -> bool:
    """Whether each snapshot's content is there, and each blob has an owner that lives."""
    blobs = {c["metadata"]["name"]: c for c in crew.all("configmaps") if c["metadata"]["name"].startswith("specsync-")}
    for snapshot in crew.all("specsnapshots"):
        for ref in snapshot["spec"]["blobs"].values():
            assert "specsync-blob-" + ref["key"].removeprefix("sha256:")[:40] in blobs
    alive = {o["metadata"]["uid"] for kind in ("specsnapshots", "changesets", "syncjobs") for o in crew.all(kind)}
    return all(any(o["uid"] in alive for o in blob["metadata"]["ownerReferences"]) for blob in blobs.values())
