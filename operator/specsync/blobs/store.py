"""What every blob store does, and the errors that it raises."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Protocol, TypeVar

from specsync.resources.blobref import BlobRef
from specsync.resources.meta import OwnerReference
from specsync.resources.reasons import Reason

W = TypeVar("W")

# A thread costs the event loop a millisecond where there is one CPU; hashing and compressing so many bytes less.
_NO_THREAD_BYTES = 128 * 1024


class BlobError(Exception):
    """A blob can't be read as it was stored."""


class BlobMissing(BlobError):
    """The blob, or a part of it, is not there."""


class BlobCorrupted(BlobError):
    """The blob's content doesn't have the digest that it was stored under."""


class BlobStoreError(BlobError):
    """The store itself doesn't do its work: down, slow, full, or not for us. Says nothing of the blob.

    `reason` is BlobStoreUnavailable, BlobStoreRefused or BlobStoreFull. The message is for users, and holds no secret.
    """

    def __init__(self, reason: Reason, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.reason = reason
        self.retryable = retryable


class BlobStore(Protocol):
    """Stores bytes under their digest. What several owners share is stored once and lives as long as any of them."""

    async def put(self, namespace: str, content: bytes, owner: OwnerReference) -> BlobRef:
        """Stores `content` for `owner`; afterwards it is there whole, even where a damaged copy was.

        Raises BlobStoreError, ApiError.
        """
        ...

    async def get(self, namespace: str, ref: BlobRef) -> bytes:
        """The content. Raises BlobMissing, BlobCorrupted, BlobStoreError, ApiError."""
        ...

    async def link(self, namespace: str, ref: BlobRef, owner: OwnerReference) -> None:
        """Lets the blob live at least as long as `owner` too. Raises BlobMissing, BlobStoreError, ApiError."""
        ...


async def off_the_loop(size: int, work: Callable[..., W], *arguments: object) -> W:
    """Does `work` that takes as long as `size` bytes take and releases the GIL, so that no heartbeat waits for it."""
    return work(*arguments) if size <= _NO_THREAD_BYTES else await asyncio.to_thread(work, *arguments)


def digest_of(content: bytes) -> str:
    """sha256:<hex> of the content, the key of a blob."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
