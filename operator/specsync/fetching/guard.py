"""The guard: which URLs and addresses a fetch may go to, and the only place that opens a connection.

A URL is read once, by a grammar that is narrower than any browser's; what it can't read is refused, so no second
parser can see another host. A name is resolved once per connection, every address of the answer is judged, and the
connection goes to a judged address: a later DNS answer changes nothing. TLS still verifies the name.

A host whose last label is a number is an IPv4 address or nothing (WHATWG URL standard, "ends in a number").
"""

import asyncio
import re
import socket
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpcore

from specsync.fetching.addresses import METADATA_ADDRESSES, Address, Network, embedded_ipv4, special_kind
from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.politeness import HostLimits
from specsync.fetching.proxy import Proxy
from specsync.fetching.resolver import Resolve, SystemResolver
from specsync.fetching.streams import SmallBites

WEB_PORTS = frozenset({80, 443, 8080, 8443})
MAIL_PORTS = frozenset({465, 587, 2525})
"""Where mail is handed in (RFC 8314); not 25, by which mail servers talk to each other."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_URL = 8192
_MAX_ADDRESSES_TRIED = 6

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<target>[^#]*)(?:#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[1-9][0-9]{0,4}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NOT_IN_TARGET = re.compile(r"[^\x21-\x7e]|[\"<>^`{|}]")

_METADATA_NAMES = frozenset(
    {"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal", "metadata.azure.internal"}
    | {"metadata.tencentyun.com", "metadata.packet.net", "metadata.platformequinix.com", "metadata.goog"}
)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that the guard has read. ``path`` begins with ``/`` and includes the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: what credentials are bound to."""
        return (self.scheme, self.host, self.port)

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL with its query: to join references to it, never to show it."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def __repr__(self) -> str:
        return f"Target({self.scheme}://{self.authority})"


@dataclass(frozen=True, slots=True)
class Exceptions:
    """What the operator's administrator has opened, in addition to the public internet.

    ``hosts``: exact host and port. A name opens whatever it resolves to, an address is open under any name.
    ``networks``: addresses that are fine on web ports.
    Metadata services stay closed unless their own address is named, alone.
    """

    hosts: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, hosts: Iterable[str] = (), cidrs: Iterable[str] = ()) -> "Exceptions":
        """Reads the values of ``--allow-host host:port`` and ``--allow-cidr``; ValueError says what to write."""
        return cls(frozenset(map(_parse_allowed_host, hosts)), tuple(map(_parse_allowed_cidr, cidrs)))


def _parse_allowed_host(text: str) -> tuple[str, int]:
    found = _AUTHORITY.fullmatch(text)
    host = _read_host(found["v6"], found["name"]) if found else None
    if not found or host is None or not found["port"] or int(found["port"]) > 65535:
        raise ValueError(
            f"--allow-host {text!r} isn't a host and a port: write api.corp:8443, 10.0.0.7:80 or [fd00::7]:443"
        )
    return host, int(found["port"])


def _parse_allowed_cidr(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"--allow-cidr {text!r} isn't a range: {error}; write 10.20.0.0/16 or fd00:1::/32") from None


def _read_host(v6: str | None, name: str | None) -> str | None:
    """The one spelling of a host, or None where it is neither a name nor a plainly written address."""
    try:
        if v6 is not None:
            return str(IPv6Address(v6))
        assert name is not None
        host = name.lower()
        if _NUMBER_LABEL.fullmatch(host.removesuffix(".").rpartition(".")[2]):
            return str(IPv4Address(host))  # four decimal numbers without leading zeros, or ValueError
    except ValueError:
        return None
    host = host.removesuffix(".")
    fits = len(host) <= 253 and all(_LABEL.fullmatch(label) for label in host.split("."))
    return host if fits else None


