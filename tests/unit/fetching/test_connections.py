"""Credentials, and which requests share a connection."""

import asyncio

import pytest
import uvloop

from specsync.fetching.errors import FetchReason
from specsync.fetching.request import Credentials, FetchRequest
from tests.unit.fetching.conftest import Certificates
from tests.unit.fetching.servers import (
    Names,
    Seen,
    always,
    failure_of,
    fetch_from,
    forbidden_listener,
    opening,
    reply,
    request_for,
    serve,
)

DOCUMENT = b'{"openapi": "3.1.0"}'


@pytest.mark.parametrize(
    ("credentials", "header", "value"),
    [
        (Credentials(bearer_token="abc\n"), "Authorization", "Bearer abc"),
        (Credentials(username="ann", password="pa:ss\n"), "Authorization", "Basic YW5uOnBhOnNz"),
        (Credentials(username="ann"), "Authorization", "Basic YW5uOg=="),
        (Credentials(headers={"X-Api-Key": "k1\n"}), "X-Api-Key", "k1"),
        (Credentials(headers={"Accept": "text/plain"}), "Accept", "text/plain"),
    ],
)
def test_credentials_are_sent(credentials: Credentials, header: str, value: str) -> None:
    async def story() -> None:
        async with serve(reply(body=DOCUMENT)) as server:
            await fetch_from(server, credentials=credentials)
        assert server.requests[0].header(header) == value

    asyncio.run(story())


@pytest.mark.parametrize(
    ("credentials", "named"),
    [
        (Credentials(bearer_token="s3cret\r\nX-Evil: 1"), "bearerToken"),
        (Credentials(bearer_token=""), None),
        (Credentials(bearer_token="s3cret", username="ann"), "bearerToken and username"),
        (Credentials(headers={"Host": "s3cret"}), "Host"),
        (Credentials(headers={"transfer-encoding": "s3cret"}), "transfer-encoding"),
        (Credentials(headers={"X Y": "s3cret"}), "X Y"),
        (Credentials(headers={"X-Key": "s3cret\nX-Evil: 1"}), "header.X-Key"),
        (Credentials(headers={"X-Key": "s3cret€"}), "header.X-Key"),
        (Credentials(headers={"Authorization": "s3cret"}, bearer_token="abc"), "header.Authorization"),
        (Credentials(client_cert_pem=b"s3cret"), "tls.crt and tls.key"),
        (Credentials(client_key_pem=b"s3cret"), "tls.crt and tls.key"),
        (Credentials(ca_pem=b"s3cret"), "ca.crt"),
    ],
)
def test_credentials_that_cannot_be_sent_are_named_and_not_shown(credentials: Credentials, named: str | None) -> None:
    async def story() -> None:
        async with serve(reply(body=DOCUMENT)) as server:
            error = await failure_of(fetch_from(server, credentials=credentials))
        assert error.reason == FetchReason.INVALID_CREDENTIALS
        assert not error.retryable
        assert (named or "bearerToken") in error.message
        assert "s3cret" not in error.message
        assert server.connections == 0

    asyncio.run(story())


def test_no_secret_is_in_the_texts_of_requests_and_credentials() -> None:
    credentials = Credentials(
        bearer_token="s3cret", username="s3cret", password="s3cret", headers={"X": "s3cret"}, client_key_pem=b"s3cret"
    )
    request = FetchRequest(url="https://u:s3cret@a.example/?k=s3cret", credentials=credentials)
    assert "s3cret" not in repr(request) + str(request) + repr(credentials)


def test_one_connection_serves_many_requests() -> None:
    async def story() -> None:
        async with serve(reply(body=DOCUMENT)) as server, opening(f"127.0.0.1:{server.port}") as fetcher:
            for path in ("/a", "/b", "/c"):
                await fetcher.fetch(request_for(server, path))
            assert (server.connections, len(server.requests)) == (1, 3)

    asyncio.run(story())


def test_no_connection_is_shared_between_different_credentials() -> None:
    async def story() -> None:
        async with serve(reply(body=DOCUMENT)) as server, opening(f"127.0.0.1:{server.port}") as fetcher:
            for token in ("one", "two", None, "one", "two", None):
                credentials = Credentials(bearer_token=token)
                await fetcher.fetch(request_for(server, credentials=credentials))
            assert (server.connections, len(server.requests)) == (3, 6)

    asyncio.run(story())


