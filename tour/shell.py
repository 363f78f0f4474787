"""Runs the tour's commands exactly as they are shown, in a shell and in the project's folder."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tour.terminal import Terminal

PROJECT = Path(__file__).parent.parent

_LOOK_SECONDS = 0.5


class TourFailed(Exception):
    """Something was not as it should be; the text says what."""


class Shell:
    """`environment` is what the commands get beside the tour's own: KUBECONFIG, PATH."""

    def __init__(self, terminal: Terminal, environment: Mapping[str, str]) -> None:
        self.environment = os.environ | dict(environment)
        self.watch: Callable[[], str | None] = lambda: None  # what may end while a command runs, and why it did
        self._terminal = terminal

    def show(self, command: str, *, timeout: float = 60, codes: tuple[int, ...] = (0,), hang: str | None = None) -> str:
        """Prints a command and its output, and returns the output. `timeout` is seconds; `hang` as in Terminal.output.

        Raises TourFailed when it ends with another exit code than those.
        """
        self._terminal.command(command)
        outcome = self._run(command, timeout)
        text = outcome.stdout.decode(errors="replace")
        self._terminal.output(text, hang)
        if outcome.returncode not in codes:
            raise TourFailed(f"`{_first_line(command)}` ended with exit code {outcome.returncode}")
        return text

    def read(self, command: str, *, timeout: float = 60) -> bytes:
        """The output of a command that isn't shown: what the tour checks. Raises TourFailed."""
        outcome = self._run(command, timeout)
        if outcome.returncode != 0:
            why = outcome.stdout.decode(errors="replace").strip()
            raise TourFailed(f"`{_first_line(command)}` ended with exit code {outcome.returncode}: {why[-500:]}")
        return outcome.stdout

    def read_json(self, command: str) -> Any:
        return json.loads(self.read(command))

    def succeeds(self, command: str) -> bool:
        return self._run(command, 60).returncode == 0

    def _run(self, command: str, timeout: float) -> subprocess.CompletedProcess[bytes]:
        with subprocess.Popen(  # noqa: S602 - the tour's own commands, which users may paste into a shell
            command,
            shell=True,
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, to be ended with all that the shell has started
        ) as process:
            try:
                output = self._output(process, command, timeout)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            return subprocess.CompletedProcess(command, process.returncode, output)

    def _output(self, process: subprocess.Popen[bytes], command: str, timeout: float) -> bytes:
        """All that it writes until its end; gives up when time is up, or when something has ended meanwhile."""
        end = time.monotonic() + timeout
        while True:
            try:
                output, _ = process.communicate(timeout=_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                failure = self.watch()
                if failure:
                    raise TourFailed(f"{failure} during `{_first_line(command)}`") from None
                if time.monotonic() > end:
                    raise TourFailed(f"`{_first_line(command)}` took longer than {timeout:g} s") from None
            else:
                return output


def _first_line(command: str) -> str:
    return command.splitlines()[0]


def shown_path(path: Path) -> str:
    """A path as it is typed in the project's folder."""
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)
