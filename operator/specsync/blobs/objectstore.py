"""Blobs in an object store: S3 and what speaks like it, a folder; by the same library Google's and Azure's.

One object a blob: `blobs/<namespace>/<first two hex digits>/<sha256>.zst`. Content isn't shared among namespaces: the
one's deletion must not concern the other, and nobody may learn by a put whether another has the same document.

A put always writes. That costs one request where asking first would cost two, it replaces a damaged copy, and it makes
the object young again, so that the sweep (`controller/sweep.py`) can't take what a job is about to refer to.
https://developmentseed.org/obstore/
"""

import asyncio
import datetime as dt
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import obstore
from obstore import store as stores
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from specsync.blobs.location import CA_KEY, Location, settings_for
from specsync.blobs.packing import pack, unpack
from specsync.blobs.settings import StoreSettings
from specsync.blobs.store import BlobMissing, BlobStoreError
from specsync.blobs.storeerrors import store_error
from specsync.resources.blobref import BlobRef
from specsync.resources.meta import OwnerReference
from specsync.resources.reasons import Reason

T = TypeVar("T")
Ask: TypeAlias = Callable[[ObjectStore], Awaitable[T]]

_ROOT = "blobs"
# Says that this is the store, and not the empty folder where its volume isn't mounted, or another bucket.
_MARKER = "specsync-store"
_SUFFIX = ".zst"
_PAGE = 1000


@dataclass(frozen=True)
class StoredObject:
    """One object of a listing: the blob's key, and when it was written by the store's own clock."""

    key: str
    written: dt.datetime


