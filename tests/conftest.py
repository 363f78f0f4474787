"""Fixtures for tests that need a real control plane: one for the whole run, one namespace for each test.

They never touch any other cluster. Nothing here starts unless a test asks for it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest

from devcluster import Binaries, ControlPlane, find_binaries

PROJECT = Path(__file__).parent.parent
OPERATOR_NAMESPACE = "specsync-system"

NewCluster = Callable[..., ControlPlane]
OperatorKubeconfig = Callable[[Literal["controller", "worker"]], Path]


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    """The programs of the control plane. Not built here, for that outlasts every time limit of a test."""
    return find_binaries(may_build=False)


@pytest.fixture(scope="session")
def cluster(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The control plane of this test run, with an audit log. Leave its processes alone: others use it too."""
    with ControlPlane(tmp_path_factory.mktemp("cluster"), binaries, audit=True) as plane:
        yield plane


@pytest.fixture
def new_cluster(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewCluster]:
    """Makes control planes for this test alone, to be killed and restarted: `new_cluster(fsync=True)`."""
    with ExitStack() as planes:
        yield lambda **options: planes.enter_context(
            ControlPlane(tmp_path_factory.mktemp("own-cluster"), binaries, **options)
        )


@pytest.fixture
def namespace(cluster: ControlPlane) -> Iterator[str]:
    """A fresh namespace. Its deletion begins when the test ends and isn't waited for."""
    name = cluster.create_namespace()
    yield name
    cluster.api.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def crds(cluster: ControlPlane) -> list[str]:
    """The product's CustomResourceDefinitions, established; their names (`plural.group`)."""
    return cluster.install_crds(PROJECT / "crds")


@pytest.fixture(scope="session")
def operator_kubeconfig(cluster: ControlPlane, crds: list[str]) -> OperatorKubeconfig:
    """Makes a kubeconfig for the operator's controller or worker: with the shipped RBAC and nothing more.

    The whole base is applied, as users do. Its Deployments start nothing: there are no nodes here.
    """
    cluster.kubectl("apply", "--server-side", "--kustomize", PROJECT / "manifests" / "base")
    return lambda role: cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, f"specsync-{role}")
