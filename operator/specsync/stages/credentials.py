"""The credentials of a source, read from their Secrets at the moment of use and kept nowhere."""

from specsync.fetching.request import Credentials
from specsync.kube.client import NotFound
from specsync.kube.core import Secret
from specsync.resources.reasons import Reason
from specsync.resources.source import Source
from specsync.stages.contract import StageContext, StageError

_HEADER = "header."


async def read_credentials(context: StageContext, source: Source) -> Credentials:
    """What `secretRef` and `certSecretRef` hold. StageError names the Secret or key that is missing or of no use."""
    login, trust = Credentials(), Credentials()
    if source.secret_ref is not None:
        login = _login(await _secret(context, source.secret_ref.name, "secretRef"))
    if source.cert_secret_ref is not None:
        trust = _trust(await _secret(context, source.cert_secret_ref.name, "certSecretRef"))
    return Credentials(
        bearer_token=login.bearer_token,
        username=login.username,
        password=login.password,
        headers=login.headers,
        ca_pem=trust.ca_pem,
        client_cert_pem=trust.client_cert_pem,
        client_key_pem=trust.client_key_pem,
        auth_from=login.auth_from,
        tls_from=trust.tls_from,
        version=" ".join(each.version for each in (login, trust) if each.version),
    )


def _login(secret: Secret) -> Credentials:
    """Keys bearerToken, username with password, header.<Name>; what else is in the Secret is of no concern."""
    data = secret.data
    for present, absent in (("username", "password"), ("password", "username")):
        if present in data and absent not in data:
            may_be_empty = "; it may be empty" if absent == "password" else ""
            raise _missing(secret, f"has {present} but no {absent}: add {absent}{may_be_empty}")
    headers = {key.removeprefix(_HEADER): value for key, value in data.items() if key.startswith(_HEADER)}
    if not (headers or "bearerToken" in data or "username" in data):
        text = (
            "has no key that spec.source.secretRef needs: add bearerToken, or username and password, or header.<Name>"
        )
        raise _missing(secret, text)
    return Credentials(
        bearer_token=_header_text(data.get("bearerToken")),
        username=_text(secret, "username"),
        password=_text(secret, "password"),
        headers={name: _header_text(value) or "" for name, value in headers.items()},
        auth_from=secret.metadata.name,
        version=_version(secret),
    )


def _trust(secret: Secret) -> Credentials:
    """Keys ca.crt, and tls.crt with tls.key. Some issuers leave ca.crt empty: then there is none."""
    ca, cert, key = (secret.data.get(name) or None for name in ("ca.crt", "tls.crt", "tls.key"))
    if cert and not key:
        raise _missing(secret, "has tls.crt but no tls.key: add tls.key, which proves that the certificate is yours")
    if key and not cert:
        raise _missing(secret, "has tls.key but no tls.crt: add tls.crt, the certificate of that key")
    if not (ca or cert):
        raise _missing(secret, "has no key that spec.source.certSecretRef needs: add ca.crt, or tls.crt and tls.key")
    return Credentials(
        ca_pem=ca,
        client_cert_pem=cert,
        client_key_pem=key,
        tls_from=secret.metadata.name,
        version=_version(secret),
    )


def _version(secret: Secret) -> str:
    """Which state of the Secret this is, without a trace of what it holds."""
    return f"{secret.metadata.uid}/{secret.metadata.resource_version}"


async def _secret(context: StageContext, name: str, field: str) -> Secret:
    try:
        return await context.client.get(Secret, context.namespace, name)
    except NotFound:
        raise StageError(
            Reason.SECRET_NOT_FOUND,
            f"Secret {name} doesn't exist in namespace {context.namespace}: create it, or correct spec.source.{field}",
            retryable=True,  # applied together, a Dependency may be there some seconds before its Secret
        ) from None


def _missing(secret: Secret, why: str) -> StageError:
    return StageError(Reason.SECRET_KEY_MISSING, f"Secret {secret.metadata.name} {why}", retryable=True)


def _header_text(value: bytes | None) -> str | None:
    """A header's value as HTTP has it: each byte is a character, whatever it means to the server."""
    return None if value is None else value.decode("latin-1")


def _text(secret: Secret, key: str) -> str | None:
    """A part of a Basic credential, which is UTF-8 (RFC 7617, section 2.1)."""
    value = secret.data.get(key)
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        text = f"The Secret {secret.metadata.name} has a {key} that isn't UTF-8 text; write it anew."
        raise StageError(Reason.INVALID_CREDENTIALS, text) from None
