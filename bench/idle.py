"""What the whole operator (`specsync run`) needs at rest: memory, and CPU time over a minute.

    python -m bench.idle [DEPENDENCIES] [SECONDS]       100 Dependencies, each synced once, and 60 s

Its child processes end a minute after their last document, so it is measured twice: just after the syncs and then.
"""

import sys
import time

from bench.cluster import children_of, cpu_seconds, measured_crew, memory_of
from tests.integration.crew import Crew, contract
from tests.waiting import eventually


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    with measured_crew() as crew:
        operator = crew.start("run", timing=())
        began = time.monotonic()
        for number in range(count):
            crew.depend_on(f"api-{number}", contract(f"API {number}"), interval="6h")
        eventually(lambda: synced(crew) == count, timeout=600, interval=1.0, what="all to be synced")
        print(f"{count} Dependencies, first syncs: {time.monotonic() - began:.0f} s")
        report("just after them", operator.pid)
        eventually(lambda: not children_of(operator.pid), timeout=120, interval=1.0, what="the children to end")
        used = cpu_seconds(operator.pid)
        time.sleep(seconds)
        used = cpu_seconds(operator.pid) - used
        report("at rest", operator.pid)
        print(f"CPU at rest: {used:.2f} s in {seconds:.0f} s ({100 * used / seconds:.1f} % of a core)")


def synced(crew: Crew) -> int:
    return sum("lastSync" in dependency["status"] for dependency in crew.all("dependencies"))


def report(when: str, pid: int) -> None:
    for name, process in [("operator", pid), *(("child", child) for child in children_of(pid))]:
        memory = memory_of(process)
        print(f"{when:16} {name:9} RSS {memory['VmRSS']:6.1f} MB, PSS {memory['Pss']:6.1f} MB")


if __name__ == "__main__":
    main()
