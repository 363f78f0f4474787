"""Leaders come and go: a standby is ready and loses no due time; what an outage left behind is not done all at once."""

import datetime as dt
from collections import Counter

from tests.integration.crew import Crew, contract
from tests.integration.probing import Probed
from tests.waiting import eventually


def test_a_standby_is_ready_and_loses_no_due_time(crew: Crew) -> None:
    first, second = Probed(), Probed()
    leader = crew.start("controller", "--min-interval", "10s", *first.options)
    eventually(lambda: leader.says("leading"), timeout=30, what="the first to lead")
    standby = crew.start("controller", "--min-interval", "10s", *second.options)
    crew.start("worker")
    crew.depend_on("api", contract("api"), interval="10s")
    crew.wait_for_result("api", "Baseline")
    eventually(second.is_ready, timeout=30, what="the standby to be ready")
    assert second.metric("specsync_leader") == 0
    assert second.metric("specsync_dependencies") == 0, "only the leader counts, so that sums are right"
    due = crew.get("dependencies", "api")["status"]["nextSyncTime"]

    leader.kill()
    eventually(lambda: standby.says("leading"), timeout=30, what="the standby to lead")
    assert second.metric("specsync_leader") == 1
    crew.wait_for_result("api", "Unchanged")
    seconds = int(dt.datetime.fromisoformat(due).timestamp())
    assert f"api-{seconds}" in {job["metadata"]["name"] for job in crew.jobs_of("api")}, "the job of that due time"
    assert second.metric("specsync_dependencies") == 1


def test_overdue_syncs_are_spread_and_requested_ones_are_not(crew: Crew) -> None:
    overdue, rate = [f"overdue-{number:02}" for number in range(18)], 3
    for name in (*overdue, "asked"):
        crew.depend_on(name, contract(name))
        long_ago = {"status": {"observedGeneration": 1, "nextSyncTime": "2026-01-01T00:00:00Z"}}
        path = f"{crew.path('dependencies', name)}/status"
        crew.cluster.api.request("PATCH", path, long_ago, content_type="application/merge-patch+json")
    crew.request_sync("asked", "now")
    probed = Probed()
    crew.start("controller", "--catch-up-rate", str(rate), *probed.options)
    jobs = eventually(
        lambda: crew.all("syncjobs"), until=lambda jobs: len(jobs) == 19, timeout=60, what="a job for each"
    )
    made = {job["spec"]["target"]["name"]: job["metadata"]["creationTimestamp"] for job in jobs}
    assert set(made) == {*overdue, "asked"}
    a_second = Counter(made[name] for name in overdue)
    # One more may fall into a second by its beginning, and one by rounding.
    assert max(a_second.values()) <= rate + 2, a_second
    assert made["asked"] <= sorted(made.values())[rate + 2], "a request doesn't wait behind what is overdue"
    looks = probed.metric("specsync_reconcile_duration_seconds_count")
    assert looks < 20 * len(made), "who waits for a turn isn't looked at again and again"
