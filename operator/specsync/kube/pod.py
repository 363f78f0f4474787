"""The Pod that this process runs in, as the downward API tells it."""

import os

from specsync.resources.meta import OwnerReference


def pod_reference() -> OwnerReference | None:
    """The Pod as an owner, None outside a cluster."""
    name, uid = os.environ.get("POD_NAME"), os.environ.get("POD_UID")
    return OwnerReference(api_version="v1", kind="Pod", name=name, uid=uid) if name and uid else None


def own_namespace(default: str = "specsync-system") -> str:
    """The namespace of the operator itself, where its Leases are."""
    return os.environ.get("POD_NAMESPACE") or default
