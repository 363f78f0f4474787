"""Trust and client certificates for one connection, and TLS errors in plain words."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from specsync.fetching.errors import FetchError, FetchReason

CLIENT_CERTIFICATE_STEP = (
    "if the server asks for a client certificate, put tls.crt and tls.key in the Secret of certSecretRef"
)
_VERIFY_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_VERIFY_HOSTNAME = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_VERIFY_UNTRUSTED = frozenset({2, 18, 19, 20, 21})  # no issuer, self-signed, issuer not local, leaf not verified


def tls_context(
    ca_pem: bytes | None,
    *,
    public_roots: bool,
    client_cert: tuple[bytes, bytes] | None = None,
    shown: str = "of certSecretRef",
) -> ssl.SSLContext:
    """A context that verifies chain and host name.

    ``ca_pem`` is trusted, beside the public roots if ``public_roots``. Raises FetchError InvalidCredentials
    for a PEM text that can't be read, or a key that doesn't belong to its certificate.
    ``shown`` is what they call the Secret.
    """
    if ca_pem is None and client_cert is None and public_roots:
        return _public_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if public_roots:
        _load_public_roots(context)
    if ca_pem is not None:
        try:
            # Bundles have comments between the certificates, with names in any script.
            context.load_verify_locations(cadata=ca_pem.decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError):
            raise _unusable(shown, "ca.crt isn't a PEM certificate") from None
    if client_cert is not None:
        with _as_file(b"\n".join(client_cert)) as path:
            try:
                context.load_cert_chain(path, password=_no_password)
            except (ssl.SSLError, ValueError):
                raise _unusable(shown, "tls.crt and tls.key aren't a PEM certificate and its unencrypted key") from None
    return context


def tls_failure(error: ssl.SSLError, shown_url: str, host: str) -> FetchError:
    """The error for a handshake that failed, with what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _VERIFY_EXPIRED:
            why = "its certificate has expired: tell the owner of the server"
        elif error.verify_code in _VERIFY_HOSTNAME:
            why = f"its certificate isn't for {host}: check the host in the URL"
        elif error.verify_code in _VERIFY_UNTRUSTED:
            why = (
                "its certificate is signed by none that is trusted: put the CA as ca.crt in the Secret of certSecretRef"
            )
        else:
            why = f"its certificate wasn't accepted ({error.verify_message})"
        return FetchError(FetchReason.TLS_FAILURE, f"No trusted connection to {shown_url}, {why}.", retryable=False)
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        why = "the server doesn't speak TLS on this port: check the port, or write http://"
    elif error.reason and "CERTIFICATE_REQUIRED" in error.reason:
        why = CLIENT_CERTIFICATE_STEP
    else:
        why = f"the TLS handshake failed ({(error.reason or 'connection broken').lower().replace('_', ' ')})"
    return FetchError(FetchReason.TLS_FAILURE, f"No secure connection to {shown_url}, {why}.", retryable=True)


@cache
def _public_context() -> ssl.SSLContext:
    """The usual one, shared: reading the public roots takes some 40 ms."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_public_roots(context)
    return context


def _load_public_roots(context: ssl.SSLContext) -> None:
    if os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        context.load_default_certs()  # the administrator's own store
        return
    import certifi  # noqa: PLC0415 -- not needed with a store of the administrator's

    context.load_verify_locations(certifi.where())


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """``content`` under a path, as OpenSSL's loader wants it, in memory where the system can: keys stay off disks."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pem")
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pem")
        path.touch(mode=0o600)
        path.write_bytes(content)
        yield str(path)


def _no_password() -> str:
    raise ValueError("the key is encrypted")  # without this, OpenSSL would ask on the terminal


def _unusable(shown: str, why: str) -> FetchError:
    return FetchError(FetchReason.INVALID_CREDENTIALS, f"In the Secret {shown}, {why}; write it anew.")
