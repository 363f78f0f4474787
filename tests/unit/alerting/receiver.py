"""A real HTTP server on loopback that takes what channels send, and answers as a test says."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from specsync.alerting.channels.contract import Outlet
from specsync.fetching.guard import Exceptions, Guard
from specsync.fetching.post import Poster
from tests.loopback import Exchange, Loopback


@dataclass
class Taken:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What came in, and what is answered to all of it."""

    port: int = 0
    status: int = 200
    answer: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=s3cret"


@contextmanager
def receiver(status: int = 200, answer: bytes = b"ok", **headers: str) -> Iterator[Receiver]:
    """Runs one; its answer may be changed while it runs."""
    found = Receiver(status=status, answer=answer, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def serve(exchange: Exchange) -> None:
        body = exchange.rfile.read(int(exchange.headers["Content-Length"]))
        found.taken.append(Taken(exchange.path, {k.lower(): v for k, v in exchange.headers.items()}, body))
        exchange.answer(found.status, found.answer, found.headers)

    with Loopback(serve) as server:
        found.port = server.port
        yield found


def outlet(*ports: int, timeout: float = 10.0, schemes: tuple[str, ...] = (), **secret: str) -> Outlet:
    """What a channel sends with, where these ports of this machine are opened."""
    guard = Guard(Exceptions.parse(hosts=[f"127.0.0.1:{port}" for port in ports]))
    return Outlet(
        channel="here",
        secret_name="hook",
        secret={key: value.encode() for key, value in secret.items()},
        poster=Poster(guard),
        guard=guard,
        timeout=timeout,
        apprise_schemes=frozenset(schemes),
    )
