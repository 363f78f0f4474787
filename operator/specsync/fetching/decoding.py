"""Content codings undone while the bytes arrive, never more than a bounded piece at a time.

gzip and deflate (RFC 1950 to 1952), brotli (RFC 7932), zstd (RFC 8878, window as RFC 9659 limits it), and up to two of
them nested.
"""

import zlib
from collections.abc import Iterator

from specsync.fetching.errors import FetchError, FetchReason

ACCEPTED = "gzip, deflate, br, zstd"
_PIECE = 64 * 1024
_MAX_CODINGS = 2
_MAX_MEMBERS = 10_000
_GZIP_MAGIC = b"\x1f\x8b"
# A zstd block of 4 bytes may stand for 128 KiB and the decoder has no limit of its output: small bites keep each
# step within 4 MiB.
_ZSTD_BITE = 128
_ZSTD_MAX_WINDOW = 8 * 1024 * 1024


class ContentDecoder:
    """Undoes the ``Content-Encoding`` of one body and keeps every stage of it within ``max_bytes``.

    ``shown_url`` is for error texts. Raises FetchError: DecodingFailed for a coding that isn't known or not kept,
    TooLarge past the limit (of the wire, of the result, or of what is between two codings).
    """

    def __init__(self, content_encoding: str, max_bytes: int, shown_url: str) -> None:
        names = [name.strip().lower() for name in content_encoding.split(",")]
        self._names = [name for name in names if name not in ("", "identity")]
        self._limit = max_bytes
        self._shown_url = shown_url
        if len(self._names) > _MAX_CODINGS or not all(name in _CODINGS for name in self._names):
            raise self._failed("uses a content encoding that isn't supported", retryable=False)
        self._codings = [_CODINGS[name]() for name in reversed(self._names)]
        self._passed = [0] * (len(self._codings) + 1)

    @property
    def bytes_on_wire(self) -> int:
        """How many bytes came in so far."""
        return self._passed[0]

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded pieces that ``data`` adds."""
        try:
            yield from self._through(0, data)
        except (ValueError, zlib.error):
            raise self._failed("is not encoded as its Content-Encoding says") from None

    def finish(self) -> None:
        """To be called at the end of the body: raises DecodingFailed when an encoding was cut short."""
        if self.bytes_on_wire == 0:
            return
        try:
            for coding in self._codings:
                coding.finish()
        except ValueError:
            raise self._failed("ended before its encoding did") from None

    def _through(self, stage: int, data: bytes) -> Iterator[bytes]:
        self._passed[stage] += len(data)
        if self._passed[stage] > self._limit:
            raise too_large(self._shown_url, self._limit)
        if stage == len(self._codings):
            yield data
            return
        for piece in self._codings[stage].decode(data):
            yield from self._through(stage + 1, piece)

    def _failed(self, what: str, *, retryable: bool = True) -> FetchError:
        return FetchError(
            FetchReason.DECODING_FAILED,
            f"The answer of {self._shown_url} {what}: the server may use {ACCEPTED}, or none.",
            retryable=retryable,
        )


def too_large(shown_url: str, max_bytes: int) -> FetchError:
    """The error for a body above ``max_bytes``."""
    size = f"{max_bytes / 1048576:.0f} MiB" if max_bytes >= 1048576 else f"{max_bytes} bytes"
    return FetchError(
        FetchReason.TOO_LARGE,
        f"The document at {shown_url} is larger than {size}: point to a smaller one, or ask for a higher limit.",
    )


class _Gzip:
    """One or more gzip members; what follows the last one is ignored, as browsers do."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._members = 1
        self._between = b""
        self._ended = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        while data and not self._ended:
            if self._member.eof:
                data = self._between + data
                self._between = data if len(data) < len(_GZIP_MAGIC) else b""
                if self._between:
                    return
                if not data.startswith(_GZIP_MAGIC):
                    self._ended = True
                    return
                self._members += 1
                if self._members > _MAX_MEMBERS:
                    raise ValueError("too many gzip members")
                self._member = zlib.decompressobj(wbits=31)
                yield b""
            yield from _inflate(self._member, data)
            data = self._member.unused_data

    def finish(self) -> None:
        if not self._member.eof:
            raise ValueError("gzip ended early")


class _Deflate:
    """zlib's format as the RFC says, or bare deflate as some servers send it."""

    def __init__(self) -> None:
        self._start = b""
        self._stream: zlib._Decompress | None = None

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            self._start += data
            if len(self._start) < 2:
                return
            data, self._start = self._start, b""
            has_header = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(wbits=15 if has_header else -15)
        if not self._stream.eof:
            yield from _inflate(self._stream, data)

    def finish(self) -> None:
        if self._stream is None or not self._stream.eof:
            raise ValueError("deflate ended early")


def _inflate(stream: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    while True:
        piece = stream.decompress(data, _PIECE)
        yield piece
        data = stream.unconsumed_tail
        if stream.eof or (not data and len(piece) < _PIECE):
            return


class _Brotli:
    """One brotli stream. The decoder keeps its input and hands out its output in pieces; its window is 16 MiB."""

    def __init__(self) -> None:
        import brotli  # noqa: PLC0415 -- as zstd

        self._error = brotli.error
        self._stream = brotli.Decompressor()

    def decode(self, data: bytes) -> Iterator[bytes]:
        while True:
            try:
                piece: bytes = self._stream.process(data, output_buffer_limit=_PIECE)
            except self._error:
                raise ValueError("not brotli") from None
            yield piece
            data = b""
            # can_accept_more_data() is about its input only: a full piece may have more output behind it.
            if self._stream.is_finished() or (len(piece) < _PIECE and self._stream.can_accept_more_data()):
                return

    def finish(self) -> None:
        if not self._stream.is_finished():
            raise ValueError("brotli ended early")


class _Zstd:
    """One or more zstd frames."""

    def __init__(self) -> None:
        import zstandard  # noqa: PLC0415 -- few servers use it

        self._error = zstandard.ZstdError
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_MAX_WINDOW)
        self._frame = self._decompressor.decompressobj()
        self._frames = 1

    def decode(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_BITE):
            bite = data[start : start + _ZSTD_BITE]
            while bite:
                if self._frame.eof:
                    self._frames += 1
                    if self._frames > _MAX_MEMBERS:
                        raise ValueError("too many zstd frames")
                    self._frame = self._decompressor.decompressobj()
                try:
                    piece = self._frame.decompress(bite)
                except self._error:
                    raise ValueError("not zstd") from None
                yield piece
                bite = self._frame.unused_data if self._frame.eof else b""

    def finish(self) -> None:
        if not self._frame.eof:
            raise ValueError("zstd ended early")


# Each has decode(data), what it adds to the output in bounded pieces (empty ones are progress without output), and
# finish(), which raises ValueError when the input ended too early.
_CODINGS: dict[str, type[_Gzip] | type[_Deflate] | type[_Brotli] | type[_Zstd]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
