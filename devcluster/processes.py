"""The owner's side of the supervisor: start, signal and watch programs that end with this process."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from devcluster.deadline import wait_until
from devcluster.errors import DevclusterError

_PROJECT = Path(__file__).parent.parent


class Processes:
    """Programs by name, owned by this process through a supervisor. Can be used from any thread.

    `logs` is an existing folder: each program appends to `<name>.log` in it.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._turn = threading.Lock()
        self._numbers = itertools.count(1)
        with (logs / "supervisor.log").open("ab") as errors:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "devcluster.supervisor", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=_PROJECT,
                env=os.environ | {"PYTHONPATH": str(_PROJECT)},
                start_new_session=True,  # so that Ctrl-C reaches the owner first
            )

    def start(self, name: str, argv: Sequence[str | Path]) -> int:
        """Start a program and return its process id. Raises DevclusterError if it cannot be started."""
        answer = self._ask(do="start", name=name, argv=[str(part) for part in argv], log=str(self.log(name)))
        return int(answer["pid"])

    def signal(self, name: str, signum: signal.Signals) -> None:
        """Send a signal; without effect on a program that has ended."""
        self._ask(do="signal", name=name, signal=int(signum))

    def kill(self, name: str) -> None:
        """End a program with SIGKILL and wait till it is gone."""
        self.signal(name, signal.SIGKILL)
        wait_until(lambda: not self.is_running(name), what=f"{name} to end", timeout=10, interval=0.005)

    def is_running(self, name: str) -> bool:
        return bool(self._ask(do="poll", name=name)["running"])

    def exit_code(self, name: str) -> int | None:
        """The exit code of a program that has ended (negative: the signal), None while it runs."""
        code = self._ask(do="poll", name=name)["exit"]
        return None if code is None else int(code)

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def close(self) -> None:
        """End all programs and the supervisor; returns when they are gone. Can be called again."""
        with self._turn:
            assert self._supervisor.stdin
            assert self._supervisor.stdout
            with suppress(BrokenPipeError):  # the supervisor itself was killed
                self._supervisor.stdin.close()
            self._supervisor.wait(timeout=30)
            self._supervisor.stdout.close()

    @property
    def supervisor_pid(self) -> int:
        return self._supervisor.pid

    def _ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and return its answer. Raises DevclusterError with the answer's error, or at the end."""
        with self._turn:
            number = next(self._numbers)
            answer = self._exchange({"id": number, **request})
            # An exception from outside (Ctrl-C, a test's time limit) may have left the answer to an older request.
            while answer and answer["id"] != number:
                answer = self._read_answer()
        if not answer:
            raise DevclusterError("The control plane has been stopped: start a new one.")
        if "error" in answer:
            raise DevclusterError(f"{answer['error']}.")
        return answer

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._supervisor.stdin
        try:
            self._supervisor.stdin.write(json.dumps(request).encode() + b"\n")
            self._supervisor.stdin.flush()
            return self._read_answer()
        except (BrokenPipeError, ValueError):  # ValueError: closed by us
            return {}

    def _read_answer(self) -> dict[str, Any]:
        """The next answer; empty when the supervisor has ended."""
        assert self._supervisor.stdout
        line = self._supervisor.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {}
        return answer
