"""The operator's own proxy: a tunnel by CONNECT (RFC 9110, section 9.3.6) for http and https alike.

Who can reach what is then the proxy's decision too: it resolves names itself.
"""

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

import httpcore

from specsync.fetching.errors import FetchError, FetchReason

_URL = re.compile(
    r"http://(?:(?P<user>[^\s/?#@:]*):(?P<password>[^\s/?#@]*)@)?"
    r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[1-9][0-9]{0,4})/?"
)
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")
_MAX_HEAD = 16 * 1024


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that the operator's administrator has set; a namespace's user can't."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Proxy":
        """Reads the value of ``--proxy`` or SPECSYNC_PROXY; ValueError says what to write, not what was written."""
        found = _URL.fullmatch(url)
        if found is None or int(found["port"]) > 65535:
            raise ValueError(
                "--proxy (or SPECSYNC_PROXY) isn't an HTTP proxy: write http://host:port, with a password "
                "http://user:password@host:port"
            )
        authorization = None
        if found["user"] is not None:
            pair = f"{unquote(found['user'])}:{unquote(found['password'])}"
            authorization = "Basic " + b64encode(pair.encode()).decode()
        return cls(found["host"].strip("[]"), int(found["port"]), authorization)

    async def tunnel(
        self, network: httpcore.AsyncNetworkBackend, host: str, port: int, seconds: float
    ) -> httpcore.AsyncNetworkStream:
        """A stream to ``host`` through the proxy, within ``seconds``; the host may be a name or an address.

        Raises FetchError where the proxy can't be reached, or refuses; httpcore.ConnectTimeout.
        """
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        try:
            stream = await network.connect_tcp(self.host, self.port, seconds)
        except httpcore.ConnectTimeout:
            raise
        except httpcore.ConnectError:
            raise self._failed("can't be reached") from None
        async with _closed_unless_done(stream):
            authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
            lines += [f"Proxy-Authorization: {self.authorization}"] if self.authorization else []
            try:
                await stream.write("\r\n".join([*lines, "", ""]).encode(), max(end - clock(), 0.0))
                head = b""
                # The server says nothing before it is spoken to: what is read here is the proxy's.
                while b"\r\n\r\n" not in head and len(head) < _MAX_HEAD:
                    more = await stream.read(_MAX_HEAD, max(end - clock(), 0.0))
                    if not more:
                        break
                    head += more
            except httpcore.TimeoutException:
                raise httpcore.ConnectTimeout("the proxy was not done in time") from None
            except httpcore.NetworkError:
                raise self._failed("broke the connection off") from None
            self._judge(head, authority)
        return stream

    def _judge(self, head: bytes, authority: str) -> None:
        found = _STATUS.match(head)
        if found is None or not head.endswith(b"\r\n\r\n"):
            raise self._failed("didn't answer as an HTTP proxy does")
        status = int(found[1])
        if 200 <= status < 300:
            return
        if status == 407:
            raise self._failed("asks for a user name and password (HTTP 407)")
        text = f"The operator's proxy didn't connect to {authority} (HTTP {status})"
        if status in (401, 403):
            step = "ask the operator's admin whether the proxy may go there"
            raise FetchError(FetchReason.ADDRESS_BLOCKED, f"{text}: {step}.")
        raise FetchError(FetchReason.CONNECTION_FAILED, f"{text}: check host and port, and whether the server is up.")

    def _failed(self, what: str) -> FetchError:
        text = f"The operator's proxy {what}: tell the operator's admin, who has set it by --proxy."
        return FetchError(FetchReason.CONNECTION_FAILED, text)


@asynccontextmanager
async def _closed_unless_done(stream: httpcore.AsyncNetworkStream) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await stream.aclose()
        raise
