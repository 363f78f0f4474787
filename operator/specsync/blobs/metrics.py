"""What this room counts: bytes of blobs, before compression, and blobs that couldn't be read."""

from prometheus_client import Counter

from specsync.blobs.location import CONFIGMAP, SETTING_PREFIXES
from specsync.blobs.store import BlobCorrupted, BlobMissing, BlobStore
from specsync.resources.blobref import BlobRef
from specsync.resources.meta import OwnerReference

_BYTES = Counter(
    "specsync_blob_bytes_total",
    "Bytes of blobs that were put (or linked, where they were there already) and got, uncompressed",
    ("backend", "operation"),
)
_DAMAGED = Counter(
    "specsync_blobs_damaged_total",
    "Reads of blobs that were missing or had another digest than their name",
    ("backend",),
)
# Of a series that begins with 1, Prometheus sees no increase: what an alert is about is there at 0.
for _backend in (CONFIGMAP, *SETTING_PREFIXES):
    _DAMAGED.labels(_backend)


class CountedBlobs:
    """A BlobStore that counts what goes through another one."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def put(self, namespace: str, content: bytes, owner: OwnerReference) -> BlobRef:
        ref = await self._blobs.put(namespace, content, owner)
        _BYTES.labels(ref.backend, "put").inc(len(content))
        return ref

    async def get(self, namespace: str, ref: BlobRef) -> bytes:
        try:
            content = await self._blobs.get(namespace, ref)
        except (BlobMissing, BlobCorrupted):
            _DAMAGED.labels(ref.backend).inc()
            raise
        _BYTES.labels(ref.backend, "get").inc(len(content))
        return content

    async def link(self, namespace: str, ref: BlobRef, owner: OwnerReference) -> None:
        await self._blobs.link(namespace, ref, owner)
