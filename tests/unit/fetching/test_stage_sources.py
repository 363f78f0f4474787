"""What the fetch stage makes of Secrets and Services; the API server's part is a table here."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from specsync.fetching.guard import Pin
from specsync.fetching.request import Credentials
from specsync.kube.client import NotFound
from specsync.kube.core import Secret, Service, ServicePort, ServiceSpec
from specsync.resources.meta import ObjectMeta
from specsync.resources.reasons import Reason
from specsync.resources.source import SecretReference, ServiceReference, Source
from specsync.stages.contract import StageError
from specsync.stages.credentials import read_credentials
from specsync.stages.service import locate

Found = Secret | Service


def context(*objects: Found) -> Any:
    """A stage's context in namespace team-a, whose API server has these objects."""
    known = {(type(each), each.metadata.namespace, each.metadata.name): each for each in objects}

    async def get(kind: type[Found], namespace: str, name: str) -> Found:
        if (kind, namespace, name) not in known:
            raise NotFound(404, "NotFound", f"{name} not found")
        return known[kind, namespace, name]

    return SimpleNamespace(client=SimpleNamespace(get=get), namespace="team-a")


def secret(name: str, **data: bytes) -> Secret:
    """`__` in a key stands for a dot."""
    keys = {key.replace("__", "."): value for key, value in data.items()}
    return Secret(metadata=ObjectMeta(namespace="team-a", name=name), data=keys)


def service(namespace: str = "team-a", **spec: Any) -> Service:
    usual = {"cluster_ip": "10.0.0.7", "selector": {"app": "orders"}, "ports": [ServicePort(port=8080)]}
    return Service(metadata=ObjectMeta(namespace=namespace, name="orders"), spec=ServiceSpec(**{**usual, **spec}))


REF = ServiceReference(name="orders", port=8080, path="/openapi.json?full=1")
SOURCE = Source(
    url="https://a.example/", secret_ref=SecretReference(name="login"), cert_secret_ref=SecretReference(name="pem")
)


def test_both_secrets_make_the_credentials() -> None:
    login = secret("login", bearerToken=b"t0ken", header__X=b"\xfc", other=b"y")
    pem = secret("pem", ca__crt=b"CA", tls__crt=b"CERT", tls__key=b"KEY")
    credentials = asyncio.run(read_credentials(context(login, pem), SOURCE))
    assert credentials == Credentials(
        bearer_token="t0ken",
        headers={"X": "\xfc"},
        ca_pem=b"CA",
        client_cert_pem=b"CERT",
        client_key_pem=b"KEY",
        auth_from="login",
        tls_from="pem",
    )


def test_an_empty_authority_is_none() -> None:
    """As some issuers of cert-manager leave it: the public ones are trusted then."""
    pem = secret("pem", ca__crt=b"", tls__crt=b"CERT", tls__key=b"KEY")
    source = Source(url="https://a.example/", cert_secret_ref=SecretReference(name="pem"))
    assert asyncio.run(read_credentials(context(pem), source)).ca_pem is None


def test_without_references_nothing_is_read() -> None:
    assert asyncio.run(read_credentials(context(), Source(url="https://a.example/"))) == Credentials()


def test_a_secret_of_another_namespace_is_not_there() -> None:
    elsewhere = Secret(metadata=ObjectMeta(namespace="team-b", name="login"), data={"bearerToken": b"x"})
    with pytest.raises(StageError) as caught:
        asyncio.run(read_credentials(context(elsewhere), SOURCE))
    assert caught.value.reason == Reason.SECRET_NOT_FOUND


@pytest.mark.parametrize("address", ["10.0.0.7", "fd00::7"])
def test_a_service_is_found_at_its_cluster_ip(address: str) -> None:
    url, pin = asyncio.run(locate(context(service(cluster_ip=address)), REF))
    assert url == "http://orders.team-a.svc:8080/openapi.json?full=1"
    assert (pin.host, pin.port, str(pin.address)) == ("orders.team-a.svc", 8080, address)
    assert isinstance(pin, Pin)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"type": "ExternalName", "cluster_ip": ""}, Reason.SERVICE_UNUSABLE),
        ({"type": "ExternalName"}, Reason.SERVICE_UNUSABLE),
        ({"cluster_ip": "None"}, Reason.SERVICE_UNUSABLE),
        ({"cluster_ip": ""}, Reason.SERVICE_UNUSABLE),
        ({"cluster_ip": "metadata.google.internal"}, Reason.SERVICE_UNUSABLE),
        ({"cluster_ip": "169.254.169.254"}, Reason.SERVICE_UNUSABLE),
        ({"cluster_ip": "127.0.0.1"}, Reason.SERVICE_UNUSABLE),
        ({"cluster_ip": "::1"}, Reason.SERVICE_UNUSABLE),
        ({"selector": {}}, Reason.SERVICE_UNUSABLE),
        ({"ports": []}, Reason.SERVICE_PORT_MISSING),
        ({"ports": [ServicePort(port=80)]}, Reason.SERVICE_PORT_MISSING),
        ({"ports": [ServicePort(port=8080, protocol="UDP")]}, Reason.SERVICE_PORT_MISSING),
        ({"namespace": "team-b"}, Reason.SERVICE_NOT_FOUND),
    ],
    ids=str,
)
def test_a_service_that_could_lead_elsewhere_is_refused(spec: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(StageError) as caught:
        asyncio.run(locate(context(service(**spec)), REF))
    may_come = reason != Reason.SERVICE_UNUSABLE
    assert (caught.value.reason, caught.value.retryable) == (reason, may_come)
    assert "orders" in caught.value.message


def test_sources_that_differ_have_different_digests() -> None:
    refs = [
        REF,
        ServiceReference(name="orders", port=80, path=REF.path),
        ServiceReference(name="orders2", port=8080, path=REF.path),
        ServiceReference(name="orders", port=8080, path="/"),
        ServiceReference(name="orders", port=8080, path=REF.path, scheme="https"),
    ]
    digests = {Source(service_ref=ref).digest() for ref in refs} | {Source(url="https://a.example/").digest()}
    assert len(digests) == 6
