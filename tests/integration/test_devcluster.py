"""The development cluster is a real control plane, and ends with its owner."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from devcluster import ApiError, ControlPlane, KubectlError
from devcluster.components import LOOPBACK, Ports, free_port
from devcluster.gomodules import KUBERNETES
from tests.conftest import PROJECT, NewCluster, OperatorKubeconfig
from tests.waiting import eventually

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager")


def config_map(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def create(cluster: ControlPlane, namespace: str, manifest: dict[str, Any]) -> dict[str, Any]:
    created: dict[str, Any] = json.loads(
        cluster.kubectl("create", "-f", "-", "-o", "json", namespace=namespace, stdin=json.dumps(manifest))
    )
    return created


def owned_by(owner: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
        }
    ]


def crd(group: str) -> dict[str, Any]:
    status = {"type": "object", "properties": {"phase": {"type": "string"}}}
    spec = {
        "type": "object",
        "properties": {"every": {"type": "string"}},
        "x-kubernetes-validations": [
            {"rule": "duration(self.every) >= duration('10s')", "message": "every must be 10s or more"}
        ],
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": ".status.phase"}],
        "schema": {
            "openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}},
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"probes.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "probes", "singular": "probe", "kind": "Probe"},
            "versions": [version],
        },
    }


@pytest.fixture(scope="module")
def probes(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A custom resource of our group, with a status, a selectable field and a CEL rule; its apiVersion."""
    group = "probe.specsync.dev"
    file = tmp_path_factory.mktemp("crd") / "probes.json"
    file.write_text(json.dumps(crd(group)))
    assert cluster.install_crds(file) == [f"probes.{group}"]
    yield f"{group}/v1"
    cluster.kubectl("delete", "-f", file, "--wait=false")


def probe(name: str, every: str = "60s", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "probe.specsync.dev/v1",
        "kind": "Probe",
        "metadata": {"name": name, **metadata},
        "spec": {"every": every},
    }


def test_kubectl_and_server_are_of_the_pinned_version(cluster: ControlPlane) -> None:
    versions = json.loads(cluster.kubectl("version", "-o", "json"))
    assert versions["clientVersion"]["gitVersion"] == KUBERNETES.version
    assert versions["serverVersion"]["gitVersion"] == KUBERNETES.version


def test_kubectl_raises_what_it_wrote(cluster: ControlPlane) -> None:
    with pytest.raises(KubectlError, match="NotFound") as caught:
        cluster.kubectl("get", "namespace", "no-such-namespace")
    assert caught.value.exit_code == 1
    assert "no-such-namespace" in caught.value.stderr


def test_api_client_tells_the_servers_reason(cluster: ControlPlane) -> None:
    with pytest.raises(ApiError, match="not found") as caught:
        cluster.api.get("/api/v1/namespaces/no-such-namespace")
    assert caught.value.status == 404


def test_openapi_documents_are_served(cluster: ControlPlane, probes: str) -> None:
    assert cluster.api.get("/openapi/v2")["swagger"] == "2.0"
    path = eventually(lambda: cluster.api.get("/openapi/v3")["paths"][f"apis/{probes}"]["serverRelativeURL"])
    assert cluster.api.get(path)["openapi"].startswith("3.")


def test_certificate_is_verified_by_the_authority_alone(cluster: ControlPlane) -> None:
    strict = ssl.create_default_context(cadata=cluster.authority)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    with urllib.request.urlopen(f"{cluster.url}/readyz", context=strict, timeout=10) as answer:
        assert answer.read() == b"ok"
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{cluster.url}/readyz", timeout=10)
    assert "insecure" not in cluster.kubeconfig.read_text()


def test_cel_rules_and_selectable_fields_of_a_crd(cluster: ControlPlane, namespace: str, probes: str) -> None:
    with pytest.raises(KubectlError, match="every must be 10s or more"):
        create(cluster, namespace, probe("hasty", every="1s"))
    for name, phase in (("a", "Failed"), ("b", "Done")):
        create(cluster, namespace, probe(name))
        patch = json.dumps({"status": {"phase": phase}})
        cluster.kubectl(
            "patch", "probe", name, "--subresource=status", "--type=merge", "-p", patch, namespace=namespace
        )
    selector = ("get", "probes", "-o", "name", "--field-selector")
    assert cluster.kubectl(*selector, "status.phase=Failed", namespace=namespace).split() == [
        "probe.probe.specsync.dev/a"
    ]
    assert cluster.kubectl(*selector, "status.phase!=Failed", namespace=namespace).split() == [
        "probe.probe.specsync.dev/b"
    ]


