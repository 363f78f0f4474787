"""Whether anything grows: many Dependencies at a 30 s interval, with faults, for as long as you like.

    python -m bench.soak [MINUTES] [DEPENDENCIES]       30 minutes and 500

Each minute an eleventh of the contracts changes, of which a channel is told. One worker and one controller are spared:
all faults but those that replace a process hit them too, so that they live from the first minute to the last, and what
they hold in the end shows whether anything leaks. The spared controller leads most of the time: another that came to
lead, while that one was frozen or cut off, is told to stop (that is in place of the fault that kills the leader). Once
a minute it prints, as means of that minute:

- of all workers and of all controllers: memory (PSS, with child processes), file descriptors and threads of one;
- of the two that are spared: age in minutes, memory (of the worker its own, too), descriptors and threads with its
  children, asyncio tasks, and in which share of the minute the controller led;
- objects in the API server by kind, etcd's size, and how many Dependencies were synced in that minute.

At the end the last third beside the middle third, column by column, and the slope over both. History is kept short, so
that it is full early. Logs stay in .run/soak.
"""

import argparse
import contextlib
import datetime as dt
import itertools
import signal
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cluster import memory_of
from devcluster import ControlPlane
from devcluster.errors import DevclusterError
from tests.chaos.contracts import dependency_name
from tests.chaos.faults import Storm, left_out, run_lanes
from tests.chaos.fleet import Fleet, Place
from tests.chaos.guide import create, create_alerting
from tests.chaos.record import GROUP
from tests.chaos.run import Plan, fresh, open_operator, prepared_cluster
from tests.chaos.vendor import Vendor

INTERVAL = "30s"
LIVELY = 11  # of so many Dependencies one changes each minute; not ten, or all of them were of one series
CALM = 6.0  # pauses between faults are so many times those of a chaos run: about two faults a minute
HISTORY = {"jobs": 3, "snapshots": 3, "changeSets": 3}
SAMPLES = 6  # a minute, of each process
FLAT = 0.05  # a mean that differs by no more is as it was
FOLDER = (Path(".run") / "soak").absolute()
KINDS = {
    "dependencies": f"{GROUP}/dependencies",
    "jobs": f"{GROUP}/syncjobs",
    "snapshots": f"{GROUP}/specsnapshots",
    "changes": f"{GROUP}/changesets",
    "deliveries": f"{GROUP}/alertdeliveries",
    "configmaps": "/api/v1/configmaps",
    "events": "/api/v1/events",
    "leases": "/apis/coordination.k8s.io/v1/leases",
}
NOTES = {
    "events": "the API server keeps each for an hour, so in a shorter run they only grow",
    "etcd MB": "the file never shrinks, holds the events; an API server compacts it only if it lives for minutes",
}

Column = tuple[str, str]  # whose it is, and what
OF_ALL: tuple[Column, ...] = tuple(itertools.product(("workers", "controllers"), ("MB", "fds", "threads")))
OF_SPARED: tuple[Column, ...] = (
    *(("spared worker", what) for what in ("minutes", "own MB", "MB", "fds", "threads", "tasks")),
    *(("spared controller", what) for what in ("minutes", "MB", "fds", "threads", "tasks", "leads")),
)
COLUMNS = (*OF_ALL, *OF_SPARED, *(("objects", kind) for kind in KINDS), ("", "etcd MB"), ("", "synced"))
UNJUDGED = ("minutes", "leads", "synced")  # they may grow


@dataclass(frozen=True)
class Usage:
    """Of one process, and in all of it with the processes that it started; memory in MB."""

    own_memory: float
    memory: float
    descriptors: int
    threads: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", type=int, nargs="?", default=30)
    parser.add_argument("dependencies", type=int, nargs="?", default=500)
    options = parser.parse_args()
    minutes, count = options.minutes, options.dependencies
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # in good order, as after Ctrl-C
    plan = Plan(
        seed=1,
        storm=minutes * 60.0,
        dependencies=count,
        versions=0,
        interval=INTERVAL,
        heartbeat=5,
        lease=15,
        spare=True,
        alert_history="3m",
    )
    try:
        with soaking(plan, fresh(FOLDER)) as (cluster, fleet, vendor):
            storm = Storm(cluster, fleet, vendor, None, plan.lease, say=lambda _: None)
            print("\n".join(left_out(storm)))
            faults = threading.Thread(target=run_lanes, args=(storm, plan.seed, plan.storm, CALM))
            faults.start()
            try:
                rows = measure(cluster, fleet, vendor, minutes, count)
            finally:
                storm.stopped.set()
                faults.join()
            fleet.make_whole()
    except DevclusterError as error:
        print(f"The run itself failed: {error}\nLogs: {FOLDER}")
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted.")
        return 130
    print(f"\n{storm.done.total()} faults: " + ", ".join(f"{n} × {kind}" for kind, n in sorted(storm.done.items())))
    print("\n".join(verdicts(rows)))
    problems = [*storm.problems, *fleet.problems]
    for problem in problems:
        print(f"problem: {problem}")
    return 1 if problems else 0


@contextlib.contextmanager
def soaking(plan: Plan, folder: Path) -> Iterator[tuple[ControlPlane, Fleet, Vendor]]:
    """Everything runs while entered, and the Dependencies are there."""
    with (
        prepared_cluster(folder, audit=False) as cluster,
        open_operator(plan, cluster, folder, None) as (fleet, vendor),
    ):
        vendor.tell(versions=dict.fromkeys(plan.names, 1))
        namespace = cluster.create_namespace("soak")
        create_alerting(cluster, namespace, vendor, plan.names)
        for name in plan.names:
            source = {"url": vendor.url(name), "timeout": "10s"}
            spec = {"source": source, "interval": INTERVAL, "history": HISTORY}
            create(cluster, namespace, "Dependency", name, spec)
        yield cluster, fleet, vendor


