"""How often a contract is looked at: health, suspend, interval, another source, requests."""

import datetime as dt
from typing import Any

import pytest

from tests.integration.crew import contract
from tests.integration.documents import Documents
from tests.integration.user import User, dependency
from tests.waiting import eventually


@pytest.fixture(scope="module")
def operator_options() -> tuple[str, ...]:
    return ("--min-interval", "11s")


def path_for(user: User, file: str = "openapi.json") -> str:
    return f"/{user.namespace}/{file}"


def time_of(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def test_failures_degrade_and_pause_until_a_sync_by_hand_succeeds(user: User, documents: Documents) -> None:
    path = path_for(user)
    thresholds = {"degradedAfter": 1, "unhealthyAfter": 2, "pausedAfter": 3}
    user.depend_on("shop", documents.publish(path, b"gone", status=404), interval="11s", health=thresholds)

    seen: list[str] = []
    while not seen or seen[-1] != "paused":
        state = user.status_when("shop", lambda s: s["health"]["state"] not in ("healthy", *seen))["health"]["state"]
        seen.append(state)
    assert seen == ["degraded", "unhealthy", "paused"]
    assert user.reasons("shop") == ["SyncFailed", "Degraded", "Unhealthy", "Paused"]
    stalled = user.condition("dep/shop", "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "Paused")
    assert "specsync.dev/requestedAt" in user.events("shop")[-1][2]

    # While it is paused only a sync by hand runs, and one that fails changes nothing.
    asked = len(documents.asked(path))
    user.sync("shop", "Failed")
    assert len(documents.asked(path)) == asked + 1
    assert user.get("dep/shop")["status"]["health"]["state"] == "paused"
    documents.publish(path, contract("Shop"))
    user.sync("shop", "Baseline")
    status = user.get("dep/shop")["status"]
    assert status["health"]["state"] == "healthy"
    assert "consecutiveFailures" not in status["health"]
    assert [each["type"] for each in status["conditions"]] == ["Ready", "SpecValid"]
    assert user.reasons("shop")[-2:] == ["BaselineCreated", "Recovered"]
    # And scheduling goes on.
    user.status_when("shop", lambda s: s["lastSync"]["result"] == "Unchanged")


def test_a_suspended_dependency_is_only_looked_at_by_hand(user: User, documents: Documents) -> None:
    path = path_for(user)
    user.depend_on("shop", documents.publish(path, contract("Shop")), suspend=True)
    ready = eventually(lambda: user.condition("dep/shop", "Ready"))
    assert (ready["status"], ready["reason"]) == ("Unknown", "Suspended")
    assert documents.asked(path) == []

    user.sync("shop", "Baseline")
    assert len(documents.asked(path)) == 1
    user.wait("dep/shop", "Ready")
    assert len(user.all("sjob")) == 1

    user.patch("dep/shop", suspend=False, interval="10s")
    user.status_when("shop", lambda s: s["lastSync"]["result"] == "Unchanged")


def test_another_interval_moves_the_next_sync(user: User, documents: Documents) -> None:
    user.depend_on("shop", documents.publish(path_for(user), contract("Shop")), interval="6h")
    user.wait("dep/shop", "Ready")

    def distance(status: Any) -> float:
        return (time_of(status["nextSyncTime"]) - time_of(status["lastSync"]["startedAt"])).total_seconds()

    hours = distance(user.get("dep/shop")["status"]) / 3600
    assert 5.7 <= hours <= 6.3
    user.patch("dep/shop", interval="10m")
    status = user.status_when("shop", lambda s: s["observedGeneration"] == 2)
    assert 9.5 * 60 - 1 <= distance(status) <= 10.5 * 60
    assert len(user.all("sjob")) == 1
    user.patch("dep/shop", interval="10s")
    user.status_when("shop", lambda s: s["lastSync"]["result"] == "Unchanged")


def test_another_source_is_fetched_at_once(user: User, documents: Documents) -> None:
    user.depend_on("shop", documents.publish(path_for(user), contract("Shop")))
    user.wait("dep/shop", "Ready")
    url = documents.publish(path_for(user, "v2.json"), contract("Shop", version="2", fields=2))
    user.patch("dep/shop", source={"url": url})
    status = user.status_when("shop", lambda s: s["lastSync"]["result"] == "Changed")
    assert status["current"]["version"] == "2"


def test_another_source_is_fetched_at_once_also_where_a_sync_of_the_old_one_is_under_way(
    user: User, documents: Documents
) -> None:
    old = path_for(user)
    url = documents.publish(path_for(user, "v2.json"), contract("Shop", version="2", fields=2))
    with documents.held(old):
        user.depend_on("shop", documents.publish(old, contract("Shop")))
        eventually(lambda: documents.asked(old))
        user.patch("dep/shop", source={"url": url})
    status = user.status_when("shop", lambda s: s["current"]["version"] == "2")
    assert (status["lastSync"]["result"], status["observedGeneration"]) == ("Changed", 2)


def test_of_requests_while_a_sync_runs_the_last_one_is_carried_out(user: User, documents: Documents) -> None:
    path = path_for(user)
    with documents.held(path):
        user.depend_on("shop", documents.publish(path, contract("Shop")))
        eventually(lambda: documents.asked(path))
        values = [user.request_sync("shop") for _ in range(3)]
    status = user.status_when("shop", lambda s: s["lastHandledRequest"]["outcome"] == "Unchanged")
    assert status["lastHandledRequest"]["value"] == values[-1]
    assert len(documents.asked(path)) == 2
    assert len(user.all("sjob")) == 2


def test_a_job_of_the_users_own_waits_for_the_one_that_runs(user: User, documents: Documents) -> None:
    path = path_for(user)
    with documents.held(path):
        user.depend_on("shop", documents.publish(path, contract("Shop")))
        eventually(lambda: documents.asked(path))
        names = [user.create_job("shop") for _ in range(2)]
        assert all(name.startswith("shop-") for name in names)
        assert {user.get(f"sjob/{name}")["status"]["phase"] for name in names} == {"Pending"}
    for name in names:
        user.wait(f"sjob/{name}", "Finished")
        job = user.get(f"sjob/{name}")
        assert (job["status"]["phase"], job["status"]["result"]) == ("Succeeded", "Unchanged")
        assert job["metadata"]["ownerReferences"][0]["name"] == "shop"


def test_an_interval_below_the_operators_minimum_is_raised_and_that_is_said(user: User, documents: Documents) -> None:
    source = {"url": documents.publish(path_for(user), contract("Shop"))}
    refusal = user.refused("apply", "-f", "-", stdin=dependency("shop", source, interval="1s"))
    assert "interval must be a duration of at least 10s" in refusal

    user.apply(dependency("shop", source, interval="10s"))
    user.wait("dep/shop", "Ready")
    clamped = user.condition("dep/shop", "IntervalClamped")
    assert (clamped["status"], clamped["reason"]) == ("True", "IntervalClamped")
    assert "spec.interval is 10s, but this operator's minimum is 11s" in clamped["message"]
    assert "--min-interval" in clamped["message"]
    assert clamped["message"] in user.kubectl("describe", "dep", "shop")
    user.patch("dep/shop", interval="15s")
    status = user.status_when("shop", lambda s: s["observedGeneration"] == 2)
    assert [each["type"] for each in status["conditions"]] == ["Ready", "SpecValid"]
