"""Large documents through a running operator: time of each stage, heartbeats, peak memory.

    python -m bench.large

GitHub's description (13 MB of JSON) and Plaid's (3 MB of YAML), each as two versions, side by side in one worker at the
default settings. The intervals between heartbeats are those that the API server saw.
"""

import datetime as dt
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.cluster import children_of, measured_crew, memory_of
from tests.integration.large_documents import between_renewals, missing, open_library, send_through

HEARTBEAT = 1.0  # seconds; five times as often as by default, for more to see


def main() -> None:
    if missing():
        sys.exit(f"Missing: {', '.join(missing())}. Set SPECSYNC_CONFORMANCE_DIR to the folder that holds real/.")
    with measured_crew() as crew, open_library() as library:
        crew.start("controller", timing=())
        worker = crew.start("worker", "--allow-host", library.host, timing=("--heartbeat", f"{HEARTBEAT:.0f}s"))
        crew.wait_ready(worker)
        mark = crew.cluster.audit_log.mark()
        with peak_memory(worker.pid) as peaks:
            began = time.monotonic()
            jobs = send_through(crew, library)
            print(f"all: {time.monotonic() - began:.1f} s")
            # A few heartbeats more, so that there is something to compare with.
            time.sleep(5 * HEARTBEAT)
        for job in jobs:
            report(job)
        renewals = between_renewals(crew.cluster.audit_log.entries(mark), worker.identity)
        print(f"heartbeats: {len(renewals) + 1}, every {HEARTBEAT:.2f} s, longest interval {max(renewals):.2f} s")
        mine = peaks.pop(worker.pid)
        children = ", ".join(f"{peak:.0f}" for peak in sorted(peaks.values(), reverse=True))
        print(f"peak memory (VmHWM): worker {mine:.0f} MB; children {children} MB")


def report(job: Any) -> None:
    """Stage times: whole seconds, as the status has them."""
    status = job["status"]
    print(f"{job['spec']['target']['name']:8} {status['result']:10}", end="")
    for record in status["stages"]:
        if record["state"] == "Succeeded":
            length = dt.datetime.fromisoformat(record["finished"]) - dt.datetime.fromisoformat(record["started"])
            print(f" {record['name']} {length.total_seconds():.0f}", end="")
    print(" s")


@contextmanager
def peak_memory(pid: int) -> Iterator[dict[int, float]]:
    """Megabytes by process, of this one and of all children that come and go."""
    peaks: dict[int, float] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            for process in (pid, *children_of(pid)):
                try:
                    peaks[process] = max(peaks.get(process, 0.0), memory_of(process)["VmHWM"])
                except (OSError, KeyError):
                    continue  # it ended just now

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()


if __name__ == "__main__":
    main()
