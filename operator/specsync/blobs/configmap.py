"""Blobs in immutable ConfigMaps: the default, which needs nothing but the API server.

A blob is a manifest ConfigMap and, where it is large, chunk ConfigMaps that the manifest owns. The manifest
bears the owners, so Kubernetes' garbage collector is the reference counting: no code of ours deletes
a blob, but for one that somebody has damaged, to put it right.
"""

import contextlib

from msgspec.structs import replace

from specsync.blobs.location import CONFIGMAP
from specsync.blobs.packing import pack, unpack
from specsync.blobs.store import BlobCorrupted, BlobMissing, off_the_loop
from specsync.kube.client import STRATEGIC_MERGE, Conflict, KubeClient, NotFound
from specsync.kube.core import ConfigMap
from specsync.resources.blobref import BlobRef
from specsync.resources.meta import ObjectMeta, OwnerReference, to_wire

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
        key, packed = await off_the_loop(len(content), pack, content)
        ref = BlobRef(backend=CONFIGMAP, key=key, size=len(content))
        name = blob_name(key)
        chunks = _split(packed)
        wanted = _manifest(namespace, name, ref, packed, len(chunks), [owner])
        if not chunks:
            # Mostly it is new: asking first would be a request more for each.
            with contextlib.suppress(Conflict):
                await self._client.create(wanted)
                return ref
        # What exists is linked, not sent again: a create that ends in AlreadyExists costs a whole upload.
        manifest = await self._link(namespace, name, owner)
        if manifest is not None and await self._is_whole(namespace, manifest, ref):
            return ref
        if manifest is None:
            manifest = await self._create_manifest(wanted, owner)
        elif (manifest.data, manifest.binary_data) != (wanted.data, wanted.binary_data):
            manifest = await self._replace_manifest(manifest, wanted)
        by_manifest = OwnerReference(api_version="v1", kind="ConfigMap", name=name, uid=manifest.metadata.uid)
        for index, chunk in enumerate(chunks):
            await self._ensure_chunk(namespace, f"{name}-{index}", chunk, by_manifest)
        return ref

    async def get(self, namespace: str, ref: BlobRef) -> bytes:
        manifest = await self._read(namespace, blob_name(ref.key), ref)
        return await self._content(namespace, manifest, ref)

    async def link(self, namespace: str, ref: BlobRef, owner: OwnerReference) -> None:
        if await self._link(namespace, blob_name(ref.key), owner) is None:
            raise BlobMissing(f"blob {ref.key} is gone")

    async def _content(self, namespace: str, manifest: ConfigMap, ref: BlobRef) -> bytes:
        if "content" in manifest.binary_data:
            packed = manifest.binary_data["content"]
        else:
            count, name = manifest.data.get("chunks", ""), manifest.metadata.name
            if not count.isdecimal():
                raise BlobCorrupted(f"blob {ref.key} has no manifest any more: ConfigMap {name} is something else")
            parts = [await self._read(namespace, f"{name}-{index}", ref) for index in range(int(count))]
            packed = b"".join(part.binary_data.get("chunk", b"") for part in parts)
        return await off_the_loop(ref.size, unpack, packed, ref)

    async def _is_whole(self, namespace: str, manifest: ConfigMap, ref: BlobRef) -> bool:
        try:
            await self._content(namespace, manifest, ref)
        except (BlobMissing, BlobCorrupted):
            return False
        return True

    async def _link(self, namespace: str, name: str, owner: OwnerReference) -> ConfigMap | None:
        """Adds an owner to a manifest and returns it; None where there is none to live on."""
        # A strategic merge patch merges owners by uid: the same link twice is one link.
        patch = {"metadata": {"ownerReferences": [to_wire(owner)]}}
        try:
            manifest = await self._client.patch(ConfigMap, namespace, name, patch, content_type=STRATEGIC_MERGE)
        except NotFound:
            return None
        return None if manifest.metadata.deletion_timestamp else manifest

    async def _create_manifest(self, wanted: ConfigMap, owner: OwnerReference) -> ConfigMap:
        try:
            return await self._client.create(wanted)
        except Conflict:
            # Another job stored the same content at the same time: share it.
            found = await self._link(wanted.metadata.namespace, wanted.metadata.name, owner)
            if found is None:
                raise
            return found

    async def _replace_manifest(self, damaged: ConfigMap, wanted: ConfigMap) -> ConfigMap:
        """What somebody has put in a blob's place goes; its owners keep what is stored anew."""
        meta = damaged.metadata
        await self._client.delete(ConfigMap, meta.namespace, meta.name, meta.uid)
        return await self._client.create(
            replace(wanted, metadata=replace(wanted.metadata, owner_references=meta.owner_references))
        )

    async def _ensure_chunk(self, namespace: str, name: str, chunk: bytes, owner: OwnerReference) -> None:
        present = await self._find(namespace, name)
        if _is_chunk(present, chunk, owner):
            return
        if present is not None:
            # Not what was stored, or of an earlier manifest, and about to go with it.
            await self._client.delete(ConfigMap, namespace, name, present.metadata.uid)
        part = ConfigMap(
            metadata=ObjectMeta(name=name, namespace=namespace, labels=_LABELS, owner_references=[owner]),
            binary_data={"chunk": chunk},
            immutable=True,
        )
        try:
            await self._client.create(part)
        except Conflict:
            # Another job that stores the same content at the same time was quicker.
            if not _is_chunk(await self._find(namespace, name), chunk, owner):
                raise

    async def _find(self, namespace: str, name: str) -> ConfigMap | None:
        try:
            return await self._client.get(ConfigMap, namespace, name)
        except NotFound:
            return None

    async def _read(self, namespace: str, name: str, ref: BlobRef) -> ConfigMap:
        try:
            return await self._client.get(ConfigMap, namespace, name)
        except NotFound as error:
            raise BlobMissing(f"blob {ref.key} is incomplete: ConfigMap {name} is gone") from error


def _manifest(
    namespace: str, name: str, ref: BlobRef, packed: bytes, chunks: int, owners: list[OwnerReference]
) -> ConfigMap:
    return ConfigMap(
        metadata=ObjectMeta(name=name, namespace=namespace, labels=_LABELS, owner_references=owners),
        data={"digest": ref.key, "size": str(ref.size), "encoding": "zstd", "chunks": str(chunks)},
        binary_data={} if chunks else {"content": packed},
        immutable=True,
    )


def blob_name(key: str) -> str:
    """The name of a blob's manifest ConfigMap; its chunks, if any, are <name>-0, <name>-1 …"""
    return "specsync-blob-" + key.removeprefix("sha256:")[:40]


def _split(packed: bytes) -> list[bytes]:
    if len(packed) <= INLINE_BYTES:
        return []
    return [packed[start : start + CHUNK_BYTES] for start in range(0, len(packed), CHUNK_BYTES)]


def _is_chunk(found: ConfigMap | None, chunk: bytes, owner: OwnerReference) -> bool:
    return (
        found is not None
        and found.binary_data.get("chunk") == chunk
        and any(each.uid == owner.uid for each in found.metadata.owner_references)
    )
