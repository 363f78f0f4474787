"""All blob stores of a process: new blobs go to one of them, and each is read from the one that its reference names."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from specsync.blobs.configmap import ConfigMapBlobs
from specsync.blobs.location import CONFIGMAP, StorePlan
from specsync.blobs.settings import Environment, SecretSettings, StoreSettings
from specsync.blobs.store import BlobStore, BlobStoreError
from specsync.kube.client import ApiError, KubeClient
from specsync.resources.blobref import BlobRef
from specsync.resources.meta import OwnerReference
from specsync.resources.reasons import Reason

if TYPE_CHECKING:
    from specsync.blobs.objectstore import ObjectBlobs

log = structlog.get_logger()

_CHECK_AGAIN = 5.0  # seconds


class BlobStores:
    """A BlobStore made of several. Whatever new blobs go to, old ones stay readable."""

    def __init__(self, writes_to: str, configmaps: ConfigMapBlobs, objects: Sequence["ObjectBlobs"] = ()) -> None:
        self.objects = objects
        self._stores: dict[str, BlobStore] = {CONFIGMAP: configmaps}
        self._stores |= {store.location.scheme: store for store in objects}
        self._writes_to = self._stores[writes_to]
        self._lacking = [f"object store {store.location} not checked yet" for store in objects]

    @classmethod
    def planned(
        cls, client: KubeClient, plan: StorePlan, namespace: str = "", secret: str | None = None, timeout: float = 30.0
    ) -> "BlobStores":
        """The stores of a plan, with settings from a Secret of `namespace`, else from the environment."""
        if not plan.locations:
            return cls(plan.writes_to, ConfigMapBlobs(client))
        from specsync.blobs.objectstore import ObjectBlobs  # noqa: PLC0415 - 10 MB that most have no use for

        settings: StoreSettings = SecretSettings(client, namespace, secret) if secret else Environment()
        objects = [ObjectBlobs(location, settings, timeout) for location in plan.locations]
        return cls(plan.writes_to, ConfigMapBlobs(client), objects)

    def lacking(self) -> list[str]:
        """What keeps the process from being ready: a store that has not done what it should even once."""
        return self._lacking

    async def prepare(self) -> None:
        """Checks the object stores, again and again until each has answered well; then rests until cancelled."""
        for store in self.objects:
            while True:
                try:
                    await store.check()
                    break
                except (BlobStoreError, ApiError) as error:
                    log.error("object store can't be used, trying again", store=str(store.location), error=str(error))
                    self._lacking[0] = str(error)
                    await asyncio.sleep(_CHECK_AGAIN)
            del self._lacking[0]
            log.info("object store is ready", store=str(store.location))
        await asyncio.get_running_loop().create_future()

    async def put(self, namespace: str, content: bytes, owner: OwnerReference) -> BlobRef:
        return await self._writes_to.put(namespace, content, owner)

    async def get(self, namespace: str, ref: BlobRef) -> bytes:
        return await self._store_of(ref).get(namespace, ref)

    async def link(self, namespace: str, ref: BlobRef, owner: OwnerReference) -> None:
        await self._store_of(ref).link(namespace, ref, owner)

    def _store_of(self, ref: BlobRef) -> BlobStore:
        store = self._stores.get(ref.backend)
        if store is None:
            raise BlobStoreError(
                Reason.BLOB_STORE_UNAVAILABLE,
                f"blob {ref.key} is in an object store ({ref.backend}://…) that isn't configured: "
                f"add --blob-store {ref.backend}://…",
                retryable=False,
            )
        return store
