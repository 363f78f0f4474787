"""The operator of the tour: `specsync controller` and `specsync worker`, each with its shipped service account."""

import contextlib
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence

from devcluster.components import free_port
from devcluster.deadline import wait_until
from devcluster.processes import Processes
from tour.cluster import Cluster
from tour.shell import Shell, TourFailed, shown_path
from tour.terminal import Terminal

ROLES = ("controller", "worker")
OPERATOR_NAMESPACE = "specsync-system"

_READY_WITHIN = 60.0  # seconds
_STOPPED_WITHIN = 25.0
_TAIL = 15  # lines of a log


class Operator:
    """The two processes; they end with the tour's own, also when that is killed."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    def failure(self) -> str | None:
        """Which of the processes has ended, None while both run."""
        for role in ROLES:
            if not self._processes.is_running(role):
                return f"`specsync {role}` ended with exit code {self._processes.exit_code(role)}"
        return None

    def log_tail(self) -> str:
        """The end of both logs."""
        parts = []
        for role in ROLES:
            log = self._processes.log(role)
            if log.exists():
                lines = log.read_text(errors="replace").splitlines()[-_TAIL:]
                parts.append("\n".join([f"The end of {shown_path(log)}:", *lines]))
        return "\n\n".join(parts)

    def stop(self) -> None:
        """Asks both to end, which hands jobs back and gives up their Leases; returns when they are gone."""
        for role in ROLES:
            self._processes.signal(role, signal.SIGTERM)
        with contextlib.suppress(Exception):  # what doesn't end is killed by close
            wait_until(
                lambda: not any(self._processes.is_running(role) for role in ROLES),
                what="the operator to end",
                timeout=_STOPPED_WITHIN,
            )


@contextlib.contextmanager
def running_operator(
    cluster: Cluster, shell: Shell, terminal: Terminal, may_reach: Sequence[str]
) -> Iterator[Operator]:
    """Starts both, waits until they are ready, and ends them. `may_reach`: HOST:PORT that the worker's guard opens.

    Raises TourFailed when one isn't ready in a minute.
    """
    logs = cluster.folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for old in logs.glob("*.log"):
        old.unlink()
    processes = Processes(logs)
    operator = Operator(processes)
    try:
        ports = {role: _start(role, cluster, shell, terminal, processes, may_reach) for role in ROLES}
        for role, port in ports.items():
            _wait_until_ready(role, port, operator)
        yield operator
    finally:
        try:
            operator.stop()
        finally:
            processes.close()


def _start(
    role: str, cluster: Cluster, shell: Shell, terminal: Terminal, processes: Processes, may_reach: Sequence[str]
) -> int:
    """Returns the port of its probes."""
    token = shell.read(f"kubectl create token specsync-{role} -n {OPERATOR_NAMESPACE} --duration=24h").decode().strip()
    kubeconfig = cluster.kubeconfig_with_token(f"specsync-{role}", token)
    port = free_port()
    words = [role, "--kubeconfig", shown_path(kubeconfig), "--probes-port", str(port)]
    if role == "worker":
        words += [word for address in may_reach for word in ("--allow-host", address)]
    pairs = [" ".join(words[start : start + 2]) for start in range(1, len(words), 2)]
    terminal.command(" \\\n    ".join([f"specsync {role}", *pairs]) + " &")
    processes.start(role, [sys.executable, "-m", "specsync.cli.main", *words, "--log-format", "text"])
    return port


def _wait_until_ready(role: str, port: int, operator: Operator) -> None:
    def ready() -> bool:
        failure = operator.failure()
        if failure:
            raise TourFailed(f"{failure}\n\n{operator.log_tail()}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    wait_until(ready, what=f"`specsync {role}` to become ready", timeout=_READY_WITHIN, interval=0.1)