def test_children_go_with_their_owner(cluster: ControlPlane, namespace: str, probes: str) -> None:
    owner = create(cluster, namespace, probe("owner"))
    create(cluster, namespace, config_map("child", ownerReferences=owned_by(owner)))
    create(cluster, namespace, config_map("stranger"))
    cluster.kubectl("delete", "probe", "owner", namespace=namespace)

    def config_maps() -> list[str]:
        return cluster.kubectl("get", "configmaps", "-o", "name", namespace=namespace).split()

    eventually(config_maps, until=lambda names: names == ["configmap/stranger"])


def test_a_service_account_may_what_was_granted_and_nothing_more(cluster: ControlPlane, namespace: str) -> None:
    cluster.kubectl("create", "serviceaccount", "reader", namespace=namespace)
    cluster.kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps", namespace=namespace)
    binding = ("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={namespace}:reader")
    cluster.kubectl(*binding, namespace=namespace)
    reader = cluster.service_account_kubeconfig(namespace, "reader")

    def whoami() -> str:
        return cluster.kubectl("auth", "whoami", kubeconfig=reader)

    assert f"system:serviceaccount:{namespace}:reader" in whoami()
    assert cluster.kubectl("get", "configmaps", "-o", "name", kubeconfig=reader) == ""
    with pytest.raises(KubectlError, match="Forbidden"):
        cluster.kubectl("get", "secrets", kubeconfig=reader)
    with pytest.raises(KubectlError, match="Forbidden"):
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(config_map("mine")), kubeconfig=reader)


@pytest.mark.parametrize("role", ["controller", "worker"])
def test_operator_identities_have_the_shipped_rights_only(
    cluster: ControlPlane, operator_kubeconfig: OperatorKubeconfig, role: Literal["controller", "worker"]
) -> None:
    kubeconfig = operator_kubeconfig(role)
    cluster.kubectl("get", "syncjobs", "--all-namespaces", kubeconfig=kubeconfig)  # raises if forbidden
    with pytest.raises(KubectlError, match=rf"specsync-system:specsync-{role}.*cannot create"):
        cluster.kubectl("create", "namespace", "intruder", kubeconfig=kubeconfig)


def test_a_deleted_namespace_goes_away(cluster: ControlPlane) -> None:
    name = cluster.create_namespace()
    create(cluster, name, config_map("left"))
    cluster.kubectl("delete", "namespace", name)  # waits until it is gone
    assert f"namespace/{name}" not in cluster.kubectl("get", "namespaces", "-o", "name").split()


def test_audit_log_tells_who_did_what(cluster: ControlPlane, namespace: str, probes: str) -> None:
    create(cluster, namespace, config_map("before"))
    mark = cluster.audit_log.mark()
    create(cluster, namespace, probe("watched"))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "hush-hush"}}
    create(cluster, namespace, secret)
    with pytest.raises(KubectlError):
        cluster.kubectl("delete", "configmap", "missing", namespace=namespace)

    entries = [entry for entry in cluster.audit_log.entries(mark) if entry.namespace == namespace]
    ours = [entry for entry in entries if entry.user_agent.startswith("kubectl/") and entry.is_write]
    assert [(entry.verb, entry.resource, entry.name, entry.code) for entry in ours] == [
        ("create", "probes", "watched", 201),
        ("create", "secrets", "s", 201),
        ("delete", "configmaps", "missing", 404),
    ]
    assert {entry.user for entry in ours} == {"devcluster-admin"}
    assert "hush-hush" not in cluster.state.audit_log.read_text()


