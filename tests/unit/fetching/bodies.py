"""Bodies that explode (some kilobytes on the wire, 10 GiB when they are undone), and answers without an end."""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import brotli
import zstandard

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE
SIZE = 10 * GIBIBYTE


def deflated_zeros(size: int = SIZE) -> bytes:
    """Raw deflate (RFC 1951) of zeros without end: after a full flush, the same MiB is the same bytes each time."""
    stream = zlib.compressobj(9, wbits=-15)
    zeros = bytes(MEBIBYTE)
    first, second = (stream.compress(zeros) + stream.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    assert first == second
    return first * (size // MEBIBYTE)


def gzip_bomb() -> bytes:
    """In gzip's format, 10 MB; without an end, which nobody gets to see."""
    return gzip.compress(b"")[:10] + deflated_zeros()


def deflate_bomb() -> bytes:
    """In zlib's format."""
    return b"\x78\xda" + deflated_zeros()


def brotli_bomb() -> bytes:
    """16 KB: once the window is full of zeros, 16 MiB of them are the same 26 bytes each time."""
    stream = brotli.Compressor(quality=5)
    zeros = bytes(16 * MEBIBYTE)
    first, second, third = (stream.process(zeros) + stream.flush() for _ in range(3))
    assert second == third
    return bytes(first + second * (SIZE // len(zeros) - 1))


def zstd_bomb() -> bytes:
    """RFC 8878: blocks of one repeated byte, four bytes for 128 KiB each; 320 KiB."""
    block = (128 * 1024 << 3 | 1 << 1).to_bytes(3, "little") + b"0"
    return b"\x28\xb5\x2f\xfd\x00\x58" + block * (SIZE // (128 * 1024))


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": gzip_bomb,
    "deflate": deflate_bomb,
    "br": brotli_bomb,
    "zstd": zstd_bomb,
    "gzip, gzip": lambda: gzip.compress(gzip_bomb()),
    "br, br": lambda: brotli.compress(brotli_bomb(), quality=1),
    "zstd, gzip": lambda: gzip.compress(zstd_bomb()),
    "gzip, zstd": lambda: zstandard.compress(gzip_bomb()),
    "gzip, br": lambda: brotli.compress(gzip_bomb(), quality=1),
}


@dataclass(frozen=True)
class Endless:
    """An answer: ``start``, and then ``piece`` every ``pause`` seconds; ``reason`` is what it should come to."""

    start: bytes
    piece: bytes
    reason: str
    pause: float = 0.0


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "1 GiB of [": Endless(_OK + b"Content-Length: %d\r\n\r\n" % GIBIBYTE, b"[" * 65536, "TooLarge"),
    "[ without end": Endless(_CHUNKED, _chunk(b"[" * 65536), "TooLarge"),
    "[ in chunks of one byte": Endless(_CHUNKED, _chunk(b"[") * 10_000, "Timeout"),
    "a header without end": Endless(_OK + b"X: ", b"a" * 65536, "TooLarge"),
    "headers without end": Endless(_OK, b"X: y\r\n" * 1000, "TooLarge"),
    "interim answers without end": Endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000, "Timeout"),
    "silence": Endless(b"", b"", "Timeout", 0.1),
    "a header by drops": Endless(_OK, b"X: y\r\n", "Timeout", 0.1),
    "a body by drops": Endless(_CHUNKED, _chunk(b"["), "Timeout", 0.1),
}
