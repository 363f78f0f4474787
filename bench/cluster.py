"""A control plane with the operator's CRDs and rights on it, for measurements of running controllers and workers."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from devcluster import ControlPlane
from tests.conftest import OPERATOR_NAMESPACE, PROJECT
from tests.integration.crew import Crew


@contextmanager
def measured_crew(*, audit: bool = True) -> Iterator[Crew]:
    """A crew for one namespace of a fresh control plane; both end with the block."""
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder, "logs")
        logs.mkdir()
        with ControlPlane(Path(folder, "cluster"), audit=audit) as cluster:
            cluster.install_crds(PROJECT / "crds")
            cluster.kubectl("apply", "--server-side", "--kustomize", PROJECT / "manifests" / "base")

            def kubeconfig(role: str) -> Path:
                return cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, f"specsync-{role}")

            with Crew(cluster, kubeconfig, cluster.create_namespace(), logs) as crew:
                yield crew


def children_of(pid: int) -> list[int]:
    """The processes that this one has started and that live."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # that thread has ended
            found += [int(child) for child in task.read_text().split()]
    return found


def memory_of(pid: int) -> dict[str, float]:
    """Megabytes: `VmHWM` (peak resident), `VmRSS` (resident), `Pss` (resident, shared pages by their share)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    lines += Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name: int(fields[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS", "Pss") if name in fields}


def cpu_seconds(pid: int, *, with_ended_children: bool = False) -> float:
    """User and system time of a process so far."""
    times = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, times[11 : 15 if with_ended_children else 13])) / os.sysconf("SC_CLK_TCK")
