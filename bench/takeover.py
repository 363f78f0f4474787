"""How long after a worker's kill -9 its job goes on, at the default settings (heartbeat 5 s, lease 15 s).

    python -m bench.takeover [ROUNDS]

Counted from the kill, at any moment between two heartbeats, to the claim of another worker, which watched all the time.
"""

import random
import statistics
import sys
import time

from bench.cluster import measured_crew
from tests.integration.crew import Crew, Member, contract
from tests.integration.slow_documents import SlowDocuments, slow_documents
from tests.waiting import eventually


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with measured_crew() as crew:
        crew.start("controller", timing=())
        lengths = [takeover(crew, number) for number in range(rounds)]
    print(f"takeover, {rounds} times: {', '.join(f'{length:.1f}' for length in sorted(lengths))} s")
    print(f"median {statistics.median(lengths):.1f} s, longest {max(lengths):.1f} s (expected: at most 20 s)")


def takeover(crew: Crew, number: int) -> float:
    """Seconds. The job hangs at a slow server while its worker renews its Lease and is watched, and is killed."""
    name = f"api-{number}"
    with slow_documents(contract(name)) as slow:
        doomed = worker(crew, f"doomed-{number}", slow)
        crew.depend_on_source(name, {"url": f"http://{slow.host}/"})
        slow.asked.acquire(timeout=60)
        heir = worker(crew, f"heir-{number}", slow)
        time.sleep(random.uniform(2.0, 8.0))
        doomed.kill()
        killed = time.monotonic()
        eventually(lambda: holder(crew, name) == heir.identity, timeout=60, interval=0.02, what="the takeover")
        length = time.monotonic() - killed
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


if __name__ == "__main__":
    main()
