"""What a user gives to the API server, without an operator: applied, or refused with the reason."""

import json
from typing import Any

from devcluster import ControlPlane
from tests.integration import user

Patch = dict[str, Any]


def sync_job(name: str | None = "shop-now", **spec: Any) -> Patch:
    """For the Dependency shop, unless `target` says another."""
    body = user.sync_job(name, "shop")
    return body | {"spec": body["spec"] | spec}


def apply(cluster: ControlPlane, space: str, body: Patch, *flags: str, verb: str = "apply") -> Patch:
    """What the API server stored, or with --dry-run=server would have."""
    output = cluster.kubectl(verb, "-f", "-", "-o", "json", *flags, namespace=space, stdin=json.dumps(body))
    stored: Patch = json.loads(output)
    return stored


def patch_spec(cluster: ControlPlane, space: str, kind: str, name: str, change: Patch) -> None:
    words = ("patch", kind, name, "--type=merge", "--patch", json.dumps({"spec": change}))
    cluster.kubectl(*words, namespace=space)
