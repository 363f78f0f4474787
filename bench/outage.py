"""What an API server that is away for minutes costs, and how soon all is as before when it is back.

    python -m bench.outage [MINUTES] [DEPENDENCIES]     3 minutes and 100, each due every 30 s

Two controllers and two workers at the default settings: a minute in peace, the API server's kill -9, the outage, and
the return. Of each process, in peace and in the outage: CPU, lines of the log a minute, memory at the end, and whether
it was ever not alive (what makes a kubelet restart it). Then the seconds, from the API server's being ready again, to
the last process's being ready and to the last Dependency's being synced once more; and what is not as it was before.
"""

import datetime as dt
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.cluster import cpu_seconds, measured_crew, memory_of
from tests.integration.crew import Crew, Member, contract
from tests.integration.probing import Probed
from tests.waiting import eventually

INTERVAL = "30s"
LOOK = 1.0  # seconds between two looks at /livez


@dataclass(frozen=True)
class Process:
    member: Member
    probes: Probed


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    with measured_crew(audit=False) as crew:
        processes = [start(crew, role, number) for role in ("controller", "worker") for number in range(2)]
        for number in range(count):
            crew.depend_on(f"api-{number}", contract(f"API {number}"), interval=INTERVAL)
        since(crew, count, dt.datetime.min.replace(tzinfo=dt.UTC), timeout=300)
        report("in peace", processes, 60.0)
        crew.cluster.kill("kube-apiserver")
        report(f"API server away for {minutes:g} minutes", processes, 60.0 * minutes)
        crew.cluster.start_component("kube-apiserver")
        back, began = dt.datetime.now(dt.UTC).replace(microsecond=0), time.monotonic()
        eventually(lambda: all_ready(processes), timeout=120, interval=0.1, what="all processes to be ready")
        print(f"all processes ready {time.monotonic() - began:.1f} s after it is back")
        since(crew, count, back, timeout=300)
        print(f"all {count} Dependencies synced once more {time.monotonic() - began:.1f} s after it is back")
        print("\n".join(differences(crew, processes)) or "no process ended, no job failed, all are healthy")


def start(crew: Crew, role: Any, number: int) -> Process:
    probes = Probed()
    options = ("--min-interval", INTERVAL) if role == "controller" else ()
    return Process(crew.start(role, *probes.options, *options, name=f"{role}-{number}", timing=()), probes)


def all_ready(processes: list[Process]) -> bool:
    return all(each.probes.is_ready() for each in processes)


def since(crew: Crew, count: int, moment: dt.datetime, timeout: float) -> None:
    """Waits till each Dependency has had a sync that began after that."""

    def synced() -> int:
        starts = [each["status"].get("lastSync", {}).get("startedAt") for each in crew.all("dependencies")]
        return sum(start is not None and dt.datetime.fromisoformat(start) >= moment for start in starts)

    eventually(synced, until=count.__eq__, timeout=timeout, interval=0.2, what="all to be synced")


def report(when: str, processes: list[Process], seconds: float) -> None:
    """Measures for so long, and prints a line for each process."""
    before = [figures(each) for each in processes]
    dead: dict[str, int] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for each in processes:
            dead[each.member.name] = dead.get(each.member.name, 0) + (not each.probes.is_alive())
        time.sleep(LOOK)
    print(f"{when}:")
    for each, (used, lines) in zip(processes, before, strict=True):
        used_now, lines_now = figures(each)
        print(
            f"  {each.member.name:14} {100 * (used_now - used) / seconds:4.1f} % of a core, "
            f"{60 * (lines_now - lines) / seconds:5.1f} lines a minute, {memory_of(each.member.pid)['Pss']:4.0f} MB, "
            f"not alive at {dead[each.member.name]} looks"
        )


def figures(process: Process) -> tuple[float, int]:
    return cpu_seconds(process.member.pid), len(process.member.log())


def differences(crew: Crew, processes: list[Process]) -> list[str]:
    """What is not as before the outage."""
    ended = [f"{each.member.name} has ended" for each in processes if not each.member.running]
    failed = [f"{name(job)} failed" for job in crew.all("syncjobs") if job["status"]["phase"] == "Failed"]
    state: Callable[[Any], str] = lambda dependency: dependency["status"]["health"]["state"]  # noqa: E731
    ill = [f"{name(each)} is {state(each)}" for each in crew.all("dependencies") if state(each) != "healthy"]
    return [*ended, *failed, *ill]


def name(obj: Any) -> str:
    return str(obj["metadata"]["name"])


if __name__ == "__main__":
    main()
