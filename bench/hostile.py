"""What hostile servers cost: for each, why the fetch ended, how long it took, and what the process needed at most.

    python -m bench.hostile [TIMEOUT]      seconds for a whole fetch, default 5

Each case is fetched by a process of its own, as a worker does: on uvloop, with the default limit of 64 MiB. ``peak`` is
its largest resident set above what it needed with everything imported; ``late`` is how late its event loop came to
another task at the worst (the worker's heartbeat is such a task); ``wire`` is what the server could send of the body.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import uvloop

from specsync.fetching.client import Fetcher
from specsync.fetching.errors import FetchError
from specsync.fetching.guard import Exceptions, Guard
from specsync.fetching.politeness import HostLimits
from specsync.fetching.request import FetchRequest, FetchResult
from tests.unit.fetching.bodies import BOMBS, ENDLESS, Endless
from tests.unit.fetching.servers import Answer, Seen, serve

PROJECT = Path(__file__).parent.parent
PIECE = 64 * 1024

Stream = Callable[[], AsyncIterator[bytes]]


def bomb(coding: str) -> Stream:
    async def stream() -> AsyncIterator[bytes]:
        body = BOMBS[coding]()
        yield f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        for start in range(0, len(body), PIECE):
            yield body[start : start + PIECE]

    return stream


def endless(answer: Endless) -> Stream:
    async def stream() -> AsyncIterator[bytes]:
        yield answer.start
        while True:
            yield answer.piece
            if answer.pause:
                await asyncio.sleep(answer.pause)

    return stream


async def redirect() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"


CASES: dict[str, Stream] = {
    **{f"10 GiB by {coding}": bomb(coding) for coding in BOMBS},
    **{name: endless(answer) for name, answer in ENDLESS.items()},
    "a redirect to itself": redirect,
}


async def main(longest: float) -> None:
    print(f"{'what the server sends':30} {'reason':18} {'seconds':>8} {'peak MB':>8} {'late ms':>8} {'wire MB':>8}")
    cases = [(name, stream, 1) for name, stream in CASES.items()] + [("10 such bombs at once", bomb("zstd"), 10)]
    for name, stream, at_once in cases:
        wire = [0]
        async with serve(sending(stream, wire)) as server:
            command = [sys.executable, "-m", "bench.hostile", "--fetch", str(server.port), str(longest), str(at_once)]
            process = await asyncio.create_subprocess_exec(*command, cwd=PROJECT, stdout=asyncio.subprocess.PIPE)
            output, _ = await process.communicate()
        found = json.loads(output)
        print(
            f"{name:30} {found['reason']:18} {found['seconds']:8.2f} {found['peak']:8.1f} {found['late'] * 1e3:8.1f} "
            f"{wire[0] / 1e6:8.2f}"
        )


def sending(stream: Stream, wire: list[int]) -> Answer:
    async def answer(_: Seen, writer: asyncio.StreamWriter) -> bytes:
        async for piece in stream():
            writer.write(piece)
            await writer.drain()
            wire[0] += len(piece)
        return b""  # and ends the connection

    return answer


async def fetch(port: int, longest: float, at_once: int) -> None:
    """Fetches from a server of this machine, so many times at once, and prints what that came to."""
    late = [0.0]
    ticking = asyncio.create_task(tick(late))
    started, before = time.perf_counter(), peak_mb()
    opened = Exceptions.parse([f"127.0.0.1:{port}"])
    async with Fetcher(Guard(opened, limits=HostLimits(0, 0))) as fetcher:

        async def one() -> FetchResult:
            with fetcher.room.share() as share:
                url = f"http://127.0.0.1:{port}/openapi.json"
                return await fetcher.fetch(FetchRequest(url=url, timeout=longest, share=share))

        ended = await asyncio.gather(*(one() for _ in range(at_once)), return_exceptions=True)
    reason = "/".join({str(each.reason) if isinstance(each, FetchError) else "fetched" for each in ended})
    ticking.cancel()
    seconds = time.perf_counter() - started
    json.dump({"reason": reason, "seconds": seconds, "peak": peak_mb() - before, "late": late[0]}, sys.stdout)


async def tick(late: list[float]) -> None:
    """Notes how much later than asked for the loop came to this task at the worst."""
    while True:
        due = time.perf_counter() + 0.005
        await asyncio.sleep(0.005)
        late[0] = max(late[0], time.perf_counter() - due)


def peak_mb() -> float:
    # Not getrusage(): its maximum outlives exec(), so a child begins with that of its parent.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("The kernel doesn't say what this process needed at most: no VmHWM in /proc/self/status.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fetch"]:
        uvloop.run(fetch(int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
    else:
        asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
