"""Child processes that a worker owns: one job at a time each, bounded memory, killed by id at the deadline.

Not a ProcessPoolExecutor: one killed child breaks that pool. Not a process per job: starting one costs more than
most documents. Children start on demand; an unchanged document needs none.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import msgspec
import structlog

from specsync.resources.reasons import Reason
from specsync.stages.contract import Load, StageError
from specsync.worker import metrics
from specsync.worker.wire import HEADER, Answer, Call, Missing, Outcome, Refused, decode_reply, encode

log = structlog.get_logger()

R = TypeVar("R")

# A child that has grown past this share of its limit, or done this many jobs, is replaced by a fresh one.
_GROWN = 0.25
_JOBS = 200
# What kills its child so many times isn't tried again; seconds before the second try, twice as long before the third.
_DEATHS = 3
_AFTER_DEATH = 0.5


class _Died(Exception):
    """The child process is gone."""


class _Child:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.jobs = 0
        self.peak_memory = 0

    async def exchange(self, call: Call) -> Outcome:
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise _Died
        try:
            stdin.write(encode(call))
            await stdin.drain()
            header = await stdout.readexactly(HEADER.size)
            reply = decode_reply(await stdout.readexactly(HEADER.unpack(header)[0]))
        except (asyncio.IncompleteReadError, OSError) as error:
            raise _Died from error
        self.peak_memory = reply.peak_memory
        return reply.outcome

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


class ChildPool:
    """At most `size` children, each with `memory` bytes for its work, stopped after `idle` seconds unused."""

    def __init__(self, size: int, memory: int, idle: float = 60.0) -> None:
        self._slots = asyncio.Semaphore(size)
        self._memory = memory
        self._idle_seconds = idle
        self._idle: list[_Child] = []
        self._timers: dict[_Child, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self.started = 0
        self.peak_memory = 0  # of all children so far, bytes

    @contextlib.asynccontextmanager
    async def for_job(self) -> AsyncIterator["JobEngine"]:
        """An engine for one job; its child, if it came to need one, is free again afterwards."""
        engine = JobEngine(self)
        try:
            yield engine
        finally:
            await engine.release()

    async def close(self) -> None:
        while self._idle:
            await self._retire(self._idle.pop())
        await asyncio.gather(*self._ending)

    async def take(self) -> _Child:
        await self._slots.acquire()
        try:
            while self._idle:
                child = self._idle.pop()
                self._stop_timer(child)
                if child.process.returncode is None:
                    return child
                metrics.CHILDREN_DIED.inc()
                metrics.CHILDREN.dec()
            return await self._start()
        except BaseException:
            self._slots.release()
            raise

    async def give_back(self, child: _Child, fit: bool) -> None:
        """`fit`: it answered its last call, so that nothing of it is still under way."""
        self._slots.release()
        child.jobs += 1
        self.peak_memory = max(self.peak_memory, child.peak_memory)
        if fit and child.jobs < _JOBS and child.peak_memory < _GROWN * self._memory:
            self._idle.append(child)
            loop = asyncio.get_running_loop()
            self._timers[child] = loop.call_later(self._idle_seconds, self._expire, child)
        else:
            if fit:
                metrics.CHILDREN_WORN.inc()
            await self._retire(child)

    async def _start(self) -> _Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "specsync.worker.child",
            str(self._memory),
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**22,
            # Ctrl-C in a terminal reaches the whole group; the worker decides when its children end.
            start_new_session=True,
        )
        self.started += 1
        metrics.CHILDREN_STARTED.inc()
        metrics.CHILDREN.inc()
        return _Child(process)

    async def _retire(self, child: _Child) -> None:
        self._stop_timer(child)
        metrics.CHILDREN.dec()
        await child.kill()

    def _expire(self, child: _Child) -> None:
        if child in self._idle:
            self._idle.remove(child)
            metrics.CHILDREN_IDLE.inc()
            task = asyncio.ensure_future(self._retire(child))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def _stop_timer(self, child: _Child) -> None:
        timer = self._timers.pop(child, None)
        if timer is not None:
            timer.cancel()


class JobEngine:
    """The `Engine` of one job: the same child for all of its stages, replaced when it dies."""

    def __init__(self, pool: ChildPool) -> None:
        self._pool = pool
        self._child: _Child | None = None
        self._new_job = True
        self._busy = False

    async def reserve(self) -> _Child:
        """Waits until a child is free for this job, which then has it until its end."""
        if self._child is None:
            self._child, self._new_job = await self._pool.take(), True
        return self._child

    async def call(self, operation: str, reply: type[R], parts: dict[str, Load], **arguments: Any) -> R:
        """See `stages.contract.Engine`. Cancelled in the middle, the child is killed with the work."""
        child = await self.reserve()
        content: dict[str, bytes] = {}
        deaths = 0
        while True:
            self._busy = True
            try:
                outcome = await self._exchange(child, Call(operation, arguments, content, self._new_job))
            except _Died as death:
                deaths += 1
                if deaths == _DEATHS:
                    raise _exhausted(f"killed its process {deaths} times ({death})") from None
                # It may have been the machine's memory, or somebody's mistake.
                await asyncio.sleep(_AFTER_DEATH * deaths)
                child, content = await self.reserve(), {}
                continue
            self._busy = self._new_job = False
            match outcome:
                case Answer():
                    return msgspec.msgpack.decode(outcome.output, type=reply)
                case Missing(digest) if digest in parts and digest not in content:
                    content = {digest: await parts[digest]()}
                case Refused():
                    raise StageError(Reason(outcome.reason), outcome.message)
                case Missing(digest):
                    raise StageError(Reason.INTERNAL_ERROR, f"the child process lacks {digest}", retryable=True)
                case _ if outcome.exhausted:
                    raise _exhausted("took too much memory")
                case _:
                    log.error("document engine failed", operation=operation, error=outcome.text)
                    raise StageError(
                        Reason.INTERNAL_ERROR,
                        f"the {operation} step failed on this document; the operator's log says more. Please report it",
                    )

    async def release(self) -> None:
        if self._child is not None:
            child, self._child = self._child, None
            await self._pool.give_back(child, fit=not self._busy)

    async def _exchange(self, child: _Child, call: Call) -> Outcome:
        try:
            return await child.exchange(call)
        except asyncio.CancelledError:
            metrics.CHILDREN_KILLED.inc()
            await self.release()  # killed, for it is still at work; another call gets another child
            raise
        except _Died:
            code = await child.process.wait()
            metrics.CHILDREN_DIED.inc()
            await self.release()
            how = signal.Signals(-code).name if code < 0 else f"exit {code}"
            log.error("child process died", operation=call.operation, how=how)
            raise _Died(how) from None


def _exhausted(what: str) -> StageError:
    text = f"working on the document {what}; is it larger or deeper than it should be?"
    return StageError(Reason.RESOURCE_EXHAUSTED, text)
