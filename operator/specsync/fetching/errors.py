"""Why a fetch failed, as a type: the reason, whether another try may help, and the sentence for users."""

from enum import StrEnum


class FetchReason(StrEnum):
    """The closed list of reasons. The values are shown to users, so they don't change."""

    INVALID_URL = "InvalidURL"
    INVALID_CREDENTIALS = "InvalidCredentials"
    ADDRESS_BLOCKED = "AddressBlocked"
    NOT_FOUND = "NotFound"
    UNAUTHORIZED = "Unauthorized"
    FORBIDDEN = "Forbidden"
    HTTP_ERROR = "HTTPError"
    SERVER_ERROR = "ServerError"
    RATE_LIMITED = "RateLimited"
    TIMEOUT = "Timeout"
    DNS_FAILURE = "DNSFailure"
    CONNECTION_FAILED = "ConnectionFailed"
    TLS_FAILURE = "TLSFailure"
    TOO_LARGE = "TooLarge"
    TOO_MANY_REDIRECTS = "TooManyRedirects"
    INSECURE_REDIRECT = "InsecureRedirect"
    DECODING_FAILED = "DecodingFailed"


_RETRYABLE = frozenset(
    {
        FetchReason.SERVER_ERROR,
        FetchReason.RATE_LIMITED,
        FetchReason.TIMEOUT,
        FetchReason.DNS_FAILURE,
        FetchReason.CONNECTION_FAILED,
    }
)


class FetchError(Exception):
    """A fetch that gave no document.

    ``message`` is one sentence with the next step, free of secrets, queries and user info.
    ``retryable`` says whether the same request may succeed later; it follows from the reason unless given.
    ``retry_after`` is the number of seconds that the server asked to wait, or None; ``rest`` the number of seconds
    in which nobody should ask that host.
    """

    def __init__(
        self,
        reason: FetchReason,
        message: str,
        *,
        retryable: bool | None = None,
        retry_after: float | None = None,
        rest: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retryable = reason in _RETRYABLE if retryable is None else retryable
        self.retry_after = retry_after
        self.rest = rest

    def __repr__(self) -> str:
        return f"FetchError({self.reason}, {self.message!r}, retryable={self.retryable})"
