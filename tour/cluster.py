"""The cluster of the tour: a development cluster of its own, the project's running one, or the user's current one."""

import base64
import contextlib
import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devcluster import ControlPlane, find_binaries
from devcluster.controlplane import environment
from devcluster.credentials import write_private
from devcluster.gomodules import KUBERNETES
from devcluster.statefolder import StateFolder
from tour.shell import PROJECT, TourFailed
from tour.terminal import Terminal

NAMESPACE = "specsync-tour"


@dataclass(frozen=True)
class Cluster:
    """A cluster that answers. The tour's own kubeconfig is a copy of its context: the user's file is never changed."""

    context: str
    owned: bool  # made for this tour alone, and gone with it
    folder: Path  # for credentials and logs of this tour
    configuration: dict[str, Any]
    environment: dict[str, str]
    failure: Callable[[], str | None]  # why it has ended, None while it lives

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def authority(self) -> Path:
        """The certificate authority of the API server."""
        return self.folder / "ca.crt"

    @property
    def server(self) -> str:
        return str(self.configuration["clusters"][0]["cluster"]["server"]).rstrip("/")

    @property
    def address(self) -> str:
        """host:port of the API server."""
        parts = urlsplit(self.server)
        return parts.netloc if parts.port else f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"

    def kubeconfig_with_token(self, name: str, token: str) -> Path:
        """A kubeconfig for another identity."""
        configuration = copy.deepcopy(self.configuration)
        configuration["users"] = [{"name": name, "user": {"token": token}}]
        configuration["contexts"][0]["context"]["user"] = name
        return write_private(self.folder / f"{name}.kubeconfig", json.dumps(configuration, indent=2))


@contextlib.contextmanager
def development_cluster(state: Path, terminal: Terminal) -> Iterator[Cluster]:
    """A control plane in `state`/devcluster: the one that runs there, else a fresh one that ends with the tour.

    Raises DevclusterError, TourFailed.
    """
    folder = StateFolder(state / "devcluster")
    binaries = find_binaries(say=terminal.note)
    if folder.is_up():
        terminal.say("The project's development cluster is running already: the tour uses it and lets it run on.")
        with _cluster(state, environment(folder, binaries, folder.kubeconfig), owned=False) as cluster:
            yield cluster
        return
    terminal.say(
        f"A real control plane, Kubernetes {KUBERNETES.version}: etcd, kube-apiserver and kube-controller-manager "
        "as plain processes on free ports of this machine. It takes a few seconds, and ends with the tour."
    )
    plane = ControlPlane(folder.path, binaries, crds=[PROJECT / "crds"])
    with plane, _cluster(state, plane.environment(), owned=True, failure=plane.failed_component) as cluster:
        yield cluster


@contextlib.contextmanager
def current_cluster(state: Path, terminal: Terminal) -> Iterator[Cluster]:
    """The cluster of the user's current kubectl context, after a y on the terminal. Raises TourFailed."""
    if shutil.which("kubectl") is None:
        raise TourFailed("CLUSTER=current needs kubectl in PATH: install it, or leave CLUSTER out")
    with _cluster(state, {}, owned=False) as cluster:
        terminal.say(f"The current context is {cluster.context}, at {cluster.server}. There the tour creates:")
        for line in (
            "the CustomResourceDefinitions of specsync.dev, and one of its own: orders.tour.specsync.dev",
            "the namespace specsync-system with service accounts, and ClusterRoles with their bindings",
            f"the namespace {NAMESPACE}, with Secrets that hold a token and a certificate",
        ):
            terminal.output(f"  - {line}")
        terminal.output("The operator runs on this machine. At the end the tour removes what is its own.")
        if not terminal.confirmed(f"Go on in {cluster.context}?"):
            raise TourFailed(f"nothing was done in {cluster.context}: the tour needs a y on a terminal")
        yield cluster


def _no_failure() -> None:
    return None


@contextlib.contextmanager
def _cluster(
    state: Path, settings: dict[str, str], *, owned: bool, failure: Callable[[], str | None] = _no_failure
) -> Iterator[Cluster]:
    folder = state / "tour"
    configuration = _minified(settings)
    context = configuration["contexts"][0]
    context["context"]["namespace"] = NAMESPACE
    cluster = Cluster(
        context=context["name"],
        owned=owned,
        folder=folder,
        configuration=configuration,
        environment=settings | {"KUBECONFIG": str(folder / "kubeconfig"), "PATH": _path(settings)},
        failure=failure,
    )
    target = configuration["clusters"][0]["cluster"]
    if target.get("insecure-skip-tls-verify"):
        raise TourFailed(
            f"context {cluster.context} doesn't verify the API server's certificate, and specsync always does: "
            "use a context with a certificate-authority"
        )
    write_private(cluster.kubeconfig, json.dumps(configuration, indent=2))
    if "certificate-authority-data" in target:
        cluster.authority.write_bytes(base64.b64decode(target["certificate-authority-data"]))
    else:
        cluster.authority.unlink(missing_ok=True)
    try:
        yield cluster
    finally:
        for file in (*folder.glob("*kubeconfig"), cluster.authority):
            file.unlink(missing_ok=True)


def _minified(settings: dict[str, str]) -> dict[str, Any]:
    """The current context with its cluster and user, certificates inline."""
    outcome = subprocess.run(
        ["kubectl", "config", "view", "--minify", "--raw", "--flatten", "-o", "json"],  # noqa: S607
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode != 0:
        raise TourFailed(f"kubectl has no usable context ({outcome.stderr.strip()}): see kubectl config get-contexts")
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def _path(settings: dict[str, str]) -> str:
    """PATH with specsync and kubectl-specsync, which are beside this Python."""
    return f"{Path(sys.executable).parent}{os.pathsep}{settings.get('PATH', os.environ.get('PATH', os.defpath))}"
