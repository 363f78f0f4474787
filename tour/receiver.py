"""A webhook's receiver of the tour's own: it takes alerts on loopback, and trusts none without the right signature."""

import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """What came in. `secret` and `url` are for the AlertChannel."""

    def __init__(self, port: int, secret: str) -> None:
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}/alerts"
        self.secret = secret
        self.alerts: list[dict[str, Any]] = []
        self.refused = 0

    def take(self, headers: dict[str, str], body: bytes) -> bool:
        """Keeps a body that is signed with the secret: https://www.standardwebhooks.com. False: it isn't."""
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if not hmac.compare_digest(expected, headers.get("webhook-signature", "")):
            self.refused += 1
            return False
        self.alerts.append(json.loads(body))
        return True


@contextlib.contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Listens on a free port of this machine until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            taken = receiver.take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(204 if taken else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    receiver = Receiver(server.server_address[1], secret)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
