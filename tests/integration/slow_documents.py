"""A server that keeps who asks for a document waiting until the test says so."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.loopback import Exchange, Loopback


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

    def serve(exchange: Exchange) -> None:
        documents.asked.release()
        documents.serve.wait(60)
        exchange.answer(200, body)

    with Loopback(serve) as server:
        documents.host = server.address
        try:
            yield documents
        finally:
            documents.serve.set()
