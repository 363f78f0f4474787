"""The component for an object store, added to the base as its comment says."""

import os
from pathlib import Path

import pytest
import yaml

from devcluster import ControlPlane
from tests.conftest import PROJECT, OperatorKubeconfig

BUCKET = "- {op: add, path: /spec/template/spec/containers/0/args/-, value: --blob-store=s3://b/c}"
NO_SECRET = "- {op: remove, path: /spec/template/spec/containers/0/args/1}"


@pytest.mark.parametrize(
    ("lines", "arguments"),
    [
        ([BUCKET], ["--blob-store-secret=specsync-object-store", "--blob-store=s3://b/c"]),
        ([NO_SECRET, BUCKET], ["--blob-store=s3://b/c"]),
    ],
    ids=["secret", "identity of the Pod"],
)
def test_the_component_and_the_users_bucket(
    cluster: ControlPlane,
    operator_kubeconfig: OperatorKubeconfig,
    tmp_path: Path,
    lines: list[str],
    arguments: list[str],
) -> None:
    operator_kubeconfig("worker")  # the base is there: a dry run doesn't create its namespace
    manifests = os.path.relpath(PROJECT / "manifests", tmp_path.resolve())
    own = {
        "resources": [f"{manifests}/base"],
        "components": [f"{manifests}/components/object-store"],
        "patches": [
            {
                "target": {"kind": "Deployment", "name": "specsync-(controller|worker)"},
                "patch": "\n".join(lines),
            }
        ],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(own))
    found = [each for each in yaml.safe_load_all(cluster.kubectl("kustomize", tmp_path)) if each]
    deployments = [each for each in found if each["kind"] == "Deployment"]
    assert len(deployments) == 2
    for each in deployments:
        [container] = each["spec"]["template"]["spec"]["containers"]
        assert container["args"][1:] == arguments
    cluster.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-k", tmp_path)
