"""A reference from a resource to a blob: content that is too large for the resource itself."""

from typing import Annotated

from msgspec import Meta

from specsync.resources.meta import Digest, FrozenStruct


class BlobRef(FrozenStruct, frozen=True, kw_only=True):
    """Where a blob is; the key is the digest of its (uncompressed) content."""

    backend: Annotated[str, Meta(max_length=32, description="Which store holds it: configmap, s3, gs, az or file.")]
    key: Annotated[Digest, Meta(description="sha256:<hex> of the uncompressed content.")]
    size: Annotated[int, Meta(description="Uncompressed size in bytes.")]