def test_a_slow_answer_does_not_hold_up_another_from_the_same_host() -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        if seen.path == "/slow":
            asked.set()
            await go_on.wait()
        return reply(body=seen.path.encode())

    async def story() -> None:
        async with serve(answer) as server, opening(f"127.0.0.1:{server.port}") as fetcher:
            slow = asyncio.create_task(fetcher.fetch(request_for(server, "/slow")))
            await asyncio.wait_for(asked.wait(), 10)
            assert (await fetcher.fetch(request_for(server, "/fast"))).body == b"/fast"
            go_on.set()
            assert (await slow).body == b"/slow"

    asyncio.run(story())


def test_connections_that_nobody_uses_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with serve(reply(body=DOCUMENT)) as server, opening(f"127.0.0.1:{server.port}") as fetcher:
            for token in ("one", "two"):
                await fetcher.fetch(request_for(server, credentials=Credentials(bearer_token=token)))
            assert server.ended.empty()
            monkeypatch.setattr("specsync.fetching.connections._IDLE_SECONDS", -1.0)
            await fetcher.fetch(request_for(server, credentials=Credentials(bearer_token="three")))
            async with asyncio.timeout(10):
                ended = {await server.ended.get(), await server.ended.get()}
            assert ended == {1, 2}
            assert server.connections == 3

    asyncio.run(story())


def test_cookies_are_not_kept() -> None:
    async def story() -> None:
        answer = reply(body=DOCUMENT, Set_Cookie="session=s3cret; Path=/")
        async with serve(answer) as server, opening(f"127.0.0.1:{server.port}") as fetcher:
            await fetcher.fetch(request_for(server))
            await fetcher.fetch(request_for(server))
        assert [seen.header("Cookie") for seen in server.requests] == [None, None]

    asyncio.run(story())


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with serve(reply(body=DOCUMENT)) as server, serve(reply(500)) as proxy:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            await fetch_from(server)
            assert (server.connections, proxy.connections) == (1, 0)

    asyncio.run(story())


def test_a_fetcher_works_again_after_failures_and_cancellation() -> None:
    asked = asyncio.Event()

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        if seen.path == "/hangs":
            asked.set()
            await asyncio.Event().wait()
        return b"" if seen.path == "/breaks" else reply(body=DOCUMENT)

    async def story() -> None:
        async with serve(answer) as server, opening(f"127.0.0.1:{server.port}") as fetcher:
            await failure_of(fetcher.fetch(request_for(server, "/breaks")))
            hanging = asyncio.create_task(fetcher.fetch(request_for(server, "/hangs")))
            await asyncio.wait_for(asked.wait(), 10)
            hanging.cancel()
            with pytest.raises(asyncio.CancelledError):
                await hanging
            assert (await fetcher.fetch(request_for(server))).body == DOCUMENT

    asyncio.run(story())


def test_many_at_once() -> None:
    async def story() -> None:
        async with serve(always(reply(body=DOCUMENT))) as server, opening(f"127.0.0.1:{server.port}") as fetcher:
            fetches = (fetcher.fetch(request_for(server, f"/{number}")) for number in range(50))
            results = await asyncio.gather(*fetches)
        assert {result.final_url.rpartition("/")[2] for result in results} == {str(number) for number in range(50)}

    asyncio.run(story())


def test_it_works_on_uvloop(certificates: Certificates) -> None:
    async def story() -> None:
        async with (
            serve(reply(body=DOCUMENT), tls=certificates.server()) as secure,
            serve(reply(302, Location=f"https://vendor.test:{secure.port}/")) as server,
            opening(
                f"127.0.0.1:{server.port}", f"vendor.test:{secure.port}", names=Names(vendor_test=["127.0.0.1"])
            ) as fetcher,
        ):
            credentials = Credentials(ca_pem=certificates.pem("ca.crt"))
            assert (await fetcher.fetch(request_for(server, credentials=credentials))).body == DOCUMENT
            with forbidden_listener() as silent:
                error = await failure_of(fetcher.fetch(FetchRequest(url=f"http://127.0.0.1:{silent}/")))
            assert error.reason == FetchReason.ADDRESS_BLOCKED

    uvloop.run(story())
