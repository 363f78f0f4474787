"""A thousand Dependencies synced at once by the operator (`specsync run`) on one CPU: first syncs, then unchanged.

    python -m bench.sync [--count 1000] [--etag] [--rounds N] [--concurrency N]

Wall time of the first syncs counts from the first `apply`, of the unchanged ones from the first annotation
`specsync.dev/requestedAt`, to the last Dependency whose status shows the end. CPU time is that of all processes of the
operator. The peer: Flux source-controller 1.9.3, 1,000 HelmRepositories with an index of 24 KB, 1 CPU, concurrency 10.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bench.cluster import children_of, cpu_seconds, measured_crew, memory_of
from specsync.kube.client import KubeClient
from tests.integration.crew import Crew, Member

_AT_ONCE = 16  # requests of the bench itself
_PATIENCE = 600.0  # seconds for all of a kind
_WRITES = {
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
    "DELETECOLLECTION": "deletecollection",
}
_PEER = {
    "first": "175 s",
    "unchanged": "79 s, 11.5 ms CPU each, 116 MB, 4 patches and 1 Event each",
}


class _Request(msgspec.Struct, frozen=True):
    value: str = ""
    outcome: str = ""


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    last_sync: Any = None
    active_job: Any = None
    last_handled_request: _Request = _Request()


class _Meta(msgspec.Struct, frozen=True):
    name: str


class _Object(msgspec.Struct, frozen=True):
    metadata: _Meta
    status: _Status = _Status()


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: _Object


_events = msgspec.json.Decoder(_Event)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--etag", action="store_true", help="the server answers 304 where nothing changed")
    parser.add_argument("--rounds", type=int, default=1, help="of unchanged syncs")
    parser.add_argument("--concurrency", type=int, default=10)
    options = parser.parse_args()
    operator_cpu, others = cpus()
    os.sched_setaffinity(0, others)  # what is started inherits it
    with measured_crew(audit=False) as crew, documents(operator_cpu, etag=options.etag) as host:
        os.sched_setaffinity(0, {operator_cpu})
        limits = ("--host-concurrency", "0", "--host-rate", "0", "--concurrency", str(options.concurrency))
        operator = crew.start("run", "--allow-host", host, *limits, timing=())
        os.sched_setaffinity(operator.pid, {operator_cpu})
        print(f"operator, documents and this bench on CPU {operator_cpu}; control plane on CPUs {sorted(others)}")
        print("per-host limit of requests lifted (--host-concurrency 0, --host-rate 0)")
        print("the documents' server answers", "304 where nothing changed" if options.etag else "always in full")
        asyncio.run(measure(crew, operator, host, options))
        operator.stop()


def cpus() -> tuple[int, set[int]]:
    """One CPU for the operator, and for what stands for the world around it; the others for the control plane."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], set(available[1:]) or set(available)


@contextmanager
def documents(cpu: int, *, etag: bool) -> Iterator[str]:
    """The address of a server of documents, which runs on that CPU."""
    command = [sys.executable, "-m", "bench.documents", *(["--etag"] if etag else [])]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(server.pid, {cpu})
    try:
        assert server.stdout is not None
        yield f"127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()


async def measure(crew: Crew, operator: Member, host: str, options: argparse.Namespace) -> None:
    names = [f"api-{number}" for number in range(options.count)]
    async with kubernetes(crew) as session:
        await until_leading(operator)

        async def apply(name: str) -> None:
            url = f"http://{host}/{name.removeprefix('api-')}/openapi.json"
            body = {
                "apiVersion": "specsync.dev/v1alpha1",
                "kind": "Dependency",
                "metadata": {"name": name},
                "spec": {"source": {"url": url}, "interval": "24h"},
            }
            async with session.post(crew.path("dependencies"), json=body) as answer:
                answer.raise_for_status()

        def first(status: _Status) -> bool:
            return status.last_sync is not None and status.active_job is None

        await measured("first", session, crew, operator, names, apply, first)
        for number in range(options.rounds):
            value = f"round-{number}"

            async def ask(name: str, value: str = value) -> None:
                body = {"metadata": {"annotations": {"specsync.dev/requestedAt": value}}}
                headers = {"Content-Type": "application/merge-patch+json"}
                async with session.patch(crew.path("dependencies", name), json=body, headers=headers) as answer:
                    answer.raise_for_status()

            def handled(status: _Status, value: str = value) -> bool:
                request = status.last_handled_request
                return request.value == value and request.outcome == "Unchanged" and status.active_job is None

            await measured("unchanged", session, crew, operator, names, ask, handled)


