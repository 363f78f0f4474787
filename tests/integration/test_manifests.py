"""The shipped manifests on a real API server: they apply, the Pods may run, each identity may what it needs."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster import ControlPlane, KubectlError
from tests.conftest import OPERATOR_NAMESPACE, PROJECT
from tests.integration.rights import (
    CONTROLLER,
    GROUP,
    LEASES,
    STRANGER,
    WORKER,
    Right,
    granted_to,
    rights,
    service_account,
)

BASE = PROJECT / "manifests" / "base"
SAMPLES = PROJECT / "manifests" / "samples"

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def installed(cluster: ControlPlane, crds: list[str]) -> str:
    """The base, applied as the README says; the output of kubectl."""
    return cluster.kubectl("apply", "--server-side", "--validate=strict", "-k", BASE)


@pytest.fixture(scope="module")
def team(cluster: ControlPlane) -> str:
    """A namespace of users."""
    return cluster.create_namespace()


def rendered(cluster: ControlPlane, folder: Path) -> list[Manifest]:
    return [m for m in yaml.safe_load_all(cluster.kubectl("kustomize", folder)) if m]


def deployments(cluster: ControlPlane) -> dict[str, Manifest]:
    return {m["metadata"]["name"]: m for m in rendered(cluster, BASE) if m["kind"] == "Deployment"}


def test_the_base_applies_and_applying_again_changes_nothing(cluster: ControlPlane, installed: str) -> None:
    assert "deployment.apps/specsync-controller serverside-applied" in installed
    assert "deployment.apps/specsync-worker serverside-applied" in installed
    kinds = (
        "get",
        "deployments,serviceaccounts,roles,rolebindings",
        "-o",
        "jsonpath={.items[*].metadata.resourceVersion}",
    )
    before = cluster.kubectl(*kinds, namespace=OPERATOR_NAMESPACE)
    cluster.kubectl("apply", "--server-side", "--validate=strict", "-k", BASE)
    assert cluster.kubectl(*kinds, namespace=OPERATOR_NAMESPACE) == before


def test_the_server_accepts_the_base_in_a_dry_run(cluster: ControlPlane, installed: str) -> None:
    output = cluster.kubectl("apply", "-k", BASE, "--server-side", "--validate=strict", "--dry-run=server")
    assert output.count("(server dry run)") == len(rendered(cluster, BASE))


@pytest.mark.parametrize("role", ["controller", "worker"])
def test_the_pods_pass_the_restricted_pod_security_standard(cluster: ControlPlane, installed: str, role: str) -> None:
    template = deployments(cluster)[f"specsync-{role}"]["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial"}, "spec": template["spec"]}
    create = ("create", "--dry-run=server", "--validate=strict", "-f", "-")
    assert "pod/trial created" in cluster.kubectl(*create, namespace=OPERATOR_NAMESPACE, stdin=json.dumps(pod))

    # The namespace enforces it: the same Pod with less is refused.
    lax = copy.deepcopy(pod)
    del lax["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"]
    with pytest.raises(KubectlError, match='violates PodSecurity "restricted'):
        cluster.kubectl(*create, namespace=OPERATOR_NAMESPACE, stdin=json.dumps(lax))


@pytest.mark.parametrize(("role", "replicas"), [("controller", 1), ("worker", 2)])
def test_the_deployments_run_as_designed(cluster: ControlPlane, role: str, replicas: int) -> None:
    spec = deployments(cluster)[f"specsync-{role}"]["spec"]
    assert spec["replicas"] == replicas
    pod = spec["template"]["spec"]
    [container] = pod["containers"]
    assert container["image"] == "specsync/specsync:0.1.0"
    assert container["args"] == [role]
    assert {e["name"]: e["valueFrom"]["fieldRef"]["fieldPath"] for e in container["env"]} == {
        "POD_NAME": "metadata.name",
        "POD_NAMESPACE": "metadata.namespace",
        "POD_UID": "metadata.uid",
    }
    assert container["ports"] == [{"name": "probes", "containerPort": 8081}]
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "probes"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "probes"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["securityContext"]["runAsUser"] == int(image_user())
    assert {m["mountPath"] for m in container["volumeMounts"]} == {"/tmp"}
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]
    assert "priorityClassName" not in pod


def image_user() -> str:
    found = re.search(r"^USER (\d+):\d+$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    assert found, "the Dockerfile sets no numeric user"
    return found[1]


# --- who may do what ---

FOUND = ("specsnapshots", "changesets", "alertdeliveries")
VIEW = rights(
    "get list watch", GROUP, "dependencies", "syncjobs", "alertchannels", "alertpreferences", *FOUND
) | rights("get", GROUP, "dependencies/status", "syncjobs/status", "alertchannels/status", "alertdeliveries/status")
WRITTEN = ("dependencies", "syncjobs", "alertchannels", "alertpreferences")
# The annotation that asks for a delivery again, and a change set's triage: all else of them is immutable.
EDIT = rights("create update patch delete deletecollection", GROUP, *WRITTEN) | rights(
    "update patch", GROUP, "alertdeliveries"
)
TRIAGE = rights("update patch", GROUP, "changesets")
ADMIN = rights("delete deletecollection", GROUP, *FOUND)


@pytest.mark.parametrize(("role", "expected"), [("controller", CONTROLLER), ("worker", WORKER)])
def test_the_operator_may_what_it_needs_and_no_more(
    cluster: ControlPlane, installed: str, team: str, role: str, expected: set[Right]
) -> None:
    assert granted_to(cluster, service_account(role), STRANGER, team) == expected
    assert granted_to(cluster, service_account(role), STRANGER, "kube-system") == expected
    assert granted_to(cluster, service_account(role), STRANGER, OPERATOR_NAMESPACE) == expected | LEASES


@pytest.mark.parametrize(
    ("role", "question", "answer"),
    [
        ("controller", "create syncjobs.specsync.dev", "yes"),
        ("controller", "update dependencies.specsync.dev --subresource=status", "yes"),
        ("controller", "update dependencies.specsync.dev", "no"),
        ("controller", "get secrets", "no"),
        ("controller", "get configmaps", "no"),
        ("controller", "create specsnapshots.specsync.dev", "no"),
        ("worker", "get secrets", "yes"),
        ("worker", "list secrets", "no"),
        ("worker", "update syncjobs.specsync.dev --subresource=status", "yes"),
        ("worker", "update syncjobs.specsync.dev", "no"),
        ("worker", "list configmaps", "no"),
        ("worker", "delete specsnapshots.specsync.dev", "no"),
        ("worker", "patch changesets.specsync.dev", "no"),
        ("worker", "patch alertdeliveries.specsync.dev --subresource=status", "yes"),
        ("worker", "patch alertdeliveries.specsync.dev", "no"),
        ("worker", "patch alertchannels.specsync.dev", "no"),
        ("worker", "delete alertdeliveries.specsync.dev", "no"),
        ("controller", "patch changesets.specsync.dev", "no"),
        ("worker", "update leases.coordination.k8s.io", "no"),
    ],
)
def test_kubectl_auth_can_i(
    cluster: ControlPlane, installed: str, team: str, role: str, question: str, answer: str
) -> None:
    words = ("auth", "can-i", *question.split(), *service_account(role))
    assert _said(cluster, *words, namespace=team) == answer


def _said(cluster: ControlPlane, *words: str, namespace: str) -> str:
    try:
        return cluster.kubectl(*words, namespace=namespace).strip()
    except KubectlError as error:  # can-i says no with exit code 1
        return error.stdout.strip()


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (["view"], VIEW),
        (["view", "triage", "edit"], VIEW | TRIAGE | EDIT),
        (["view", "triage", "edit", "admin"], VIEW | TRIAGE | EDIT | ADMIN),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_users_have_the_rights_of_their_role(
    cluster: ControlPlane, installed: str, roles: list[str], expected: set[Right]
) -> None:
    # The cluster's own view, edit and admin add up such roles by label; their controller does not run here.
    for role in roles:
        labels = json.loads(cluster.kubectl("get", "clusterrole", f"specsync-{role}", "-o", "json"))["metadata"][
            "labels"
        ]
        assert labels[f"rbac.authorization.k8s.io/aggregate-to-{roles[-1]}"] == "true"
    space = cluster.create_namespace()
    for role in roles:
        words = ("create", "rolebinding", role, f"--clusterrole=specsync-{role}", "--user=ana")
        cluster.kubectl(*words, namespace=space)
    assert granted_to(cluster, ("--as=ana",), ("--as=stranger",), space) == expected


# --- samples ---


def test_the_samples_apply(cluster: ControlPlane, crds: list[str], team: str) -> None:
    applied = cluster.kubectl("apply", "--validate=strict", "-f", SAMPLES / "dependency.yaml", namespace=team)
    assert applied.strip() == "dependency.specsync.dev/petstore created"
    created = cluster.kubectl(
        "create", "--validate=strict", "-f", SAMPLES / "syncjob.yaml", "-o", "json", namespace=team
    )
    job = json.loads(created)
    assert job["metadata"]["name"].startswith("petstore-")
    assert job["spec"]["target"] == {"kind": "Dependency", "name": "petstore"}
