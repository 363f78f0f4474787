"""A real Kubernetes control plane on this machine, as plain processes and without containers.

etcd, kube-apiserver, kube-controller-manager and kubectl are built once from published Go modules (see
`modules/`), and each control plane lives exactly as long as the object or command that started it.
`python -m devcluster --help` is the same for people; tests use the fixtures of `tests/conftest.py`.
"""

from devcluster.api import ApiClient, ApiError, ApiUnreachableError
from devcluster.audit import AuditEntry, AuditLog
from devcluster.binaries import Binaries, find_binaries
from devcluster.components import Component
from devcluster.controlplane import ControlPlane
from devcluster.errors import DevclusterError, KubectlError
from devcluster.objectserver import ObjectServer, find_object_server

__all__ = [
    "ApiClient",
    "ApiError",
    "ApiUnreachableError",
    "AuditEntry",
    "AuditLog",
    "Binaries",
    "Component",
    "ControlPlane",
    "DevclusterError",
    "KubectlError",
    "ObjectServer",
    "find_binaries",
    "find_object_server",
]
