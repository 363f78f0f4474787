"""The operator's proxy: what goes through it, what never does, and what it says when it fails."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

from specsync.fetching.client import Fetcher
from specsync.fetching.errors import FetchReason
from specsync.fetching.guard import Exceptions, Guard, Pin
from specsync.fetching.proxy import Proxy
from specsync.fetching.request import Credentials, FetchRequest
from tests.unit.fetching.conftest import Certificates
from tests.unit.fetching.servers import Names, Seen, failure_of, forbidden_listener, reply, serve

DOCUMENT = b'{"openapi": "3.1.0"}'
PUBLIC = "1.2.3.4"


@dataclass
class Relay:
    """A proxy that leads every CONNECT to one port of the loopback, and notes where it was to go."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)


@asynccontextmanager
async def relaying(to: int) -> AsyncIterator[Relay]:
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof() if writer.can_write_eof() else writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(contextlib.suppress(ConnectionError, asyncio.IncompleteReadError))
            stack.callback(writer.transport.abort)
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            relay.heads.append(head)
            relay.asked.append(head.split(" ")[1])
            there, back = await asyncio.open_connection("127.0.0.1", to)
            stack.callback(back.transport.abort)
            writer.write(b"HTTP/1.1 200 Connection established\r\nX-Proxy: 1\r\n\r\n")
            await asyncio.gather(pump(reader, back), pump(there, writer))

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(handle(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    relay = Relay(listening.sockets[0].getsockname()[1])
    try:
        yield relay
    finally:
        listening.close()
        for task in (waiting := list(tasks)):
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def through(port: int, *, login: str = "", names: Names | None = None, hosts: tuple[str, ...] = ()) -> Fetcher:
    proxy = Proxy.parse(f"http://{login}127.0.0.1:{port}")
    return Fetcher(Guard(Exceptions.parse(hosts), names or Names(), proxy=proxy))


def test_a_name_that_only_the_proxy_knows_is_fetched_through_it() -> None:
    async def story() -> None:
        async with (
            serve(reply(body=DOCUMENT)) as server,
            relaying(server.port) as relay,
            through(relay.port, login="me:s3cret%20x@") as fetcher,
        ):
            result = await fetcher.fetch(FetchRequest(url="http://vendor.test/openapi.json?key=s3cret"))
        assert result.body == DOCUMENT
        assert relay.asked == ["vendor.test:80"]
        assert "Proxy-Authorization: Basic bWU6czNjcmV0IHg=\r\n" in relay.heads[0]
        assert "key" not in relay.heads[0]
        assert server.requests[0].header("Host") == "vendor.test"
        assert server.requests[0].header("Proxy-Authorization") is None

    asyncio.run(story())


def test_a_name_server_that_says_nothing_does_not_stop_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specsync.fetching.client._CONNECT_SECONDS", 1.0)

    async def silent(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async def story() -> None:
        async with serve(reply(body=DOCUMENT)) as server, relaying(server.port) as relay:
            proxy = Proxy("127.0.0.1", relay.port)
            async with Fetcher(Guard(resolve=silent, proxy=proxy)) as fetcher:
                result = await fetcher.fetch(FetchRequest(url="http://vendor.test/"))
        assert (result.body, relay.asked) == (DOCUMENT, ["vendor.test:80"])

    asyncio.run(story())


def test_https_is_the_servers_own_through_the_proxy(certificates: Certificates) -> None:
    async def story() -> None:
        async with (
            serve(reply(body=DOCUMENT), tls=certificates.server()) as server,
            relaying(server.port) as relay,
            through(relay.port, names=Names(vendor_test=[PUBLIC])) as fetcher,
        ):
            credentials = Credentials(bearer_token="t0ken", ca_pem=certificates.pem("ca.crt"))
            request = FetchRequest(url="https://vendor.test/", credentials=credentials)
            assert (await fetcher.fetch(request)).body == DOCUMENT
            wrong = await failure_of(fetcher.fetch(FetchRequest(url="https://other.test/", credentials=credentials)))
        assert wrong.reason == FetchReason.TLS_FAILURE
        assert relay.asked == ["vendor.test:443", "other.test:443"]
        assert all("t0ken" not in head for head in relay.heads)

    asyncio.run(story())


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/",
        "http://2130706433/",
        "http://localhost/",
        "http://metadata.google.internal/",
        "http://vendor.test:22/",
        "http://inner.test/",
        "http://mixed.test/",
    ],
)
def test_what_the_guard_refuses_is_not_asked_of_the_proxy(url: str) -> None:
    async def story() -> None:
        names = Names(inner_test=["10.0.0.7"], mixed_test=[[PUBLIC, "127.0.0.1"]])
        with forbidden_listener() as port:
            async with through(port, names=names) as fetcher:
                error = await failure_of(fetcher.fetch(FetchRequest(url=url)))
        assert error.reason in (FetchReason.ADDRESS_BLOCKED, FetchReason.INVALID_URL)

    asyncio.run(story())


def test_a_port_that_is_open_for_another_host_is_not_asked_of_the_proxy() -> None:
    """For a name that only the proxy knows no address can be judged, so it must be the port alone that is refused."""

    async def story() -> None:
        with forbidden_listener() as port:
            async with through(port, hosts=("inner.test:9000",)) as fetcher:
                error = await failure_of(fetcher.fetch(FetchRequest(url="http://vendor.test:9000/")))
        assert error.reason == FetchReason.DNS_FAILURE

    asyncio.run(story())


def test_a_redirect_through_the_proxy_is_judged_as_any() -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        return reply(
            302, Location="http://mirror.test/" if seen.header("Host") == "vendor.test" else "http://10.0.0.1/"
        )

    async def story() -> None:
        async with (
            serve(answer) as server,
            relaying(server.port) as relay,
            through(relay.port) as fetcher,
        ):
            error = await failure_of(fetcher.fetch(FetchRequest(url="http://vendor.test/")))
        assert error.reason == FetchReason.ADDRESS_BLOCKED
        assert relay.asked == ["vendor.test:80", "mirror.test:80"]

    asyncio.run(story())


def test_what_the_administrator_has_opened_is_reached_without_the_proxy() -> None:
    async def story() -> None:
        with forbidden_listener() as port:
            async with serve(reply(body=DOCUMENT)) as server:
                names = Names(inner_test=["127.0.0.1"])
                async with through(port, names=names, hosts=(f"inner.test:{server.port}",)) as fetcher:
                    result = await fetcher.fetch(FetchRequest(url=f"http://inner.test:{server.port}/"))
        assert result.body == DOCUMENT

    asyncio.run(story())


def test_a_service_is_reached_without_the_proxy() -> None:
    pin = Pin("orders.team-a.svc", 8080, ip_address("10.0.0.7"))
    guard = Guard(proxy=Proxy("proxy.test", 3128)).pinned(pin)
    assert not guard.goes_by_proxy(pin.host, pin.port, [pin.address])
    assert guard.goes_by_proxy("vendor.test", 443, [ip_address(PUBLIC)])
    assert guard.goes_by_proxy("vendor.test", 443, [])
    assert not Guard().goes_by_proxy("vendor.test", 443, [])


@pytest.mark.parametrize(
    ("answer", "reason", "text"),
    [
        (reply(407), FetchReason.CONNECTION_FAILED, "asks for a user name and password (HTTP 407)"),
        (reply(403), FetchReason.ADDRESS_BLOCKED, "didn't connect to vendor.test:80 (HTTP 403)"),
        (reply(502), FetchReason.CONNECTION_FAILED, "didn't connect to vendor.test:80 (HTTP 502)"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", FetchReason.CONNECTION_FAILED, "didn't answer as an HTTP proxy does"),
        (b"", FetchReason.CONNECTION_FAILED, "didn't answer as an HTTP proxy does"),
        (
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000,
            FetchReason.CONNECTION_FAILED,
            "didn't answer as an HTTP proxy",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", FetchReason.CONNECTION_FAILED, "didn't answer as an HTTP proxy"),
    ],
    ids=["407", "403", "502", "no HTTP", "nothing", "no end", "more than a head"],
)
def test_a_proxy_that_fails_is_named_as_the_culprit(answer: bytes, reason: FetchReason, text: str) -> None:
    async def story() -> None:
        async with serve(answer) as proxy, through(proxy.port, login="me:s3cret@") as fetcher:
            error = await failure_of(fetcher.fetch(FetchRequest(url="http://vendor.test/")))
        assert error.reason == reason
        assert "The operator's proxy" in error.message
        assert text in error.message
        assert "s3cret" not in error.message

    asyncio.run(story())


def test_a_proxy_that_is_not_there_is_named() -> None:
    async def story() -> None:
        async with serve(b"") as gone:
            port = gone.port
        async with through(port) as fetcher:
            error = await failure_of(fetcher.fetch(FetchRequest(url="http://vendor.test/")))
        assert (error.reason, error.retryable) == (FetchReason.CONNECTION_FAILED, True)
        assert "The operator's proxy can't be reached" in error.message

    asyncio.run(story())


def test_a_proxy_that_says_nothing_ends_at_the_deadline() -> None:
    async def never(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        await asyncio.Event().wait()
        return b""

    async def story() -> None:
        async with serve(never) as proxy, through(proxy.port) as fetcher:
            error = await failure_of(fetcher.fetch(FetchRequest(url="http://vendor.test/", timeout=0.2)))
        assert error.reason == FetchReason.TIMEOUT

    asyncio.run(asyncio.wait_for(story(), 30))


@pytest.mark.parametrize(
    "text",
    [
        *("proxy.corp:3128", "https://proxy.corp:3128", "http://proxy.corp", "http://me:s3cret@proxy.corp"),
        *("socks5://x:1", "http://proxy.corp:99999", "http://proxy.corp:3128/path", "http://me@proxy.corp:3128", ""),
    ],
)
def test_a_proxy_that_cannot_be_read_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(ValueError, match=r"isn't an HTTP proxy: write http://host:port") as caught:
        Proxy.parse(text)
    assert "s3cret" not in str(caught.value)


def test_the_password_of_a_proxy_is_not_in_its_text() -> None:
    assert "s3cret" not in repr(Proxy.parse("http://me:s3cret@[fd00::7]:3128/"))
    assert "czNjcmV0" not in repr(Proxy.parse("http://me:s3cret@[fd00::7]:3128/"))
