"""A server of documents on the loopback: what it answers is the test's to change, and it counts what it is asked."""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a path answers. With an `etag` or `last_modified`, 304 to who shows it."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None
    last_modified: str | None = None

    def unchanged_for(self, asked: Mapping[str, str]) -> bool:
        if self.etag is not None:
            return asked.get("If-None-Match") == self.etag
        return self.last_modified is not None and asked.get("If-Modified-Since") == self.last_modified


class Documents:
    """Serves while entered. Paths that nobody published answer 404."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._answers: dict[str, Answer] = {}
        self._held: dict[str, threading.Event] = {}
        self._requests: list[tuple[str, Mapping[str, str]]] = []
        documents = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                documents._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # a client that goes away is what some tests are about

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._scheme = "https" if tls else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def url(self, path: str) -> str:
        return f"{self._scheme}://{self.address}{path}"

    def publish(self, path: str, content: Any, status: int = 200, **more: Any) -> str:
        """What `path` answers from now on: bytes or text as they are, anything else as JSON. Returns the URL."""
        if isinstance(content, str):
            content = content.encode()
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self._answers[path] = Answer(body, status, **more)
        return self.url(path)

    def asked(self, path: str) -> list[Mapping[str, str]]:
        """The headers of each request for a path so far."""
        return [headers for asked, headers in self._requests if asked == path]

    @contextmanager
    def held(self, path: str) -> Iterator[None]:
        """Keeps who asks for a path waiting, until the end of the block."""
        self._held[path] = threading.Event()
        try:
            yield
        finally:
            self._held.pop(path).set()

    def __enter__(self) -> "Documents":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for event in self._held.values():
            event.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        asked = dict(request.headers.items())
        self._requests.append((request.path, asked))
        waiting = self._held.get(request.path)
        if waiting is not None:
            waiting.wait(timeout=120)
        answer = self._answers.get(request.path, Answer(b"nothing here", 404))
        headers = dict(answer.headers)
        if answer.etag is not None:
            headers["ETag"] = answer.etag
        if answer.last_modified is not None:
            headers["Last-Modified"] = answer.last_modified
        status, body = (304, b"") if answer.unchanged_for(asked) else (answer.status, answer.body)
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        if status != 304:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
