"""How every backend stores content: zstd frames, under the sha256 of what they hold."""

import zstandard

from specsync.blobs.store import BlobCorrupted, digest_of
from specsync.resources.blobref import BlobRef


def pack(content: bytes) -> tuple[str, bytes]:
    """Key and compressed bytes. Releases the GIL: call it in a thread, so that no heartbeat waits for it."""
    # One thread, fixed level: two workers make the same bytes.
    return digest_of(content), zstandard.ZstdCompressor(level=3).compress(content)


def unpack(packed: bytes, ref: BlobRef) -> bytes:
    """The content, checked. Never more than `ref.size` bytes, whatever the frame says. Raises BlobCorrupted."""
    try:
        with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
            content = reader.read(ref.size + 1)
    except zstandard.ZstdError as error:
        raise BlobCorrupted(f"blob {ref.key} can't be decompressed") from error
    if digest_of(content) != ref.key:
        raise BlobCorrupted(f"blob {ref.key} has another digest now")
    return content
