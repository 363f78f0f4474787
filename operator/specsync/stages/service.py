"""serviceRef: a Service of the Dependency's own namespace, as a URL and the one address that is open for it.

The address is what the API server says of the Service, never what DNS or the user says. Only a Service that leads to
Pods of its namespace will do: by ExternalName, by DNS of a headless one, or by endpoints written by hand, a Service
can lead anywhere, past the guard.
"""

from ipaddress import ip_address

from specsync.fetching.errors import FetchError
from specsync.fetching.guard import Pin
from specsync.kube.client import NotFound
from specsync.kube.core import Service, ServiceSpec
from specsync.resources.reasons import Reason
from specsync.resources.source import ServiceReference
from specsync.stages.contract import StageContext, StageError

_URL_INSTEAD = "use spec.source.url, for which the operator's admin can open it (--allow-host)"


async def locate(context: StageContext, ref: ServiceReference) -> tuple[str, Pin]:
    """The URL by the Service's name in the cluster, which is Host header and SNI too, and where that name is.

    Raises StageError for a Service that isn't there or can't be used, with the next step.
    """
    try:
        service = await context.client.get(Service, context.namespace, ref.name)
    except NotFound:
        raise StageError(
            Reason.SERVICE_NOT_FOUND,
            f"Service {ref.name} doesn't exist in namespace {context.namespace}: create it, "
            "or correct spec.source.serviceRef.name",
            retryable=True,  # applied together, a Dependency may be there some seconds before its Service
        ) from None
    _check(service.spec, ref)
    host = f"{ref.name}.{context.namespace}.svc"
    try:
        pin = Pin(host, ref.port, ip_address(service.spec.cluster_ip))
    except (ValueError, FetchError):  # no address, or one that no Service has
        raise _unusable(ref, "has no cluster IP that can be used", "look at its spec.clusterIP") from None
    return f"{ref.scheme}://{host}:{ref.port}{ref.path}", pin


def _check(spec: ServiceSpec, ref: ServiceReference) -> None:
    if spec.type == "ExternalName":
        raise _unusable(
            ref, "is of type ExternalName and leads out of the cluster", "write its target in spec.source.url"
        )
    if spec.cluster_ip in ("", "None"):
        raise _unusable(ref, "is headless (it has no cluster IP)", "name a Service with a cluster IP")
    if not spec.selector:
        step = f"give it a selector of your Pods, or {_URL_INSTEAD}"
        raise _unusable(ref, "has no selector and may lead anywhere", step)
    tcp = [port.port for port in spec.ports if port.protocol == "TCP"]
    if ref.port not in tcp:
        known = ", ".join(map(str, tcp)) or "none"
        raise StageError(
            Reason.SERVICE_PORT_MISSING,
            f"Service {ref.name} has no TCP port {ref.port} (it has: {known}): correct spec.source.serviceRef.port",
            retryable=True,
        )


def _unusable(ref: ServiceReference, why: str, step: str) -> StageError:
    return StageError(Reason.SERVICE_UNUSABLE, f"Service {ref.name} {why}, so it isn't fetched from: {step}")
