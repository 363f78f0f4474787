"""Receivers of webhooks on the loopback, with a ledger: what came, under which id, and whether it was signed well."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from standardwebhooks import Webhook

from tests.loopback import Exchange, Loopback

SIGNING_SECRET = "whsec_" + "c3BlY3N5bmMtdGVzdC1zaWduaW5nLXNlY3JldC4uLi4="
NEVER_SHOWN = "t0p-s3cret"  # in the query of each address: no object, event or log may hold it

Behaviour = Callable[["Request"], tuple[int, dict[str, str], bytes] | None]
"""What a path answers: status, headers, body. None: the connection is cut without an answer."""


@dataclass(frozen=True)
class Request:
    """One request as it came; `content` is its JSON, whose signature the official verifier has checked."""

    path: str
    id: str
    headers: dict[str, str]
    content: Any
    write: Callable[[bytes], object]  # past HTTP, to the client
    at: float = field(default_factory=time.time)

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.content["data"]["messages"]]


def accept(_: Request) -> tuple[int, dict[str, str], bytes]:
    return 202, {}, b""


def status(code: int, body: bytes = b"no", **headers: str) -> Behaviour:
    return lambda _: (code, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def cut(_: Request) -> None:
    return None


def garbage(request: Request) -> None:
    """Something that isn't HTTP."""
    request.write(b"\x00\x01 what?\r\n\r\n")


class Receiver(Loopback):
    """Listens while entered. A path accepts all, unless it is told something else."""

    def __init__(self, port: int = 0) -> None:
        self._plans: dict[str, list[Behaviour]] = {}
        self._always: dict[str, Behaviour] = {}
        self.ledger: list[Request] = []  # what was accepted
        self.arrived: list[Request] = []  # all that came, whatever was answered
        self.held = threading.Event()
        super().__init__(self._receive, port=port)

    def url(self, path: str = "/") -> str:
        return f"{super().url(path)}?token={NEVER_SHOWN}"

    def plan(self, path: str, *behaviours: Behaviour) -> None:
        """What a path does with the next requests, one each; then it accepts, or does what `always` said."""
        self._plans[path] = list(behaviours)

    def always(self, path: str, behaviour: Behaviour) -> None:
        self._always[path] = behaviour

    def hang(self, _: Request) -> None:
        """A behaviour: no answer until `held` is set, then the connection is cut."""
        self.held.wait(timeout=120)

    def wait_and_accept(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        """A behaviour: accepts once `held` is set."""
        self.held.wait(timeout=120)
        return accept(request)

    def accepted(self, path: str) -> list[Request]:
        return [request for request in self.ledger if request.path == path]

    def told(self, path: str) -> list[str]:
        """The titles of all messages that a path has accepted, in their order, copies too."""
        return [title for request in self.accepted(path) for title in request.titles]

    def ids(self, path: str) -> Counter[str]:
        return Counter(request.id for request in self.accepted(path))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.held.set()
        super().__exit__(kind, error, trace)

    def _receive(self, handler: Exchange) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        content = Webhook(SIGNING_SECRET).verify(body, headers)
        request = Request(handler.path.partition("?")[0], headers["webhook-id"], headers, content, handler.wfile.write)
        assert json.loads(body) == content
        planned = self._plans.get(request.path)
        behaviour = planned.pop(0) if planned else self._always.get(request.path, accept)
        self.arrived.append(request)
        answer = behaviour(request)
        if answer is None:
            # It was read whole, and perhaps acted on: only the answer is missing.
            handler.close_connection = True
            return
        code, answer_headers, answer_body = answer
        if 200 <= code < 300:
            self.ledger.append(request)
        handler.answer(code, answer_body, answer_headers)
