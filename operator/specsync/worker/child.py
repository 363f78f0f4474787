"""The child process that works on documents: `python -m specsync.worker.child MEMORY_BYTES`, calls on stdin."""

import os
import resource
import sys
import traceback
from typing import BinaryIO

from specsync.stages.engine import OPERATIONS, DocumentEngine, DocumentError, PartMissing
from specsync.worker.wire import (
    HEADER,
    Answer,
    Broken,
    Call,
    Missing,
    Refused,
    Reply,
    decode_call,
    encode,
    encode_output,
)


def main() -> None:
    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    calls = os.fdopen(os.dup(0), "rb", buffering=1 << 20)
    # The protocol has stdout to itself; a stray print goes to the log.
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    serve(calls, replies)


def serve(calls: BinaryIO, replies: BinaryIO) -> None:
    """Answers calls one by one until the worker closes the pipe, or is gone."""
    engine = DocumentEngine()
    while True:
        header = calls.read(HEADER.size)
        if len(header) < HEADER.size:
            return
        body = calls.read(HEADER.unpack(header)[0])
        reply = encode(_answer(engine, decode_call(body)))
        del body
        view = memoryview(reply)
        while view:
            view = view[replies.write(view) or 0 :]


def _answer(engine: DocumentEngine, call: Call) -> Reply:
    if call.new_job:
        engine.forget()
    for digest, content in call.parts.items():
        engine.add(digest, content)
    call.parts.clear()
    try:
        if call.operation not in OPERATIONS:
            return Broken(exhausted=False, text=f"no such operation: {call.operation}")
        output = getattr(engine, call.operation)(**call.arguments)
        # ru_maxrss is in KiB on Linux.
        return Answer(encode_output(output), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
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
