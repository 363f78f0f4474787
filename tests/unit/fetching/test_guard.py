"""The guard's judgement on addresses and names, the administrator's exceptions, and where connections really go."""

import asyncio
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address

import httpcore
import pytest

from specsync.fetching.addresses import embedded_ipv4, special_kind
from specsync.fetching.client import Fetcher
from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.guard import Exceptions, Guard, GuardedBackend
from specsync.fetching.request import FetchRequest
from specsync.fetching.resolver import SystemResolver
from tests.unit.fetching.servers import Names, Seen, failure_of, forbidden_listener, opening, reply, serve


def guard(*hosts: str, cidrs: Sequence[str] = (), names: Names | None = None) -> Guard:
    return Guard(Exceptions.parse(hosts, cidrs), names)


def allows(judge: Guard, url: str) -> bool:
    """Whether a fetch of ``url`` would connect."""
    try:
        target = judge.read_url(url)
        return bool(asyncio.run(judge.addresses(target.host, target.port)))
    except FetchError as error:
        assert error.reason in (FetchReason.INVALID_URL, FetchReason.ADDRESS_BLOCKED)
        return False


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "a loopback"),
        ("10.1.2.3", "a private"),
        ("100.64.0.1", "a carrier-grade NAT"),
        ("169.254.1.1", "a link-local"),
        ("169.254.169.254", "a metadata service's"),
        ("168.63.129.16", "a metadata service's"),
        ("100.100.100.200", "a metadata service's"),
        ("fd00:ec2::254", "a metadata service's"),
        ("0.0.0.0", "an unspecified"),
        ("::", "an unspecified"),
        ("::1", "a loopback"),
        ("fd00::1", "a private"),
        ("fe80::1", "a link-local"),
        ("fe80::1%eth0", "a link-local"),
        ("2606:4700::1%eth0", "a link-local"),
        ("ff02::1", "a multicast"),
        ("224.0.0.1", "a multicast"),
        ("240.0.0.1", "a reserved"),
        ("4000::1", "a reserved"),
        ("2001:db8::1", "a documentation"),
        ("::ffff:8.8.8.8", "an IPv4-in-IPv6"),
        ("2002:808:808::", "an IPv4-in-IPv6"),
        ("8.8.8.8", None),
        ("2606:4700::1", None),
    ],
)
def test_kind_of_address(address: str, kind: str | None) -> None:
    assert special_kind(ip_address(address)) == kind


