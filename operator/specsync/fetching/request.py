"""What a fetch is asked for and what it gives."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.guard import Pin
from specsync.fetching.memory import Share

MAX_KEPT_VALUE = 512
"""The longest ETag or Content-Type that a result holds, in characters."""
MAX_KEPT_DATE = 64
"""The longest Last-Modified; a date of HTTP has 29 characters."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff\t]*[\x21-\x7e\x80-\xff])?")
_NOT_THE_USERS = frozenset(
    {"host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "content-length"}
    | {"proxy-authorization", "proxy-connection", "user-agent", "accept-encoding", "range", "if-range"}
    | {"if-none-match", "if-modified-since", "if-match", "if-unmodified-since"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What Secrets hold for one origin. Texts may end in a newline, as Secrets' often do.

    ``ca_pem`` is the only trust for the URL's own host when given. ``client_cert_pem`` goes with ``client_key_pem``.
    ``auth_from`` and ``tls_from`` are what error texts call the two Secrets. ``version`` tells which state of them this
    is: what was said to one client need not hold for another.
    """

    bearer_token: str | None = field(default=None, repr=False)
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_pem: bytes | None = field(default=None, repr=False)
    client_cert_pem: bytes | None = field(default=None, repr=False)
    client_key_pem: bytes | None = field(default=None, repr=False)
    auth_from: str = "of secretRef"
    tls_from: str = "of certSecretRef"
    version: str = field(default="", compare=False)

    def request_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers that show who asks. FetchError InvalidCredentials names the key that can't be used."""
        found: list[tuple[bytes, bytes]] = []
        if self.bearer_token is not None and self.username is not None:
            raise self._unusable("has both bearerToken and username; keep one of them")
        if self.bearer_token is not None:
            found.append(self._header("bearerToken", "Authorization", "Bearer " + self.bearer_token.strip()))
        if self.username is not None:
            pair = f"{self.username.strip()}:{(self.password or '').rstrip(chr(10) + chr(13))}"
            found.append(self._header("username", "Authorization", "Basic " + b64encode(pair.encode()).decode()))
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name) or name.lower() in _NOT_THE_USERS:
                raise self._unusable(f"has a header that may not be set: header.{name[:60]!r}; remove it")
            if name.lower() == "authorization" and found:
                raise self._unusable("has a header.Authorization beside bearerToken or username; keep one of them")
            found.append(self._header(f"header.{name}", name, value.strip()))
        sent = [name.lower() for name, _ in found]
        if len(set(sent)) < len(sent):
            raise self._unusable("has the same header twice, spelt differently; keep one of them")
        return found

    def client_certificate(self) -> tuple[bytes, bytes] | None:
        """Certificate and key, or None without them. FetchError InvalidCredentials when only one is there."""
        if self.client_cert_pem is None and self.client_key_pem is None:
            return None
        if not self.client_cert_pem or not self.client_key_pem:
            text = f"The Secret {self.tls_from} has only one of tls.crt and tls.key; add the other."
            raise FetchError(FetchReason.INVALID_CREDENTIALS, text)
        return self.client_cert_pem, self.client_key_pem

    def identity(self) -> bytes:
        """A digest that is the same only for the same credentials: connections are never shared across it."""
        parts: list[bytes | None] = [
            *(None if text is None else text.encode() for text in (self.bearer_token, self.username, self.password)),
            *(self.ca_pem, self.client_cert_pem, self.client_key_pem),
            *(text.encode() for pair in sorted(self.headers.items()) for text in pair),
        ]
        digest = hashlib.sha256()
        for part in parts:
            digest.update(b"-" if part is None else b"%d:%b" % (len(part), part))
        return digest.digest()

    def _header(self, key: str, name: str, value: str) -> tuple[bytes, bytes]:
        if not is_header_value(value):
            text = f"has an empty value or a character that no header may have in {key}; write it anew"
            raise self._unusable(text)
        return name.encode("ascii"), value.encode("latin-1")

    def _unusable(self, why: str) -> FetchError:
        return FetchError(FetchReason.INVALID_CREDENTIALS, f"The Secret {self.auth_from} {why}.")


ANONYMOUS = Credentials()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """One document to fetch. ``timeout`` is seconds for everything, ``max_bytes`` counts after decompression.

    ``etag``, ``last_modified`` and ``validators_of`` are those of the last result. ``pin`` is the address of the
    URL's own host where Kubernetes gave it: it is open to this request, to no other, and to no redirect elsewhere.
    ``share`` holds the body within what all jobs may keep in memory.
    """

    url: str = field(repr=False)
    timeout: float = 60.0
    max_bytes: int = 64 * 1024 * 1024
    etag: str | None = None
    last_modified: str | None = None
    validators_of: str | None = None
    credentials: Credentials = ANONYMOUS
    user_agent: str = "specsync"
    pin: Pin | None = None
    share: Share | None = field(default=None, compare=False, repr=False)

    def conditions(self) -> list[tuple[bytes, bytes]]:
        """The headers that ask for the document only if it has changed (RFC 9110, section 13.1)."""
        pairs = ((b"If-None-Match", self.etag), (b"If-Modified-Since", self.last_modified))
        return [(name, value.encode("latin-1")) for name, value in pairs if value and is_header_value(value)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResult:
    """A document, or the word that it is still the last one (``not_modified``, with an empty body).

    ``etag`` and ``content_type`` are at most 512 characters, ``last_modified`` 64; longer ones are left out.
    ``validators_of`` is the digest of the URL and the version of the credentials that etag and last_modified are of,
    None where it is the request's URL, without credentials.
    ``bytes_on_wire`` counts the body as it was sent; ``final_url`` has no query and no user info, and ``same_origin``
    tells whether it has the scheme, host and port of the request's. ``seconds_left`` is what is left of the timeout.
    """

    not_modified: bool
    body: bytes = field(repr=False)
    status: int
    etag: str | None
    last_modified: str | None
    validators_of: str | None = None
    content_type: str | None
    final_url: str
    same_origin: bool
    bytes_on_wire: int
    seconds_left: float


def is_header_value(text: str) -> bool:
    """Whether ``text`` may stand in a header field (RFC 9110, section 5.5)."""
    return _HEADER_VALUE.fullmatch(text) is not None


def kept_value(text: str | None, longest: int = MAX_KEPT_VALUE) -> str | None:
    """``text`` from an answer's header if it is one to keep: what is too long for a status or odd is dropped."""
    return text if text and len(text) <= longest and is_header_value(text) else None
