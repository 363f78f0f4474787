"""Fetches one document by a guarded, limited, conditional GET.

Built on httpcore, the transport of httpx, and not on httpx's client: that one adds a cookie jar that all requests
share, proxies and passwords from the environment, decompression without a limit, and a second, more lenient reading
of URLs.
"""

import asyncio
import hashlib
import logging
import re
from dataclasses import replace
from io import BytesIO
from types import TracebackType
from urllib.parse import urljoin

import httpcore

from specsync.fetching.connections import ConnectionPools
from specsync.fetching.decoding import ACCEPTED, ContentDecoder, too_large
from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.guard import Guard, Target
from specsync.fetching.memory import Room
from specsync.fetching.politeness import Politeness
from specsync.fetching.redact import redact_url
from specsync.fetching.request import MAX_KEPT_DATE, Credentials, FetchRequest, FetchResult, kept_value
from specsync.fetching.responses import Headers, status_error, total_timeout, transport_errors

MAX_REDIRECTS = 5
_CONNECT_SECONDS = 10.0
_SILENCE_SECONDS = 30.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ACCEPT = b"application/json, application/yaml, text/yaml;q=0.9, */*;q=0.8"
_UNQUOTED = re.compile(r"[ \x80-\xff]")  # Location fields are read as Latin-1: one character is one byte
_DECODED_PER_TURN = 1024 * 1024
"""How many decoded bytes there may be before the event loop gets its turn (about a millisecond)."""
_COST_OF_A_PIECE = 4096
"""What a piece counts for at least: a chunk of one byte costs as much to read as some kilobytes."""

# At DEBUG, httpcore logs the header fields of every answer: cookies, and redirects with their queries.
logging.getLogger(httpcore.__name__).setLevel(logging.INFO)


class Fetcher:
    """Fetches documents for one worker process, on the event loop that it is used on first.

    An async context manager; ``aclose`` ends its kept-alive connections.
    """

    def __init__(self, guard: Guard, politeness: Politeness | None = None) -> None:
        self._guard = guard
        self._politeness = politeness or Politeness(guard.limits)
        self._pools = ConnectionPools(guard)
        self.room = Room()

    async def fetch(self, request: FetchRequest) -> FetchResult:
        """The document that ``request`` asks for, or the word that it hasn't changed.

        Follows at most 5 redirects; each is judged like a URL of the user's, and credentials stay with the origin
        that they were given for. Waits its turn at each host (see `Politeness`), which its timeout doesn't count.
        Raises FetchError, and nothing else, when there is no document.
        """
        try:
            async with asyncio.timeout(request.timeout) as deadline:
                result = await self._follow(request, deadline)
                left = (deadline.when() or 0.0) - asyncio.get_running_loop().time()
                return replace(result, seconds_left=left)
        except TimeoutError:
            raise total_timeout(request.url, request.timeout) from None

    async def aclose(self) -> None:
        """Closes all connections. The Fetcher may be used again."""
        await self._pools.aclose()

    async def __aenter__(self) -> "Fetcher":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _follow(self, request: FetchRequest, deadline: asyncio.Timeout) -> FetchResult:
        guard = self._guard.pinned(request.pin)
        first = target = guard.read_url(request.url)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._politeness.turn(target.host, deadline):
                answer = await self._exchange(request, target, first, deadline)
            if isinstance(answer, FetchResult):
                return answer
            target = _redirected(guard, target, answer)
        text = f"{redact_url(request.url)} redirects more than {MAX_REDIRECTS} times: use the URL that it leads to."
        raise FetchError(FetchReason.TOO_MANY_REDIRECTS, text)

    async def _exchange(
        self, request: FetchRequest, target: Target, first: Target, deadline: asyncio.Timeout
    ) -> FetchResult | str:
        """One request and its answer: a result, or where a redirect leads to."""
        same_origin, same_host = target.origin == first.origin, target.host == first.host
        # Where redirects lead to may change, and who asks; two documents may well have the same ETag or Last-Modified.
        asked = None if target == first and not request.credentials.version else _digest(target, request.credentials)
        conditions = request.conditions() if asked == request.validators_of else []
        headers = _request_headers(request, target, same_origin=same_origin) + conditions
        url = httpcore.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        limits = {"connect": _CONNECT_SECONDS, "read": _SILENCE_SECONDS, "write": _SILENCE_SECONDS}
        with transport_errors(target):
            async with (
                self._pools.use(request.credentials, request.pin, same_origin=same_origin, same_host=same_host) as pool,
                pool.stream(b"GET", url, headers=headers, extensions={"timeout": limits}) as response,
            ):
                answer = await _read_answer(
                    request, target, response, deadline, same_origin=same_origin, conditional=bool(conditions)
                )
                return answer if isinstance(answer, str) else replace(answer, validators_of=asked)


