"""A server of many small OpenAPI documents, for measurements: `python -m bench.documents [--etag]`.

Says its port on stdout. `/NUMBER/openapi.json` is a document of its own, about 24 KB, always the same one. Without
`--etag` every request is answered with all of it; with `--etag` a conditional one is answered 304.
"""

import asyncio
import functools
import hashlib
import json
import re
import sys
from typing import Any

_SIZE = 24_000  # bytes
_REQUEST = re.compile(rb"GET /(\d+)/\S* HTTP/1.1\r\n")
_CONDITION = re.compile(rb"\r\nif-none-match: *(\S+)\r\n", re.IGNORECASE)


def document(number: int) -> bytes:
    """An OpenAPI document of about 24 KB."""
    paths: dict[str, Any] = {}
    size = 0
    while size < _SIZE:
        index = len(paths)
        names = [f"field{field}" for field in range(6)]
        schema = {"type": "object", "required": names, "properties": {name: {"type": "string"} for name in names}}
        content = {"content": {"application/json": {"schema": schema}}}
        paths[f"/api{number}/things{index}/{{id}}"] = item = {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {"operationId": f"get{index}", "responses": {"200": {"description": "ok", **content}}},
            "put": {"operationId": f"put{index}", "requestBody": content, "responses": {"204": {"description": "ok"}}},
        }
        size += len(json.dumps(item))
    body = {"openapi": "3.0.3", "info": {"title": f"API {number}", "version": "1"}, "paths": paths}
    return json.dumps(body).encode()


class _Documents(asyncio.Protocol):
    """One kept-alive connection; requests have no body and come one after the other."""

    def __init__(self, *, with_etag: bool) -> None:
        self._with_etag = with_etag
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._transport.write(self._answer(head + b"\r\n"))

    def _answer(self, head: bytes) -> bytes:
        asked = _REQUEST.match(head)
        if asked is None:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        body, etag = _served(int(asked[1]))
        if not self._with_etag:
            return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
                len(body),
                body,
            )
        condition = _CONDITION.search(head)
        if condition is not None and condition[1] == etag:
            return b"HTTP/1.1 304 Not Modified\r\nETag: %s\r\n\r\n" % etag
        headers = b"Content-Type: application/json\r\nETag: %s\r\nContent-Length: %d" % (etag, len(body))
        return b"HTTP/1.1 200 OK\r\n%s\r\n\r\n%s" % (headers, body)


@functools.cache
def _served(number: int) -> tuple[bytes, bytes]:
    body = document(number)
    return body, b'"%s"' % hashlib.sha256(body).hexdigest().encode()


async def serve(*, with_etag: bool) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Documents(with_etag=with_etag), "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(with_etag="--etag" in sys.argv))
