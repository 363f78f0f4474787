"""Bodies, headers and servers that try to eat memory or time."""

import asyncio
import gzip
import re
import sys
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard

from specsync.fetching.errors import FetchReason
from specsync.fetching.request import FetchRequest
from tests.unit.fetching.bodies import BOMBS, MEBIBYTE
from tests.unit.fetching.servers import Names, Seen, failure_of, fetch_from, opening, reply, serve

DOCUMENT = b'{"openapi": "3.1.0", "paths": {}}' * 20_000


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(DOCUMENT)),
        ("x-gzip", gzip.compress(DOCUMENT)),
        ("GZIP", gzip.compress(DOCUMENT)),
        ("gzip", gzip.compress(DOCUMENT[:1000]) + gzip.compress(DOCUMENT[1000:])),
        ("gzip", gzip.compress(DOCUMENT) + b"trailing"),
        ("deflate", zlib.compress(DOCUMENT)),
        ("deflate", raw_deflate(DOCUMENT)),
        ("br", brotli.compress(DOCUMENT, quality=0)),
        ("br, gzip", gzip.compress(brotli.compress(DOCUMENT))),
        ("zstd", zstandard.compress(DOCUMENT)),
        ("zstd", zstandard.compress(DOCUMENT[:1000]) + zstandard.compress(DOCUMENT[1000:])),
        ("gzip, zstd", zstandard.compress(gzip.compress(DOCUMENT))),
        ("gzip,gzip", gzip.compress(gzip.compress(DOCUMENT))),
        ("identity", DOCUMENT),
        ("", DOCUMENT),
    ],
)
@pytest.mark.parametrize("bite", [None, 1])
def test_content_codings_are_undone(coding: str, body: bytes, bite: int | None) -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        if bite is None:
            return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        pieces = [b"1\r\n%c\r\n" % byte for byte in body[:64]]
        return head + b"".join(pieces) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - 64, body[64:])

    async def story() -> None:
        async with serve(answer) as server:
            result = await fetch_from(server)
        assert result.body == DOCUMENT
        assert result.bytes_on_wire == len(body)

    asyncio.run(story())


ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=1),
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("outer", ENCODERS)
@pytest.mark.parametrize("inner", ENCODERS)
def test_any_two_codings_may_be_nested(inner: str, outer: str) -> None:
    """Named in one header field or in two, which is the same (RFC 9110, 5.3)."""
    body = ENCODERS[outer](ENCODERS[inner](DOCUMENT))

    async def story() -> None:
        for fields in (f"{inner}, {outer}", f"{inner}\r\nContent-Encoding: {outer}"):
            async with serve(reply(body=body, Content_Encoding=fields)) as server:
                assert (await fetch_from(server)).body == DOCUMENT

    asyncio.run(story())


@pytest.mark.parametrize(
    ("coding", "body", "retryable"),
    [
        ("compress", b"x", False),
        ("gzip, gzip, gzip", b"x", False),
        ("gzip", b"no gzip at all", True),
        ("gzip", gzip.compress(DOCUMENT)[:-20], True),
        ("gzip", gzip.compress(DOCUMENT)[:-8] + b"12345678", True),
        ("deflate", b"\xff\xff\xff", True),
        ("deflate", b"x", True),
        ("br", b"no brotli at all", True),
        ("br", brotli.compress(DOCUMENT)[:-5], True),
        ("br", brotli.compress(DOCUMENT) + b"trailing", True),
        ("zstd", b"no zstd at all", True),
        ("zstd", zstandard.compress(DOCUMENT)[:-5], True),
    ],
)
def test_a_coding_that_is_unknown_or_broken(coding: str, body: bytes, retryable: bool) -> None:
    async def story() -> None:
        async with serve(reply(body=body, Content_Encoding=coding)) as server:
            error = await failure_of(fetch_from(server, "/?key=s3cret"))
        assert (error.reason, error.retryable) == (FetchReason.DECODING_FAILED, retryable)
        assert "s3cret" not in error.message

    asyncio.run(story())


def test_an_empty_body_needs_no_coding() -> None:
    async def story() -> None:
        async with serve(reply(Content_Encoding="gzip")) as server:
            assert (await fetch_from(server)).body == b""

    asyncio.run(story())


def test_a_body_of_exactly_the_limit_is_fine_and_one_byte_more_is_not() -> None:
    async def story() -> None:
        for coding, body in (("", b"x" * 1000), ("gzip", gzip.compress(b"x" * 1000))):
            async with serve(reply(body=body, Content_Encoding=coding)) as server:
                assert len((await fetch_from(server, max_bytes=1000)).body) == 1000
                error = await failure_of(fetch_from(server, max_bytes=999))
            assert (error.reason, error.retryable) == (FetchReason.TOO_LARGE, False)

    asyncio.run(story())


def test_a_body_that_is_announced_as_too_large_is_not_read() -> None:
    async def story() -> None:
        for length in (str(10 * 1024**4), "9" * 19):
            async with serve(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode()) as server:
                error = await failure_of(fetch_from(server))
            assert error.reason == FetchReason.TOO_LARGE
            assert "64 MiB" in error.message

    asyncio.run(story())


def test_a_body_without_end_is_cut_at_the_limit() -> None:
    sent = 0

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"[" * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    async def story() -> None:
        async with serve(answer) as server:
            error = await failure_of(fetch_from(server, max_bytes=MEBIBYTE))
        assert error.reason == FetchReason.TOO_LARGE
        assert sent < 32 * MEBIBYTE  # what the sockets' buffers take, and no more

    asyncio.run(story())


