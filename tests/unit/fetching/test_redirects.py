"""Redirects: each judged anew, credentials stay with their origin, https stays https."""

import asyncio

import pytest

from specsync.fetching.errors import FetchReason
from specsync.fetching.request import Credentials, FetchRequest
from tests.unit.fetching.conftest import Certificates
from tests.unit.fetching.servers import (
    Names,
    Seen,
    failure_of,
    fetch_from,
    forbidden_listener,
    opening,
    reply,
    request_for,
    serve,
)

SECRETS = Credentials(bearer_token="t0ken", headers={"X-Api-Key": "k3y", "Cookie": "c=1"})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(status: int) -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        if seen.path == "/old/spec":
            return reply(status, b"moved", Location="../new/a b?key=s3cret#part")
        return reply(body=b"{}")

    async def story() -> None:
        async with serve(answer) as server:
            result = await fetch_from(server, "/old/spec", credentials=SECRETS)
        assert result.body == b"{}"
        assert result.final_url == f"http://127.0.0.1:{server.port}/new/a%20b"
        assert server.requests[1].path == "/new/a%20b?key=s3cret"
        assert server.requests[1].header("Authorization") == "Bearer t0ken"  # the same origin

    asyncio.run(story())


@pytest.mark.parametrize("validator", [{"ETag": '"1"'}, {"Last_Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}])
def test_another_document_behind_the_redirect_is_no_unchanged_one(validator: dict[str, str]) -> None:
    """Its ETag or date may well be the same: of images of one build, all files have one date."""
    latest = "/v1"

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        if seen.path == "/latest":
            return reply(302, Location=f"{latest}?key=s3cret")
        asked = seen.header("If-None-Match") or seen.header("If-Modified-Since")
        return reply(304, **validator) if asked else reply(body=seen.path.encode(), **validator)

    async def story() -> None:
        nonlocal latest
        async with serve(answer) as server:
            first = await fetch_from(server, "/latest")
            assert first.validators_of is not None
            assert "s3cret" not in repr(first)
            kept = {name: getattr(first, name) for name in ("etag", "last_modified", "validators_of")}
            assert (await fetch_from(server, "/latest", **kept)).not_modified
            asked = [seen.header("If-None-Match") or seen.header("If-Modified-Since") for seen in server.requests[2:]]
            assert [bool(each) for each in asked] == [False, True]
            latest = "/v2"
            second = await fetch_from(server, "/latest", **kept)
        assert (second.not_modified, second.body) == (False, b"/v2?key=s3cret")
        assert second.validators_of not in (None, first.validators_of)

    asyncio.run(story())


def test_what_is_unchanged_for_one_client_may_be_new_for_another() -> None:
    """The document of each client has its own date, and that of the second is the older one."""

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        who = seen.header("Authorization") or ""
        dated = {"Last_Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}
        return reply(304, **dated) if seen.header("If-Modified-Since") else reply(body=who.encode(), **dated)

    async def story() -> None:
        one, two = (Credentials(bearer_token=name, version=f"uid/{name}") for name in ("one", "two"))
        async with serve(answer) as server:
            first = await fetch_from(server, credentials=one)
            kept = {name: getattr(first, name) for name in ("etag", "last_modified", "validators_of")}
            assert (await fetch_from(server, credentials=one, **kept)).not_modified
            assert (await fetch_from(server, credentials=two, **kept)).body == b"Bearer two"
            assert (await fetch_from(server, **kept)).body == b""

    asyncio.run(story())


def test_five_redirects_are_followed_and_six_are_not() -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        left = int(seen.path[1:])
        return reply(302, Location=f"/{left - 1}") if left else reply(body=b"{}")

    async def story() -> None:
        async with serve(answer) as server:
            assert (await fetch_from(server, "/5")).body == b"{}"
            error = await failure_of(fetch_from(server, "/6"))
        assert (error.reason, error.retryable) == (FetchReason.TOO_MANY_REDIRECTS, False)

    asyncio.run(story())


def test_a_loop_ends() -> None:
    async def story() -> None:
        async with serve(reply(302, Location="/")) as server:
            error = await failure_of(fetch_from(server))
        assert error.reason == FetchReason.TOO_MANY_REDIRECTS
        assert len(server.requests) == 6

    asyncio.run(story())


def test_credentials_do_not_follow_to_another_port_or_name() -> None:
    async def story() -> None:
        async with serve(reply(body=b"{}")) as other:
            for place in (f"http://127.0.0.1:{other.port}/", f"http://vendor.test:{other.port}/"):
                async with serve(reply(302, Location=place)) as server:
                    names = Names(vendor_test=["127.0.0.1"])
                    allowed = [
                        f"{name}:{port}" for name in ("127.0.0.1", "vendor.test") for port in (server.port, other.port)
                    ]
                    async with opening(*allowed, names=names) as fetcher:
                        await fetcher.fetch(request_for(server, credentials=SECRETS))
                assert server.requests[0].header("X-Api-Key") == "k3y"
        for seen in other.requests:
            assert (seen.header("Authorization"), seen.header("X-Api-Key"), seen.header("Cookie")) == (None, None, None)
        assert len(other.requests) == 2

    asyncio.run(story())


def test_credentials_come_back_with_their_own_origin_only() -> None:
    async def story() -> None:
        home_port: list[int] = []

        async def away(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
            return reply(302, Location=f"http://127.0.0.1:{home_port[0]}/back")

        async with serve(away) as other:

            async def home(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
                return (
                    reply(body=b"{}")
                    if seen.path == "/back"
                    else reply(302, Location=f"http://127.0.0.1:{other.port}/")
                )

            async with serve(home) as server:
                home_port.append(server.port)
                async with opening(f"127.0.0.1:{server.port}", f"127.0.0.1:{other.port}") as fetcher:
                    await fetcher.fetch(request_for(server, credentials=SECRETS))
        assert [seen.header("X-Api-Key") for seen in server.requests] == ["k3y", "k3y"]
        assert other.requests[0].header("X-Api-Key") is None

    asyncio.run(story())


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://rebound.test:{port}/",
        "http://127.0.0.1:{port}\\@vendor.test/",
        "http://user@127.0.0.1:{port}/",
    ],
)
def test_a_redirect_to_a_blocked_address_never_connects(location: str) -> None:
    async def story() -> None:
        with forbidden_listener() as port:
            async with serve(reply(302, Location=location.format(port=port))) as server:
                names = Names(rebound_test=["127.0.0.1"])
                async with opening(f"127.0.0.1:{server.port}", names=names) as fetcher:
                    error = await failure_of(fetcher.fetch(request_for(server, "/?key=s3cret")))
        assert error.reason in (FetchReason.ADDRESS_BLOCKED, FetchReason.INVALID_URL)
        assert not error.retryable
        assert f"Redirected by http://127.0.0.1:{server.port}/: " in error.message
        assert "s3cret" not in error.message

    asyncio.run(story())


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "file:///etc/passwd",
        "gopher://x/",
        "http://[::1",
    ],
)
def test_a_chain_into_a_forbidden_place_ends_there(location: str) -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        return reply(302, Location="/next" if seen.path == "/" else location)

    async def story() -> None:
        async with serve(answer) as server:
            error = await failure_of(fetch_from(server))
        assert error.reason in (FetchReason.ADDRESS_BLOCKED, FetchReason.INVALID_URL)
        assert [seen.path for seen in server.requests] == ["/", "/next"]

    asyncio.run(story())


def test_https_never_falls_to_http(certificates: Certificates) -> None:
    async def story() -> None:
        with forbidden_listener() as port:
            answer = reply(302, Location=f"http://127.0.0.1:{port}/?key=s3cret")
            async with (
                serve(answer, tls=certificates.server()) as server,
                opening(f"127.0.0.1:{server.port}", f"127.0.0.1:{port}") as fetcher,
            ):
                credentials = Credentials(ca_pem=certificates.pem("ca.crt"))
                request = FetchRequest(url=f"https://127.0.0.1:{server.port}/", credentials=credentials)
                error = await failure_of(fetcher.fetch(request))
        assert (error.reason, error.retryable) == (FetchReason.INSECURE_REDIRECT, False)
        assert "s3cret" not in error.message

    asyncio.run(story())


def test_http_may_rise_to_https_with_the_own_ca_but_without_credentials(certificates: Certificates) -> None:
    async def story() -> None:
        async with (
            serve(reply(body=b"{}"), tls=certificates.server()) as secure,
            serve(reply(301, Location=f"https://127.0.0.1:{secure.port}/")) as server,
            opening(f"127.0.0.1:{server.port}", f"127.0.0.1:{secure.port}") as fetcher,
        ):
            credentials = Credentials(bearer_token="t0ken", ca_pem=certificates.pem("ca.crt"))
            result = await fetcher.fetch(request_for(server, credentials=credentials))
        assert result.body == b"{}"
        assert secure.requests[0].header("Authorization") is None

    asyncio.run(story())
