"""A server of documents on the loopback: what it answers is the test's to change, and it counts what it is asked."""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tests.loopback import Exchange, Loopback


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


class Documents(Loopback):
    """Serves while entered. Paths that nobody published answer 404."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._answers: dict[str, Answer] = {}
        self._held: dict[str, threading.Event] = {}
        self._requests: list[tuple[str, Mapping[str, str]]] = []
        super().__init__(self._serve, tls=tls)

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for event in self._held.values():
            event.set()
        super().__exit__(kind, error, trace)

    def _serve(self, request: Exchange) -> None:
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
        if answer.unchanged_for(asked):
            request.answer(304, headers=headers)
        else:
            request.answer(answer.status, answer.body, headers)
