"""Hostile documents through a running operator: for each its reason and time, the peak memory, and the heartbeats.

    python -m bench.hostile_documents

One worker at the default settings, one document after the other, each by a Dependency of its own. The memory is the
largest resident set so far, of the worker and of any of its child processes; the intervals between heartbeats (every
second here) are those that the API server saw.
"""

import time
from typing import Any

from bench.cluster import measured_crew
from bench.large import HEARTBEAT, peak_memory
from tests.integration.documents import Documents
from tests.integration.hostile_documents import HARD_TO_JUDGE, REFUSED
from tests.integration.large_documents import between_renewals
from tests.waiting import eventually


def main() -> None:
    bodies = {name: body for name, (body, _, _) in REFUSED.items()} | HARD_TO_JUDGE
    with measured_crew() as crew, Documents() as documents:
        crew.start("controller", timing=())
        worker = crew.start("worker", "--allow-host", documents.address, timing=("--heartbeat", f"{HEARTBEAT:.0f}s"))
        crew.wait_ready(worker)
        mark = crew.cluster.audit_log.mark()

        def ended(name: str) -> Any:
            return crew.get("dependencies", name)["status"]["lastSync"]

        with peak_memory(worker.pid) as peaks:
            for name, body in bodies.items():
                dependency, began = name.lower(), time.monotonic()
                crew.depend_on_source(dependency, {"url": documents.publish(f"/{dependency}", body)})
                last = eventually(lambda dependency=dependency: ended(dependency), timeout=300)  # type: ignore[misc]
                took = time.monotonic() - began
                mine, children = peaks[worker.pid], [peak for pid, peak in peaks.items() if pid != worker.pid]
                reason = last["error"]["reason"] if "error" in last else last["result"]
                size = f"{len(body) / 1e6:.1f} MB"
                print(f"{name:20} {size:>9}  {reason:14} {took:5.1f} s  worker {mine:.0f} MB", end="")
                print(f", largest child {max(children, default=0):.0f} MB", flush=True)
        renewals = between_renewals(crew.cluster.audit_log.entries(mark), worker.identity)
        print(f"heartbeats: {len(renewals) + 1}, every {HEARTBEAT:.2f} s, longest interval {max(renewals):.2f} s")


if __name__ == "__main__":
    main()
