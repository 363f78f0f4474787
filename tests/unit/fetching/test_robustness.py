"""Whatever a server sends, a fetch ends with a result or a FetchError (hypothesis)."""

import asyncio
import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from specsync.fetching.decoding import ContentDecoder
from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.request import FetchResult
from tests.unit.fetching.servers import Seen, fetch_from, reply, serve

BODY = b"openapi: 3.1.0\npaths: {}\n" * 40
ENCODED = {
    "gzip": gzip.compress(BODY, mtime=0),
    "deflate": zlib.compress(BODY),
    "br": brotli.compress(BODY),
    "zstd": zstandard.compress(BODY),
    "gzip, zstd": zstandard.compress(gzip.compress(BODY, mtime=0)),
}


@pytest.mark.parametrize("coding", ENCODED)
@settings(deadline=None)
@given(data=st.data())
def test_damaged_encodings_give_a_body_within_the_limit_or_an_error(coding: str, data: st.DataObject) -> None:
    """Bytes changed, dropped or added anywhere, and fed in any pieces."""
    encoded = bytearray(ENCODED[coding])
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(encoded)))
        encoded[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    limit = data.draw(st.sampled_from([10, len(BODY), 10_000]))
    decoder = ContentDecoder(coding, limit, "https://a.example/")
    decoded = b""
    step = data.draw(st.integers(1, 400))
    try:
        for start in range(0, len(encoded), step):
            decoded += b"".join(decoder.feed(bytes(encoded[start : start + step])))
        decoder.finish()
    except FetchError as error:
        assert error.reason in (FetchReason.DECODING_FAILED, FetchReason.TOO_LARGE)
    else:
        assert encoded != ENCODED[coding] or decoded == BODY
    assert len(decoded) <= limit


STATUS_LINES = [
    b"1.1 200 OK",
    b"1.1 302 Found",
    b"1.1 429 Slow",
    b"1.0 200",
    b"1.1 100 Continue",
    b"1.1 999 x",
    b"2 200",
]
FIELDS = [
    *(b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 99999999999999999999999", b"Upgrade: x"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Content-Encoding: gzip", b"Content-Encoding: zstd"),
    *(b"Location: /", b"Location: http://[", b"Location: //", b"Location: \xff\xfe", b"Location: :", b"Location: "),
    *(b"Location: http://10.0.0.1/", b"Location: https://a.example:99999/", b"Date: 0", b"ETag: \xe9"),
    *(b"Retry-After: x", b"Retry-After: Fri, 31 Dec 99999 23:59:59 GMT", b" folded", b": x", b"", b""),
]
ANSWERS = st.lists(
    st.sampled_from([b"HTTP/" + line + b"\r\n" for line in STATUS_LINES])
    | st.sampled_from([field + b"\r\n" for field in FIELDS])
    | st.sampled_from([b"hello", b"5\r\nhello\r\n", b"0\r\n\r\n", b"\x00", b"\n"])
    | st.binary(max_size=6),
    max_size=8,
).map(b"".join)


@settings(deadline=None)
@given(ANSWERS)
def test_any_bytes_for_an_answer_give_a_result_or_an_error(sent: bytes) -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        writer.write(sent)
        return b""

    async def story() -> None:
        async with serve(answer) as server:
            try:
                result = await fetch_from(server, "/?key=s3cret", timeout=10.0)
            except FetchError as error:
                assert "s3cret" not in error.message
            else:
                assert isinstance(result, FetchResult)

    asyncio.run(story())


@settings(deadline=None)
@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0[0123456789"), max_size=30))
def test_any_location_gives_a_result_or_an_error(location: str) -> None:
    """Without digits and brackets, so that no public address comes up by chance."""

    async def story() -> None:
        async with serve(reply(302, Location=location)) as server:
            try:
                await fetch_from(server, timeout=10.0)
            except FetchError as error:
                assert error.reason in FetchReason
            else:
                raise AssertionError("a redirect without end gave a document")

    asyncio.run(story())
