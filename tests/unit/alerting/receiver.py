"""A real HTTP server on loopback that takes what channels send, and answers as a test says."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from specsync.alerting.channels.contract import Outlet
from specsync.fetching.guard import Exceptions, Guard
from specsync.fetching.post import Poster


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

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.taken.append(Taken(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.answer)))
            self.end_headers()
            self.wfile.write(found.answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


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
