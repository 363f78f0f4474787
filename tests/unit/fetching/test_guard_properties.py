"""Properties of the guard that hold for every address and every text (hypothesis)."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import httpcore
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from specsync.fetching.addresses import special_kind
from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.guard import Guard
from tests.unit.fetching.servers import Names


def spellings(address: IPv4Address) -> st.SearchStrategy[str]:
    """The ways that inet_aton and browsers read as ``address``, the plain one left out."""
    number = int(address)
    parts = list(address.packed)

    def one_of(part: int) -> st.SearchStrategy[str]:
        return st.sampled_from(
            [str(part), hex(part), hex(part).upper().replace("X", "x"), f"0{part:o}", f"000{part:o}"]
        )

    short = st.integers(1, 3).flatmap(
        lambda kept: st.tuples(*(one_of(part) for part in parts[:kept]), one_of(number & ((1 << (8 * (4 - kept))) - 1)))
    )
    forms = [one_of(number).map(lambda text: (text,)), short, st.tuples(*(one_of(part) for part in parts))]
    texts = st.one_of(*forms).map(".".join)
    return st.tuples(texts, st.sampled_from(["", "."])).map("".join).filter(lambda text: text != str(address))


def is_refused(url: str) -> bool:
    try:
        Guard().read_url(url)
    except FetchError as error:
        return error.reason in (FetchReason.INVALID_URL, FetchReason.ADDRESS_BLOCKED)
    return False


ADDRESSES_V4 = st.integers(0, 2**32 - 1).map(IPv4Address)


@settings(deadline=None)
@given(st.data(), ADDRESSES_V4)
def test_no_odd_spelling_of_any_ipv4_address_is_read(data: st.DataObject, address: IPv4Address) -> None:
    text = data.draw(spellings(address))
    with pytest.raises(FetchError) as refused:
        Guard().read_url(f"http://{text}/")
    assert refused.value.reason == FetchReason.INVALID_URL


@settings(deadline=None)
@given(ADDRESSES_V4)
def test_an_ipv4_address_that_python_does_not_call_global_is_never_public(address: IPv4Address) -> None:
    if special_kind(address) is None:
        assert address.is_global
        assert not address.is_multicast


@settings(deadline=None)
@given(
    ADDRESSES_V4,
    st.sampled_from(
        ["::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::", "64:ff9b:1:abcd::", "2606:4700::5efe:0:0"]
    ),
)
def test_no_ipv6_wrapping_of_any_ipv4_address_is_public(inner: IPv4Address, prefix: str) -> None:
    number = int(inner)
    wrapped = [
        IPv6Address(int(IPv6Address(prefix)) | number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
        IPv6Address(0x20010000 << 96 | (number ^ 0xFFFFFFFF)),
    ]
    for address in wrapped:
        assert special_kind(address) is not None
        assert is_refused(f"http://[{address}]/")


@settings(deadline=None)
@given(st.integers(0, 2**128 - 1).map(IPv6Address))
@example(IPv6Address("2000::"))
@example(IPv6Address("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))
def test_a_public_ipv6_address_is_global_unicast(address: IPv6Address) -> None:
    if special_kind(address) is None:
        assert address.is_global
        assert int(address) >> 125 == 1


URL_PIECES = st.lists(
    st.sampled_from(list("http:/@[]%.\\?#&;,+-_0123456789abcdefxX \t\r\n:/.@\u3002\uff11\u24d4\u0661\u00ad"))
    | st.sampled_from(
        ["http://", "https://", "127.0.0.1", "localhost", "::1", "::ffff:", "0x7f", "0177", "%00", "8.8.8.8", "a.b"]
    ),
    max_size=14,
).map("".join)


@settings(deadline=None)
@given(URL_PIECES | st.text(max_size=40).map("http://".__add__) | st.text(max_size=40))
@example("http://8.8.8.8:80/#@127.0.0.1")
@example("http://a.b?@127.0.0.1/")
def test_a_url_that_is_read_is_read_alike_by_everybody(url: str) -> None:
    try:
        target = Guard().read_url(url)
    except FetchError as error:
        assert error.reason in (FetchReason.INVALID_URL, FetchReason.ADDRESS_BLOCKED)
        return
    for other in (urlsplit(url), urlsplit(target.url)):
        assert other.scheme == target.scheme
        assert other.username is None
        assert (other.hostname or "").removesuffix(".") in (target.host, str(other.hostname))
        assert (other.port or {"http": 80, "https": 443}[other.scheme]) == target.port
    assert (urlsplit(target.url).hostname) == target.host
    sent = httpcore.URL(target.url)
    assert (sent.host.decode().strip("[]"), sent.port or sent.origin.port) == (target.host, target.port)
    literal = socket_address(target.host)
    assert literal is None or special_kind(ip_address(literal)) is None


def socket_address(host: str) -> str | None:
    """The address that the C library would connect to for ``host`` without any look-up, or None."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return host if ":" in host else None


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address), max_size=4))
def test_a_name_is_as_public_as_the_least_public_of_its_addresses(addresses: list[IPv4Address | IPv6Address]) -> None:
    judge = Guard(resolve=Names(any_test=[[str(address) for address in addresses]]))
    try:
        found = asyncio.run(judge.addresses("any.test", 443))
    except FetchError as error:
        special = any(special_kind(address) for address in addresses)
        assert error.reason == (FetchReason.ADDRESS_BLOCKED if special else FetchReason.DNS_FAILURE)
        assert special or not addresses
    else:
        assert found == list(dict.fromkeys(addresses))
        assert all(special_kind(address) is None for address in found)
