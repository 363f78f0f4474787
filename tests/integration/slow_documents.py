"""A server that keeps who asks for a document waiting until the test says so."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SlowDocuments:
    """`asked` counts the requests that came in; all wait for `serve`, a minute at most."""

    def __init__(self) -> None:
        self.serve = threading.Event()
        self.asked = threading.Semaphore(0)
        self.host = ""


@contextmanager
def slow_documents(document: Any) -> Iterator[SlowDocuments]:
    documents = SlowDocuments()
    body = json.dumps(document).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            documents.asked.release()
            documents.serve.wait(60)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # who asked was killed meanwhile

    with Server(("127.0.0.1", 0), Handler) as server:
        documents.host = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield documents
        finally:
            documents.serve.set()
            server.shutdown()
            thread.join()
