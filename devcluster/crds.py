"""Install CustomResourceDefinitions and wait until every client can see their kinds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from devcluster.api import ApiClient
from devcluster.deadline import wait_until
from devcluster.errors import DevclusterError

# The form that kubectl and the garbage collector read; the API server updates it a moment after the older one.
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def install_crds(kubectl: Callable[..., str], api: ApiClient, paths: Sequence[Path]) -> list[str]:
    """Apply the definitions in these files or folders and return their names (`plural.group`).

    Returns when all are established and are in discovery. Raises DevclusterError when there are none.
    """
    files = [word for path in paths for word in ("--filename", str(path))]
    applied = kubectl("apply", "--server-side", "--force-conflicts", *files, "--output", "name").split()
    prefix = "customresourcedefinition.apiextensions.k8s.io/"
    names = [name.removeprefix(prefix) for name in applied if name.startswith(prefix)]
    if not names:
        raise DevclusterError(
            f"There is no CustomResourceDefinition in {', '.join(map(str, paths))}. Is the path right?"
        )
    kubectl("wait", "--for=condition=Established", "--timeout=30s", *(prefix + name for name in names))
    wait_until(lambda: set(names) <= _in_discovery(api), what="the new kinds in discovery", timeout=30)
    return names


def _in_discovery(api: ApiClient) -> set[str]:
    listing: dict[str, Any] = api.request("GET", "/apis", accept=_AGGREGATED)
    return {
        f"{resource['resource']}.{group['metadata']['name']}"
        for group in listing["items"]
        for version in group["versions"]
        for resource in version.get("resources", [])
    }
