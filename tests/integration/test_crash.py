"""kill -9 after each write of a job: another worker goes on at the last completed stage, and nothing is doubled.

So also before each: a job writes one thing after another, and what is there before a write is there after the last.
"""

import base64
import random
import signal
from collections.abc import Callable, Sequence
from typing import Any

from tests.integration.crew import Crew, Member, contract
from tests.waiting import eventually

STAGES = ("fetch", "parse", "normalize", "snapshot", "diff", "persist", "alert")

# A worker that is to die must not take over from one that has died: it never believes that another is dead.
PATIENT = ("--heartbeat", "1s", "--lease-duration", "10m")


def start_doomed(crew: Crew, points: Sequence[str]) -> dict[str, Member]:
    """Workers of one job each, which are killed with -9 at these points; all are ready."""
    doomed = {
        point: crew.start("worker", "--concurrency", "1", name=point, fault=f"kill@{point}", timing=PATIENT)
        for point in points
    }
    crew.wait_ready(*doomed.values())
    return doomed


def jobs_of_the_dead(crew: Crew, doomed: dict[str, Member]) -> dict[str, Any]:
    """Waits till all are dead; point → the job as it was left there."""
    for worker in doomed.values():
        worker.wait_killed()
    left = {job["status"]["claim"]["worker"]: job for job in crew.all("syncjobs") if "claim" in job["status"]}
    return {point: left[worker.identity] for point, worker in doomed.items()}


def completed(job: Any) -> dict[str, Any]:
    return {record["name"]: record for record in job["status"].get("stages", []) if record["state"] == "Succeeded"}


def writes_of(crew: Crew, worker: Member, since: int) -> list[str]:
    """What a worker has written since the mark, Leases aside."""
    return [
        "/".join(filter(None, (entry.verb, entry.resource, entry.subresource)))
        for entry in crew.cluster.audit_log.entries(since)
        if entry.is_write
        and entry.code < 400  # a link to a blob that isn't there yet is refused
        and entry.resource != "leases"
        and entry.user_agent.endswith(worker.identity)
    ]


def document(name: str, version: int) -> dict[str, Any]:
    """Large enough for a blob of several objects. The second version has a breaking change."""
    body = contract(name, version=str(version), fields=4 - version)
    noise = random.Random(f"{name}/{version}").randbytes(150_000)
    body["info"]["description"] = base64.b64encode(noise).decode()
    return body


def test_a_killed_worker_is_followed_by_one_that_goes_on_at_the_last_completed_stage(crew: Crew) -> None:
    crew.start("controller")
    pilot = crew.start("worker", "--concurrency", "1", name="pilot")
    counts = []
    for version, result in enumerate(("Baseline", "Changed"), start=1):
        mark = crew.cluster.audit_log.mark()
        if version == 1:
            crew.depend_on("pilot", document("pilot", 1))
        else:
            crew.publish("pilot", document("pilot", 2))
            crew.request_sync("pilot", "2")
        crew.wait_for_result("pilot", result)
        writes = writes_of(crew, pilot, mark)
        assert writes[0] == writes[-1] == "update/syncjobs/status", "the claim and the end"
        counts.append(len(writes))
    assert pilot.stop() == 0
    baseline, changed = counts
    assert (baseline, changed) >= (12, 16), "a write for each stage's record, blobs, the snapshot and its links"

    names = [f"api-{number}" for number in range(changed)]
    # What comes before is the same as in the second round.
    doomed = start_doomed(crew, [f"write-{number}" for number in (baseline - 1, baseline)])
    for name in names:
        crew.depend_on(name, document(name, 1))
    baselines = jobs_of_the_dead(crew, doomed)
    healthy = crew.start("worker", name="healthy-1")
    for name in names:
        crew.wait_for_result(name, "Baseline", timeout=90)
    check_continued(crew, baselines, healthy, ends_after="snapshot")
    assert healthy.stop() == 0

    doomed = start_doomed(crew, [f"write-{number}" for number in range(1, changed + 1)])
    for name in names:
        crew.publish(name, document(name, 2))
        crew.request_sync(name, "2")
    changes = jobs_of_the_dead(crew, doomed)
    healthy = crew.start("worker", name="healthy-2")
    for name in names:
        crew.wait_for_result(name, "Changed", timeout=90)
    check_continued(crew, changes, healthy, ends_after="alert")
    reached = {len(completed(job)) for point, job in changes.items() if point != f"write-{changed}"}
    assert reached == set(range(len(STAGES))), "a death after each stage's record"
    assert healthy.stop() == 0

    for name in names:
        check_nothing_is_doubled(crew, name)


