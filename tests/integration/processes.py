"""The operator as it is deployed: a controller and a worker, each a process with the rights that are shipped."""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Literal

from tests.conftest import OperatorKubeconfig
from tests.integration.crew import QUICK, Member
from tests.waiting import eventually


class Operator:
    """Runs while entered, for all namespaces. `options` are for both processes."""

    def __init__(self, kubeconfig: OperatorKubeconfig, logs: Path, options: tuple[str, ...] = ()) -> None:
        self._kubeconfig = kubeconfig
        self._logs = logs
        self._options = options
        self._members: list[Member] = []

    def __enter__(self) -> "Operator":
        try:
            self._members = [self._start("controller"), self._start("worker")]
            eventually(self._is_up, timeout=60, what="the controller to lead and the worker to have started")
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for member in self._members:
                member.stop()
        finally:
            self._close()

    def log(self) -> str:
        """What both have logged so far."""
        return "".join(f"--- {path.name}\n{path.read_text(errors='replace')}" for path in sorted(self._logs.iterdir()))

    def _start(self, role: Literal["controller", "worker"]) -> Member:
        command = [sys.executable, "-m", "specsync.cli.main", role, "--kubeconfig", str(self._kubeconfig(role))]
        command += ["--probes-port", "0", "--log-format", "json", *QUICK, *self._options]
        return Member(role, command, os.environ | {"POD_NAME": role}, self._logs / f"{role}.log")

    def _is_up(self) -> bool:
        controller, worker = self._members
        return controller.says("leading") and worker.says("started")

    def _close(self) -> None:
        for member in self._members:
            member.close()
