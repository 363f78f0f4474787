"""A fetch against real servers on the loopback: documents, conditional requests, statuses, broken servers."""

import asyncio
import logging
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.request import Credentials, FetchRequest
from specsync.fetching.responses import Headers, retry_after_seconds
from tests.unit.fetching.servers import (
    Names,
    Seen,
    failure_of,
    fetch_from,
    opening,
    reply,
    serve,
)

DOCUMENT = b'{"openapi": "3.1.0"}'


def test_a_document_arrives_with_what_the_server_says_of_it() -> None:
    async def story() -> None:
        answer = reply(
            body=DOCUMENT,
            ETag='"v1"',
            Last_Modified="Wed, 21 Oct 2015 07:28:00 GMT",
            Content_Type="application/json; charset=utf-8",
        )
        async with serve(answer) as server:
            result = await fetch_from(
                server, "/v1/openapi.json?key=s3cret#top", user_agent="specsync/1 (+https://a.example)"
            )
        assert (result.status, result.not_modified, result.body) == (200, False, DOCUMENT)
        assert (result.etag, result.last_modified) == ('"v1"', "Wed, 21 Oct 2015 07:28:00 GMT")
        assert result.content_type == "application/json; charset=utf-8"
        assert result.final_url == f"http://127.0.0.1:{server.port}/v1/openapi.json"
        assert result.bytes_on_wire == len(DOCUMENT)
        (seen,) = server.requests
        assert seen.line == "GET /v1/openapi.json?key=s3cret HTTP/1.1"
        assert seen.header("Host") == f"127.0.0.1:{server.port}"
        assert seen.header("User-Agent") == "specsync/1 (+https://a.example)"
        assert seen.header("Accept-Encoding") == "gzip, deflate, br, zstd"
        assert seen.header("Authorization") is None
        assert seen.header("If-None-Match") is None

    asyncio.run(story())


def test_the_address_is_whole_however_long_it_is() -> None:
    """References count from it; what is shown is cut elsewhere."""
    path = "/" + "/".join(["x" * 60] * 8) + "/openapi.json"

    async def story() -> None:
        async with serve(reply(body=DOCUMENT)) as server:
            result = await fetch_from(server, f"{path}?key=s3cret")
        assert result.final_url == f"http://127.0.0.1:{server.port}{path}"

    asyncio.run(story())


def test_an_unchanged_document_is_not_sent_again() -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        if seen.header("If-None-Match") == '"v1"' and seen.header("If-Modified-Since") == "then":
            return b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\n\r\n'
        return reply(body=DOCUMENT, ETag='"v1"')

    async def story() -> None:
        async with serve(answer) as server:
            result = await fetch_from(server, etag='"v1"', last_modified="then")
        assert (result.not_modified, result.status, result.body, result.bytes_on_wire) == (True, 304, b"", 0)
        assert (result.etag, result.last_modified) == ('"v1"', "then")

    asyncio.run(story())


def test_a_304_that_nobody_asked_for_is_no_document() -> None:
    async def story() -> None:
        async with serve(b"HTTP/1.1 304 Not Modified\r\n\r\n") as server:
            error = await failure_of(fetch_from(server))
        assert error.reason == FetchReason.HTTP_ERROR

    asyncio.run(story())


def test_an_etag_that_no_header_may_hold_is_left_out() -> None:
    async def story() -> None:
        async with serve(reply(body=DOCUMENT)) as server:
            result = await fetch_from(server, etag='"a"\r\nX-Evil: 1')
        assert result.body == DOCUMENT
        assert server.requests[0].header("If-None-Match") is None
        assert server.requests[0].header("X-Evil") is None

    asyncio.run(story())


def test_values_too_long_for_a_status_are_left_out() -> None:
    async def story() -> None:
        long = "x" * 513
        async with serve(reply(body=DOCUMENT, ETag=long, Last_Modified="x" * 65, Content_Type=long)) as server:
            result = await fetch_from(server)
        assert (result.body, result.etag, result.last_modified, result.content_type) == (DOCUMENT, None, None, None)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        (400, FetchReason.HTTP_ERROR, False),
        (401, FetchReason.UNAUTHORIZED, False),
        (403, FetchReason.FORBIDDEN, False),
        (404, FetchReason.NOT_FOUND, False),
        (405, FetchReason.HTTP_ERROR, False),
        (406, FetchReason.HTTP_ERROR, False),
        (408, FetchReason.HTTP_ERROR, True),
        (410, FetchReason.NOT_FOUND, False),
        (425, FetchReason.HTTP_ERROR, True),
        (429, FetchReason.RATE_LIMITED, True),
        (451, FetchReason.HTTP_ERROR, False),
        (500, FetchReason.SERVER_ERROR, True),
        (502, FetchReason.SERVER_ERROR, True),
        (503, FetchReason.RATE_LIMITED, True),
        (504, FetchReason.SERVER_ERROR, True),
        (206, FetchReason.HTTP_ERROR, False),
        (300, FetchReason.HTTP_ERROR, False),
        (305, FetchReason.HTTP_ERROR, False),
        (302, FetchReason.HTTP_ERROR, False),  # without a Location
    ],
)
def test_status_is_told_as_a_reason(status: int, reason: FetchReason, retryable: bool) -> None:
    async def story() -> None:
        async with serve(reply(status, b"secret page of the vendor")) as server:
            error = await failure_of(fetch_from(server, "/spec?token=s3cret"))
        pause = {429: 60.0, 503: 30.0}.get(status)  # as long as the host is left alone then
        assert (error.reason, error.retryable, error.retry_after) == (reason, retryable, pause)
        assert f"HTTP {status}" in error.message
        assert f"http://127.0.0.1:{server.port}/spec" in error.message
        assert "s3cret" not in error.message
        assert "secret page" not in error.message

    asyncio.run(story())


