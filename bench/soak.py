"""Whether anything grows: many Dependencies at a 30 s interval, with faults, for as long as you like.

    python -m bench.soak [MINUTES] [DEPENDENCIES]       30 minutes and 500

Each minute a tenth of the contracts changes. It prints, once a minute: memory (PSS, of a process with its children),
file descriptors and threads of a worker and of a controller, objects in the API server by kind, etcd's size, and how
many Dependencies were synced in that minute; at the end the last third beside the middle third. History is kept
short, so that it is full early.
"""

import contextlib
import datetime as dt
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cluster import children_of, memory_of
from devcluster import ControlPlane
from devcluster.errors import DevclusterError
from tests.chaos.contracts import dependency_name
from tests.chaos.faults import Storm, run_lanes
from tests.chaos.fleet import Fleet, Place
from tests.chaos.record import GROUP
from tests.chaos.run import Plan, open_operator, prepared_cluster
from tests.chaos.vendor import Vendor

INTERVAL = "30s"
LIVELY = 10  # of so many Dependencies one changes each minute
CALM = 6.0  # pauses between faults are so many times those of a chaos run: about two faults a minute
HISTORY = {"jobs": 3, "snapshots": 3, "changeSets": 3}
KINDS = {
    "dependencies": f"{GROUP}/dependencies",
    "jobs": f"{GROUP}/syncjobs",
    "snapshots": f"{GROUP}/specsnapshots",
    "changes": f"{GROUP}/changesets",
    "configmaps": "/api/v1/configmaps",
    "events": "/api/v1/events",
    "leases": "/apis/coordination.k8s.io/v1/leases",
}
COLUMNS = ("workers MB", "fds", "threads", "controllers MB", "fds", "threads", *KINDS, "etcd MB", "synced")


@dataclass(frozen=True)
class Usage:
    """Of one process with the processes that it started; `memory` in MB."""

    memory: float
    descriptors: int
    threads: int


def main() -> None:
    minutes = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    plan = Plan(seed=1, storm=minutes * 60.0, dependencies=count, versions=0, interval=INTERVAL, heartbeat=5, lease=15)
    with tempfile.TemporaryDirectory() as folder, soaking(plan, Path(folder)) as (cluster, fleet, vendor):
        storm = Storm(cluster, fleet, vendor, None, plan.lease, say=lambda _: None)
        faults = threading.Thread(target=run_lanes, args=(storm, plan.seed, plan.storm, CALM))
        faults.start()
        rows = measure(cluster, fleet, vendor, minutes, count)
        storm.stopped.set()
        faults.join()
        fleet.make_whole()
    print(f"\n{storm.done.total()} faults: " + ", ".join(f"{n} × {kind}" for kind, n in sorted(storm.done.items())))
    compare(rows)
    for problem in (*storm.problems, *fleet.problems):
        print(f"problem: {problem}")


@contextlib.contextmanager
def soaking(plan: Plan, folder: Path) -> Iterator[tuple[ControlPlane, Fleet, Vendor]]:
    """Everything runs while entered, and the Dependencies are there."""
    with (
        prepared_cluster(folder, audit=False) as cluster,
        open_operator(plan, cluster, folder, None) as (fleet, vendor),
    ):
        names = [dependency_name(number) for number in range(plan.dependencies)]
        vendor.tell(versions=dict.fromkeys(names, 1))
        path = f"{GROUP}/namespaces/{cluster.create_namespace('soak')}/dependencies"
        for name in names:
            spec = {"source": {"url": vendor.url(name), "timeout": "10s"}, "interval": INTERVAL, "history": HISTORY}
            body = {"apiVersion": "specsync.dev/v1alpha1", "kind": "Dependency", "metadata": {"name": name}}
            cluster.api.request("POST", path, body | {"spec": spec})
        yield cluster, fleet, vendor


def measure(cluster: ControlPlane, fleet: Fleet, vendor: Vendor, minutes: int, count: int) -> list[list[float]]:
    """A row a minute, as COLUMNS has it; the API server's part is -1 where it was away."""
    print(" | ".join(("minute", *COLUMNS)))
    rows = []
    for minute in range(1, minutes + 1):
        vendor.tell(versions={dependency_name(n): minute + 1 for n in range(0, count, LIVELY)})
        time.sleep(60)
        workers, controllers = of_role(fleet, "worker"), of_role(fleet, "controller")
        row = [*workers, *controllers, *objects(cluster), etcd_size(cluster), float(synced(cluster))]
        rows.append(row)
        print(" | ".join((f"{minute:3}", *(f"{value:.0f}" for value in row))), flush=True)
    return rows


def compare(rows: list[list[float]]) -> None:
    """The mean of the last third beside that of the third before: what is flat has both alike."""
    third = len(rows) // 3
    if not third:
        return
    print("\nmean of the middle third → of the last third")
    for index, name in enumerate(COLUMNS):
        middle, last = (
            [row[index] for row in part if row[index] >= 0] for part in (rows[-2 * third : -third], rows[-third:])
        )
        if middle and last:
            before, after = sum(middle) / len(middle), sum(last) / len(last)
            whose = "workers' " if index < 3 else "controllers' " if index < 6 else ""
            print(f"  {whose if name in ('fds', 'threads') else ''}{name}: {before:.0f} → {after:.0f}")


def of_role(fleet: Fleet, role: str) -> list[float]:
    """Memory, descriptors and threads of all processes of a role: the mean of one place, with its children."""
    found = [usage for place in fleet.places if place.role == role and (usage := usage_of(place)) is not None]
    if not found:
        return [-1.0, -1.0, -1.0]
    count = len(found)
    return [
        sum(usage.memory for usage in found) / count,
        sum(usage.descriptors for usage in found) / count,
        sum(usage.threads for usage in found) / count,
    ]


def usage_of(place: Place) -> Usage | None:
    """None where its process has just ended."""
    try:
        pids = [place.pid, *children_of(place.pid)]
        return Usage(
            sum(memory_of(pid)["Pss"] for pid in pids),
            sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids),
            sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in pids),
        )
    except (OSError, KeyError):
        return None


def objects(cluster: ControlPlane) -> list[float]:
    """How many there are of each kind; -1 where the API server doesn't say so."""
    return [float(counted(cluster, path)) for path in KINDS.values()]


def counted(cluster: ControlPlane, path: str) -> int:
    with contextlib.suppress(DevclusterError):
        page: Any = cluster.api.request("GET", f"{path}?limit=1", timeout=5)
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))
    return -1


def etcd_size(cluster: ControlPlane) -> float:
    """MB of etcd's database, which is compacted every five minutes and never shrinks."""
    return float(sum(file.stat().st_size for file in cluster.state.etcd_data.rglob("db")) / 1e6)


def synced(cluster: ControlPlane) -> int:
    """How many Dependencies had a sync in the last minute; -1 where the API server doesn't say so."""
    minute_ago = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=60)
    with contextlib.suppress(DevclusterError):
        items: Any = cluster.api.request("GET", KINDS["dependencies"], timeout=15)["items"]
        ends = [item["status"].get("lastSync", {}).get("time", "1970-01-01T00:00:00Z") for item in items]
        return sum(dt.datetime.fromisoformat(end) >= minute_ago for end in ends)
    return -1


if __name__ == "__main__":
    main()
