"""A real S3 server for a module's tests, on a disk that can be full, and what lets the operator use it."""

import base64
import contextlib
import ctypes
import ctypes.util
import os
from collections.abc import Iterator
from pathlib import Path

from devcluster import ControlPlane, ObjectServer
from tests.conftest import OPERATOR_NAMESPACE, PROJECT

SECRET = "specsync-object-store"
_RIGHTS = PROJECT / "manifests" / "components" / "object-store" / "rbac.yaml"
_DISK = "16m"


@contextlib.contextmanager
def granted(cluster: ControlPlane, server: ObjectServer) -> Iterator[None]:
    """The component's rights, and the Secret that the operator reads; both are gone afterwards."""
    cluster.kubectl("apply", "--server-side", "-f", _RIGHTS)
    write_secret(cluster, server.settings)
    try:
        yield
    finally:
        cluster.kubectl("delete", "-f", _RIGHTS)
        cluster.kubectl("delete", "secret", SECRET, namespace=OPERATOR_NAMESPACE)


def write_secret(cluster: ControlPlane, settings: dict[str, str]) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in settings.items()},
    }
    path = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/secrets/{SECRET}?fieldManager=test&force=true"
    cluster.api.request("PATCH", path, body, content_type="application/apply-patch+yaml")


def options(server: ObjectServer, prefix: str = "a-cluster") -> tuple[str, ...]:
    """The operator's flags for that server. One second is long on the loopback."""
    store = f"s3://{server.bucket}/{prefix}"
    return ("--blob-store", store, "--blob-store-secret", SECRET, "--blob-store-timeout", "1s")


@contextlib.contextmanager
def small_disk(folder: Path, size: str = _DISK) -> Iterator[bool]:
    """A file system of a few megabytes at that folder; False where this user may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    mounted = libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={size}".encode()) == 0
    try:
        yield mounted
    finally:
        if mounted:
            unmount(folder)


def unmount(folder: Path) -> None:
    libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    libc.umount2(os.fsencode(folder), 2)  # MNT_DETACH


@contextlib.contextmanager
def full(folder: Path) -> Iterator[None]:
    """Takes all room that is left on a folder's disk, while entered."""
    filler = folder / "filler"
    piece = os.urandom(65536)
    try:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(piece)
        yield
    finally:
        filler.unlink()