@pytest.mark.parametrize(
    ("address", "inner"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::10.0.0.1", "10.0.0.1"),
        ("::ffff:0:10.0.0.1", "10.0.0.1"),
        ("64:ff9b::10.0.0.1", "10.0.0.1"),
        ("64:ff9b:1::10.0.0.1", "10.0.0.1"),
        ("2002:a00:1::", "10.0.0.1"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"),  # RFC 4380's own example
        ("2606:4700::5efe:10.0.0.1", "10.0.0.1"),
        ("fe80::200:5efe:10.0.0.1", "10.0.0.1"),
        ("::1", None),
        ("::", None),
        ("2606:4700::1", None),
    ],
)
def test_the_ipv4_address_inside(address: str, inner: str | None) -> None:
    assert embedded_ipv4(IPv6Address(address)) == (IPv4Address(inner) if inner else None)


def test_an_opened_host_is_open_on_that_port_only() -> None:
    judge = guard(
        "api.corp:9443", "10.0.0.7:80", "[fd00::7]:443", "Localhost.:8080", names=Names(api_corp=["10.9.9.9"])
    )
    for url in ("https://api.corp:9443/", "http://10.0.0.7/", "https://[fd00::7]/", "http://localhost:8080/"):
        target = judge.read_url(url)
        assert target.url == url
    assert allows(judge, "https://api.corp:9443/")
    assert allows(judge, "https://API.corp.:9443/")
    for url in (
        "https://api.corp/",
        "http://10.0.0.7:8080/",
        "http://10.0.0.8/",
        "https://[fd00::8]/",
        "http://localhost/",
    ):
        assert not allows(judge, url)


def test_an_opened_address_is_open_under_any_name() -> None:
    names = Names(api_corp=["10.0.0.7"], other_corp=["10.0.0.8"], public_example=["8.8.8.8"])
    judge = guard("10.0.0.7:9090", names=names)
    assert allows(judge, "http://10.0.0.7:9090/")
    assert allows(judge, "http://api.corp:9090/")
    for url in ("http://api.corp/", "http://api.corp:9091/", "http://other.corp:9090/", "http://public.example:9090/"):
        assert not allows(judge, url)


def test_an_opened_range_is_open_on_web_ports() -> None:
    names = Names(api_corp=["10.20.1.1"], half_corp=["10.20.1.1", "10.21.1.1"], wide_corp=[["10.20.1.1", "10.21.1.1"]])
    judge = guard(cidrs=["10.20.0.0/16", "fd00:1::/32"], names=names)
    for url in ("https://10.20.0.1/", "http://10.20.255.255:8080/", "https://[fd00:1::1]/", "https://api.corp/"):
        assert allows(judge, url)
    for url in ("http://10.20.0.1:22/", "http://10.21.0.1/", "https://[fd00:2::1]/", "https://wide.corp/"):
        assert not allows(judge, url)


@pytest.mark.parametrize("metadata", ["169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192"])
def test_a_metadata_service_is_opened_by_its_own_address_only(metadata: str) -> None:
    names = Names(meta_corp=[metadata], wrapped_corp=["::ffff:" + metadata])
    wide = guard("meta.corp:80", "wrapped.corp:80", cidrs=["0.0.0.0/0", "::/0"], names=names)
    assert allows(wide, "http://10.0.0.1/")
    for url in (f"http://{metadata}/", "http://meta.corp/", "http://wrapped.corp/", f"http://[::ffff:{metadata}]/"):
        assert not allows(wide, url)
    assert not allows(guard("metadata.google.internal:80"), "http://metadata.google.internal/")
    assert allows(guard(f"{metadata}:80"), f"http://{metadata}/")
    assert allows(guard(cidrs=[f"{metadata}/32"]), f"http://{metadata}/")


def test_an_opened_nat64_prefix_does_not_open_what_is_behind_it() -> None:
    judge = guard(cidrs=["64:ff9b::/96"])
    assert allows(judge, "https://[64:ff9b::8.8.8.8]/")
    for inner in ("127.0.0.1", "10.0.0.1", "169.254.169.254"):
        assert not allows(judge, f"https://[64:ff9b::{inner}]/")
    assert allows(guard(cidrs=["64:ff9b::/96", "10.0.0.0/8"]), "https://[64:ff9b::10.0.0.1]/")


@pytest.mark.parametrize(
    "text",
    (
        *("", "api.corp", "api.corp:", "api.corp:0", "api.corp:65536", "api.corp:x", ":80", "http://a:80", "a/b:80"),
        *("fd00::1:80", "[fd00::1]", "10.0.0.0/8:80", "*.corp:80", "0x7f.1:80", "a:80:80", "user@a:80", " a:80"),
    ),
)
def test_an_exception_for_a_host_that_is_not_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"--allow-host .* write api\.corp:8443"):
        Exceptions.parse([text])


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "10.0.0.0/33", "corp", "fd00::/129", "10.0.0.0-10.0.0.9"])
def test_an_exception_for_a_range_that_is_not_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"--allow-cidr .* write 10\.20\.0\.0/16"):
        Exceptions.parse(cidrs=[text])


@pytest.mark.parametrize(
    ("url", "step"),
    [
        ("http://10.0.0.1/", "--allow-host 10.0.0.1:80"),
        ("https://[fd00::1]/", "--allow-host [fd00::1]:443"),
        ("https://vendor.test:6443/", "--allow-host vendor.test:6443"),
        ("http://localhost:8080/", "--allow-host localhost:8080"),
        ("https://hidden.test/", "--allow-host hidden.test:443"),
        ("http://169.254.169.254/", "use another address"),
        ("http://a:b@vendor.test/", "secretRef"),
        ("file:///etc/passwd", "only http and https"),
        ("vendor.test/openapi.json", "https://api.example.com/openapi.json"),
    ],
)
def test_a_refusal_says_the_next_step_and_no_address_of_the_inside(url: str, step: str) -> None:
    with pytest.raises(FetchError) as refused:
        judge = guard(names=Names(hidden_test=["10.66.77.88"]))
        target = judge.read_url(url)
        asyncio.run(judge.addresses(target.host, target.port))
    assert step in refused.value.message
    assert "10.66.77.88" not in refused.value.message


