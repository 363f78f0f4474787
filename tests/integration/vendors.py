"""Servers of documents, on threads of their own: who asks must show the right header."""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.integration.crew import contract
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

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            vendor.requests.append(dict(self.headers.items()))
            answer = vendor.endless.get(self.path.partition("?")[0])
            if answer is not None:
                self.never_end(answer)
                return
            granted = all(self.headers.get(name) == value for name, value in vendor.wanted.items())
            path = self.path.partition("?")[0]
            document = json.dumps(vendor.files[path] if path in vendor.files else contract("Shop")).encode()
            status, headers, body = vendor.instead or ((200, {}, document) if granted else (401, {}, b"{}"))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def never_end(self, answer: Endless) -> None:
            """Until the client is gone, or the test is over."""
            with suppress(OSError):
                self.wfile.write(answer.start)
                while not over.wait(answer.pause):
                    self.wfile.write(answer.piece)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # a handshake that the client breaks off is what some tests are about

    with Server((vendor.host, vendor.port), Handler) as server:
        if tls is not None:
            tls.sni_callback = lambda _, name, __: vendor.names.append(name)
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        vendor.port, vendor.scheme = server.server_address[1], "https" if tls else "http"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield vendor
        finally:
            over.set()
            server.shutdown()
            thread.join()
