"""The child process that works on documents: `python -m specsync.worker.child MEMORY WORKER_PID`, calls on stdin.

MEMORY is how many bytes its address space may grow by.
"""

import ctypes
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import BinaryIO

from specsync.stages.engine import OPERATIONS, DocumentEngine, DocumentError, PartMissing
from specsync.worker.wire import (
    HEADER,
    Answer,
    Broken,
    Call,
    Missing,
    Outcome,
    Refused,
    Reply,
    decode_call,
    encode,
    encode_output,
)

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    memory, worker = int(sys.argv[1]), int(sys.argv[2])
    _die_with(worker)
    limit = _address_space() + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    calls = os.fdopen(os.dup(0), "rb", buffering=1 << 20)
    # The protocol has stdout to itself; a stray print goes to the log.
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    serve(calls, replies)


def _address_space() -> int:
    """Bytes reserved so far: libraries reserve more (1 GiB: the YAML parser's allocator) than they use."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def _peak_memory() -> int:
    """The largest resident set so far, in bytes. Not ru_maxrss: that one inherits the worker's own, across exec."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _die_with(worker: int) -> None:
    """A worker that is killed takes its children along in the middle of their work, not only at its end.

    Where there is no such signal (not on Linux), the closed pipe ends the child when it reads or answers.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker:
        sys.exit("the worker is gone")


def serve(calls: BinaryIO, replies: BinaryIO) -> None:
    """Answers calls one by one until the worker closes the pipe, or is gone."""
    engine = DocumentEngine()
    while True:
        header = calls.read(HEADER.size)
        if len(header) < HEADER.size:
            return
        body = calls.read(HEADER.unpack(header)[0])
        outcome = _outcome(engine, decode_call(body))
        reply = encode(Reply(outcome, _peak_memory()))
        del outcome
        del body
        view = memoryview(reply)
        while view:
            view = view[replies.write(view) or 0 :]


def _outcome(engine: DocumentEngine, call: Call) -> Outcome:
    if call.new_job:
        engine.forget()
    for digest, content in call.parts.items():
        engine.add(digest, content)
    call.parts.clear()
    try:
        if call.operation not in OPERATIONS:
            return Broken(exhausted=False, text=f"no such operation: {call.operation}")
        output = getattr(engine, call.operation)(**call.arguments)
        return Answer(encode_output(output))
    except PartMissing as missing:
        return Missing(missing.digest)
    except DocumentError as error:
        return Refused(error.reason, error.message)
    except (MemoryError, RecursionError) as error:
        engine.forget()
        return Broken(exhausted=True, text=type(error).__name__)
    except Exception:
        engine.forget()
        return Broken(exhausted=False, text=traceback.format_exc(limit=-4))


if __name__ == "__main__":
    main()