async def measured(
    what: str,
    session: Any,
    crew: Crew,
    operator: Member,
    names: list[str],
    ask: Callable[[str], Awaitable[None]],
    done: Callable[[_Status], bool],
) -> None:
    """Asks for a sync of each, waits for the end of all, and prints what it took."""
    control_plane = children_of(crew.cluster.processes.supervisor_pid)
    writes, cpu = await written(session), cpu_of(operator.pid)
    theirs = {pid: cpu_seconds(pid) for pid in control_plane}
    began = time.monotonic()
    peak = Peak(operator.pid)
    async with asyncio.timeout(_PATIENCE), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(until_done(session, crew, set(names), done))
        sampling = tasks.create_task(peak.sample())
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str) -> None:
            async with slots:
                await ask(name)

        await asyncio.gather(*(one(name) for name in names))
        asked = time.monotonic() - began
        await watching
        sampling.cancel()
    wall, used = time.monotonic() - began, cpu_of(operator.pid) - cpu
    count = len(names)
    spent = {name_of(pid): 1000 * (cpu_seconds(pid) - before) / count for pid, before in theirs.items()}
    print(f"== {count} {what} syncs (peer: {_PEER[what]})")
    print(f"wall {wall:.1f} s (the last was asked for after {asked:.1f} s), CPU {1000 * used / count:.1f} ms each")
    print("CPU of the control plane meanwhile:", ", ".join(f"{name} {ms:.1f} ms each" for name, ms in spent.items()))
    print(f"memory at most: PSS of all processes {peak.pss:.0f} MB, RSS of the operator's own {peak.rss:.0f} MB")
    after = await written(session)
    # The bench's own writes are of the objects, none of the operator's are.
    for (verb, resource), number in sorted((after - writes).items()):
        if resource != "dependencies" and not resource.startswith("leases"):
            print(f"  {verb:18} {resource:22} {number / count:6.3f} each")


class Peak:
    """The most memory that the operator's processes had, in MB, looked at twice a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.pss = self.rss = 0.0

    async def sample(self) -> None:
        while True:
            own = memory_of(self._pid)
            total = own["Pss"]
            for child in children_of(self._pid):
                try:
                    total += memory_of(child).get("Pss", 0.0)
                except OSError:
                    continue  # it has just ended
            self.pss, self.rss = max(self.pss, total), max(self.rss, own["VmRSS"])
            await asyncio.sleep(0.5)


def name_of(pid: int) -> str:
    """The program that a process runs; the kernel keeps 15 characters of it."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def cpu_of(pid: int) -> float:
    """Seconds of user and system time of a process and all its children, the ended ones too."""
    return cpu_seconds(pid, with_ended_children=True) + sum(cpu_seconds(child) for child in children_of(pid))


@asynccontextmanager
async def kubernetes(crew: Crew) -> AsyncIterator[Any]:
    client = await KubeClient.connect("bench", "bench", str(crew.cluster.kubeconfig))
    session = await client.open_session()
    try:
        yield session
    finally:
        await session.close()
        await client.close()


async def until_leading(operator: Member) -> None:
    while not operator.says("leading"):
        if not operator.running:
            raise SystemExit(f"the operator has ended: {operator.log()[-3:]}")
        await asyncio.sleep(0.1)
    await asyncio.sleep(2.0)  # its stores are filled and its Lease is there


async def until_done(session: Any, crew: Crew, waiting: set[str], done: Callable[[_Status], bool]) -> None:
    while waiting:  # the server may end a watch at any time; each begins with all that there is
        async with session.get(crew.path("dependencies"), params={"watch": "true"}) as answer:
            async for line in answer.content:
                event = _events.decode(line)
                if done(event.object.status):
                    waiting.discard(event.object.metadata.name)
                    if not waiting:
                        return


async def written(session: Any) -> Counter[tuple[str, str]]:
    """Writes that the API server has answered so far, by verb and resource, from its metrics."""
    found: Counter[tuple[str, str]] = Counter()
    async with session.get("/metrics") as answer:
        async for line in answer.content:
            if not line.startswith(b"apiserver_request_total{"):
                continue
            labels, _, number = line.decode()[len("apiserver_request_total{") :].rpartition("} ")
            values = dict(pair.split("=", 1) for pair in labels.split(","))
            values = {name: value.strip('"') for name, value in values.items()}
            if values["verb"] in _WRITES:
                resource = "/".join(filter(None, (values["resource"], values["subresource"])))
                code = "" if values["code"].startswith("2") else f" {values['code']}"
                found[_WRITES[values["verb"]] + code, resource] += int(float(number))
    return found


if __name__ == "__main__":
    main()
