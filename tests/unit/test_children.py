"""Child processes: they work on documents, and neither their death nor their worker's leaves anything behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from specsync.blobs.store import digest_of
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import ParseOutput
from specsync.stages.contract import Load, StageError
from specsync.stages.engine import Normalized
from specsync.worker.children import ChildPool, JobEngine
from tests.waiting import eventually

MEMORY = 1024**3


def document(paths: int = 1, *, opaque: int = 0) -> bytes:
    answer = {"responses": {"200": {"description": "ok"}}}
    return msgspec.json.encode(
        {
            "openapi": "3.0.3",
            "info": {"title": "Shop", "version": "1"},
            "paths": {f"/p{number}": {"get": answer} for number in range(paths)},
            "x-opaque": ["x" * 1000] * opaque,
        }
    )


# Long enough under way to be interrupted.
LARGE = document(300_000)


def loader(content: bytes) -> dict[str, Load]:
    async def load() -> bytes:
        return content

    return {digest_of(content): load}


async def work_long(engine: JobEngine) -> Normalized:
    return await engine.call("normalize", Normalized, loader(LARGE), raw=digest_of(LARGE))


async def parse(engine: JobEngine, content: bytes) -> ParseOutput:
    return await engine.call("parse", ParseOutput, loader(content), raw=digest_of(content))


def run(body: Callable[[ChildPool], Awaitable[None]], *, size: int = 1, memory: int = MEMORY) -> None:
    async def main() -> None:
        pool = ChildPool(size, memory)
        try:
            async with asyncio.timeout(60):
                await body(pool)
        finally:
            await pool.close()
        eventually(lambda: children_of(os.getpid()), until=lambda left: left == [], what="no child to be left")

    asyncio.run(main())


def children_of(pid: int) -> list[int]:
    """Children that work on documents; zombies too."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            command = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields["PPid"]) == pid and (b"specsync.worker.child" in command or fields["State"].startswith("Z")):
            found.append(int(status.parent.name))
    return found


def busy(pid: int) -> bool:
    """Whether a process works on a document by now: so much CPU time is more than its start, and less than the work."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return False  # reaped meanwhile
    return fields[0] != "Z" and (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > 0.4


def test_a_job_keeps_its_child_and_what_the_child_knows() -> None:
    async def body(pool: ChildPool) -> None:
        async with pool.for_job() as engine:
            assert (await parse(engine, document())).title == "Shop"
            # The document isn't sent again: the child has it.
            normalized = await engine.call("normalize", Normalized, {}, raw=digest_of(document()))
            assert normalized.operations == 1
        async with pool.for_job() as engine:
            with pytest.raises(StageError) as refused:
                await engine.call("normalize", Normalized, {}, raw=digest_of(document()))
            assert refused.value.retryable, "what another job left there is forgotten"
        assert pool.started == 1

    run(body)


def test_a_document_that_is_none_is_the_documents_fault() -> None:
    async def body(pool: ChildPool) -> None:
        async with pool.for_job() as engine:
            with pytest.raises(StageError) as refused:
                await parse(engine, b"<html></html>")
            assert refused.value.reason == Reason.HTML_DOCUMENT
            assert (await parse(engine, document())).title == "Shop"

    run(body)


def test_more_jobs_than_children_wait_their_turn() -> None:
    async def body(pool: ChildPool) -> None:
        async def job() -> str:
            async with pool.for_job() as engine:
                return (await parse(engine, document())).title

        assert await asyncio.gather(*(job() for _ in range(8))) == ["Shop"] * 8
        assert pool.started <= 2

    run(body, size=2)


def test_work_whose_child_is_killed_is_done_by_another() -> None:
    async def body(pool: ChildPool) -> None:
        async with pool.for_job() as engine:
            working = asyncio.ensure_future(work_long(engine))
            await kill_when_busy(signal.SIGKILL)
            await working
            assert pool.started == 2

    run(body)


def test_work_whose_child_is_killed_three_times_fails_and_its_job_only() -> None:
    async def body(pool: ChildPool) -> None:
        async with pool.for_job() as engine:
            working = asyncio.ensure_future(work_long(engine))
            for _ in range(3):
                await kill_when_busy(signal.SIGKILL)
            with pytest.raises(StageError) as failed:
                await working
            assert (failed.value.reason, failed.value.retryable) == (Reason.RESOURCE_EXHAUSTED, False)
            assert "killed its process 3 times (SIGKILL)" in failed.value.message
            assert (await parse(engine, document())).title == "Shop", "the job has a new child"

    run(body)


def test_work_that_is_given_up_is_killed() -> None:
    async def body(pool: ChildPool) -> None:
        async with pool.for_job() as engine:
            working = asyncio.ensure_future(work_long(engine))
            await kill_when_busy(0)
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        assert children_of(os.getpid()) == []
        async with pool.for_job() as engine:
            assert (await parse(engine, document())).title == "Shop"

    run(body)


def test_a_document_that_needs_too_much_memory_is_refused_and_the_child_goes_on() -> None:
    async def body(pool: ChildPool) -> None:
        async with pool.for_job() as engine:
            with pytest.raises(StageError) as failed:
                await work_long(engine)
            assert failed.value.reason == Reason.RESOURCE_EXHAUSTED
            assert (await parse(engine, document())).title == "Shop"

    run(body, memory=50 * 1024**2)


def test_a_child_that_has_grown_by_a_document_that_it_refused_is_not_the_next_jobs() -> None:
    """Else that job would have less memory than it may take, and be blamed for it."""

    async def body(pool: ChildPool) -> None:
        async with pool.for_job() as engine:
            with pytest.raises(StageError):
                await work_long(engine)
        async with pool.for_job() as engine:
            await engine.reserve()
        assert pool.started == 2

    run(body, memory=50 * 1024**2)


async def kill_when_busy(signum: int) -> None:
    """Sends the one child a signal (0: none) in the middle of its work; with SIGKILL, returns when it is gone."""
    while not (children := children_of(os.getpid())) or not busy(children[0]):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    os.kill(children[0], signum)
    while signum == signal.SIGKILL and children[0] in children_of(os.getpid()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


WORKER = """
import asyncio, sys
from tests.unit.test_children import work_long
from specsync.worker.children import ChildPool

async def main():
    async with ChildPool(1, 2**30).for_job() as engine:
        print("started", flush=True)
        while True:
            await work_long(engine)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="there is no signal on the parent's death here")
@pytest.mark.parametrize("frozen", [False, True])
def test_a_worker_that_is_killed_takes_its_child_along_in_the_middle_of_its_work(frozen: bool) -> None:
    worker = subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    with worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"started\n"
        (child,) = eventually(lambda: children_of(worker.pid), what="the child to start")
        eventually(lambda: busy(child), what="the child to work")
        if frozen:
            os.kill(child, signal.SIGSTOP)
        worker.kill()
    eventually(lambda: not Path(f"/proc/{child}").exists(), what="the child to end")