def _digest(target: Target, credentials: Credentials) -> str:
    """What stands for a URL, and who asks, where neither its query nor a secret may stand."""
    return "sha256:" + hashlib.sha256(f"{credentials.version} {target.url}".encode()).hexdigest()


def _redirected(guard: Guard, target: Target, location: str) -> Target:
    try:
        joined = urljoin(target.url, _UNQUOTED.sub(lambda found: f"%{ord(found[0]):02X}", location))
    except ValueError:
        joined = location  # the guard says what is wrong with it
    try:
        new = guard.read_url(joined)
    except FetchError as error:
        raise FetchError(error.reason, f"Redirected by {redact_url(target.url)}: {error.message}") from None
    if target.scheme == "https" and new.scheme == "http":
        text = f"{redact_url(target.url)} redirects from https to http, which isn't followed: ask its owner for https."
        raise FetchError(FetchReason.INSECURE_REDIRECT, text)
    return new


def _request_headers(request: FetchRequest, target: Target, *, same_origin: bool) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"Host", target.authority.encode()),
        (b"User-Agent", request.user_agent.encode("latin-1", "replace")),
        (b"Accept-Encoding", ACCEPTED.encode()),
    ]
    own = request.credentials.request_headers()
    if same_origin:
        headers += own
    if not any(name.lower() == b"accept" for name, _ in headers):
        headers.append((b"Accept", _ACCEPT))
    return headers


async def _read_answer(
    request: FetchRequest,
    target: Target,
    response: httpcore.Response,
    deadline: asyncio.Timeout,
    *,
    same_origin: bool,
    conditional: bool,
) -> FetchResult | str:
    headers = Headers(list(response.headers))
    status = response.status
    if status in _REDIRECTS:
        location = headers.get("location")
        if location:
            return location
    not_modified = status == 304 and conditional
    if not not_modified and not (200 <= status < 300 and status != 206):
        raise status_error(status, headers, target)
    body, bytes_on_wire = (b"", 0) if not_modified else await _read_body(request, target, headers, response, deadline)
    return FetchResult(
        not_modified=not_modified,
        body=body,
        status=status,
        etag=kept_value(headers.get("etag")) or (request.etag if not_modified else None),
        last_modified=kept_value(headers.get("last-modified"), MAX_KEPT_DATE)
        or (request.last_modified if not_modified else None),
        content_type=kept_value(headers.get("content-type")),
        final_url=target.url.partition("?")[0],
        same_origin=same_origin,
        bytes_on_wire=bytes_on_wire,
        seconds_left=request.timeout,
    )


async def _read_body(
    request: FetchRequest, target: Target, headers: Headers, response: httpcore.Response, deadline: asyncio.Timeout
) -> tuple[bytes, int]:
    """The decoded body and its length on the wire, both within the limit at every moment."""
    shown_url = redact_url(target.url)
    announced = headers.get("content-length") or "0"  # h11 has checked that it is a number
    if len(announced) > 18 or int(announced) > request.max_bytes:
        raise too_large(shown_url, request.max_bytes)
    decoder = ContentDecoder(headers.joined("content-encoding"), request.max_bytes, shown_url)
    since_turn = 0
    with BytesIO() as body:  # closed, so that the traceback of an error keeps nothing of it
        async for chunk in response.aiter_stream():
            for piece in decoder.feed(chunk):
                body.write(piece)
                if request.share is not None:
                    await request.share.grow(body.tell(), deadline)
                since_turn += max(len(piece), _COST_OF_A_PIECE)
                if since_turn >= _DECODED_PER_TURN:
                    since_turn = 0
                    await asyncio.sleep(0)
        decoder.finish()
        return body.getvalue(), decoder.bytes_on_wire
