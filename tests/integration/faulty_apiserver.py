"""A server between an operator and the API server, which passes requests on, counts them, and misbehaves when told.

It speaks HTTP on both sides and understands watches, so it can do what a plain TCP proxy can't: answer 429 and 503
with Retry-After, end a watch with 410 Gone, be slow with requests while watches go on.
"""

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from devcluster import ControlPlane
from devcluster.components import LOOPBACK, free_port

T = TypeVar("T")

_NOT_PASSED_ON = {"host", "content-length", "transfer-encoding", "connection", "content-encoding"}
_GONE = {"kind": "Status", "apiVersion": "v1", "code": 410, "reason": "Expired", "message": "too old resource version"}


@dataclass(frozen=True)
class Request:
    """One that came: when (monotonic), what, and the status that was answered; 0 where none was."""

    at: float
    method: str
    path: str
    watch: bool
    status: int


class FaultyApiServer:
    """Serves while entered; all its methods may be called from the test's thread."""

    def __init__(self, cluster: ControlPlane) -> None:
        self._target = cluster.url
        self._tls = ssl.create_default_context(cadata=cluster.authority)
        self._tls.check_hostname = False
        self._port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._watches: set[asyncio.Task[Any]] = set()
        self._ending: dict[asyncio.Task[Any], bytes] = {}
        self._instead: Callable[[Request], web.Response | None] = lambda _: None
        self._delay = 0.0
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    def kubeconfig(self, like: Path) -> Path:
        """A kubeconfig for the same identity as `like`, by this way."""
        content = json.loads(like.read_text())
        for entry in content["clusters"]:
            entry["cluster"] = {"server": self.url}
        file = like.with_suffix(".faulty")
        file.write_text(json.dumps(content))
        return file

    # --- faults; each lasts until `heal` ---

    def answer(self, status: int, retry_after: int | None = None) -> None:
        """Answers this to everything but what goes on: watches."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._instead = lambda request: None if request.watch else web.Response(status=status, headers=headers)

    def delay(self, seconds: float) -> None:
        self._delay = seconds

    def cut_watches(self, *, gone: bool = False) -> int:
        """Ends all watches, now and once; with `gone` as an API server does that has forgotten the version asked for.

        Returns how many there were.
        """
        return self._run(self._end_watches(json.dumps({"type": "ERROR", "object": _GONE}).encode() if gone else b""))

    def heal(self) -> None:
        self._instead, self._delay = lambda _: None, 0.0

    # --- what was asked ---

    def mark(self) -> int:
        return len(self.requests)

    # --- life ---

    def __enter__(self) -> "FaultyApiServer":
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=self._tls))
        application = web.Application(client_max_size=2**26)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self._port, reuse_address=True).start()

    async def _stop(self) -> None:
        await self._end_watches(b"")
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()
            # The connections' transports end in the loop's next rounds: one file is left then, the loop's own.
            ends = time.monotonic() + 3
            while len(self._loop._selector.get_map()) > 1 and time.monotonic() < ends:  # type: ignore[attr-defined] # noqa: ASYNC110
                await asyncio.sleep(0.01)
        self._runner = self._session = None

    async def _end_watches(self, last: bytes) -> int:
        ending = list(self._watches)
        for task in ending:
            self._ending[task] = last
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        return len(ending)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        watch = request.query.get("watch") in ("true", "1")
        seen = Request(time.monotonic(), request.method, request.path, watch, 0)
        position = len(self.requests)
        self.requests.append(seen)
        body = await request.read()
        if self._delay and not watch:
            await asyncio.sleep(self._delay)
        answer = self._instead(seen)
        if answer is None:
            answer = await (self._watch(request) if watch else self._pass_on(request, body))
        self.requests[position] = Request(seen.at, seen.method, seen.path, watch, answer.status)
        return answer

    async def _pass_on(self, request: web.Request, body: bytes) -> web.Response:
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_PASSED_ON}
        try:
            async with self._session.request(
                request.method, self._target + request.path_qs, data=body or None, headers=headers
            ) as theirs:
                content = await theirs.read()
        except aiohttp.ClientError:
            # The API server is away: so are we, for this one.
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)
        passed = {name: value for name, value in theirs.headers.items() if name.lower() not in _NOT_PASSED_ON}
        return web.Response(status=theirs.status, body=content, headers=passed)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_PASSED_ON}
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        timeout = aiohttp.ClientTimeout(total=None)
        self._watches.add(task)
        try:
            async with self._session.get(self._target + request.path_qs, headers=headers, timeout=timeout) as theirs:
                if theirs.status != 200:
                    return web.Response(status=theirs.status, body=await theirs.read())
                await answer.prepare(request)
                async for chunk in theirs.content.iter_any():
                    await answer.write(chunk)
        except asyncio.CancelledError:
            if task not in self._ending:
                raise
            task.uncancel()
            with suppress(ConnectionError):
                if last := self._ending.pop(task):
                    await answer.write(last + b"\n")
        except aiohttp.ClientError:
            pass  # the API server went away in the middle
        finally:
            self._watches.discard(task)
        if request.transport is not None and not answer.prepared:
            request.transport.abort()
        return answer
