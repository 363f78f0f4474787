"""What every blob store does, and the errors that it raises."""

import hashlib
from typing import Protocol

from specsync.resources.blobref import BlobRef
from specsync.resources.meta import OwnerReference


class BlobError(Exception):
    """A blob can't be read as it was stored."""


class BlobMissing(BlobError):
    """The blob, or a part of it, is not there."""


class BlobCorrupted(BlobError):
    """The blob's content doesn't have the digest that it was stored under."""


class BlobStore(Protocol):
    """Stores bytes under their digest. What several owners share is stored once and lives as long as any of them."""

    async def put(self, namespace: str, content: bytes, owner: OwnerReference) -> BlobRef:
        """Stores `content` for `owner`. Does nothing but link where it is stored already. Raises ApiError."""
        ...

    async def get(self, namespace: str, ref: BlobRef) -> bytes:
        """The content. Raises BlobMissing, BlobCorrupted, ApiError."""
        ...

    async def link(self, namespace: str, ref: BlobRef, owner: OwnerReference) -> None:
        """Lets the blob live at least as long as `owner` too. Raises BlobMissing, ApiError."""
        ...


def digest_of(content: bytes) -> str:
    """sha256:<hex> of the content, the key of a blob."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
