"""Hostile answers and documents through a running operator: for each its reason, memory and heartbeats.

    python -m bench.hostile_documents

One worker at the default settings on a real control plane; each case is a Dependency of its own, and ends with the
first attempt. ``worker`` and ``child`` are the largest resident sets of that case, in MB: of the worker, and of any of
its child processes. ``beat`` is the longest interval between two renewals of the worker's Lease during it, as the API
server received them; they are due every second here, and others take over after 15. ``idle`` is the same of a second
worker, with nothing to do: what it is late, the machine is late. Fetches have 5 s.
"""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.cluster import children_of, measured_crew, memory_of
from bench.large import HEARTBEAT, peak_memory
from tests.integration.crew import Crew, Member
from tests.integration.documents import Documents
from tests.integration.hostile_documents import HARD_TO_JUDGE, REFUSED
from tests.integration.large_documents import between_renewals
from tests.integration.vendors import Vendor, serving
from tests.unit.fetching.bodies import BOMBS, ENDLESS
from tests.waiting import eventually

AT_ONCE = 10
RESET_PEAKS = "5"  # https://docs.kernel.org/filesystems/proc.html, clear_refs


def main() -> None:
    with measured_crew() as crew, Documents() as documents, serving(Vendor()) as vendor:
        urls: dict[str, tuple[int, list[str]]] = {}  # bytes on the wire as far as they are bounded, URLs
        for coding, make in BOMBS.items():
            body, path = make(), f"/{coding.replace(', ', '-')}"
            url = documents.publish(path, body, headers={"Content-Encoding": coding})
            urls[f"10 GiB by {coding}"] = len(body), [url]
        urls[f"{AT_ONCE} bombs at once"] = 0, urls["10 GiB by zstd"][1] * AT_ONCE
        for number, (name, answer) in enumerate(ENDLESS.items()):
            vendor.endless[f"/{number}"] = answer
            urls[name] = 0, [f"http://{vendor.host}:{vendor.port}/{number}"]
        for name, body in ({key: each[0] for key, each in REFUSED.items()} | HARD_TO_JUDGE).items():
            urls[name] = len(body), [documents.publish(f"/{name}", body)]

        crew.start("controller", timing=())
        hosts = ("--allow-host", documents.address, "--allow-host", f"{vendor.host}:{vendor.port}")
        limits = ("--host-concurrency", "0", "--host-rate", "0")
        worker = crew.start("worker", *hosts, *limits, timing=("--heartbeat", f"{HEARTBEAT:.0f}s"))
        beside = crew.namespace
        crew.namespace = crew.cluster.create_namespace()
        idle = crew.start("worker", timing=("--heartbeat", f"{HEARTBEAT:.0f}s"))
        crew.namespace = beside
        crew.wait_ready(worker, idle)
        begun = crew.cluster.audit_log.mark()
        columns = "".join(f" {name:>7}" for name in ("seconds", "worker", "child", "beat s", "idle s"))
        print(f"{'what is served':28} {'MB':>7} {'reason':14}{columns}")
        for number, (name, (size, sources)) in enumerate(urls.items()):
            shown = f"{size / 1e6:.1f}" if size else ""
            print(f"{name:28} {shown:>7} {measured(crew, worker, idle, f'case-{number}', sources)}", flush=True)
        entries = crew.cluster.audit_log.entries(begun)
        for name, member in (("worker", worker), ("idle", idle)):
            renewals = between_renewals(entries, member.identity)
            print(
                f"{name}: {len(renewals) + 1} heartbeats, longest interval {max(renewals):.2f} s of {HEARTBEAT:.2f} s"
            )


def measured(crew: Crew, worker: Member, idle: Member, name: str, urls: list[str]) -> str:
    """One case: reason, seconds, worker's and child's peak, longest interval between heartbeats of both workers."""
    for process in (worker.pid, *children_of(worker.pid)):
        with suppress(OSError):
            Path(f"/proc/{process}/clear_refs").write_text(RESET_PEAKS)
    mark, began = crew.cluster.audit_log.mark(), time.monotonic()
    names = [f"{name}-{number}" for number in range(len(urls))]
    with peak_memory(worker.pid) as peaks:
        for each, url in zip(names, urls, strict=True):
            crew.depend_on_source(each, {"url": url, "timeout": "5s"})
        reasons = {eventually(lambda each=each: outcome(crew, each), timeout=300) for each in names}  # type: ignore[misc]
        seconds = time.monotonic() - began
    children = max((peak for pid, peak in peaks.items() if pid != worker.pid), default=0)
    audit = crew.cluster.audit_log
    # At least one interval that the case was a part of.
    beats, others = (
        eventually(lambda who=who: between_renewals(audit.entries(mark), who), timeout=30)  # type: ignore[misc]
        for who in (worker.identity, idle.identity)
    )
    for each in names:
        crew.cluster.api.request("DELETE", crew.path("dependencies", each))
    mine = max(peaks.get(worker.pid, 0.0), memory_of(worker.pid)["VmHWM"])
    figures = f"{seconds:7.1f} {mine:7.0f} {children:7.0f} {max(beats):7.2f} {max(others):7.2f}"
    return f"{'/'.join(sorted(reasons)):14} {figures}"


def outcome(crew: Crew, dependency: str) -> str:
    """The reason of the first failed attempt, or the result."""
    status: Any = crew.jobs_of(dependency)[0]["status"]
    found = status.get("error", {}).get("reason") or status.get("result")
    assert found
    return str(found)


if __name__ == "__main__":
    main()
