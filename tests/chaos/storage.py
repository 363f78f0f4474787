"""The object store of a chaos run: a real S3 server, on a small disk of its own where this user may mount one."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import zstandard

from devcluster import ControlPlane, ObjectServer, find_object_server
from devcluster.errors import DevclusterError
from tests.integration import objectstore

_DISK = "96m"
_MOUNT = "disk"


class Storage:
    """The server, and its disk. `may_be_full` where the disk is one of its own."""

    def __init__(self, server: ObjectServer, disk: Path, *, may_be_full: bool) -> None:
        self.server = server
        self.may_be_full = may_be_full
        self._disk = disk

    @property
    def options(self) -> tuple[str, ...]:
        """The operator's flags."""
        return objectstore.options(self.server)

    def full(self) -> contextlib.AbstractContextManager[None]:
        """Takes all room while entered."""
        return objectstore.full(self._disk)

    def contents(self, namespace: str) -> set[str]:
        """Digests, in hexadecimal, of what a namespace's objects hold, where they are named after it."""
        folders = self.server.folder.glob(f"**/{namespace}/")
        files = [file for folder in folders for file in folder.rglob("*.zst") if file.is_file()]
        return {digest for file in files if (digest := _digest_of(file)) == file.stem}


def _digest_of(file: Path) -> str:
    """Of its content; "" where that can't be unpacked, as of half a file."""
    try:
        with zstandard.ZstdDecompressor().stream_reader(file.read_bytes()) as reader:
            return hashlib.sha256(reader.read()).hexdigest()
    except zstandard.ZstdError:
        return ""


@contextlib.contextmanager
def open_storage(cluster: ControlPlane, folder: Path) -> Iterator[Storage]:
    """Runs one, and lets the operator use it. Raises DevclusterError where it isn't built."""
    disk, state = folder / _MOUNT, folder / "server"
    state.mkdir(parents=True)
    with (
        objectstore.small_disk(disk, _DISK) as mounted,
        ObjectServer(state, disk) as server,
        objectstore.granted(cluster, server),
    ):
        yield Storage(server, disk, may_be_full=mounted)


def unmount_leftover(folder: Path) -> None:
    """Of a run that was killed, and so could not unmount its disk."""
    if (folder / _MOUNT).is_mount():
        objectstore.unmount(folder / _MOUNT)


def is_there() -> bool:
    """Whether the S3 server is built."""
    try:
        find_object_server(may_build=False)
    except DevclusterError:
        return False
    return True
