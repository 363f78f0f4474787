"""Find the four programs of a control plane: the user's own of the pinned minor version, or built ones."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from devcluster.building import Say, build, cached
from devcluster.errors import DevclusterError
from devcluster.gomodules import ETCD, KUBERNETES, parse_minor

# The first etcd with the flags that components.py uses.
_OLDEST_ETCD = (3, 5)


@dataclass(frozen=True)
class Binaries:
    """Paths of the four programs. `origin` says in words where they are from."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path
    origin: str

    @classmethod
    def in_folders(cls, kubernetes: Path, etcd: Path, origin: str) -> "Binaries":
        return cls(
            etcd=etcd / "etcd",
            kube_apiserver=kubernetes / "kube-apiserver",
            kube_controller_manager=kubernetes / "kube-controller-manager",
            kubectl=kubernetes / "kubectl",
            origin=origin,
        )

    def all(self) -> tuple[Path, ...]:
        return (self.etcd, self.kube_apiserver, self.kube_controller_manager, self.kubectl)


def find_binaries(*, may_build: bool = True, say: Say | None = None) -> Binaries:
    """The programs from KUBEBUILDER_ASSETS, else PATH, else the cache, else built now (minutes, said beforehand).

    The user's own count only if all four are there and Kubernetes is of the pinned minor version; when
    KUBEBUILDER_ASSETS is set but doesn't fit, `say` (standard error, if not given) is told why. With
    `may_build=False`, raises DevclusterError instead of building.
    """
    say = say or _say_on_stderr
    return _from_assets(say) or _from_path() or _from_cache(may_build, say)


def _from_assets(say: Say) -> Binaries | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        return None
    folder = Path(assets).expanduser().absolute()
    binaries = Binaries.in_folders(folder, folder, origin="KUBEBUILDER_ASSETS")
    problem = unfit(binaries)
    if problem:
        say(f"KUBEBUILDER_ASSETS is not used: {problem}.")
        return None
    return binaries


def _from_path() -> Binaries | None:
    found = {name: shutil.which(name) for name in (*ETCD.programs, *KUBERNETES.programs)}
    paths = {name.replace("-", "_"): Path(path) for name, path in found.items() if path}
    if len(paths) < len(found):
        return None
    binaries = Binaries(**paths, origin="PATH")
    return None if unfit(binaries) else binaries


def _from_cache(may_build: bool, say: Say) -> Binaries:
    kubernetes, etcd = cached(KUBERNETES), cached(ETCD)
    if not (kubernetes and etcd):
        if not may_build:
            raise DevclusterError(
                "The programs of the control plane are not built yet. "
                "Build them once with `python -m devcluster build`."
            )
        etcd = build(ETCD, say)
        kubernetes = build(KUBERNETES, say)
    return Binaries.in_folders(kubernetes, etcd, origin="cache")


def unfit(binaries: Binaries) -> str | None:
    """Why these programs cannot be used (one is missing, or of another minor version), or None if they can."""
    for program in binaries.all():
        if not os.access(program, os.X_OK):
            return f"{program.name} is missing or cannot be executed"
    wanted = KUBERNETES.minor
    for program in (binaries.kube_apiserver, binaries.kube_controller_manager):
        found = _version(program, "--version")
        if found != wanted:
            return f"{program.name} is {found[0]}.{found[1]}, and {wanted[0]}.{wanted[1]} is needed"
    found = _version(binaries.kubectl, "version", "--client")
    if found != wanted:
        return f"kubectl is {found[0]}.{found[1]}, and {wanted[0]}.{wanted[1]} is needed"
    found = _version(binaries.etcd, "--version")
    if found < _OLDEST_ETCD:
        return f"etcd is {found[0]}.{found[1]}, and 3.5 or later is needed"
    return None


def _version(program: Path, *arguments: str) -> tuple[int, int]:
    """What a program says of its version; (0, 0) when it cannot be run or says nothing of the kind."""
    try:
        outcome = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    match = re.search(r"(?:Version:|Kubernetes) v?(\d+\.\d+)", outcome.stdout)
    return parse_minor(match.group(1)) if match else (0, 0)


def _say_on_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
