"""How long work stands still when a process of the operator ends, at the default settings (heartbeat 5 s, lease 15 s).

    python -m bench.takeover [ROUNDS]

A worker: from its kill -9, at any moment between two heartbeats, or its SIGTERM, to the claim of its job by another
worker, which watched all the time. The leader: how late at most the syncs are that come due around its kill -9, with a
second controller that stands by.
"""

import datetime as dt
import random
import signal
import statistics
import sys
import time
from typing import Any

from bench.cluster import measured_crew
from tests.integration.crew import Crew, Member, contract
from tests.integration.slow_documents import SlowDocuments, slow_documents
from tests.waiting import eventually

_SYNCED = 20  # Dependencies, each due every 10 s


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with measured_crew() as crew:
        crew.start("controller", timing=())
        report("kill -9 of a worker", [takeover(crew, f"killed-{n}", signal.SIGKILL) for n in range(rounds)], "20 s")
        report("SIGTERM of a worker", [takeover(crew, f"stopped-{n}", signal.SIGTERM) for n in range(rounds)], "2 s")
    with measured_crew() as crew:
        report("kill -9 of the leader, the latest sync", succession(crew, rounds), "20 s")


def report(what: str, lengths: list[float], expected: str) -> None:
    each = ", ".join(f"{length:.1f}" for length in sorted(lengths))
    middle, longest = statistics.median(lengths), max(lengths)
    print(
        f"{what}, {len(lengths)} times: {each} s; median {middle:.1f} s, longest {longest:.1f} s (at most {expected})"
    )


def takeover(crew: Crew, name: str, how: signal.Signals) -> float:
    """Seconds. The job hangs at a slow server while its worker renews its Lease and is watched, and is ended."""
    with slow_documents(contract(name)) as slow:
        doomed = worker(crew, f"{name}-doomed", slow)
        crew.depend_on_source(name, {"url": f"http://{slow.host}/"})
        slow.asked.acquire(timeout=60)
        heir = worker(crew, f"{name}-heir", slow)
        time.sleep(random.uniform(2.0, 8.0))
        doomed.signal(how)
        ended = time.monotonic()
        eventually(lambda: holder(crew, name) == heir.identity, timeout=60, interval=0.02, what="the takeover")
        length = time.monotonic() - ended
        slow.serve.set()
        crew.wait_for_result(name, "Baseline")
        heir.stop()
    return length


def worker(crew: Crew, name: str, slow: SlowDocuments) -> Member:
    member = crew.start("worker", "--allow-host", slow.host, name=name, timing=())
    crew.wait_ready(member)
    return member


def holder(crew: Crew, name: str) -> str:
    (job,) = crew.jobs_of(name)
    return str(job["status"]["claim"]["worker"])


def succession(crew: Crew, deaths: int) -> list[float]:
    """Seconds, for each death of a leader: how late the latest scheduled job was created."""
    for number in range(_SYNCED):
        crew.depend_on(f"due-{number}", contract(f"due-{number}"), interval="10s")
    crew.start("worker", timing=())
    controllers = [controller(crew)]
    found = []
    for _ in range(deaths):
        controllers.append(controller(crew))
        (leader,) = [each for each in controllers if each.says("leading")]
        time.sleep(random.uniform(10.0, 20.0))  # all are synced at least once, and drift apart
        known = {job["metadata"]["name"] for job in crew.all("syncjobs")}
        leader.kill()
        controllers.remove(leader)
        eventually(lambda: controllers[0].says("leading"), timeout=60, interval=0.1, what="the standby to lead")
        late: dict[str, float] = {}

        def all_due(late: dict[str, float] = late, known: set[str] = known) -> bool:
            new = [job for job in crew.all("syncjobs") if job["metadata"]["name"] not in known]
            late |= {job["spec"]["target"]["name"]: lateness(job) for job in reversed(new)}
            return len(late) == _SYNCED

        eventually(all_due, timeout=60, interval=0.2, what="each to be synced once more")
        found.append(max(late.values()))
    return found


def controller(crew: Crew) -> Member:
    member = crew.start("controller", "--min-interval", "10s", timing=())
    eventually(lambda: member.says("started"), timeout=30, what="the controller to start")
    return member


def lateness(job: Any) -> float:
    """Seconds from when a scheduled job was due, which its name says, to when it was created; both to the second."""
    created = dt.datetime.fromisoformat(job["metadata"]["creationTimestamp"]).timestamp()
    return created - float(job["metadata"]["name"].rsplit("-", 1)[1])


if __name__ == "__main__":
    main()
