"""Blobs in immutable ConfigMaps: the default, which needs nothing but the API server.

A blob is a manifest ConfigMap and, where it is large, chunk ConfigMaps that the manifest owns. The manifest
bears the owners, so Kubernetes' garbage collector is the reference counting: no code of ours deletes a blob.
"""

import asyncio

import zstandard

from specsync.blobs.store import BlobCorrupted, BlobMissing, digest_of
from specsync.kube.client import STRATEGIC_MERGE, Conflict, KubeClient, NotFound
from specsync.kube.core import ConfigMap
from specsync.resources.blobref import BlobRef
from specsync.resources.meta import ObjectMeta, OwnerReference, to_wire

BACKEND = "configmap"

# A ConfigMap holds 1 MiB in all (https://kubernetes.io/docs/concepts/configuration/configmap/).
CHUNK_BYTES = 900 * 1024
# Up to here the content stands in the manifest itself: one object, one write. Metadata patches rewrite it whole.
INLINE_BYTES = 96 * 1024

_LABELS = {"app.kubernetes.io/managed-by": "specsync", "specsync.dev/blob": "true"}


class ConfigMapBlobs:
    """A BlobStore in the namespace of the blob's owners."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def put(self, namespace: str, content: bytes, owner: OwnerReference) -> BlobRef:
        # Hashing and compressing release the GIL: in a thread they don't delay the heartbeat.
        key, packed = await asyncio.to_thread(_pack, content)
        ref = BlobRef(backend=BACKEND, key=key, size=len(content))
        name = blob_name(key)
        # What exists is linked, not sent again: a create that ends in AlreadyExists costs a whole upload.
        manifest_uid = await self._link(namespace, name, owner)
        chunks = _split(packed)
        if manifest_uid is None:
            manifest = await self._create_manifest(namespace, name, ref, packed, len(chunks), owner)
            manifest_uid = manifest.metadata.uid
        by_manifest = OwnerReference(api_version="v1", kind="ConfigMap", name=name, uid=manifest_uid)
        for index, chunk in enumerate(chunks):
            await self._ensure_chunk(namespace, f"{name}-{index}", chunk, by_manifest)
        return ref

    async def get(self, namespace: str, ref: BlobRef) -> bytes:
        name = blob_name(ref.key)
        manifest = await self._read(namespace, name, ref)
        if "content" in manifest.binary_data:
            packed = manifest.binary_data["content"]
        else:
            count = int(manifest.data.get("chunks", "0"))
            parts = [await self._read(namespace, f"{name}-{index}", ref) for index in range(count)]
            packed = b"".join(part.binary_data.get("chunk", b"") for part in parts)
        return await asyncio.to_thread(_unpack, packed, ref)

    async def link(self, namespace: str, ref: BlobRef, owner: OwnerReference) -> None:
        if await self._link(namespace, blob_name(ref.key), owner) is None:
            raise BlobMissing(f"blob {ref.key} is gone")

    async def _link(self, namespace: str, name: str, owner: OwnerReference) -> str | None:
        """Adds an owner to a manifest and returns the manifest's uid; None where there is none to live on."""
        # A strategic merge patch merges owners by uid: the same link twice is one link.
        patch = {"metadata": {"ownerReferences": [to_wire(owner)]}}
        try:
            manifest = await self._client.patch(ConfigMap, namespace, name, patch, content_type=STRATEGIC_MERGE)
        except NotFound:
            return None
        return None if manifest.metadata.deletion_timestamp else manifest.metadata.uid

    async def _create_manifest(
        self, namespace: str, name: str, ref: BlobRef, packed: bytes, chunks: int, owner: OwnerReference
    ) -> ConfigMap:
        manifest = ConfigMap(
            metadata=ObjectMeta(name=name, namespace=namespace, labels=_LABELS, owner_references=[owner]),
            data={"digest": ref.key, "size": str(ref.size), "encoding": "zstd", "chunks": str(chunks)},
            binary_data={} if chunks else {"content": packed},
            immutable=True,
        )
        try:
            return await self._client.create(manifest)
        except Conflict:
            # Another job stored the same content at the same time: share it.
            uid = await self._link(namespace, name, owner)
            if uid is None:
                raise
            return await self._client.get(ConfigMap, namespace, name)

    async def _ensure_chunk(self, namespace: str, name: str, chunk: bytes, owner: OwnerReference) -> None:
        try:
            present = await self._client.get_metadata(ConfigMap, namespace, name)
        except NotFound:
            pass
        else:
            if any(o.uid == owner.uid for o in present.metadata.owner_references):
                return
        part = ConfigMap(
            metadata=ObjectMeta(name=name, namespace=namespace, labels=_LABELS, owner_references=[owner]),
            binary_data={"chunk": chunk},
            immutable=True,
        )
        # A chunk of an earlier manifest, which the garbage collector is about to take, is a Conflict: the stage is
        # tried again a little later.
        await self._client.create(part)

    async def _read(self, namespace: str, name: str, ref: BlobRef) -> ConfigMap:
        try:
            return await self._client.get(ConfigMap, namespace, name)
        except NotFound as error:
            raise BlobMissing(f"blob {ref.key} is incomplete: ConfigMap {name} is gone") from error


def blob_name(key: str) -> str:
    """The name of a blob's manifest ConfigMap; its chunks, if any, are <name>-0, <name>-1 …"""
    return "specsync-blob-" + key.removeprefix("sha256:")[:40]


def _pack(content: bytes) -> tuple[str, bytes]:
    # One thread, fixed level: two workers make the same bytes.
    return digest_of(content), zstandard.ZstdCompressor(level=3).compress(content)


def _split(packed: bytes) -> list[bytes]:
    if len(packed) <= INLINE_BYTES:
        return []
    return [packed[start : start + CHUNK_BYTES] for start in range(0, len(packed), CHUNK_BYTES)]


def _unpack(packed: bytes, ref: BlobRef) -> bytes:
    try:
        content = zstandard.ZstdDecompressor().decompress(packed, max_output_size=ref.size)
    except zstandard.ZstdError as error:
        raise BlobCorrupted(f"blob {ref.key} can't be decompressed") from error
    if digest_of(content) != ref.key:
        raise BlobCorrupted(f"blob {ref.key} has another digest now")
    return content