@pytest.mark.skipif(sys.platform != "linux", reason="reads its memory from /proc")
@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_is_stopped_at_the_limit(coding: str) -> None:
    """Memory grows by the limit and what the decoder needs at once, not by what the bomb holds."""
    bomb = BOMBS[coding]()

    async def story() -> int:
        async with serve(reply(body=bomb, Content_Encoding=coding)) as server:
            before = restart_peak_memory()
            error = await failure_of(fetch_from(server, max_bytes=64 * MEBIBYTE))
            grown = peak_memory() - before
        assert error.reason == FetchReason.TOO_LARGE
        return grown

    assert asyncio.run(story()) < (64 + 64) * MEBIBYTE


def restart_peak_memory() -> int:
    """Bytes of memory in use now; from here on the kernel notes the highest value anew (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_memory()


def peak_memory() -> int:
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


@pytest.mark.parametrize(
    ("coding", "body"),
    [("gzip", gzip.compress(b"") * 20_000), ("zstd", zstandard.compress(b"") * 20_000)],
)
def test_members_without_content_are_counted(coding: str, body: bytes) -> None:
    async def story() -> None:
        async with serve(reply(body=body, Content_Encoding=coding)) as server:
            error = await failure_of(fetch_from(server))
        assert error.reason == FetchReason.DECODING_FAILED

    asyncio.run(story())


def test_a_large_layer_between_two_codings_is_stopped() -> None:
    """The outer coding gives far more than the limit, the inner one nothing: a zstd frame that is skipped."""
    skipped = b"\x50\x2a\x4d\x18" + (16 * MEBIBYTE).to_bytes(4, "little") + bytes(16 * MEBIBYTE)

    async def story() -> None:
        async with serve(reply(body=gzip.compress(skipped), Content_Encoding="zstd, gzip")) as server:
            error = await failure_of(fetch_from(server, max_bytes=MEBIBYTE))
        assert error.reason == FetchReason.TOO_LARGE

    asyncio.run(story())


LONG_READS = {
    "a bomb": (reply(body=gzip.compress(bytes(48 * MEBIBYTE)), Content_Encoding="gzip"), 48 * MEBIBYTE, 48),
    "chunks of one byte": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n",
        50_000,
        190,
    ),
    "interim answers": (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000 + reply(body=b"{}"), 2, 34),
}


@pytest.mark.parametrize("sent", LONG_READS)
def test_the_loop_keeps_turning_while_much_is_read(sent: str) -> None:
    """Counted in turns, not in time: another task gets its turn at least once for each MiB or so, or each bite."""
    answer, length, least = LONG_READS[sent]
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def story() -> None:
        async with serve(answer) as server, opening(f"127.0.0.1:{server.port}") as fetcher:
            counting = asyncio.create_task(count())
            result = await fetcher.fetch(FetchRequest(url=f"http://127.0.0.1:{server.port}/"))
            counting.cancel()
        assert len(result.body) == length
        assert turns >= least

    asyncio.run(story())


@pytest.mark.parametrize(
    "filler",
    [
        b"X: " + b"a" * 300_000,
        b"\r\n".join(b"X-%d: %b" % (n, b"a" * 200) for n in range(1500)),
        b"X: " + b"a" * 10_000_000,
    ],
    ids=["one header of 300 KB", "1500 headers", "one header of 10 MB"],
)
def test_a_large_header_is_refused(filler: bytes) -> None:
    async def story() -> None:
        async with serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + filler + b"\r\n\r\n") as server:
            error = await failure_of(fetch_from(server))
        assert (error.reason, error.retryable) == (FetchReason.TOO_LARGE, False)
        assert "header" in error.message

    asyncio.run(story())


def test_headers_without_end_are_refused() -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Drip: " + b"a" * 1000 + b"\r\n")
            await writer.drain()

    async def story() -> None:
        async with serve(answer) as server:
            error = await failure_of(fetch_from(server))
        assert error.reason == FetchReason.TOO_LARGE

    asyncio.run(story())


DRIPS = {
    "says nothing": (b"", b""),
    "drips its header": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "drips its body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
    "drips chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "drips interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}


@pytest.mark.parametrize("drip", DRIPS, ids=str)
def test_a_slow_drip_ends_at_the_total_deadline(drip: str) -> None:
    start, drop = DRIPS[drip]

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.01)

    async def story() -> None:
        async with serve(answer) as server:
            error = await failure_of(fetch_from(server, timeout=0.3))
        assert (error.reason, error.retryable) == (FetchReason.TIMEOUT, True)
        assert "0.3 seconds" in error.message

    asyncio.run(asyncio.wait_for(story(), 30))


def test_redirects_share_the_total_deadline() -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        await asyncio.sleep(0.2)
        return reply(302, Location="/")

    async def story() -> None:
        async with serve(answer) as server:
            error = await failure_of(fetch_from(server, timeout=0.5))
        assert error.reason == FetchReason.TIMEOUT
        assert len(server.requests) < 5

    asyncio.run(asyncio.wait_for(story(), 30))


def test_a_name_server_that_hangs_ends_at_the_deadline() -> None:
    class Hanging(Names):
        async def __call__(self, host: str, port: int) -> list[str]:
            await asyncio.Event().wait()
            return []

    async def story() -> None:
        async with opening(names=Hanging()) as fetcher:
            error = await failure_of(fetcher.fetch(FetchRequest(url="https://vendor.test/", timeout=0.2)))
        assert (error.reason, error.retryable) == (FetchReason.TIMEOUT, True)

    asyncio.run(asyncio.wait_for(story(), 30))
