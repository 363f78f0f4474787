"""A small HTTP client for the API server: readiness, fixtures and tests need no more."""

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from devcluster.errors import DevclusterError


class ApiError(DevclusterError):
    """The API server refused a request. `status` is the HTTP status code."""

    def __init__(self, method: str, path: str, status: int, message: str) -> None:
        super().__init__(f"{method} {path} answered {status}: {message}")
        self.status = status


class ApiUnreachableError(DevclusterError):
    """There was no answer: nothing listens, the connection broke or its time is up."""


class ApiClient:
    """Requests with one bearer token, each on its own connection, the server's certificate verified."""

    def __init__(self, url: str, authority: str, token: str, user_agent: str = "devcluster") -> None:
        self.url = url
        self._address = urlsplit(url).netloc
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": user_agent}
        self._tls = ssl.create_default_context(cadata=authority)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout: float = 30,
    ) -> Any:
        """Send `body` as JSON and return the decoded answer. `timeout` is seconds.

        Raises ApiError on a status of 400 or more, ApiUnreachableError where there is no answer.
        """
        answer = self.raw(method, path, body, content_type=content_type, accept=accept, timeout=timeout)
        return json.loads(answer)

    def raw(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        accept: str = "*/*",
        timeout: float = 30,
    ) -> bytes:
        """As `request`, with the answer's bytes as they are."""
        connection = http.client.HTTPSConnection(self._address, timeout=timeout, context=self._tls)
        try:
            headers = self._headers | {"Accept": accept, "Content-Type": content_type}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ApiUnreachableError(f"{method} {path} got no answer from {self.url}: {error}") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise ApiError(method, path, response.status, _message(answer))
        return answer

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def is_ready(self) -> bool:
        """Whether /readyz says ok; False too while the server cannot be reached."""
        try:
            self.raw("GET", "/readyz", timeout=2)
        except (ApiError, ApiUnreachableError):
            return False
        return True


def _message(answer: bytes) -> str:
    text = answer.decode(errors="replace")
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:500]
