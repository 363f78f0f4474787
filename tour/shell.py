"""Runs the tour's commands exactly as they are shown, in a shell and in the project's folder."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tour.terminal import Terminal

PROJECT = Path(__file__).parent.parent


class TourFailed(Exception):
    """Something was not as it should be; the text says what."""


class Shell:
    """`environment` is what the commands get beside the tour's own: KUBECONFIG, PATH."""

    def __init__(self, terminal: Terminal, environment: Mapping[str, str]) -> None:
        self.environment = os.environ | dict(environment)
        self._terminal = terminal

    def show(self, command: str, *, timeout: float = 60, codes: tuple[int, ...] = (0,)) -> str:
        """Prints a command and its output, and returns the output. `timeout` is seconds.

        Raises TourFailed when it ends with another exit code than those.
        """
        self._terminal.command(command)
        outcome = self._run(command, timeout)
        text = outcome.stdout.decode(errors="replace")
        self._terminal.output(text)
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
        try:
            return subprocess.run(  # noqa: S602 - the tour's own commands, which users may paste into a shell
                command,
                shell=True,
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TourFailed(f"`{_first_line(command)}` took longer than {timeout:g} s") from None


def _first_line(command: str) -> str:
    return command.splitlines()[0]


def shown_path(path: Path) -> str:
    """A path as it is typed in the project's folder."""
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)