def _as_address(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Pin:
    """The address of a host that Kubernetes gave instead of DNS: open under that name and port, for one request."""

    host: str
    port: int
    address: Address

    def __post_init__(self) -> None:
        """Refuses what no Service's address is, whoever wrote it: this machine, its link, metadata. FetchError."""
        refused = (self.address in METADATA_ADDRESSES, self.address.is_loopback, self.address.is_link_local)
        if any(refused) or self.address.is_multicast or self.address.is_unspecified:
            raise _blocked(self.host, self.port, f"leads to {special_kind(self.address)} address", opens=False)


class Guard:
    """Judges URLs and addresses by the administrator's exceptions. Safe to share; hold one per process.

    Carries the administrator's other settings of how the world is reached: the ``proxy`` and the ``limits`` per host.
    """

    def __init__(
        self,
        exceptions: Exceptions | None = None,
        resolve: Resolve | None = None,
        *,
        proxy: Proxy | None = None,
        limits: HostLimits | None = None,
        pin: Pin | None = None,
    ) -> None:
        self.proxy = proxy
        self.limits = limits or HostLimits()
        self._exceptions = exceptions or Exceptions()
        self._resolve = resolve or SystemResolver()
        self._pin = pin
        self._ports = WEB_PORTS

    def on_ports(self, ports: frozenset[int]) -> "Guard":
        """This guard for another protocol, whose usual ports are ``ports`` in place of the web's."""
        other = copy(self)
        other._ports = ports
        return other

    def pinned(self, pin: Pin | None) -> "Guard":
        """This guard, but that ``pin`` is open. For the requests that it was made for, and no others."""
        if pin is None:
            return self
        other = copy(self)
        other._pin = pin
        return other

    def read_url(self, url: str) -> Target:
        """The parts of ``url``, when a fetch may go there as far as the text tells.

        Raises FetchError: InvalidURL for what can't be read plainly, AddressBlocked for what may not be reached.
        """
        if len(url) > _MAX_URL or re.search(r"[\x00-\x20\x7f\\]", url):
            raise _invalid("it is too long, or has a space, backslash or control character in it")
        found = _URL.fullmatch(url)
        if found is None:
            raise _invalid("write it in full, as in https://api.example.com/openapi.json")
        scheme = found["scheme"].lower()
        if scheme not in _DEFAULT_PORTS:
            raise _invalid("only http and https are fetched")
        if "@" in found["authority"]:
            raise _invalid("it has a user name or password in it; put them in a Secret and name it in secretRef")
        parts = _AUTHORITY.fullmatch(found["authority"])
        host = _read_host(parts["v6"], parts["name"]) if parts else None
        if not parts or host is None:
            raise _invalid(
                "its host is neither a plain name nor a plainly written address; write names in ASCII (xn--…), "
                "IPv4 as four decimal numbers, IPv6 in brackets without a zone"
            )
        port = int(parts["port"]) if parts["port"] else _DEFAULT_PORTS[scheme]
        if port > 65535:
            raise _invalid("its port is above 65535")
        self._judge_host(host, port)
        path = found["target"] if found["target"].startswith("/") else "/" + found["target"]
        return Target(scheme, host, port, _NOT_IN_TARGET.sub(_percent_encoded, path))

    async def addresses(self, host: str, port: int) -> list[Address]:
        """The addresses of ``host``, resolved once and each judged, in the resolver's order, never empty.

        Raises FetchError: AddressBlocked when any of them may not be reached, DNSFailure when there is none.
        """
        self._judge_host(host, port)
        if self._pin is not None and self._is_pinned(host, port):
            return [self._pin.address]
        literal = _as_address(host)
        if literal is not None:
            return [literal]
        try:
            answers = await self._resolve(host, port)
        except (socket.gaierror, UnicodeError) as error:
            raise _dns_failure(host, error) from None
        addresses = [ip_address(text) for text in dict.fromkeys(answers)]
        if not addresses:
            raise _dns_failure(host, None)
        for address in addresses:
            self._judge_address(address, host, port)
        return addresses

    async def addresses_by(self, host: str, port: int, end: float) -> list[Address]:
        """As ``addresses``; DNSFailure too when the name isn't resolved by ``end``, a time of the event loop."""
        try:
            async with asyncio.timeout_at(end):
                return await self.addresses(host, port)
        except TimeoutError as error:
            raise _dns_failure(host, error) from None

    async def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """A connection to a judged address of ``host``, for protocols that aren't HTTP; past the proxy.

        Raises FetchError: as ``addresses``, InvalidURL for a host that isn't one, ConnectionFailed, Timeout.
        """
        name = _read_host(host if ":" in host else None, host)
        if name is None:
            raise _invalid(f"{host!r} is neither a plain name nor a plainly written address")
        end = asyncio.get_running_loop().time() + seconds
        tries = (await self.addresses_by(name, port, end))[:_MAX_ADDRESSES_TRIED]
        error: OSError | None = None
        for left, address in zip(range(len(tries), 0, -1), tries, strict=True):
            try:
                return await _connected(address, port, end, left)
            except OSError as failed:
                error = failed
        if isinstance(error, TimeoutError):
            text = f"No connection to {name}:{port} within {seconds:g} seconds; it is tried again."
            raise FetchError(FetchReason.TIMEOUT, text)
        text = f"No connection to {name}:{port}: check host and port, and whether the server runs."
        raise FetchError(FetchReason.CONNECTION_FAILED, text)

    def goes_by_proxy(self, host: str, port: int, addresses: Iterable[Address]) -> bool:
        """Whether ``host`` is reached through the proxy. What an exception or a pin opens is near: it isn't.

        Nor is a port that only an exception has opened, for another host or for an address.
        """
        near = self._is_pinned(host, port) or (host, port) in self._exceptions.hosts or port not in self._ports
        return self.proxy is not None and not near and all(special_kind(address) is None for address in addresses)

    def _is_pinned(self, host: str, port: int) -> bool:
        return self._pin is not None and (host, port) == (self._pin.host, self._pin.port)

    def _judge_host(self, host: str, port: int) -> None:
        if host in _METADATA_NAMES:
            raise _blocked(host, port, "is a metadata service's name", opens=False)
        if self._is_pinned(host, port) or (host, port) in self._exceptions.hosts:
            return
        if host == "localhost" or host.endswith(".localhost"):
            raise _blocked(host, port, "is this machine's own name")
        if port not in self._ports and all(port != opened for _, opened in self._exceptions.hosts):
            raise self._no_usual_port(host, port)
        literal = _as_address(host)
        if literal is not None:
            self._judge_address(literal, host, port)

    def _judge_address(self, address: Address, host: str, port: int) -> None:
        if (str(address), port) in self._exceptions.hosts:
            return
        named = (host, port) in self._exceptions.hosts
        if port not in self._ports and not named:
            raise self._no_usual_port(host, port)
        kind = special_kind(address)
        if kind is None:
            return
        leads = "is" if _as_address(host) is not None else "leads to"
        inside = [network for network in self._exceptions.networks if address in network]
        if address in METADATA_ADDRESSES:
            if not any(network.num_addresses == 1 for network in inside):
                raise _blocked(host, port, f"{leads} a metadata service's address", opens=False)
        elif not named and not inside:
            raise _blocked(host, port, f"{leads} {kind} address")
        inner = embedded_ipv4(address) if isinstance(address, IPv6Address) else None
        if inner is not None:  # its wrapping is open: what it stands for is judged all the same
            self._judge_address(inner, host, port)

    def _no_usual_port(self, host: str, port: int) -> FetchError:
        usual = (
            f"{'no web port' if self._ports is WEB_PORTS else 'none of'} ({', '.join(map(str, sorted(self._ports)))})"
        )
        return _blocked(host, port, f"is asked for on port {port}, which is {usual},")


async def _connected(address: Address, port: int, end: float, tries_left: int) -> socket.socket:
    """A connection to ``address`` within its part of the time that is left until ``end``. Raises OSError."""
    loop = asyncio.get_running_loop()
    connection = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)
    connection.setblocking(False)
    try:
        async with asyncio.timeout(max(end - loop.time(), 0.0) / tries_left):
            await loop.sock_connect(connection, (str(address), port))
    except BaseException:
        connection.close()
        raise
    return connection


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """The network under httpcore's connection pools: connects to judged addresses and nowhere else.

    With a proxy, to that: it is told the name, which was judged here as far as this machine's DNS knows it.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first address of ``host`` that answers, within ``timeout`` seconds in all.

        A tunnel has so much for itself, for where there is a proxy, DNS may well not know the name and say nothing.
        """
        clock = asyncio.get_running_loop().time
        seconds = 60.0 if timeout is None else timeout
        end = clock() + seconds
        addresses = await self._addresses(host, port, end)
        if self._guard.proxy is not None and self._guard.goes_by_proxy(host, port, addresses):
            return SmallBites(await self._guard.proxy.tunnel(self._network, host, port, seconds))
        tries = addresses[:_MAX_ADDRESSES_TRIED]
        for left, address in zip(range(len(tries), 0, -1), tries, strict=True):
            try:
                stream = await self._network.connect_tcp(
                    str(address), port, max(end - clock(), 0.0) / left, local_address, socket_options
                )
                return SmallBites(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
        raise AssertionError("addresses() never gives an empty list")

    async def _addresses(self, host: str, port: int, end: float) -> list[Address]:
        """The judged addresses; none where only the proxy's DNS may know the name."""
        try:
            return await self._guard.addresses_by(host, port, end)
        except FetchError as error:
            if error.reason is FetchReason.DNS_FAILURE and self._guard.goes_by_proxy(host, port, ()):
                return []
            raise


def _percent_encoded(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def _invalid(why: str) -> FetchError:
    return FetchError(FetchReason.INVALID_URL, f"The URL can't be used: {why}.")


def _blocked(host: str, port: int, why: str, *, opens: bool = True) -> FetchError:
    shown = f"[{host}]" if ":" in host else host
    step = (
        f"use a public address, or ask the operator's administrator for --allow-host {shown}:{port}"
        if opens
        else "use another address; this one is not opened by ranges or names"
    )
    return FetchError(FetchReason.ADDRESS_BLOCKED, f"{shown} {why} and is not fetched from: {step}.")


def _dns_failure(host: str, error: Exception | None) -> FetchError:
    temporary = isinstance(error, TimeoutError) or getattr(error, "errno", None) == socket.EAI_AGAIN
    why = "could not be looked up just now (the name server gave no answer)" if temporary else "is not known to DNS"
    return FetchError(FetchReason.DNS_FAILURE, f"The host {host} {why}: check its spelling and the cluster's DNS.")
