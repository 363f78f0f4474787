"""What a channel sends with: its Secrets, read at the moment of use and kept nowhere."""

from specsync.alerting.channels.contract import ChannelBroken, Outlet
from specsync.fetching.guard import Guard
from specsync.fetching.post import Poster
from specsync.fetching.request import Credentials
from specsync.kube.client import KubeClient, NotFound
from specsync.kube.core import Secret
from specsync.resources import AlertChannel
from specsync.resources.reasons import Reason


class OutletMaker:
    """Makes outlets for one process. `timeout` in seconds, for one sending."""

    def __init__(
        self, client: KubeClient, guard: Guard, *, timeout: float, user_agent: str, apprise_schemes: frozenset[str]
    ) -> None:
        self._client = client
        self._guard = guard
        self._timeout = timeout
        self._user_agent = user_agent
        self._apprise_schemes = apprise_schemes
        self._poster = Poster(guard)

    async def outlet(self, channel: AlertChannel) -> Outlet:
        """Raises ChannelBroken where a Secret is missing or of no use, ApiError."""
        spec, namespace = channel.spec, channel.metadata.namespace
        secret = trust = None
        if spec.secret_ref is not None:
            secret = await self._secret(namespace, spec.secret_ref.name, "secretRef")
        if spec.cert_secret_ref is not None:
            trust = await self._secret(namespace, spec.cert_secret_ref.name, "certSecretRef")
        return Outlet(
            channel=channel.metadata.name,
            secret_name=secret.metadata.name if secret else "",
            secret=secret.data if secret else {},
            trust=_trust(trust) if trust else Credentials(),
            poster=self._poster,
            guard=self._guard,
            timeout=self._timeout,
            user_agent=self._user_agent,
            apprise_schemes=self._apprise_schemes,
        )

    async def versions(self, channel: AlertChannel) -> tuple[str, ...]:
        """Of the channel's Secrets as they are now, empty for one that isn't there. Raises ApiError."""
        spec, namespace = channel.spec, channel.metadata.namespace
        names = [reference.name for reference in (spec.secret_ref, spec.cert_secret_ref) if reference is not None]
        return tuple([await self._version(namespace, name) for name in names])

    async def aclose(self) -> None:
        await self._poster.aclose()

    async def _version(self, namespace: str, name: str) -> str:
        try:
            return (await self._client.get_metadata(Secret, namespace, name)).metadata.resource_version
        except NotFound:
            return ""

    async def _secret(self, namespace: str, name: str, field: str) -> Secret:
        try:
            return await self._client.get(Secret, namespace, name)
        except NotFound:
            text = f"Secret {name} doesn't exist in namespace {namespace}: create it, or correct spec.{field}."
            raise ChannelBroken(Reason.SECRET_NOT_FOUND, text) from None


def _trust(secret: Secret) -> Credentials:
    """Keys ca.crt, and tls.crt with tls.key. Some issuers leave ca.crt empty: then there is none."""
    name = secret.metadata.name
    ca, cert, key = (secret.data.get(each) or None for each in ("ca.crt", "tls.crt", "tls.key"))
    if bool(cert) != bool(key):
        text = f"Secret {name} has only one of tls.crt and tls.key: add the other."
        raise ChannelBroken(Reason.SECRET_KEY_MISSING, text)
    if not (ca or cert):
        text = f"Secret {name} has no key that spec.certSecretRef needs: add ca.crt, or tls.crt and tls.key."
        raise ChannelBroken(Reason.SECRET_KEY_MISSING, text)
    return Credentials(ca_pem=ca, client_cert_pem=cert, client_key_pem=key, tls_from=name)
