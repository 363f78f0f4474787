"""POSTs: what is an answer, and of each failure whether the server may have got the request."""

import asyncio
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from specsync.fetching.errors import FetchReason
from specsync.fetching.guard import Exceptions, Guard
from specsync.fetching.post import MAX_ANSWER, Answer, Poster, PostError
from specsync.fetching.request import Credentials


class Server:
    """Answers by path, and remembers what came."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.over = Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                server.headers.append(dict(self.headers.items()))
                match self.path.partition("?")[0]:
                    case "/hangs":
                        server.over.wait(60)
                    case "/breaks-off":
                        self.close_connection = True
                    case "/redirects":
                        self.answer(302, {"Location": "/ok"}, b"")
                    case "/large":
                        self.answer(500, {}, b"x" * 4 * MAX_ANSWER)
                    case "/cut":
                        self.send_response(400)
                        self.send_header("Content-Length", "100")
                        self.end_headers()
                        self.wfile.write(b"because")
                        self.close_connection = True
                    case "/stalls":
                        self.send_response(202)
                        self.send_header("Content-Length", "100")
                        self.end_headers()
                        self.wfile.write(b"taken")
                        server.over.wait(60)
                    case "/limits":
                        self.answer(429, {"Retry-After": "7"}, b"slow\x1b[31m \n down")
                    case _:
                        self.answer(202, {}, b"ok")

            def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        return int(self.http.server_address[1])

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}?token=s3cret"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.thread.start()
    yield server
    server.over.set()
    server.http.shutdown()
    server.http.server_close()
    server.thread.join()


def post(server: Server, path: str, *, timeout: float = 5.0, credentials: Credentials | None = None) -> Answer:
    async def once() -> Answer:
        poster = Poster(Guard(Exceptions(hosts=frozenset({("127.0.0.1", server.port)}))))
        try:
            return await poster.post(
                server.url(path),
                b'{"a": 1}',
                {"Content-Type": "application/json", "X-Id": "7"},
                credentials=credentials or Credentials(),
                timeout=timeout,
            )
        finally:
            await poster.aclose()

    return asyncio.run(once())


def failure(server: Server, path: str, **options: float) -> PostError:
    with pytest.raises(PostError) as caught:
        post(server, path, **options)  # type: ignore[arg-type]
    assert "s3cret" not in caught.value.message
    assert path not in caught.value.message, "a webhook's path often is its secret"
    return caught.value


def test_it_sends_the_body_with_its_headers_and_credentials(server: Server) -> None:
    answer = post(server, "/ok", credentials=Credentials(bearer_token="t0ken"))
    assert (answer.status, answer.body) == (202, b"ok")
    assert server.bodies == [b'{"a": 1}']
    [headers] = server.headers
    assert (headers["X-Id"], headers["Authorization"]) == ("7", "Bearer t0ken")


def test_any_status_is_an_answer_and_no_redirect_is_followed(server: Server) -> None:
    assert post(server, "/redirects").status == 302
    assert len(server.bodies) == 1
    limited = post(server, "/limits")
    assert (limited.status, limited.retry_after) == (429, 7)
    assert limited.shown() == "slow [31m down"
    assert len(post(server, "/large").body) == MAX_ANSWER
    assert (post(server, "/cut").status, post(server, "/cut").body) == (400, b"because")


def test_a_status_whose_body_never_ends_is_an_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the message would be sent again, and again, though it was taken."""
    assert (post(server, "/stalls", timeout=0.5).status, post(server, "/stalls", timeout=0.5).body) == (202, b"taken")
    monkeypatch.setattr("specsync.fetching.post._BODY_SECONDS", 0.2)
    assert post(server, "/stalls", timeout=60.0).status == 202


def test_what_was_sent_without_an_answer_may_have_arrived(server: Server) -> None:
    hung = failure(server, "/hangs", timeout=0.3)
    assert (hung.reason, hung.sent, hung.retryable) == (FetchReason.TIMEOUT, True, True)
    cut = failure(server, "/breaks-off")
    assert (cut.reason, cut.sent) == (FetchReason.CONNECTION_FAILED, True)
    assert len(server.bodies) == 2


def test_what_was_not_sent_has_surely_not_arrived(server: Server) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        server.http.server_address = closed.getsockname()
        refused = failure(server, "/ok")
        assert (refused.reason, refused.sent, refused.retryable) == (FetchReason.CONNECTION_FAILED, False, True)
    assert server.bodies == []


def test_the_guard_is_asked() -> None:
    async def once() -> None:
        await Poster(Guard()).post("http://169.254.169.254/latest", b"", {})

    with pytest.raises(PostError) as caught:
        asyncio.run(once())
    assert (caught.value.reason, caught.value.sent, caught.value.retryable) == (
        FetchReason.ADDRESS_BLOCKED,
        False,
        False,
    )
