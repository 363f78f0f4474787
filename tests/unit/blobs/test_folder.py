"""Blobs in a folder, by the library that serves S3, Google and Azure too."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec.structs import replace

from specsync.blobs.location import Location
from specsync.blobs.objectstore import ObjectBlobs
from specsync.blobs.registry import BlobStores
from specsync.blobs.settings import Environment
from specsync.blobs.store import BlobCorrupted, BlobMissing, BlobStoreError, digest_of
from specsync.resources.blobref import BlobRef
from specsync.resources.meta import OwnerReference
from specsync.resources.reasons import Reason

T = TypeVar("T")
OWNER = OwnerReference(api_version="specsync.dev/v1alpha1", kind="SyncJob", name="shop-1", uid="u")
CONTENT = b"openapi: 3.1.0\n" * 1000


def with_store(folder: Path, use: Callable[[ObjectBlobs], Awaitable[T]]) -> T:
    async def run() -> T:
        store = ObjectBlobs(Location("file", "", str(folder)), Environment(), timeout=5)
        await store.check()
        return await use(store)

    return asyncio.run(run())


def file_of(folder: Path, namespace: str, ref: BlobRef) -> Path:
    digest = ref.key.removeprefix("sha256:")
    return folder / "blobs" / namespace / digest[:2] / f"{digest}.zst"


@pytest.fixture
def ref(tmp_path: Path) -> BlobRef:
    return with_store(tmp_path, lambda store: store.put("team-a", CONTENT, OWNER))


def test_what_is_put_is_got(tmp_path: Path, ref: BlobRef) -> None:
    assert ref == BlobRef(backend="file", key=digest_of(CONTENT), size=len(CONTENT))
    assert with_store(tmp_path, lambda store: store.get("team-a", ref)) == CONTENT
    assert file_of(tmp_path, "team-a", ref).stat().st_size < len(CONTENT) / 10
    with_store(tmp_path, lambda store: store.link("team-a", ref, OWNER))


def test_namespaces_share_nothing(tmp_path: Path, ref: BlobRef) -> None:
    for ask in (lambda store: store.get("team-b", ref), lambda store: store.link("team-b", ref, OWNER)):
        with pytest.raises(BlobMissing):
            with_store(tmp_path, ask)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:20] + bytes([content[20] ^ 1]) + content[21:],
        lambda content: b"something else",
    ],
)
def test_damaged_content_is_told_and_a_put_replaces_it(
    tmp_path: Path, ref: BlobRef, damage: Callable[[bytes], bytes]
) -> None:
    file = file_of(tmp_path, "team-a", ref)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(BlobCorrupted):
        with_store(tmp_path, lambda store: store.get("team-a", ref))
    with_store(tmp_path, lambda store: store.put("team-a", CONTENT, OWNER))
    assert with_store(tmp_path, lambda store: store.get("team-a", ref)) == CONTENT


def test_a_frame_that_expands_to_more_than_it_says_is_not_read_on(tmp_path: Path, ref: BlobRef) -> None:
    with pytest.raises(BlobCorrupted):
        with_store(tmp_path, lambda store: store.get("team-a", replace(ref, size=100)))


def test_content_that_is_gone_is_told_apart_from_a_store_that_is_gone(tmp_path: Path, ref: BlobRef) -> None:
    async def lose(store: ObjectBlobs, what: list[Path]) -> None:
        for path in what:
            path.unlink()
        await store.get("team-a", ref)

    content, marker = file_of(tmp_path, "team-a", ref), tmp_path / "specsync-store"
    with pytest.raises(BlobMissing, match="is gone from file://"):
        with_store(tmp_path, lambda store: lose(store, [content]))
    with pytest.raises(BlobStoreError, match="isn't there, or it was emptied") as error:
        with_store(tmp_path, lambda store: lose(store, [marker]))
    assert error.value.reason == Reason.BLOB_STORE_UNAVAILABLE


def test_what_the_sweep_asks(tmp_path: Path, ref: BlobRef) -> None:
    async def ask(store: ObjectBlobs) -> None:
        other = await store.put("team-b", b"other", OWNER)
        assert await store.namespaces() == ["team-a", "team-b"]
        pages = [page async for page in store.objects("team-a")]
        assert [found.key for page in pages for found in page] == [ref.key]
        assert pages[0][0].written == await store.written("team-a", ref.key)
        clock = await store.write_note("specsync-sweep", b"me")
        assert clock >= pages[0][0].written
        assert await store.read_note("specsync-sweep") == b"me"
        assert await store.read_note("nothing") is None
        await store.delete("team-a", [ref.key, "sha256:" + "0" * 64])
        assert await store.written("team-a", ref.key) is None
        assert await store.get("team-b", other) == b"other"
        assert [page async for page in store.objects("nobody") if page] == []

    with_store(tmp_path, ask)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(BlobStoreError) as error:
        with_store(tmp_path, lambda store: store.put("team-a", CONTENT, OWNER))
    assert error.value.reason == Reason.BLOB_STORE_REFUSED


def test_a_reference_to_a_store_that_is_not_configured_says_what_to_do(ref: BlobRef) -> None:
    stores = BlobStores("configmap", None)  # type: ignore[arg-type]
    with pytest.raises(BlobStoreError, match="add --blob-store file://") as error:
        asyncio.run(stores.get("team-a", ref))
    assert not error.value.retryable
