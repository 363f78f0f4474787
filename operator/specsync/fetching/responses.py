"""Answers and failures of a server, as what they mean for a fetch."""

import math
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpcore

from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.guard import Target
from specsync.fetching.redact import redact_url
from specsync.fetching.tls import CLIENT_CERTIFICATE_STEP, tls_failure

_MAX_RETRY_AFTER = 24 * 3600.0
_REST_WHEN_LIMITED = 60.0  # seconds, for a 429 without Retry-After
_REST_WHEN_UNAVAILABLE = 30.0  # seconds, for a 503 without Retry-After
_TRANSIENT_CLIENT_ERRORS = frozenset({408, 421, 425})
_HEADERS_TOO_LARGE = 431  # what h11 hints at when a header block passes httpcore's 100 KiB


class Headers:
    """The header fields of an answer, by name in any case."""

    def __init__(self, fields: list[tuple[bytes, bytes]]) -> None:
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1").strip())

    def get(self, name: str) -> str | None:
        """The value of the field ``name`` (in lower case), or None; the first where it is repeated."""
        return self._fields.get(name, [None])[0]

    def joined(self, name: str) -> str:
        """The values of a field that holds a list, which may be spread over several lines (RFC 9110, 5.3)."""
        return ", ".join(self._fields.get(name, ()))


def status_error(status: int, headers: Headers, target: Target) -> FetchError:
    """The error for an answer that is neither a document, nor a 304, nor a redirect."""
    url = redact_url(target.url)
    wait = retry_after_seconds(headers)
    if status in (403, 429) and wait is None:
        wait = _seconds_until_reset(headers)
    if status in (429, 503) or (status == 403 and wait is not None):  # GitHub limits with 403
        if wait is None:
            wait = _REST_WHEN_UNAVAILABLE if status == 503 else _REST_WHEN_LIMITED
        what = "is too busy" if status == 503 else "limits how often it is asked"
        text = f"{url} {what} (HTTP {status}) and is tried again in {wait:.0f} seconds: a longer interval helps."
        return FetchError(FetchReason.RATE_LIMITED, text, retry_after=wait, rest=wait)
    if status == 401:
        text = (
            f"{url} asks for credentials, or doesn't accept the given ones (HTTP 401): check the Secret of secretRef."
        )
        return FetchError(FetchReason.UNAUTHORIZED, text)
    if status == 403:
        text = f"{url} refuses access (HTTP 403): check what the credentials in the Secret of secretRef may read."
        return FetchError(FetchReason.FORBIDDEN, text)
    if status in (404, 410):
        text = f"There is nothing at {url} (HTTP {status}): check the path, or whether the document has moved."
        return FetchError(FetchReason.NOT_FOUND, text)
    if status >= 500:
        text = f"The server of {url} failed (HTTP {status}) and is tried again: if it stays, tell its owner."
        return FetchError(FetchReason.SERVER_ERROR, text, retry_after=wait)
    return FetchError(
        FetchReason.HTTP_ERROR,
        f"{url} answered HTTP {status} instead of a document: open the URL and see what it wants.",
        retryable=status in _TRANSIENT_CLIENT_ERRORS,
        retry_after=wait,
    )


def retry_after_seconds(headers: Headers) -> float | None:
    """Seconds to wait by ``Retry-After`` in either form (RFC 9110, section 10.2.3), at most a day; None without it.

    A date counts from the server's own ``Date`` where it sends one, so that clocks need not agree.
    """
    text = headers.get("retry-after")
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _MAX_RETRY_AFTER)
    until, now = _http_date(text), _http_date(headers.get("date") or "")
    if until is None:
        return None
    seconds = until - (time.time() if now is None else now)
    return float(math.ceil(min(max(seconds, 0.0), _MAX_RETRY_AFTER)))


def _seconds_until_reset(headers: Headers) -> float | None:
    """Seconds until GitHub's limit of requests an hour is lifted, at most a day; None where it isn't used up.

    It comes without Retry-After, and with the time in seconds since 1970.
    """
    reset = headers.get("x-ratelimit-reset") or ""
    if headers.get("x-ratelimit-remaining") != "0" or not re.fullmatch(r"[0-9]{1,12}", reset):
        return None
    now = _http_date(headers.get("date") or "")
    return min(max(float(reset) - (time.time() if now is None else now), 1.0), _MAX_RETRY_AFTER)


def _http_date(text: str) -> float | None:
    try:
        time_ = parsedate_to_datetime(text)
        # RFC 9110, 5.6.7: all of them are UTC; asctime's doesn't say so, and Python would take it for local time.
        return (time_ if time_.tzinfo else time_.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


@contextmanager
def transport_errors(target: Target) -> Iterator[None]:
    """Turns what the transport raises while it talks to ``target`` into FetchErrors."""
    url = redact_url(target.url)
    try:
        yield
    except httpcore.ConnectTimeout:
        raise _timeout(f"No connection to {url} in time: check the port and whether a firewall is between") from None
    except httpcore.TimeoutException:
        raise _timeout(f"{url} stopped sending: it is tried again; a longer timeout may help") from None
    except httpcore.LocalProtocolError:  # its text holds the header that was refused, perhaps a secret
        text = f"The request for {url} can't be sent: check the headers in the Secret of secretRef."
        raise FetchError(FetchReason.INVALID_CREDENTIALS, text) from None
    except (httpcore.NetworkError, httpcore.RemoteProtocolError, OSError) as error:  # OSError: TLS alerts come bare
        raise _transport_failure(error, target) from None


def total_timeout(url: str, seconds: float) -> FetchError:
    """The error for a fetch that wasn't done within its whole time."""
    return _timeout(
        f"{redact_url(url)} was not fetched within {seconds:g} seconds: set a longer timeout or ask its owner"
    )


def _timeout(text: str) -> FetchError:
    return FetchError(FetchReason.TIMEOUT, text + ".")


def _transport_failure(error: Exception, target: Target) -> FetchError:
    url = redact_url(target.url)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return tls_failure(cause, url, target.host)
        if getattr(cause, "error_status_hint", None) == _HEADERS_TOO_LARGE:
            text = f"The header of the answer of {url} is larger than 100 KiB: tell the owner of the server."
            return FetchError(FetchReason.TOO_LARGE, text)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore.ConnectError):
        text = f"No connection to {url}: check host and port, and whether the server is up."
    elif target.scheme == "https":  # TLS 1.3 refuses a client without a certificate only after the handshake
        text = f"{url} broke the connection off: it is tried again; {CLIENT_CERTIFICATE_STEP}."
    else:
        text = f"{url} broke the connection off or didn't answer in HTTP: check the port; it is tried again."
    return FetchError(FetchReason.CONNECTION_FAILED, text)