@pytest.mark.parametrize(
    ("url", "sent", "host"),
    [
        ("https://a.example", "/", "a.example"),
        ("https://a.example:443/x", "/x", "a.example"),
        ("http://a.example:443/x", "/x", "a.example:443"),
        ("https://A.example./x?y#z", "/x?y", "a.example"),
        ("https://a.example?y", "/?y", "a.example"),
        ("https://a.example/ü", "/%C3%BC", "a.example"),
        ('https://a.example/"<>^`{|}', "/%22%3C%3E%5E%60%7B%7C%7D", "a.example"),
        ("https://a.example/%zz%2e", "/%zz%2e", "a.example"),
        ("https://[2606:4700:0::1]:8443/", "/", "[2606:4700::1]:8443"),
    ],
)
def test_what_is_sent_for_a_url(url: str, sent: str, host: str) -> None:
    target = Guard().read_url(url)
    assert (target.path, target.authority) == (sent, host)


def test_a_second_dns_answer_changes_nothing() -> None:
    """The first answer is open, the second is not: the connection goes to the first, and the second gets none."""

    async def story() -> None:
        with forbidden_listener("127.0.0.1") as port:
            async with serve(reply(body=b"{}", Connection="close"), host="127.0.0.2", port=port) as server:
                names = Names(rebind_test=["127.0.0.2", "127.0.0.1"])
                async with opening(f"127.0.0.2:{port}", names=names) as fetcher:
                    request = FetchRequest(url=f"http://rebind.test:{port}/")
                    assert (await fetcher.fetch(request)).body == b"{}"
                    assert names.asked == ["rebind.test"]
                    assert server.requests[0].header("Host") == f"rebind.test:{port}"
                    error = await failure_of(fetcher.fetch(request))
        assert error.reason == FetchReason.ADDRESS_BLOCKED
        assert server.connections == 1

    asyncio.run(story())


def test_getaddrinfo_is_asked_once_for_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lowest level: no second look-up anywhere in the stack, and the connection goes to the first answer."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def flipping(host: str, *rest: object, **named: object) -> object:
        if host != "rebind.test":
            return real(host, *rest, **named)  # type: ignore[arg-type]
        asked.append(host)
        address = "127.0.0.2" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]

    async def story() -> None:
        with forbidden_listener("127.0.0.1") as port:
            async with (
                serve(reply(body=b"{}"), host="127.0.0.2", port=port) as server,
                opening(f"rebind.test:{port}") as fetcher,
            ):
                assert (await fetcher.fetch(FetchRequest(url=f"http://rebind.test:{port}/"))).body == b"{}"
        assert (asked, server.connections) == (["rebind.test"], 1)

    monkeypatch.setattr(socket, "getaddrinfo", flipping)
    asyncio.run(story())


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0", "[::ffff:127.0.0.1]", "name.test", "mixed.test"],
)
def test_a_blocked_place_gets_no_connection(host: str) -> None:
    """Seen from the other side: a socket listens there, on a port that is open for others."""

    async def story() -> None:
        with forbidden_listener() as port:
            names = Names(name_test=["127.0.0.1"], mixed_test=[["127.0.0.2", "127.0.0.1"]])
            async with opening(f"127.0.0.2:{port}", f"other.test:{port}", names=names) as fetcher:
                error = await failure_of(fetcher.fetch(FetchRequest(url=f"http://{host}:{port}/?key=s3cret")))
        assert error.reason in (FetchReason.ADDRESS_BLOCKED, FetchReason.INVALID_URL)
        assert "s3cret" not in error.message

    asyncio.run(story())


