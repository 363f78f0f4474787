"""Logging: structured, one line an entry, on stderr. Libraries' own entries come in the same form."""

import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from structlog.typing import Processor

_QUIET_SECONDS = 60.0
_REMEMBERED = 200  # warnings


def configure_logging(format_: str) -> None:
    """`format_` is text (for people) or json (for log collectors)."""
    renderer: Processor = (
        structlog.processors.JSONRenderer(serializer=_json)
        if format_ == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    steps: list[Processor] = [
        structlog.contextvars.merge_contextvars,  # the job that the line is about
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        Repetitions(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*steps, _event_first, renderer],
        logger_factory=lambda *_: _Lines(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *(step for step in steps if not isinstance(step, Repetitions)),
                structlog.stdlib.add_logger_name,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _event_first, renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class _Lines(structlog.WriteLogger):
    """Lines on a stream. One that can't be written (full disk, a reader that is gone) fails nothing else."""

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = fatal = failure = err = error = critical = exception = msg


class Repetitions:
    """Lets a failure through once a minute, however often it comes; then it says how often that was.

    The same failure of many Dependencies is one, as where the API server refuses everything. What is said of a job, or
    without an error, comes each time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[float, int]] = {}  # entry → (when it was written last, how often it was not)

    def __call__(self, _: Any, level: str, entry: Any) -> Any:
        if level == "info" or "job" in entry or not ("error" in entry or "exception" in entry):
            return entry
        key, at = str(sorted((name, value) for name, value in entry.items() if name != "dependency")), self._clock()
        written, left_out = self._seen.pop(key, (None, 0))
        if written is not None and at - written < _QUIET_SECONDS:
            self._seen[key] = (written, left_out + 1)
            raise structlog.DropEvent
        if len(self._seen) >= _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = (at, 0)
        return {**entry, "repeated": left_out} if left_out else entry


def _event_first(_: Any, __: str, entry: Any) -> Any:
    """When, how bad, what: the order that people read in."""
    first = {name: entry.pop(name) for name in ("timestamp", "level", "event") if name in entry}
    return first | entry


def _json(entry: Any, **_: Any) -> str:
    try:
        return msgspec.json.encode(entry, enc_hook=str).decode()
    except UnicodeEncodeError:  # half of a surrogate pair, as documents and file names may have one
        return json.dumps(entry, default=str)
