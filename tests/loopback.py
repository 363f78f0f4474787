"""An HTTP server on the loopback, in the test's own process: what it answers is the test's business."""

import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class Exchange(BaseHTTPRequestHandler):
    """A request, GET or POST, and the means to answer it. On a thread of its own."""

    server: "_Server"

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.server.serve(self)

    def do_POST(self) -> None:
        self.server.serve(self)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], serve: Callable[[Exchange], None]) -> None:
        super().__init__(address, Exchange)
        self.serve = serve

    def handle_error(self, *_: object) -> None:
        pass  # a client that goes away, or breaks off a handshake, is what some tests are about


class Loopback:
    """Takes a port at once, any free one unless it is given, and serves while entered."""

    def __init__(
        self,
        serve: Callable[[Exchange], None],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = _Server((host, port), serve)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._scheme = "https" if tls else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """As `--allow-host` takes it."""
        return f"{self._server.server_address[0]!s}:{self.port}"

    def url(self, path: str = "/") -> str:
        return f"{self._scheme}://{self.address}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