def check_continued(crew: Crew, left: dict[str, Any], healthy: Member, ends_after: str) -> None:
    stages = STAGES[: STAGES.index(ends_after) + 1]
    *points, last = left
    assert left[last]["status"]["phase"] == "Succeeded", "the last write is the job's end"
    for point in points:
        before, after = left[point], crew.get("syncjobs", left[point]["metadata"]["name"])
        claim, done, dead = after["status"]["claim"], completed(after), completed(before)
        assert before["status"]["phase"] == "Running", point
        assert after["status"]["phase"] == "Succeeded", point
        assert list(done) == list(stages), point
        assert after["status"].get("attempts", 0) == 0, f"{point}: a takeover is no failed attempt"
        assert list(dead) == list(stages[: len(dead)]), point
        assert {name: done[name] for name in dead} == dead, f"{point}: completed stages aren't run again"
        assert (claim["worker"], claim["epoch"]) == (healthy.identity, 2), point


def check_nothing_is_doubled(crew: Crew, name: str) -> None:
    jobs = {job["metadata"]["name"] for job in crew.jobs_of(name)}
    snapshots = [o["metadata"]["name"] for o in crew.all("specsnapshots") if o["spec"]["dependency"] == name]
    change_sets = [o["metadata"]["name"] for o in crew.all("changesets") if o["spec"]["dependency"] == name]
    status = crew.get("dependencies", name)["status"]
    assert len(jobs) == 2
    assert set(snapshots) == jobs
    assert change_sets == [status["current"]["snapshot"]]
    assert status["lastChange"]["breaking"] >= 1
    assert sorted(event["reason"] for event in crew.events_about(name)) == ["BaselineCreated", "BreakingChange"]
    assert all(event.get("count", 1) == 1 for event in crew.events_about(name))


def test_a_controller_that_dies_after_each_of_its_writes_loses_and_doubles_nothing(crew: Crew) -> None:
    """Each life of the controller ends with its first write, so it crashes between any two of them."""
    names = ["one", "two", "three"]
    crew.start("worker", name="worker")
    lives = Lives(crew)
    for name in names:
        crew.depend_on(name, contract(name, fields=3))
    lives.until(lambda: all(has_result(crew, name, "Baseline") for name in names))
    for name in names:
        crew.publish(name, contract(name, version="2", fields=2))
        crew.request_sync(name, "2")
    lives.until(lambda: all(has_result(crew, name, "Changed") for name in names))
    # The writes that follow one another: status, job, Event, status; job, status. The death after the last one may not
    # have been seen yet.
    assert lives.deaths >= 5
    for name in names:
        check_nothing_is_doubled(crew, name)
        assert crew.get("dependencies", name)["status"]["lastHandledRequest"]["outcome"] == "Changed"
    # One that lives goes on, with one job for each request.
    lives.end()
    mark = crew.cluster.audit_log.mark()
    last = crew.start("controller", timing=HASTY)
    eventually(lambda: last.says("leading"), what="the last controller to lead")
    for name in names:
        crew.request_sync(name, "3")
        crew.wait_for_result(name, "Unchanged")
    created = [e for e in crew.cluster.audit_log.entries(mark) if e.is_write and e.resource == "syncjobs"]
    assert len([e for e in created if e.verb == "create"]) == len(names)


# Two lives a second, were it not for the start of Python.
HASTY = ("--heartbeat", "200ms", "--lease-duration", "500ms")


def has_result(crew: Crew, name: str, result: str) -> bool:
    status = crew.get("dependencies", name)["status"]
    return status.get("lastSync", {}).get("result") == result and "activeJob" not in status


class Lives:
    """Controllers, each killed with -9 by its first write; the next one stands by, as in a cluster."""

    def __init__(self, crew: Crew, timing: tuple[str, ...] = HASTY) -> None:
        self._crew = crew
        self._timing = timing
        self._living: list[Member] = []
        self._started = 0
        self.deaths = 0

    def until(self, done: Callable[[], bool]) -> None:
        def step() -> bool:
            dead = [member for member in self._living if not member.running]
            assert all(member.end_of_life() == -signal.SIGKILL for member in dead)
            self.deaths += len(dead)
            self._living = [member for member in self._living if member not in dead]
            while len(self._living) < 2:
                self._started += 1
                name = f"controller-{self._started}"
                self._living.append(
                    self._crew.start("controller", name=name, fault="kill@write-1", timing=self._timing)
                )
            return done()

        eventually(step, timeout=120, interval=0.1, what="all to be synced")

    def end(self) -> None:
        for member in self._living:
            member.kill()
