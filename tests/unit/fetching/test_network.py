"""The guard in a whole network: a real name server that lies, forbidden addresses that listen.

All is seen from the sockets on the forbidden side, on the event loop that the operator uses.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
import uvloop

from specsync.fetching.client import Fetcher
from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.guard import Guard, Pin
from specsync.fetching.request import FetchRequest
from tests.unit.fetching.network import NAME_SERVER, NameServer, in_own_network
from tests.unit.fetching.servers import Answer, Seen, failure_of, reply, serve

PUBLIC = "1.2.3.4"
METADATA = "169.254.169.254"
DOCUMENT = b'{"openapi": "3.1.0"}'


@asynccontextmanager
async def names(server: NameServer) -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=(NAME_SERVER, 53))
    try:
        yield server
    finally:
        transport.close()


@asynccontextmanager
async def never_connected(host: str, port: int = 80) -> AsyncIterator[None]:
    """A listener that fails the test when anybody connects; it has been shown that it hears who does."""
    async with serve(reply(body=b"what must not be read"), host=host, port=port) as forbidden:
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
        await forbidden.ended.get()
        yield
        assert forbidden.connections == 1, "the forbidden side got a connection"


def closing(body: bytes) -> Answer:
    """Answers, and ends the connection, so that the next request makes a new one."""

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        writer.write(body)
        return b""

    return answer


async def get(url: str, pin: Pin | None = None) -> FetchError:
    async with Fetcher(Guard()) as fetcher:
        return await failure_of(fetcher.fetch(FetchRequest(url=url, pin=pin)))


def story(body: Callable[[], Awaitable[None]]) -> None:
    async def within_time() -> None:
        async with asyncio.timeout(60):
            await body()

    uvloop.run(within_time())


@in_own_network(f"{PUBLIC}/32", dns=True)
def test_a_name_that_is_public_first_and_loopback_second_is_never_followed_there() -> None:
    async def body() -> None:
        async with (
            names(NameServer(vendor_test=[PUBLIC, "127.0.0.1"])) as dns,
            never_connected("127.0.0.1"),
            serve(closing(reply(body=DOCUMENT, Connection="close")), host=PUBLIC, port=80) as vendor,
            Fetcher(Guard()) as fetcher,
        ):
            request = FetchRequest(url="http://vendor.test/openapi.json")
            assert (await fetcher.fetch(request)).body == DOCUMENT
            assert dns.asked == ["vendor.test"]  # resolved once, and connected to that very answer
            error = await failure_of(fetcher.fetch(request))
        assert error.reason == FetchReason.ADDRESS_BLOCKED
        assert "vendor.test leads to a loopback address" in error.message
        assert (dns.asked, vendor.connections) == (["vendor.test"] * 2, 1)

    story(body)


@in_own_network(f"{PUBLIC}/32", dns=True)
def test_a_name_that_turns_within_one_fetch_is_never_followed() -> None:
    async def body() -> None:
        back = closing(reply(302, Location="/again", Connection="close"))
        async with (
            names(NameServer(vendor_test=[PUBLIC, "127.0.0.1"])),
            never_connected("127.0.0.1"),
            serve(back, host=PUBLIC, port=80) as vendor,
        ):
            error = await get("http://vendor.test/")
        assert (error.reason, vendor.connections) == (FetchReason.ADDRESS_BLOCKED, 1)

    story(body)


@in_own_network(f"{PUBLIC}/32", dns=True)
def test_one_forbidden_address_among_public_ones_is_enough() -> None:
    async def body() -> None:
        async with (
            names(NameServer(vendor_test=[[PUBLIC, "127.0.0.1"]])),
            never_connected("127.0.0.1"),
            serve(reply(body=DOCUMENT), host=PUBLIC, port=80) as vendor,
        ):
            error = await get("http://vendor.test/")
        assert (error.reason, vendor.connections) == (FetchReason.ADDRESS_BLOCKED, 0)

    story(body)


@pytest.mark.parametrize(
    "last",
    [
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "http://169.254.169.254:80/",
        "http://2852039166/",
        "http://0xA9FEA9FE/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://169.254.169.254.nip.test/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://vendor.test@169.254.169.254/",
        "//169.254.169.254/",
        "http:\\\\169.254.169.254/",
    ],
)
@in_own_network(f"{PUBLIC}/32", "1.2.3.5/32", f"{METADATA}/32", dns=True)
def test_a_redirect_chain_into_the_metadata_service_never_connects(last: str) -> None:
    async def first(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        return reply(301, Location="/docs" if seen.path == "/" else "http://mirror.test/")

    async def second(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        return reply(307, Location=last)

    async def body() -> None:
        answers = {"169_254_169_254_nip_test": [METADATA], "metadata_google_internal": [METADATA]}
        async with (
            names(NameServer(vendor_test=[PUBLIC], mirror_test=["1.2.3.5"], **answers)),
            never_connected(METADATA),
            serve(first, host=PUBLIC, port=80) as vendor,
            serve(second, host="1.2.3.5", port=80) as mirror,
        ):
            error = await get("http://vendor.test/")
        assert error.reason in (FetchReason.ADDRESS_BLOCKED, FetchReason.INVALID_URL)
        assert (len(vendor.requests), len(mirror.requests)) == (2, 1)

    story(body)


SERVICE_IP = "10.0.0.7"
SERVICE = "orders.team-a.svc"
PIN = Pin(SERVICE, 8080, ip_address(SERVICE_IP))


@in_own_network(f"{SERVICE_IP}/32")
def test_a_pinned_service_is_open_to_its_own_request_only() -> None:
    async def body() -> None:
        async with (
            serve(reply(body=DOCUMENT), host=SERVICE_IP, port=8080) as service,
            never_connected(SERVICE_IP, 8443),
            Fetcher(Guard()) as fetcher,
        ):
            result = await fetcher.fetch(FetchRequest(url=f"http://{SERVICE}:8080/openapi.json", pin=PIN))
            assert result.body == DOCUMENT
            assert service.requests[0].header("Host") == f"{SERVICE}:8080"
            for url, pin in (
                (f"http://{SERVICE}:8443/", PIN),  # another port
                ("http://other.team-a.svc:8080/", PIN),  # another name
                (f"http://{SERVICE_IP}:8080/", PIN),  # the address without the name
                (f"http://{SERVICE}:8080/", None),  # a request without the pin
            ):
                error = await failure_of(fetcher.fetch(FetchRequest(url=url, pin=pin)))
                assert error.reason in (FetchReason.ADDRESS_BLOCKED, FetchReason.DNS_FAILURE), url
            assert (service.connections, len(service.requests)) == (1, 1)

    story(body)


@pytest.mark.parametrize(
    "location",
    [f"http://{SERVICE_IP}:8080/", f"http://{SERVICE}:8443/", "http://127.0.0.1:8080/", f"http://{METADATA}/"],
)
@in_own_network(f"{SERVICE_IP}/32", f"{METADATA}/32")
def test_a_redirect_of_a_pinned_service_is_judged_as_any(location: str) -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        return reply(302, Location="/docs/" if seen.path == "/docs" else location)

    async def body() -> None:
        async with (
            serve(answer, host=SERVICE_IP, port=8080) as service,
            never_connected(SERVICE_IP, 8443),
            never_connected("127.0.0.1", 8080),
            never_connected(METADATA),
        ):
            error = await get(f"http://{SERVICE}:8080/docs", PIN)
        assert error.reason in (FetchReason.ADDRESS_BLOCKED, FetchReason.DNS_FAILURE)
        assert [seen.path for seen in service.requests] == ["/docs", "/docs/"]

    story(body)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", METADATA, "169.254.7.7", "224.0.0.1", "0.0.0.0", "fe80::1"])
def test_no_pin_leads_to_this_machine_or_its_link(address: str) -> None:
    with pytest.raises(FetchError) as caught:
        Pin(SERVICE, 80, ip_address(address))
    assert caught.value.reason == FetchReason.ADDRESS_BLOCKED
