"""What can't go well ends, and what makes no sense is refused: clearly, by kubectl alone."""

from typing import Any

import pytest

from devcluster import KubectlError
from tests.integration.crew import Crew, contract
from tests.waiting import eventually


def test_a_job_that_kills_one_worker_after_the_other_fails_and_says_so(crew: Crew) -> None:
    crew.start("controller")
    hasty = ("--heartbeat", "500ms", "--lease-duration", "1500ms")
    doomed = [crew.start("worker", name=f"doomed-{n}", fault="kill@before-parse", timing=hasty) for n in range(6)]
    crew.wait_ready(*doomed)
    crew.depend_on("api", contract("api"))
    for worker in doomed:
        worker.wait_killed()
    crew.start("worker", name="healthy", timing=hasty)
    status = crew.wait_for_result("api", "Failed")
    error = status["lastSync"]["error"]
    assert (error["stage"], error["reason"]) == ("parse", "WorkersDied")
    (job,) = crew.jobs_of("api")
    assert job["status"]["claim"]["epoch"] == 7
    assert [record["name"] for record in job["status"]["stages"]] == ["fetch"]


def refusal(crew: Crew, *words: str) -> str:
    with pytest.raises(KubectlError) as refused:
        crew.cluster.kubectl(*words, namespace=crew.namespace)
    return refused.value.stderr


def test_a_finished_job_can_be_neither_cancelled_nor_retried(crew: Crew) -> None:
    crew.start("controller")
    crew.start("worker")
    crew.depend_on("api", contract("api"))
    crew.wait_for_result("api", "Baseline")
    (job,) = crew.jobs_of("api")
    name = job["metadata"]["name"]
    text = refusal(crew, "patch", f"sjob/{name}", "--type=merge", "-p", '{"spec":{"cancel":true}}')
    assert "the job has ended already: there is nothing to cancel" in text

    for _ in range(2):  # the same request again changes nothing
        annotation = "specsync.dev/retryRequestedAt=1"
        crew.cluster.kubectl("annotate", "--overwrite", f"sjob/{name}", annotation, namespace=crew.namespace)
        crew.cluster.kubectl(
            "wait", f"sjob/{name}", "--for=jsonpath={.status.lastHandledRetry}=1", "--timeout=30s",
            namespace=crew.namespace,
        )  # fmt: skip
    (event,) = [event for event in crew.events_about(name) if event["reason"] == "RetryRefused"]
    assert event["type"] == "Warning"
    assert event["message"].startswith("a succeeded job can't be retried")
    latest: Any = crew.get("syncjobs", name)
    assert latest["status"] == job["status"] | {"lastHandledRetry": "1"}


def test_a_job_that_waits_for_its_next_attempt_has_it_at_once_when_it_is_asked_to(crew: Crew) -> None:
    crew.start("controller")
    worker = crew.start("worker")
    crew.depend_on_source("api", {"configMapRef": {"name": "api", "key": "openapi.json"}})

    def status() -> Any:
        return crew.jobs_of("api")[0]["status"]

    eventually(lambda: status()["retryAt"], timeout=60, what="an attempt to fail")
    assert worker.stop() == 0
    (job,) = crew.jobs_of("api")
    crew.cluster.kubectl(
        "annotate", f"sjob/{job['metadata']['name']}", "specsync.dev/retryRequestedAt=1", namespace=crew.namespace
    )
    eventually(lambda: status().get("lastHandledRetry") == "1", what="the request to be heard")
    assert (status()["phase"], status().get("retryAt")) == ("Pending", None)
    crew.publish("api", contract("api"))
    crew.start("worker")
    crew.wait_for_result("api", "Baseline", job=job["metadata"]["name"])
    assert status()["attempts"] == job["status"]["attempts"]
