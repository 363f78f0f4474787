"""Connections as httpcore reads them, in small bites: its parser takes in what it was given without a pause."""

import asyncio
import ssl
from typing import Any

import httpcore

_BITE = 16 * 1024
"""Bytes. Half a millisecond of ordinary content; at the worst (interim answers, tiny chunks) some 50 ms of parsing."""


class SmallBites(httpcore.AsyncNetworkStream):
    """A stream that gives the event loop its turn before each read, and reads little at a time."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 -- httpcore's signature
        await asyncio.sleep(0)  # a TLS stream that has more in its buffer doesn't wait
        return await self._stream.read(min(max_bytes, _BITE), timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return SmallBites(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
