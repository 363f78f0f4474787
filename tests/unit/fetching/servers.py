"""Servers on the loopback that say exactly what a test wants, and listeners that must hear nothing."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from specsync.fetching.client import Fetcher
from specsync.fetching.errors import FetchError
from specsync.fetching.guard import Exceptions, Guard
from specsync.fetching.politeness import HostLimits, Politeness
from specsync.fetching.request import FetchRequest, FetchResult


@dataclass
class Seen:
    """A request as it arrived."""

    line: str
    headers: list[tuple[str, str]]

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} was sent {len(values)} times"
        return values[0] if values else None


@dataclass
class Server:
    port: int
    connections: int = 0
    requests: list[Seen] = field(default_factory=list)
    client_certificates: list[object] = field(default_factory=list)
    ended: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    """The numbers of the connections that have ended."""


Answer = Callable[[Seen, asyncio.StreamWriter], Awaitable[bytes]]


def reply(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """An HTTP/1.1 answer with its length; ``_`` in a header's name stands for ``-``."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def always(answer: bytes) -> Answer:
    async def give(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        return answer

    return give


@asynccontextmanager
async def serve(
    answer: Answer | bytes, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """A keep-alive server; the bytes that ``answer`` gives are sent as they are, and empty ones close."""
    give = always(answer) if isinstance(answer, bytes) else answer

    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        number = server.connections
        server.client_certificates.append(writer.get_extra_info("peercert"))
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                pairs = [line.partition(":") for line in head[1:] if line]
                seen = Seen(head[0], [(name, value.strip()) for name, _, value in pairs])
                server.requests.append(seen)
                sent = await give(seen, writer)
                if not sent:
                    break
                writer.write(sent)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            writer.transport.abort()
        finally:
            server.ended.put_nowait(number)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.ensure_future(handle(reader, writer))
        handlers.add(handler)
        handler.add_done_callback(handlers.discard)

    listening = await asyncio.start_server(connected, host, port, ssl=tls)
    server = Server(listening.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listening.close()
        for handler in (waiting := list(handlers)):
            handler.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@contextmanager
def forbidden_listener(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """The port of a listening socket that fails the test when anybody has connected to it."""
    listener = socket.create_server((host, port), backlog=16)
    listener.setblocking(False)
    try:
        yield listener.getsockname()[1]
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return
        connection.close()
        raise AssertionError("the forbidden side got a connection")
    finally:
        listener.close()


class Names:
    """A name server: for each name its answers in turn, the last one for ever. Counts what it is asked."""

    def __init__(self, **answers: Sequence[str] | Sequence[Sequence[str]]) -> None:
        self.asked: list[str] = []
        self._answers: dict[str, list[list[str]]] = {}
        for name, given in answers.items():
            turns = [[given_one] if isinstance(given_one, str) else list(given_one) for given_one in given]
            self._answers[name.replace("_", ".")] = turns

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        turns = self._answers[host]
        return turns.pop(0) if len(turns) > 1 else turns[0]


def opening(*hosts: str, cidrs: Sequence[str] = (), names: Names | None = None) -> Fetcher:
    """A Fetcher whose administrator has opened ``hosts`` (host:port) and ``cidrs``, without limits per host."""
    return Fetcher(Guard(Exceptions.parse(hosts, cidrs), names), Politeness(HostLimits(0, 0)))


async def fetch_from(server: Server, path: str = "/", **settings: object) -> FetchResult:
    """Fetches ``path`` of a loopback server with a Fetcher of its own, to which every name is unknown."""
    async with opening(f"127.0.0.1:{server.port}", names=Names()) as fetcher:
        return await fetcher.fetch(request_for(server, path, **settings))


def request_for(server: Server, path: str = "/", **settings: object) -> FetchRequest:
    return FetchRequest(url=f"http://127.0.0.1:{server.port}{path}", **settings)  # type: ignore[arg-type]


async def failure_of(fetching: Awaitable[FetchResult]) -> FetchError:
    """The error that a fetch ends with."""
    try:
        result = await fetching
    except FetchError as error:
        assert error.message.endswith("."), error.message
        return error
    raise AssertionError(f"fetched {result} where an error was due")
