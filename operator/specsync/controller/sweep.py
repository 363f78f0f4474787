"""The sweep: takes from an object store what nothing refers to any more. (Blobs in ConfigMaps go by their owners.)

An object goes when it is older than the grace period and neither a SpecSnapshot, a ChangeSet nor a SyncJob of its
namespace refers to it. What makes that safe beside jobs that run:

- A put makes an object young (`blobs/objectstore.py`), and a job's record or snapshot refers to it long before the
  grace period is over. Ages are by the store's own clock: no two clocks are compared.
- References are read from the API server after the listing, so one that was made in between counts.
- Directly before the deletion the object is asked for again: one that was put anew meanwhile is young, and stays.
- A store that another cluster sweeps is left alone: it says so in an object of its own.

A crash anywhere leaves garbage for the next round. What a stale leader might take in the instant between the last
question and the deletion would be missed by the snapshot stage, and its job would fail: never a dangling reference.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
import structlog
from msgspec import Meta

from specsync.blobs.store import BlobStoreError
from specsync.kube.client import ApiError, KubeClient
from specsync.kube.core import Namespace
from specsync.kube.loops import long_lived, sign_of_life
from specsync.resources import ChangeSet, SpecSnapshot, SyncJob
from specsync.resources.meta import Definition, FrozenStruct

if TYPE_CHECKING:
    from specsync.blobs.objectstore import ObjectBlobs

log = structlog.get_logger()

SHORTEST_GRACE = 3600.0  # seconds; the longest that a stage may take from a put to its record is some minutes

_LONGEST_PAUSE = 6 * 3600.0  # seconds between two rounds
_BATCH = 50  # objects deleted at once …
_BREATH = 0.5  # … and the seconds before the next ones: at most a hundred a second
_STEP = 4  # as many requests, one after the other, of the store from one sign of life to the next
_NOTE = "specsync-sweep"
_CLUSTER = "kube-system"  # the namespace whose uid is what a cluster is told apart by


class _SnapshotSpec(FrozenStruct, frozen=True, kw_only=True):
    blobs: Any = None


class _SnapshotBlobs(FrozenStruct, frozen=True, kw_only=True):
    definition: ClassVar[Definition] = SpecSnapshot.definition
    spec: Annotated[_SnapshotSpec, Meta()] = _SnapshotSpec()


class _ChangeSetSpec(FrozenStruct, frozen=True, kw_only=True):
    blob: Any = None


class _ChangeSetBlob(FrozenStruct, frozen=True, kw_only=True):
    definition: ClassVar[Definition] = ChangeSet.definition
    spec: Annotated[_ChangeSetSpec, Meta()] = _ChangeSetSpec()


class _JobStatus(FrozenStruct, frozen=True, kw_only=True):
    stages: Any = None


class _JobBlobs(FrozenStruct, frozen=True, kw_only=True):
    definition: ClassVar[Definition] = SyncJob.definition
    status: Annotated[_JobStatus, Meta()] = _JobStatus()


# Every kind that refers to blobs, and no more of it than where it does so. Decoding these fails for nothing that the
# API server may hold: an object that isn't understood must not look like one without references.
REFERRING = (_SnapshotBlobs, _ChangeSetBlob, _JobBlobs)


class Sweeper:
    """Sweeps object stores while this process leads."""

    def __init__(
        self,
        client: KubeClient,
        stores: "Sequence[ObjectBlobs]",
        grace: float,
        namespaces: Sequence[str],
        in_office: Callable[[], bool],
    ) -> None:
        """`grace` in seconds; `namespaces` are those that the operator watches, empty for all."""
        self._client = client
        self._stores = stores
        self._grace = dt.timedelta(seconds=grace)
        self._pause = min(grace / 4, _LONGEST_PAUSE)
        self._namespaces = namespaces
        self._in_office = in_office

    async def run(self) -> None:
        """Sweeps now and then until cancelled."""
        if not self._stores:
            return
        with long_lived("sweep") as loop:
            while True:
                for store in self._stores:
                    loop.advance(_STEP * store.timeout)
                    try:
                        await self._sweep(store)
                    except (BlobStoreError, ApiError) as error:
                        log.warning("object store not swept", store=str(store.location), error=str(error))
                    except Exception:
                        log.exception("sweep failed unexpectedly", store=str(store.location))
                loop.advance(self._pause)
                await asyncio.sleep(self._pause)

    async def _sweep(self, store: "ObjectBlobs") -> None:
        cluster = (await self._client.get(Namespace, "", _CLUSTER)).metadata.uid
        owner = await store.read_note(_NOTE)
        if owner is not None and owner.decode(errors="replace").strip() != cluster:
            log.error(
                "object store not swept, for another cluster does: give each cluster a prefix of its own, "
                f"or delete the object {_NOTE} where that cluster is gone",
                store=str(store.location),
            )
            return
        limit = await store.write_note(_NOTE, cluster.encode()) - self._grace
        removed = kept = 0
        for namespace in await store.namespaces():
            if not self._namespaces or namespace in self._namespaces:
                gone, stayed = await self._sweep_namespace(store, namespace, limit)
                removed, kept = removed + gone, kept + stayed
        log.info("object store swept", store=str(store.location), removed=removed, kept=kept)

    async def _sweep_namespace(self, store: "ObjectBlobs", namespace: str, limit: dt.datetime) -> tuple[int, int]:
        """How many objects went and stayed. Raises BlobStoreError, ApiError."""
        old: list[str] = []
        young = 0
        async for page in store.objects(namespace):
            sign_of_life(_STEP * store.timeout)
            aged = [found.key for found in page if found.written < limit]
            old += aged
            young += len(page) - len(aged)
        if not old:
            return 0, young
        needed = await self._referred(namespace)
        doomed = [key for key in old if key not in needed]
        removed = 0
        for start in range(0, len(doomed), _BATCH):
            sign_of_life(_STEP * store.timeout)
            removed += await self._delete(store, namespace, doomed[start : start + _BATCH], limit)
            await asyncio.sleep(_BREATH)
        return removed, young + len(old) - removed

    async def _delete(self, store: "ObjectBlobs", namespace: str, keys: Sequence[str], limit: dt.datetime) -> int:
        written = await asyncio.gather(*(store.written(namespace, key) for key in keys))
        still_old = [key for key, when in zip(keys, written, strict=True) if when is not None and when < limit]
        # Directly before it is done: a leader that was frozen must not delete what it never saw.
        if not still_old or not self._in_office():
            return 0
        await store.delete(namespace, still_old)
        return len(still_old)

    async def _referred(self, namespace: str) -> set[str]:
        """The keys of all blobs that an object of the namespace refers to, in whatever store they are."""
        found: set[str] = set()
        for kind in REFERRING:
            for each in await self._client.list(kind, namespace):
                found.update(_keys(msgspec.to_builtins(each)))
        return found


def _keys(value: Any) -> Iterator[str]:
    """The keys of all blob references within a value."""
    if isinstance(value, dict):
        key = value.get("key")
        if isinstance(key, str) and "backend" in value:
            yield key
        for part in value.values():
            yield from _keys(part)
    elif isinstance(value, list):
        for part in value:
            yield from _keys(part)
