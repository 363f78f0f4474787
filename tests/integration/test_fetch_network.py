"""serviceRef on a real control plane, in a network namespace whose loopback interface has the cluster IPs."""

import base64
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from devcluster import ControlPlane, find_binaries
from tests.conftest import OPERATOR_NAMESPACE, PROJECT
from tests.integration.crew import Crew, contract
from tests.integration.vendors import Vendor, serving
from tests.unit.fetching.conftest import make_certificates
from tests.unit.fetching.network import in_own_network
from tests.unit.fetching.servers import forbidden_listener
from tests.waiting import eventually

ORDERS, DOCS, PARTS, METADATA = "10.0.0.77", "10.0.0.78", "10.0.0.79", "169.254.169.254"
OF_PARTS: dict[str, object] = {
    "/openapi.json": {**contract("Shop"), "components": {"schemas": {"Pet": {"$ref": "schemas/pet.json"}}}},
    "/schemas/pet.json": {"properties": {"owner": {"$ref": "owner.json#/Owner"}}},
    "/schemas/owner.json": {"Owner": {"type": "string"}},
}


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    with ControlPlane(folder / "cluster", find_binaries(may_build=False)) as plane:
        plane.kubectl("apply", "--server-side", "--kustomize", PROJECT / "manifests" / "base")
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield plane


def service(plane: ControlPlane, namespace: str, name: str, address: str) -> None:
    ports = [{"name": f"p{port}", "port": port} for port in (8080, 8443)]
    spec = {"clusterIP": address, "selector": {"app": name}, "ports": ports}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    plane.api.request("POST", f"/api/v1/namespaces/{namespace}/services", body)


def by_service(name: str, port: int = 8080, **more: Any) -> dict[str, Any]:
    return {"serviceRef": {"name": name, "port": port, "path": "/openapi.json", **more}}


@in_own_network(f"{ORDERS}/32", f"{DOCS}/32", f"{PARTS}/32", f"{METADATA}/32")
def test_a_service_is_reached_at_its_cluster_ip_and_nothing_else_is() -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        pem = make_certificates(folder, "DNS:orders.team-a.svc")
        orders = stack.enter_context(serving(Vendor(ORDERS, 8080)))
        secure = stack.enter_context(serving(Vendor(ORDERS, 8443), pem.server()))
        docs = stack.enter_context(serving(Vendor(DOCS, 8080, instead=(302, {"Location": f"http://{METADATA}/"}, b""))))
        parts = stack.enter_context(serving(Vendor(PARTS, 8080, wanted={"X-Key": "k3y"}, files=OF_PARTS)))
        stack.enter_context(forbidden_listener(METADATA, 80))
        plane = stack.enter_context(control_plane(folder))
        for namespace in ("team-a", "team-b"):
            plane.create_namespace(namespace)
        service(plane, "team-a", "orders", ORDERS)
        service(plane, "team-a", "docs", DOCS)
        service(plane, "team-a", "parts", PARTS)
        for secret, key, content in (("ca", "ca.crt", pem.pem("ca.crt")), ("login", "header.X-Key", b"k3y")):
            data = {key: base64.b64encode(content).decode()}
            plane.api.request("POST", "/api/v1/namespaces/team-a/secrets", {"metadata": {"name": secret}, "data": data})

        def kubeconfig(role: str) -> Path:
            return plane.service_account_kubeconfig(OPERATOR_NAMESPACE, f"specsync-{role}")

        crew = stack.enter_context(Crew(plane, kubeconfig, "team-a", folder))
        crew.start("controller", "--watch-namespace", "team-b")
        crew.wait_ready(crew.start("worker", "--watch-namespace", "team-b"))

        crew.depend_on_source("orders", by_service("orders"))
        assert crew.wait_for_result("orders", "Baseline")["current"]["title"] == "Shop"
        assert orders.requests[0]["Host"] == "orders.team-a.svc:8080"

        source = {**by_service("orders", 8443, scheme="https"), "certSecretRef": {"name": "ca"}}
        crew.depend_on_source("secure", source)
        assert crew.wait_for_result("secure", "Baseline")["current"]["title"] == "Shop"
        assert secure.names == ["orders.team-a.svc"]

        source = {**by_service("parts"), "externalRefs": "SameOrigin", "secretRef": {"name": "login"}}
        crew.depend_on_source("parts", source)
        crew.wait_for_result("parts", "Baseline")
        assert [asked["Host"] for asked in parts.requests] == ["parts.team-a.svc:8080"] * 3

        asked = len(orders.requests)
        crew.depend_on_source("by-address", {"url": f"http://{ORDERS}:8080/openapi.json"})
        crew.depend_on_source("docs", by_service("docs"))
        for dependency in ("by-address", "docs"):
            error = crew.wait_for_result(dependency, "Failed")["lastSync"]["error"]
            assert error["reason"] == "AddressBlocked"
        assert "Redirected by http://docs.team-a.svc:8080/openapi.json: " in error["message"]
        assert len(docs.requests) == 1

        crew.namespace = "team-b"  # no Service of another namespace is in reach
        crew.depend_on_source("orders", by_service("orders"))

        def first_error() -> Any:  # it is looked for again, for a minute
            jobs = crew.jobs_of("orders")
            return jobs[0]["status"].get("error") if jobs else None

        assert eventually(first_error, timeout=30)["reason"] == "ServiceNotFound"
        assert len(crew.jobs_of("orders")) == 1
        assert len(orders.requests) == asked
