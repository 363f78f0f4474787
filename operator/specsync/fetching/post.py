"""Sends one body by a guarded POST, and says of each failure whether the server may have got it.

The same guard, connections and TLS as for documents. Redirects aren't followed: a message goes where its channel says,
or nowhere. The answer is read up to a limit, for who wants to know why it was refused. Errors name scheme and host, no
more: the path of a webhook's URL often is its secret.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpcore

from specsync.fetching.connections import ConnectionPools
from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.guard import Guard, Target
from specsync.fetching.redact import redact_url
from specsync.fetching.request import ANONYMOUS, Credentials
from specsync.fetching.responses import Headers, retry_after_seconds, transport_errors

MAX_ANSWER = 64 * 1024
"""How many bytes of an answer are read; the rest is of no concern."""
_CONNECT_SECONDS = 10.0
_BODY_SECONDS = 5.0
"""How long an answer's body is waited for, once its status is there."""
_SHOWN = 200


class PostError(FetchError):
    """A POST without an answer. ``sent``: the server may have got all of it; else it surely has not."""

    def __init__(self, error: FetchError, *, sent: bool) -> None:
        super().__init__(error.reason, error.message, retryable=error.retryable, retry_after=error.retry_after)
        self.sent = sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said: any status, the first 64 KiB of the body, the seconds of its ``Retry-After``."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def retry_after(self) -> float | None:
        return retry_after_seconds(self.headers)

    def shown(self) -> str:
        """The body's beginning on one line, to be shown; what isn't plain text is left out."""
        text = self.body[: 4 * _SHOWN].decode(errors="replace")
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


class Poster:
    """POSTs for one process, on the event loop that it is used on first. ``aclose`` ends its connections."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._pools = ConnectionPools(guard)

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        credentials: Credentials = ANONYMOUS,
        timeout: float = 30.0,  # noqa: ASYNC109 -- also in the text of the error
        user_agent: str = "specsync",
    ) -> Answer:
        """Sends ``body`` within ``timeout`` seconds in all; any status is an answer. Raises PostError only."""
        sending = _Sending()
        try:
            async with asyncio.timeout(timeout) as deadline:
                return await self._exchange(url, body, headers, credentials, user_agent, sending, deadline)
        except TimeoutError:
            shown = redact_url(replace(self._guard.read_url(url), path="").url)
            text = f"{shown} did not answer within {timeout:g} seconds; it is tried again."
            raise PostError(FetchError(FetchReason.TIMEOUT, text), sent=sending.begun) from None
        except FetchError as error:
            raise PostError(error, sent=sending.begun) from None

    async def aclose(self) -> None:
        """Closes all connections. The Poster may be used again."""
        await self._pools.aclose()

    async def _exchange(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        credentials: Credentials,
        user_agent: str,
        sending: "_Sending",
        deadline: asyncio.Timeout,
    ) -> Answer:
        target = self._guard.read_url(url)
        fields = [
            (b"Host", target.authority.encode()),
            (b"User-Agent", user_agent.encode("latin-1", "replace")),
            (b"Content-Length", str(len(body)).encode()),
            *((name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers.items()),
            *credentials.request_headers(),
        ]
        with transport_errors(replace(target, path="")):
            async with (
                self._pools.use(credentials, None, same_origin=True, same_host=True) as pool,
                pool.stream(
                    b"POST",
                    _url(target),
                    headers=fields,
                    content=body,
                    extensions={"timeout": {"connect": _CONNECT_SECONDS}, "trace": sending.trace},
                ) as response,
            ):
                status, answer_headers = response.status, Headers(list(response.headers))
                answer = await _read(response, deadline)
        return Answer(status=status, headers=answer_headers, body=answer)


class _Sending:
    """Whether a request has begun to go out, as httpcore's trace tells."""

    def __init__(self) -> None:
        self.begun = False

    async def trace(self, event: str, _: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self.begun = True


async def _read(response: httpcore.Response, deadline: asyncio.Timeout) -> bytes:
    """The body's first bytes. A status without its whole body is an answer too: the server has judged already.

    So the deadline is this function's from here on; an error by it would have the message sent once more.
    """
    found = bytearray()
    until = asyncio.get_running_loop().time() + _BODY_SECONDS
    until = min(until, deadline.when() or until)
    deadline.reschedule(None)
    try:
        async with asyncio.timeout_at(until):
            async for chunk in response.aiter_stream():
                found += chunk
                if len(found) >= MAX_ANSWER:
                    break
    except (httpcore.NetworkError, httpcore.RemoteProtocolError, TimeoutError):
        pass
    return bytes(found[:MAX_ANSWER])


def _url(target: Target) -> httpcore.URL:
    return httpcore.URL(
        scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
    )
