"""What the operator asks of the API server, counted in the audit log by its own User-Agents."""

from collections import Counter

import pytest

from devcluster import ControlPlane
from devcluster.audit import AuditEntry
from tests.integration.crew import Crew, contract
from tests.integration.large_documents import between_renewals, missing, open_library, send_through
from tests.waiting import eventually

OTHERS = 4  # Dependencies besides the one that is counted: what one costs doesn't grow with their number


def requests_of(crew: Crew, since: int) -> list[AuditEntry]:
    """The operator's own requests, without the traffic of Leases."""
    return [
        entry
        for entry in crew.cluster.audit_log.entries(since)
        if entry.user_agent.startswith("specsync-") and entry.resource != "leases"
    ]


def described(entries: list[AuditEntry]) -> list[tuple[str, str]]:
    return [(entry.verb, "/".join(filter(None, (entry.resource, entry.subresource)))) for entry in entries]


def start(crew: Crew) -> None:
    crew.start("controller", "--min-interval", "10s")
    crew.start("worker")


def test_an_unchanged_scheduled_sync_costs_four_writes_two_reads_and_no_list(crew: Crew) -> None:
    for number in range(OTHERS):
        crew.depend_on(f"other-{number}", contract(f"other-{number}"))
    crew.depend_on("api", contract("api"), interval="10s")
    start(crew)
    for name in ("api", *(f"other-{number}" for number in range(OTHERS))):
        crew.wait_for_result(name, "Baseline")
    mark = crew.cluster.audit_log.mark()
    status = crew.wait_for_result("api", "Unchanged")

    (job,) = [job for job in crew.jobs_of("api") if job["metadata"]["name"] == status["lastSync"]["job"]]
    assert job["spec"]["trigger"] == "Scheduled"
    found = requests_of(crew, mark)
    assert all(entry.code < 400 for entry in found), described(found)
    assert described([entry for entry in found if entry.is_write]) == [
        ("create", "syncjobs"),
        ("update", "syncjobs/status"),  # the claim
        ("update", "syncjobs/status"),  # all records and the end
        ("update", "dependencies/status"),
    ]
    # What a document in a ConfigMap needs to be read; one behind a URL is a read less.
    assert Counter(described([entry for entry in found if not entry.is_write])) == {
        ("get", "dependencies"): 1,
        ("get", "configmaps"): 1,
    }


def test_a_sync_that_is_asked_for_costs_as_many_writes_as_one_that_is_due(crew: Crew) -> None:
    crew.depend_on("api", contract("api"))
    start(crew)
    crew.wait_for_result("api", "Baseline")
    mark = crew.cluster.audit_log.mark()
    crew.request_sync("api", "now")
    status = crew.wait_for_result("api", "Unchanged")
    handled = {"value": "now", "job": status["lastSync"]["job"], "outcome": "Unchanged"}
    assert status["lastHandledRequest"] == handled
    assert crew.get("syncjobs", handled["job"])["spec"]["trigger"] == "Requested"
    assert described([entry for entry in requests_of(crew, mark) if entry.is_write]) == [
        ("create", "syncjobs"),
        ("update", "syncjobs/status"),
        ("update", "syncjobs/status"),
        ("update", "dependencies/status"),
    ]


def test_a_reconcile_with_nothing_to_do_writes_nothing(crew: Crew) -> None:
    for name in ("api", "other"):
        crew.depend_on(name, contract(name))
    start(crew)
    for name in ("api", "other"):
        crew.wait_for_result(name, "Baseline")
    mark = crew.cluster.audit_log.mark()
    crew.annotate("api", "example.com/note", "nothing of ours")
    for team in ("a", "b"):
        body = {"metadata": {"labels": {"example.com/team": team}}}
        crew.cluster.api.request(
            "PATCH", crew.path("dependencies", "api"), body, content_type="application/merge-patch+json"
        )
    # What comes after it in the controller's watch and queue is done, so this is too.
    crew.request_sync("other", "now")
    crew.wait_for_result("other", "Unchanged")
    found = requests_of(crew, mark)
    assert [entry for entry in found if entry.verb == "list"] == []
    assert {entry.name for entry in found if entry.resource == "dependencies" and entry.is_write} == {"other"}
    assert all("other" in entry.name for entry in found if entry.is_write and entry.name), described(found)


def test_the_lease_never_runs_out_while_large_documents_go_through(crew: Crew, cluster: ControlPlane) -> None:
    if missing():
        pytest.skip(f"not on this machine: {', '.join(missing())} (set SPECSYNC_CONFORMANCE_DIR)")
    crew.start("controller")
    with open_library() as library:
        worker = crew.start("worker", "--allow-host", library.host, timing=("--heartbeat", "1s"))
        crew.wait_ready(worker)
        mark = cluster.audit_log.mark()
        jobs = send_through(crew, library)

        def renewals() -> list[float]:
            return between_renewals(cluster.audit_log.entries(mark), worker.identity)

        eventually(renewals, until=lambda found: len(found) >= 3, what="some renewals")
    assert {job["status"]["phase"] for job in jobs} == {"Succeeded"}
    assert {job["status"]["claim"]["epoch"] for job in jobs} == {1}
    assert max(renewals()) < 15.0, "the lease's duration"
    assert not worker.says("lease"), "neither late nor lost"
