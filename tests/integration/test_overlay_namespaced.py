"""The operator limited to some namespaces: it works there, and may nothing elsewhere."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from devcluster import ControlPlane
from tests.conftest import OPERATOR_NAMESPACE, PROJECT, NewCluster
from tests.integration.rights import (
    CONTROLLER,
    LEASES,
    STRANGER,
    WORKER,
    granted_to,
    service_account,
)

OVERLAY = PROJECT / "manifests" / "overlays" / "namespaced"
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {"/orders": {"get": {"responses": {"200": {"description": "all orders"}}}}},
}


@pytest.fixture
def limited(new_cluster: NewCluster) -> ControlPlane:
    """A control plane of its own, with the overlay: the shared one has the rights of the base."""
    plane = new_cluster()
    plane.create_namespace("team-a")
    plane.kubectl("apply", "--server-side", "--validate=strict", "-k", OVERLAY)
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    return plane


def test_limited_to_a_namespace_the_operator_may_nothing_in_others(limited: ControlPlane) -> None:
    for role, expected in (("controller", CONTROLLER), ("worker", WORKER)):
        assert granted_to(limited, service_account(role), STRANGER, "team-a") == expected
        assert granted_to(limited, service_account(role), STRANGER, "default") == set()
        assert granted_to(limited, service_account(role), STRANGER, OPERATOR_NAMESPACE) == LEASES


def arguments(cluster: ControlPlane, role: str) -> list[str]:
    """What the overlay's Deployment starts the operator with."""
    for manifest in yaml.safe_load_all(cluster.kubectl("kustomize", OVERLAY)):
        if (manifest["kind"], manifest["metadata"]["name"]) == ("Deployment", f"specsync-{role}"):
            [container] = manifest["spec"]["template"]["spec"]["containers"]
            words: list[str] = container["args"]
            return words
    raise LookupError(role)


@contextmanager
def running(cluster: ControlPlane, role: str, log: Path) -> Iterator[None]:
    """The role as its Deployment runs it, with its service account."""
    kubeconfig = cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, f"specsync-{role}")
    more = [f"--kubeconfig={kubeconfig}", f"--namespace={OPERATOR_NAMESPACE}", "--probes-port=0"]
    command = [sys.executable, "-m", "specsync.cli.main", *arguments(cluster, role), *more]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def test_limited_to_a_namespace_the_operator_works_there(limited: ControlPlane, tmp_path: Path) -> None:
    source = {"configMapRef": {"name": "spec", "key": "openapi.json"}}
    limited.kubectl(
        "create", "configmap", "spec", f"--from-literal=openapi.json={json.dumps(DOCUMENT)}", namespace="team-a"
    )
    for namespace in ("team-a", "default"):
        body = {"apiVersion": "specsync.dev/v1alpha1", "kind": "Dependency", "metadata": {"name": "shop"}}
        limited.kubectl(
            "create", "-f", "-", namespace=namespace, stdin=json.dumps({**body, "spec": {"source": source}})
        )
    logs = [tmp_path / f"{role}.log" for role in ("controller", "worker")]
    with ExitStack() as processes:
        for log in logs:
            processes.enter_context(running(limited, log.stem, log))
        limited.kubectl("wait", "--for=condition=Ready", "dep/shop", "--timeout=30s", namespace="team-a")
    assert limited.kubectl("get", "sjob", "-o", "name", namespace="default") == ""
    for log in logs:
        assert "forbidden" not in log.read_text().lower()