class ObjectBlobs:
    """A BlobStore at one location. Every request is bounded by `timeout` seconds, and none blocks the loop."""

    def __init__(self, location: Location, settings: StoreSettings, timeout: float = 30.0) -> None:
        self.location = location
        self._settings = settings
        self.timeout = timeout
        self._opened: tuple[dict[str, str], ObjectStore] | None = None

    # The BlobStore

    async def put(self, namespace: str, content: bytes, owner: OwnerReference) -> BlobRef:  # noqa: ARG002
        key, packed = await asyncio.to_thread(pack, content)
        await self._put(_path(namespace, key), packed)
        return BlobRef(backend=self.location.scheme, key=key, size=len(content))

    async def get(self, namespace: str, ref: BlobRef) -> bytes:
        async def read(store: ObjectStore) -> bytes:
            answer = await obstore.get_async(store, _path(namespace, ref.key))
            return bytes(await answer.bytes_async())

        try:
            packed = await self._ask(read)
        except FileNotFoundError as error:
            raise await self._missing(namespace, ref) from error
        return await asyncio.to_thread(unpack, packed, ref)

    async def link(self, namespace: str, ref: BlobRef, owner: OwnerReference) -> None:  # noqa: ARG002
        """Nothing to link: what is referred to is kept by the sweep. But it must be there."""
        if await self.written(namespace, ref.key) is None:
            raise await self._missing(namespace, ref)

    # For the start and for the sweep

    async def check(self) -> None:
        """Makes sure that the store can be written, and leaves its marker. Raises BlobStoreError, ApiError."""
        if not await self._is_there():
            await self._put(_MARKER, b"specsync keeps blobs here.\n")

    async def namespaces(self) -> list[str]:
        """The namespaces that have objects here. Raises BlobStoreError, ApiError."""

        async def read(store: ObjectStore) -> list[str]:
            listed = await obstore.list_with_delimiter_async(store, f"{_ROOT}/")
            return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in listed["common_prefixes"])

        return await self._ask_known(read)

    async def objects(self, namespace: str) -> AsyncIterator[list[StoredObject]]:
        """The blobs of a namespace, in pages. Raises BlobStoreError, ApiError."""
        pages: Any = None

        async def next_page(store: ObjectStore) -> Sequence[Any] | None:
            nonlocal pages
            if pages is None:
                pages = obstore.list(store, f"{_ROOT}/{namespace}/", chunk_size=_PAGE)
            return await anext(pages, None)

        while (page := await self._ask_known(next_page)) is not None:
            yield [
                StoredObject("sha256:" + found["path"].rpartition("/")[2].removesuffix(_SUFFIX), found["last_modified"])
                for found in page
                if found["path"].endswith(_SUFFIX)
            ]

    async def written(self, namespace: str, key: str) -> dt.datetime | None:
        """When a blob was written last, by the store's own clock; None where it isn't there."""
        return await self._written(_path(namespace, key))

    async def delete(self, namespace: str, keys: Sequence[str]) -> None:
        """Deletes blobs, all in one request where the store can. Raises BlobStoreError, ApiError."""

        async def ask(store: ObjectStore) -> None:
            await obstore.delete_async(store, [_path(namespace, key) for key in keys])

        try:
            await self._ask(ask)
        except FileNotFoundError:
            return  # gone already

    async def read_note(self, name: str) -> bytes | None:
        """A small object beside the blobs; None where it isn't there."""

        async def read(store: ObjectStore) -> bytes:
            return bytes(await (await obstore.get_async(store, name)).bytes_async())

        try:
            return await self._ask(read)
        except FileNotFoundError:
            return None

    async def write_note(self, name: str, content: bytes) -> dt.datetime:
        """Writes a small object beside the blobs; returns the time on the store's own clock."""
        await self._put(name, content)
        written = await self._written(name)
        if written is None:
            raise BlobStoreError(Reason.BLOB_STORE_UNAVAILABLE, f"the object store {self.location} lost what it took")
        return written

    # What these are made of

    async def _missing(self, namespace: str, ref: BlobRef) -> Exception:
        """The error for a blob that isn't there: of the blob only if the store itself is the one that it was."""
        if await self._is_there():
            return BlobMissing(f"blob {ref.key} is gone from {self.location}/{_path(namespace, ref.key)}")
        return BlobStoreError(
            Reason.BLOB_STORE_UNAVAILABLE,
            f"the object store {self.location} isn't there, or it was emptied: its object {_MARKER} is gone",
        )

    async def _is_there(self) -> bool:
        return await self._written(_MARKER) is not None

    async def _written(self, path: str) -> dt.datetime | None:
        async def ask(store: ObjectStore) -> dt.datetime:
            return (await obstore.head_async(store, path))["last_modified"]

        try:
            return await self._ask(ask)
        except FileNotFoundError:
            return None

    async def _put(self, path: str, content: bytes) -> None:
        async def ask(store: ObjectStore) -> None:
            await obstore.put_async(store, path, content, use_multipart=False)

        await self._ask_known(ask)

    async def _ask_known(self, ask: Ask[T]) -> T:
        """As `_ask`, where nothing can be missing but the store itself."""
        try:
            return await self._ask(ask)
        except FileNotFoundError as error:
            raise store_error(self.location, error) from None

    async def _ask(self, ask: Ask[T]) -> T:
        """One bounded request. Raises FileNotFoundError, BlobStoreError, ApiError."""
        store = await self._store()
        try:
            async with asyncio.timeout(self.timeout):
                return await ask(store)
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise store_error(self.location, error) from None
            raise
        except (BaseError, TimeoutError, OSError, ValueError) as error:
            failure = store_error(self.location, error)
            if failure.reason == Reason.BLOB_STORE_REFUSED:
                self._settings.expire()  # rotated, perhaps: the next request reads the Secret anew
            raise failure from None

    async def _store(self) -> ObjectStore:
        """The library's store, opened anew when the settings have changed."""
        settings = await self._settings.read()
        if self._opened is None or self._opened[0] != settings:
            self._opened = (settings, self._open(settings))
        return self._opened[1]

    def _open(self, settings: dict[str, str]) -> ObjectStore:
        place, config = self.location, settings_for(self.location.scheme, settings)
        # Retries within a request are few: the job's own attempts follow, with longer pauses.
        retry: Any = {
            "max_retries": 2,
            "retry_timeout": dt.timedelta(seconds=self.timeout),
            "backoff": {"init_backoff": dt.timedelta(milliseconds=200), "max_backoff": dt.timedelta(seconds=2)},
        }
        client: Any = {"timeout": dt.timedelta(seconds=self.timeout), "connect_timeout": "5s"}
        if CA_KEY in settings:
            client["root_certificate"] = settings[CA_KEY]
        endpoints = [value for key, value in (os.environ | config).items() if key.startswith("AWS_ENDPOINT")]
        if any(endpoint.startswith("http://") for endpoint in endpoints):
            client["allow_http"] = True  # whoever writes it there wants it
        arguments: Any = {"prefix": place.prefix or None, "config": config}
        arguments |= {"client_options": client, "retry_config": retry}
        try:
            match place.scheme:
                case "s3":
                    return stores.S3Store(place.bucket, **arguments)
                case "gs":
                    return stores.GCSStore(place.bucket, **arguments)
                case "az":
                    return stores.AzureStore(place.bucket, **arguments)
                case _:
                    return stores.LocalStore(place.prefix, mkdir=True)
        except (BaseError, OSError, ValueError) as error:
            raise store_error(place, error) from None


def _path(namespace: str, key: str) -> str:
    digest = key.removeprefix("sha256:")
    return f"{_ROOT}/{namespace}/{digest[:2]}/{digest}{_SUFFIX}"