def test_audit_log_holds_the_bodies_of_our_group_only(cluster: ControlPlane, namespace: str, crds: list[str]) -> None:
    assert "dependencies.specsync.dev" in crds
    mark = cluster.audit_log.mark()
    create(cluster, namespace, config_map("plain"))
    dependency = {"apiVersion": cluster.api.get("/apis/specsync.dev")["preferredVersion"]["groupVersion"]}
    dependency |= {"kind": "Dependency", "metadata": {"name": "bodied"}, "spec": {}}
    with pytest.raises(KubectlError):  # it says nothing of a source
        create(cluster, namespace, dependency)

    entries = [entry for entry in cluster.audit_log.entries(mark) if entry.namespace == namespace]
    [plain] = [entry for entry in entries if entry.resource == "configmaps" and entry.verb == "create"]
    assert (plain.request, plain.response) == (None, None)
    [bodied] = [entry for entry in entries if entry.group == "specsync.dev"]
    assert bodied.request["metadata"]["name"] == "bodied"
    assert bodied.response["status"] == "Failure"


def test_two_control_planes_side_by_side(cluster: ControlPlane, new_cluster: NewCluster) -> None:
    other = new_cluster()
    name = other.create_namespace("only-there")
    assert other.url != cluster.url
    assert f"namespace/{name}" not in cluster.kubectl("get", "namespaces", "-o", "name").split()
    with pytest.raises(KubectlError, match="certificate"):
        foreign = cluster.kubeconfig.read_text().replace(cluster.url, other.url)
        path = other.state.identities / "foreign"
        path.write_text(foreign)
        cluster.kubectl("get", "namespaces", kubeconfig=path)


@pytest.mark.parametrize("taken", ["etcd", "api"])
def test_a_port_that_somebody_took_meanwhile_is_given_up(
    new_cluster: NewCluster, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    with socket.create_server((LOOPBACK, free_port())) as listener:
        free = Ports.choose()
        choices = iter([replace(free, **{taken: listener.getsockname()[1]}), free])
        monkeypatch.setattr(Ports, "choose", lambda: next(choices))
        assert new_cluster().ports == free


def test_killed_components_come_back_with_their_data(new_cluster: NewCluster) -> None:
    plane = new_cluster(fsync=True)
    create(plane, "default", config_map("kept"))

    plane.kill("kube-apiserver")
    assert "kube-apiserver ended with code -9" in (plane.failed_component() or "")
    with pytest.raises(KubectlError, match="refused"):
        plane.kubectl("get", "configmaps")
    plane.start_component("kube-apiserver")
    assert "configmap/kept" in plane.kubectl("get", "configmaps", "-o", "name").split()

    plane.restart("etcd")
    eventually(lambda: "configmap/kept" in plane.kubectl("get", "configmaps", "-o", "name").split())

    plane.restart("kube-controller-manager")
    owner = create(plane, "default", config_map("owner"))
    create(plane, "default", config_map("child", ownerReferences=owned_by(owner)))
    plane.kubectl("delete", "configmap", "owner")
    eventually(lambda: "configmap/child" not in plane.kubectl("get", "configmaps", "-o", "name").split())
    assert plane.failed_component() is None


OWNER = """
import pathlib, sys, threading
from devcluster import ControlPlane, find_binaries

def own():
    plane = ControlPlane(pathlib.Path(sys.argv[1]), find_binaries(may_build=False))
    plane.start()
    print(plane.processes.supervisor_pid, flush=True)

starter = threading.Thread(target=own)
starter.start()
starter.join()  # the thread is gone, the process lives: its control plane must live too
sys.stdin.read()
"""


def test_everything_ends_with_an_owner_that_is_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "state")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        text=True,
    )
    with owner:
        assert owner.stdout
        supervisor = int(owner.stdout.readline())
        programs = children_of(supervisor)
        assert sorted(programs.values()) == sorted(name[:15] for name in COMPONENTS)
        owner.send_signal(signal.SIGKILL)
        owner.wait(timeout=10)
    eventually(lambda: not [pid for pid in (supervisor, *programs) if is_alive(pid)], what="all to be gone")


def children_of(parent: int) -> dict[int, str]:
    """Process ids and the (shortened) names of a process's children."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()]
    return {int(pid): Path(name).name[:15] for pid, ppid, name in rows if int(ppid) == parent}


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits for its parent's `wait` doesn't."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")
