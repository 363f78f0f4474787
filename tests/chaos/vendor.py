"""The vendors' server of a chaos run, a process of its own: `python -m tests.chaos.vendor PORT_FILE`.

`GET /api-007` answers with the version of that contract that was set last. `POST /control` sets, as JSON:
`{"versions": {"api-007": 3}}`, `{"delay": 0.5}` (seconds, the longest; each answer takes a random part of it),
`{"fault": "drop", "share": 0.5}` (of documents; an empty fault ends it). `POST /hook` takes an alert, and
`GET /hook` says how often each came, by its webhook-id, and of which change sets, as `NAMESPACE/NAME`.
"""

import asyncio
import http.client
import itertools
import json
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from devcluster.components import free_port
from tests.chaos.contracts import contract, is_noisy, number_of

VendorFault = Literal["errors", "hang", "drop", "garbage", "busy"]
FAULTS: tuple[VendorFault, ...] = ("errors", "hang", "drop", "garbage", "busy")

_HANG = 30.0  # seconds, unless the fault ends before


class Server:
    """Answers as it was told last."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._delay = 0.0
        self._fault = ""
        self._share = 1.0
        self._fault_over = asyncio.Event()
        self._count = itertools.count()
        self._random = random.Random(0)
        self._alerts: Counter[str] = Counter()
        self._change_sets: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path = head.split(" ", 2)[:2]
            headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            if (method, path) == ("POST", "/control"):
                self._control(json.loads(body))
                writer.write(_answer("200 OK", b"{}"))
            elif (method, path) == ("POST", "/hook"):
                self._alerts[headers["webhook-id"]] += 1
                for message in json.loads(body)["data"]["messages"]:
                    self._change_sets.add(f"{message['namespace']}/{message['change']['changeSet']}")
                await asyncio.sleep(self._random.uniform(0, self._delay))
                writer.write(_answer("200 OK", b"{}"))
            elif path == "/hook":
                writer.write(_answer("200 OK", json.dumps([self._alerts, sorted(self._change_sets)]).encode()))
            else:
                await self._document(path.lstrip("/"), headers, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # who asked was killed
        finally:
            writer.close()

    def _control(self, wanted: Any) -> None:
        self._versions |= wanted.get("versions", {})
        self._delay = wanted.get("delay", self._delay)
        if "fault" in wanted:
            self._fault, self._share = wanted["fault"], wanted.get("share", 1.0)
            self._fault_over.set()
            self._fault_over = asyncio.Event()

    async def _document(self, name: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._random.uniform(0, self._delay))
        fault = self._fault if self._random.random() < self._share else ""
        if fault == "hang":
            over = self._fault_over
            await asyncio.wait([asyncio.ensure_future(over.wait())], timeout=_HANG)
            return
        if fault == "errors":
            writer.write(_answer(self._random.choice(("500 Broken", "502 Broken", "503 Broken")), b"broken"))
            return
        if fault == "busy":
            writer.write(_answer("429 Too Many Requests", b"later", "Retry-After: 1\r\n"))
            return
        if fault == "garbage":
            writer.write(_answer("200 OK", b"<!doctype html><html><body>Sign in</body></html>"))
            return
        # What is current is looked up last: a slow answer is of the version at its end.
        version = self._versions[name]
        etag = "" if is_noisy(number_of(name)) else f'"{name}-{version}"'
        if etag and headers.get("if-none-match") == etag.lower():
            writer.write(_answer("304 Not Modified", b"", f"ETag: {etag}\r\n"))
            return
        body = self._spelled(name, version)
        whole = _answer("200 OK", body, f"ETag: {etag}\r\n" if etag else "")
        writer.write(whole[: len(whole) - len(body) // 2] if fault == "drop" else whole)

    def _spelled(self, name: str, version: int) -> bytes:
        number = number_of(name)
        document = contract(number, version)
        if not is_noisy(number):
            return json.dumps(document).encode()
        turn = next(self._count)
        keys = list(document)
        self._random.shuffle(keys)
        return json.dumps({key: document[key] for key in keys}, indent=1 + turn % 4).encode() + b"\n" * (turn % 7)


def _answer(status: str, body: bytes, headers: str = "") -> bytes:
    kind = "Content-Type: application/json\r\n" if body else ""
    head = f"HTTP/1.1 {status}\r\n{kind}Content-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    return head.encode() + body


class Vendor:
    """The server seen from the harness. Raises OSError where it is not there."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"

    def url(self, name: str) -> str:
        return f"http://{self.address}/{name}"

    def tell(self, **wanted: Any) -> None:
        self._ask("POST", "/control", json.dumps(wanted))

    def alerts(self) -> dict[str, int]:
        """How often each alert came, by its id."""
        alerts: dict[str, int] = json.loads(self._ask("GET", "/hook"))[0]
        return alerts

    def heard(self, namespace: str) -> set[str]:
        """Names of the change sets of a namespace that alerts told of."""
        found: list[str] = json.loads(self._ask("GET", "/hook"))[1]
        return {name.removeprefix(f"{namespace}/") for name in found if name.startswith(f"{namespace}/")}

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request(method, path, body)
            return connection.getresponse().read()
        finally:
            connection.close()


async def main(port_file: Path) -> None:
    port = free_port()
    listener = await asyncio.start_server(Server().serve, "127.0.0.1", port, backlog=1000)
    new = port_file.with_suffix(".new")
    new.write_text(str(port))
    new.replace(port_file)
    async with listener:
        await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