def test_the_backend_judges_for_itself() -> None:
    """Whoever builds a connection pool on it is guarded, even without reading the URL first."""

    async def story() -> None:
        with forbidden_listener() as port:
            async with httpcore.AsyncConnectionPool(network_backend=GuardedBackend(Guard())) as pool:
                for url in (f"http://127.0.0.1:{port}/", f"http://localhost:{port}/", "http://169.254.169.254/"):
                    with pytest.raises(FetchError) as refused:
                        await pool.request("GET", url)
                    assert refused.value.reason == FetchReason.ADDRESS_BLOCKED
                with pytest.raises(NotImplementedError):
                    await GuardedBackend(Guard()).connect_unix_socket("socket")

    asyncio.run(story())


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async def story() -> None:
        async with serve(reply(body=b"{}"), host="127.0.0.2") as server:
            names = Names(vendor_test=[["127.0.0.3", "127.0.0.2"]])
            async with opening(f"vendor.test:{server.port}", names=names) as fetcher:
                request = FetchRequest(url=f"http://vendor.test:{server.port}/")
                assert (await fetcher.fetch(request)).body == b"{}"
                names = Names(vendor_test=[["127.0.0.3", "127.0.0.4"]])
            async with opening(f"vendor.test:{server.port}", names=names) as fetcher:
                error = await failure_of(fetcher.fetch(request))
        assert error.reason == FetchReason.CONNECTION_FAILED

    asyncio.run(story())


@contextmanager
def black_hole(host: str, port: int) -> Iterator[None]:
    """A socket whose queue is full: Linux answers no more attempts to connect, as a firewall that drops them."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        yield


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux fills a queue")
def test_an_address_that_swallows_attempts_leaves_time_for_the_next_one() -> None:
    """For protocols that aren't HTTP; a mail server whose IPv6 address leads nowhere would never get mail."""

    async def story() -> None:
        async with serve(b"", host="127.0.0.2") as server:
            with black_hole("127.0.0.3", server.port):
                judge = guard(f"mail.test:{server.port}", names=Names(mail_test=[["127.0.0.3", "127.0.0.2"]]))
                with await judge.connect("mail.test", server.port, 1.0) as connection:
                    assert connection.getpeername()[0] == "127.0.0.2"
                judge = guard(f"mail.test:{server.port}", names=Names(mail_test=[["127.0.0.3"]]))
                with pytest.raises(FetchError) as failed:
                    await judge.connect("mail.test", server.port, 0.2)
        assert (failed.value.reason, failed.value.retryable) == (FetchReason.TIMEOUT, True)

    asyncio.run(story())


def test_a_name_server_that_says_nothing_is_named_as_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specsync.fetching.client._CONNECT_SECONDS", 0.1)

    async def silent(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async def story() -> None:
        judge = Guard(Exceptions.parse(["vendor.test:587"]), silent)
        async with Fetcher(judge) as fetcher:
            fetched = await failure_of(fetcher.fetch(FetchRequest(url="https://vendor.test/")))
        with pytest.raises(FetchError) as connected:
            await judge.connect("vendor.test", 587, 0.1)
        for error in (fetched, connected.value):
            assert (error.reason, error.retryable) == (FetchReason.DNS_FAILURE, True)
            assert "the name server gave no answer" in error.message

    asyncio.run(story())


def test_a_name_without_an_address() -> None:
    async def story() -> FetchError:
        async with opening(names=Names(empty_test=[[]])) as fetcher:
            return await failure_of(fetcher.fetch(FetchRequest(url="https://empty.test/")))

    assert asyncio.run(story()).reason == FetchReason.DNS_FAILURE


def test_the_systems_resolver_knows_this_machine() -> None:
    assert "127.0.0.1" in asyncio.run(SystemResolver()("localhost", 80))


def test_the_real_connection_is_to_the_judged_address() -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        return reply(body=str(writer.get_extra_info("sockname")[0]).encode())

    async def story() -> None:
        async with serve(answer, host="127.0.0.2") as server:
            fetcher = opening(f"vendor.test:{server.port}", names=Names(vendor_test=["127.0.0.2"]))
            result = await fetcher.fetch(FetchRequest(url=f"http://vendor.test:{server.port}/"))
            await fetcher.aclose()
        assert result.body == b"127.0.0.2"

    asyncio.run(story())
