"""Lines of the log: in order, with the job that they are about, and the same warning not twice a minute."""

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from specsync.cli.logs import Repetitions, configure_logging


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def test_a_line_says_when_how_bad_and_what_first_and_names_the_job(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    with bound_contextvars(job="team/api-1", epoch=2):
        structlog.get_logger().info("stage done", stage="fetch", seconds=0.12)
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert list(entry)[:3] == ["timestamp", "level", "event"]
    assert (entry["job"], entry["epoch"], entry["stage"]) == ("team/api-1", 2, "fetch")


def test_libraries_write_the_same_form_with_their_name(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    logging.getLogger("somebody.else").warning("disk %s", "full")
    logging.getLogger("somebody.else").info("chatter")
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["event"], entry["logger"]) == ("warning", "disk full", "somebody.else")


def test_errors_bring_their_traceback_in_the_same_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    try:
        int("odd")
    except ValueError:
        structlog.get_logger().exception("reconcile failed unexpectedly")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


def test_a_failure_that_repeats_is_written_once_a_minute_and_says_how_often() -> None:
    now = 0.0
    step = Repetitions(clock=lambda: now)

    def written(level: str, **entry: object) -> dict[str, object] | None:
        try:
            return dict(step(None, level, entry))
        except structlog.DropEvent:
            return None

    assert written("warning", event="no answer", error="refused") == {"event": "no answer", "error": "refused"}
    assert written("warning", event="no answer", error="refused") is None
    assert written("warning", event="no answer", error="refused") is None
    assert written("warning", event="no answer", error="reset") is not None
    assert written("warning", event="no answer", error="refused", dependency="a") is None
    for entry in ({"event": "no longer leading"}, {"event": "stage failed", "error": "404", "job": "a"}):
        assert written("warning", **entry) == written("warning", **entry) == entry
    now = 61.0
    assert written("warning", event="no answer", error="refused") == {
        "event": "no answer",
        "error": "refused",
        "repeated": 3,
    }


def test_what_is_remembered_is_bounded() -> None:
    step = Repetitions(clock=lambda: 0.0)
    for number in range(5000):
        step(None, "error", {"event": "failed", "error": str(number)})
    assert len(step._seen) <= 200


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_line_that_cannot_be_written_fails_nothing(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(Path("/dev/full").open("w"))
        stack.callback(os.dup2, os.open(os.devnull, os.O_WRONLY), full.fileno())  # else closing it fails
        monkeypatch.setattr("sys.stderr", full)
        configure_logging(form)
        structlog.get_logger().info("stage done", stage="fetch")
        structlog.get_logger().warning("stage failed", error="odd")


def test_half_a_surrogate_pair_is_written_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    structlog.get_logger().info("stage failed", error="odd \ud800")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["error"] == "odd \ud800"
