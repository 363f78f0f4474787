"""Servers of documents, on threads of their own: who asks must show the right header."""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.integration.crew import contract
from tests.loopback import Exchange, Loopback
from tests.unit.fetching.bodies import Endless

NEVER_SHOWN = "s3cret"  # in each value that no object, event or log may hold


@dataclass
class Vendor:
    """Answers with a document to who shows ``wanted``, and with ``instead`` (status, headers, body) where it is given.

    Other documents by path, to the same, are in ``files``.

    Or has no end to its answers, by path, as ``endless`` has it.

    Counts what it is asked, and under which names (SNI).
    """

    host: str = "127.0.0.1"
    port: int = 0
    scheme: str = "http"
    wanted: dict[str, str] = field(default_factory=dict)
    instead: tuple[int, dict[str, str], bytes] | None = None
    files: dict[str, object] = field(default_factory=dict)
    endless: dict[str, Endless] = field(default_factory=dict)
    requests: list[Mapping[str, str]] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    def url(self, path: str = "/openapi.json") -> str:
        return f"{self.scheme}://{self.host}:{self.port}{path}?key={NEVER_SHOWN}"


@contextmanager
def serving(vendor: Vendor, tls: ssl.SSLContext | None = None) -> Iterator[Vendor]:
    """Runs a vendor, on any free port unless it has one."""
    over = threading.Event()

    def serve(exchange: Exchange) -> None:
        vendor.requests.append(dict(exchange.headers.items()))
        path = exchange.path.partition("?")[0]
        endless = vendor.endless.get(path)
        if endless is not None:
            never_end(exchange, endless)
            return
        granted = all(exchange.headers.get(name) == value for name, value in vendor.wanted.items())
        document = json.dumps(vendor.files[path] if path in vendor.files else contract("Shop")).encode()
        status, headers, body = vendor.instead or ((200, {}, document) if granted else (401, {}, b"{}"))
        exchange.answer(status, body, headers)

    def never_end(exchange: Exchange, endless: Endless) -> None:
        """Until the client is gone, or the test is over."""
        with suppress(OSError):
            exchange.wfile.write(endless.start)
            while not over.wait(endless.pause):
                exchange.wfile.write(endless.piece)

    if tls is not None:
        tls.sni_callback = lambda _, name, __: vendor.names.append(name)
    with Loopback(serve, host=vendor.host, port=vendor.port, tls=tls) as server:
        vendor.port, vendor.scheme = server.port, "https" if tls else "http"
        try:
            yield vendor
        finally:
            over.set()
