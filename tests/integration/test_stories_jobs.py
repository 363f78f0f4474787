"""Jobs in the user's hands: cancelled, tried again, expired, and what history keeps."""

from typing import Any

from tests.integration.crew import contract
from tests.integration.documents import Documents
from tests.integration.user import User
from tests.waiting import eventually


def path_for(user: User, file: str = "openapi.json") -> str:
    return f"/{user.namespace}/{file}"


def blobs_of(snapshot: Any) -> set[str]:
    return {f"specsync-blob-{ref['key'].removeprefix('sha256:')[:40]}" for ref in snapshot["spec"]["blobs"].values()}


def retry(user: User, job: str, value: str) -> None:
    user.kubectl("annotate", "--overwrite", f"sjob/{job}", f"specsync.dev/retryRequestedAt={value}")


def test_a_running_and_a_waiting_job_are_cancelled(user: User, documents: Documents) -> None:
    path = path_for(user)
    user.depend_on("shop", documents.publish(path, contract("Shop")))
    user.wait("dep/shop", "Ready")
    with documents.held(path):
        running = user.create_job("shop")
        eventually(lambda: len(documents.asked(path)) == 2)
        waiting = user.create_job("shop")
        user.patch(f"sjob/{waiting}", cancel=True)
        user.wait(f"sjob/{waiting}", "Finished")
        user.patch(f"sjob/{running}", cancel=True)
        user.wait(f"sjob/{running}", "Finished")
    for name in (running, waiting):
        assert user.get(f"sjob/{name}")["status"]["phase"] == "Cancelled"
    assert "claim" not in user.get(f"sjob/{waiting}")["status"]
    assert "can't be taken back" in user.refused(
        "patch", f"sjob/{running}", "--type=merge", "-p", '{"spec":{"cancel":false}}'
    )
    health = user.status_when("shop", lambda s: "activeJob" not in s)["health"]
    assert health["state"] == "healthy"
    user.sync("shop", "Unchanged")
    user.wait("dep/shop", "Ready")

    retry(user, running, "1")
    eventually(lambda: user.reasons(running) == ["RetryRefused"])
    assert user.get(f"sjob/{running}")["status"]["phase"] == "Cancelled"
    [(kind, _, message)] = user.events(running)
    assert kind == "Warning"
    assert "create another SyncJob" in message


def test_a_failed_job_goes_on_when_it_is_asked_to(user: User, documents: Documents) -> None:
    path = path_for(user)
    user.depend_on("shop", documents.publish(path, b"", status=404))
    user.wait("dep/shop", "condition=Ready=false")
    [job] = user.names("sjob")
    user.wait(f"sjob/{job}", "Failed")
    assert job in user.kubectl("get", "sjob", "--field-selector", "status.phase=Failed")

    documents.publish(path, contract("Shop"))
    retry(user, job, "1")
    user.wait(f"sjob/{job}", "Complete")
    status = user.get(f"sjob/{job}")["status"]
    assert (status["result"], status["lastHandledRetry"]) == ("Baseline", "1")
    assert "error" not in status
    user.wait("dep/shop", "Ready")
    assert user.names("snap") == {job}
    assert user.reasons("shop") == ["SyncFailed", "BaselineCreated", "Recovered"]


def test_a_name_that_a_foreign_snapshot_has_is_a_conflict(user: User, documents: Documents) -> None:
    path = path_for(user)
    user.depend_on("shop", documents.publish(path, contract("Shop")))
    user.wait("dep/shop", "Ready")
    [snapshot] = user.all("snap")
    meta = {"name": "shop-mine"}
    foreign = {**snapshot, "metadata": meta}
    user.kubectl("create", "-f", "-", stdin=foreign)

    documents.publish(path, contract("Shop", version="2", fields=2))
    user.create_job("shop", name="shop-mine")
    user.wait("sjob/shop-mine", "Failed")
    status = user.get("sjob/shop-mine")["status"]
    assert (status["error"]["stage"], status["error"]["reason"]) == ("snapshot", "NameConflict")
    assert "SpecSnapshot shop-mine" in status["error"]["message"]
    user.wait("dep/shop", "condition=Ready=false")
    assert user.get("snap/shop-mine")["spec"] == snapshot["spec"]

    # The way out that the message names; the job then goes on with what it has fetched.
    asked = len(documents.asked(path))
    user.kubectl("delete", "snap", "shop-mine")
    retry(user, "shop-mine", "1")
    user.wait("sjob/shop-mine", "Complete")
    assert len(documents.asked(path)) == asked
    assert user.get("snap/shop-mine")["spec"]["version"] == "2"
    user.wait("dep/shop", "Ready")
    assert user.names("chg") == {"shop-mine"}


def test_finished_jobs_are_deleted_when_their_time_is_over(user: User, documents: Documents) -> None:
    user.depend_on("shop", documents.publish(path_for(user), contract("Shop")))
    user.wait("dep/shop", "Ready")
    kept = user.create_job("shop", ttlSecondsAfterFinished=3600)
    short = user.create_job("shop", ttlSecondsAfterFinished=1)
    user.wait(f"sjob/{short}", "delete")
    assert kept in user.names("sjob")
    assert user.get("dep/shop")["status"]["lastSync"]["job"] == short


def test_history_keeps_what_it_says_and_what_is_needed(user: User, documents: Documents) -> None:
    path = path_for(user)
    history = {"jobs": 2, "snapshots": 2, "changeSets": 2}
    user.depend_on("shop", documents.publish(path, contract("Shop", version="0", fields=1)), history=history)
    user.wait("dep/shop", "Ready")
    [baseline] = user.names("snap")
    made = [baseline]
    oldest: set[str] = set()
    for version in range(1, 6):
        documents.publish(path, contract("Shop", version=str(version), fields=1 + version))
        made.append(user.sync("shop", "Changed")["metadata"]["name"])
        if version == 1:
            oldest = blobs_of(user.get(f"snap/{made[1]}"))
    # The two change sets refer to three snapshots; the baseline stays besides.
    eventually(lambda: user.names("chg") == set(made[-2:]))
    eventually(lambda: user.names("snap") == {baseline, *made[-3:]})
    status = user.get("dep/shop")["status"]
    assert (status["baseline"]["snapshot"], status["current"]["snapshot"]) == (baseline, made[-1])
    # Jobs go in batches, so that there may be up to twice as many.
    eventually(lambda: len(user.names("sjob")) < 4, timeout=30)
    assert made[-1] in user.names("sjob")
    # Blobs go with what they belong to; the rest can still be compared with.
    kept = {blob for snapshot in user.all("snap") for blob in blobs_of(snapshot)}
    eventually(lambda: not (oldest - kept) & user.blobs(), timeout=60, what="the blobs of what is gone to go")
    assert kept <= user.blobs()
    documents.publish(path, contract("Shop", version="9", fields=1))
    user.sync("shop", "Changed")
