"""The object store of a chaos run: a real S3 server, on a small disk of its own where this user may mount one."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from devcluster import ControlPlane, ObjectServer, find_object_server
from devcluster.errors import DevclusterError
from tests.integration import objectstore

_DISK = "96m"


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

    def contents(self) -> set[str]:
        """The digests that objects are named after, in hexadecimal."""
        return {file.name.partition(".")[0] for file in self.server.folder.rglob("*") if file.is_file()}


@contextlib.contextmanager
def open_storage(cluster: ControlPlane, folder: Path) -> Iterator[Storage]:
    """Runs one, and lets the operator use it. Raises DevclusterError where it isn't built."""
    disk, state = folder / "disk", folder / "server"
    state.mkdir(parents=True)
    with (
        objectstore.small_disk(disk, _DISK) as mounted,
        ObjectServer(state, disk) as server,
        objectstore.granted(cluster, server),
    ):
        yield Storage(server, disk, may_be_full=mounted)


def is_there() -> bool:
    """Whether the S3 server is built."""
    try:
        find_object_server(may_build=False)
    except DevclusterError:
        return False
    return True