def measure(cluster: ControlPlane, fleet: Fleet, vendor: Vendor, minutes: int, count: int) -> list[list[float]]:
    """A row a minute, as COLUMNS has it; -1 where nothing could be seen: the API server was away, a process frozen."""
    print(heading())
    rows = []
    start = time.monotonic()
    for minute in range(1, minutes + 1):
        vendor.tell(versions={dependency_name(n): minute + 1 for n in range(0, count, LIVELY)})
        samples = []
        for sample in range(1, SAMPLES + 1):
            time.sleep(max(0.0, start + 60 * (minute - 1 + sample / SAMPLES) - time.monotonic()))
            samples.append([*of_role(fleet, "worker"), *of_role(fleet, "controller"), *of_spared(fleet)])
        seen = [mean(values) for values in zip(*samples, strict=True)]
        row = [*seen, *objects(cluster), etcd_size(cluster), float(synced(cluster))]
        rows.append(row)
        print(line(str(minute), [figure(value) for value in row]), flush=True)
    return rows


def heading() -> str:
    """Two lines: whose the columns are, and what."""
    whose = ""
    for name, columns in itertools.groupby(COLUMNS, key=lambda column: column[0]):
        whose += f"   {name}".ljust(sum(width(what) for _, what in columns))
    return " " * 6 + whose + "\n" + line("minute", [what for _, what in COLUMNS])


def line(first: str, cells: Sequence[str]) -> str:
    return f"{first:>6}" + "".join(f"{cell:>{width(what)}}" for (_, what), cell in zip(COLUMNS, cells, strict=True))


def width(what: str) -> int:
    return max(5, len(what)) + 2


def figure(value: float) -> str:
    return "-" if value < 0 else f"{value:.1f}" if value < 200 else f"{value:.0f}"


def verdicts(rows: list[list[float]]) -> list[str]:
    """A line for each column: the mean of the middle third and of the last, and what that comes to."""
    third = len(rows) // 3
    if not third:
        return ["Too short for a comparison: that takes three minutes."]
    grown = []
    lines = [f"\nmean of the middle third → of the last third ({third} minutes each), slope over both"]
    for index, (whose, what) in enumerate(COLUMNS):
        values = [row[index] for row in rows[-2 * third :]]
        before, after = mean(values[:third]), mean(values[third:])
        name = f"{whose} {what}".strip()
        if before < 0 or after < 0:
            lines.append(f"  {name}: not seen")
            continue
        text = f"  {name}: {figure(before)} → {figure(after)}, {slope(values):+.1f} an hour"
        if what not in UNJUDGED:
            found = verdict(before, after)
            text += f": {found}"
            grown += [name] if found.startswith("grew") else []
        lines.append(text + (f" ({NOTES[what]})" if what in NOTES else ""))
    return [*lines, f"Grew by more than {FLAT:.0%}: {', '.join(grown) or 'nothing'}."]


def verdict(before: float, after: float) -> str:
    """`flat` within FLAT of what it was, or where the difference is less than one (of a count, or of MB)."""
    change = after - before
    if abs(change) <= max(FLAT * before, 1.0):
        return "flat"
    return f"{'grew' if change > 0 else 'shrank'} by " + (f"{abs(change) / before:.0%}" if before else f"{change:.0f}")


def slope(values: Sequence[float]) -> float:
    """How much it rises in an hour, by the least squares of what was seen once a minute."""
    seen = [(minute / 60, value) for minute, value in enumerate(values) if value >= 0]
    if len(seen) < 2:
        return 0.0
    hours, figures = zip(*seen, strict=True)
    return statistics.linear_regression(hours, figures).slope


def mean(values: Sequence[float]) -> float:
    """Of what was seen; -1 where nothing was."""
    seen = [value for value in values if value >= 0]
    return statistics.fmean(seen) if seen else -1.0


def of_role(fleet: Fleet, role: str) -> list[float]:
    """Memory, descriptors and threads of all processes of a role: the mean of one place, with its children."""
    found = [usage for place in fleet.places if place.role == role and (usage := usage_of(place)) is not None]
    return [
        mean([usage.memory for usage in found]),
        mean([usage.descriptors for usage in found]),
        mean([usage.threads for usage in found]),
    ]


def of_spared(fleet: Fleet) -> list[float]:
    """As OF_SPARED has it."""
    controller, worker = (place for place in fleet.places if place.spared)
    return [
        *(worker.age / 60, *of_one(usage_of(worker)), gauge(worker, "specsync_tasks")),
        # A controller has no children: its memory is its own.
        *(controller.age / 60, *of_one(usage_of(controller))[1:], gauge(controller, "specsync_tasks")),
        gauge(controller, "specsync_leader"),
    ]


def of_one(usage: Usage | None) -> list[float]:
    if usage is None:
        return [-1.0] * 4
    return [usage.own_memory, usage.memory, usage.descriptors, usage.threads]


def gauge(place: Place, name: str) -> float:
    """-1 where the process doesn't answer, as one that is frozen."""
    status, text = place.probes.get("/metrics")
    found = [float(each.split()[1]) for each in text.splitlines() if each.startswith(f"{name} ")]
    return found[0] if status == 200 and found else -1.0


def usage_of(place: Place) -> Usage | None:
    """None where its process has just ended."""
    try:
        pids = [place.pid, *place.children()]
        memory = [memory_of(pid)["Pss"] for pid in pids]
        return Usage(
            memory[0],
            sum(memory),
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
    """MB of etcd's database, which never shrinks; an API server compacts it after every five minutes of its life."""
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
    sys.exit(main())