@pytest.mark.parametrize("status", [403, 429, 503])
def test_retry_after_in_seconds(status: int) -> None:
    async def story() -> None:
        async with serve(reply(status, Retry_After="120")) as server:
            error = await failure_of(fetch_from(server))
        assert (error.reason, error.retryable, error.retry_after) == (FetchReason.RATE_LIMITED, True, 120.0)
        assert "120 seconds" in error.message

    asyncio.run(story())


@pytest.mark.parametrize("status", [403, 429])
def test_a_limit_as_github_tells_it(status: int) -> None:
    """Without Retry-After: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api"""

    async def story(remaining: str, reset: str) -> FetchError:
        answer = reply(
            status,
            Date="Sun, 06 Nov 1994 08:49:37 GMT",
            X_RateLimit_Limit="60",
            X_RateLimit_Remaining=remaining,
            X_RateLimit_Reset=reset,
        )
        async with serve(answer) as server:
            return await failure_of(fetch_from(server))

    used_up = asyncio.run(story("0", "784111877"))  # 08:51:17
    assert (used_up.reason, used_up.retry_after, used_up.rest) == (FetchReason.RATE_LIMITED, 100.0, 100.0)
    for remaining, reset in (("59", "784111877"), ("0", "soon")):
        other = asyncio.run(story(remaining, reset))
        assert other.reason == (FetchReason.FORBIDDEN if status == 403 else FetchReason.RATE_LIMITED)


def test_retry_after_as_a_date_counts_from_the_servers_own_clock() -> None:
    now = datetime(2031, 5, 1, tzinfo=UTC)

    async def story() -> None:
        until = format_datetime(now + timedelta(minutes=3), usegmt=True)
        async with serve(reply(429, Retry_After=until, Date=format_datetime(now, usegmt=True))) as server:
            error = await failure_of(fetch_from(server))
        assert error.retry_after == 180.0

    asyncio.run(story())


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_retry_after_in_each_form_of_a_date_wherever_the_worker_is(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9110, 5.6.7."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        fields = [(b"Date", b"Sun, 06 Nov 1994 08:47:37 GMT"), (b"Retry-After", text.encode())]
        assert retry_after_seconds(Headers(fields)) == 120.0
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("-5", 60.0),  # what can't be read counts as none
        ("soon", 60.0),
        ("1e9", 60.0),
        ("999999999999", 86400.0),
        ("0", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_odd_retry_after(text: str, seconds: float) -> None:
    async def story() -> None:
        async with serve(reply(429, Retry_After=text)) as server:
            error = await failure_of(fetch_from(server))
        assert (error.reason, error.retry_after) == (FetchReason.RATE_LIMITED, seconds)

    asyncio.run(story())


def test_debug_logs_hold_no_header_and_no_query(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        answer = reply(302, Set_Cookie="session=s3cret", Location="/elsewhere?key=s3cret")
        async with serve(answer) as server:
            credentials = Credentials(bearer_token="s3cret")
            await failure_of(fetch_from(server, "/?key=s3cret", credentials=credentials))

    with caplog.at_level(logging.DEBUG):
        asyncio.run(story())
    assert "s3cret" not in caplog.text


def test_an_unknown_name() -> None:
    async def story() -> None:
        async with opening(names=Names()) as fetcher:
            error = await failure_of(fetcher.fetch(FetchRequest(url="https://vendor.test/?key=s3cret")))
        assert (error.reason, error.retryable) == (FetchReason.DNS_FAILURE, True)
        assert "vendor.test" in error.message
        assert "s3cret" not in error.message

    asyncio.run(story())


def test_nobody_listens() -> None:
    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        async with opening(f"127.0.0.1:{port}") as fetcher:
            error = await failure_of(fetcher.fetch(FetchRequest(url=f"http://127.0.0.1:{port}/")))
        assert (error.reason, error.retryable) == (FetchReason.CONNECTION_FAILED, True)

    asyncio.run(story())


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
    ],
)
def test_a_server_that_breaks_off_or_speaks_something_else(answer: bytes) -> None:
    async def say(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        writer.write(answer)
        return b""

    async def story() -> None:
        async with serve(say) as server:
            error = await failure_of(fetch_from(server))
        assert (error.reason, error.retryable) == (FetchReason.CONNECTION_FAILED, True)

    asyncio.run(story())
