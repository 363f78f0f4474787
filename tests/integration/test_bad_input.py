"""What a user sees of what can't be used: a condition with its reason, an Event, and the next step in both."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.crew import contract
from tests.integration.documents import Documents
from tests.integration.user import User, dependency
from tests.unit.fetching.conftest import Certificates, certificates  # noqa: F401 -- a fixture
from tests.waiting import eventually

QUERY = "?key=s3cret"  # no text may show it


@pytest.fixture(scope="module")
def closed_port() -> Iterator[str]:
    """An address where nobody listens, and nobody else will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(scope="module")
def secure_documents(certificates: Certificates) -> Iterator[Documents]:  # noqa: F811
    with Documents(certificates.server()) as documents:
        yield documents


@pytest.fixture(scope="module")
def operator_options(closed_port: str, secure_documents: Documents) -> tuple[str, ...]:
    return ("--allow-host", closed_port, "--allow-host", secure_documents.address, "--max-document-mib", "1")


def assert_failure_is_shown(user: User, name: str, stage: str, reason: str, *parts: str) -> None:
    """The first sync failed for good: in the condition, the Event, what kubectl prints, and the job."""
    user.wait(f"dep/{name}", "condition=Ready=false")
    user.status_when(name, lambda s: s["lastSync"]["result"] == "Failed")
    ready = user.condition(f"dep/{name}", "Ready")
    assert ready["reason"] == reason
    for part in parts:
        assert part in ready["message"]
    [(kind, event, message)] = user.events(name)
    assert (kind, event) == ("Warning", "SyncFailed")
    assert message == f"{reason} in stage {stage}: {ready['message']}"
    description = user.kubectl("describe", "dep", name)
    assert ready["message"] in description
    assert "SyncFailed" in description
    [job] = user.all("sjob")
    assert job["status"]["error"] == {"stage": stage, "reason": reason, "message": ready["message"]}
    assert job["status"].get("attempts") == 1
    assert reason in user.kubectl("get", "sjob", "-o", "wide")
    assert "s3cret" not in message
    assert "s3cret" not in json.dumps([user.get(f"dep/{name}")["status"], job["status"]])
    assert user.names("snap") == set()
    eventually(lambda: not user.blobs() or user.names("sjob"), what="no blob without a job")


ANSWERS: dict[str, tuple[int, bytes, str, str, tuple[str, ...]]] = {
    "404": (404, b"", "fetch", "NotFound", ("HTTP 404", "check the path")),
    "410": (410, b"", "fetch", "NotFound", ("HTTP 410", "check the path")),
    "401": (401, b"", "fetch", "Unauthorized", ("HTTP 401", "check the Secret of secretRef")),
    "403": (403, b"", "fetch", "Forbidden", ("HTTP 403", "check what the credentials")),
    "418": (418, b"", "fetch", "HTTPError", ("HTTP 418", "open the URL")),
    "html": (
        200,
        b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>",
        "parse",
        "HTMLDocument",
        ("HTML page", "Check the URL and its credentials"),
    ),
    "empty": (200, b"", "parse", "EmptyDocument", ("empty",)),
    "blank": (200, b" \n\n", "parse", "EmptyDocument", ("empty",)),
    "not-yaml": (200, b"openapi: 3.0.3\ninfo: {title: [\n", "parse", "NotParseable", ("line",)),
    "json-schema": (
        200,
        b'{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {}}',
        "parse",
        "NotOpenAPI",
        ("a JSON Schema", "Point the source at the API's OpenAPI document"),
    ),
    "no-version": (200, b'{"info": {}, "paths": {}}', "parse", "NotOpenAPI", ("for example openapi: 3.0.3",)),
    "old-version": (200, b'{"swagger": "1.2"}', "parse", "UnsupportedVersion", ("specsync reads Swagger 2.0",)),
    "reference": (
        200,
        json.dumps({**contract("Shop"), "paths": {"/orders": {"$ref": "#/components/pathItems/Gone"}}}).encode(),
        "normalize",
        "UnresolvableReference",
        ("#/components/pathItems/Gone",),
    ),
    "too-large": (
        200,
        json.dumps({**contract("Shop"), "x-filling": "x" * 1_200_000}).encode(),
        "fetch",
        "TooLarge",
        ("larger than 1 MiB", "ask for a higher limit"),
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_is_of_no_use(user: User, documents: Documents, case: str) -> None:
    status, body, stage, reason, parts = ANSWERS[case]
    path = f"/{user.namespace}/api{QUERY}"
    user.depend_on("shop", documents.publish(path, body, status=status))
    assert_failure_is_shown(user, "shop", stage, reason, *parts)
    assert len(documents.asked(path)) == 1


SOURCES: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "private-address": (
        {"url": f"http://10.1.2.3/openapi.json{QUERY}"},
        "AddressBlocked",
        ("10.1.2.3", "--allow-host 10.1.2.3:80"),
    ),
    "metadata-service": ({"url": f"http://169.254.169.254/{QUERY}"}, "AddressBlocked", ("169.254.169.254",)),
    "port-that-is-not-allowed": ({"url": "http://127.0.0.1:1/"}, "AddressBlocked", ("--allow-host 127.0.0.1:1",)),
}


@pytest.mark.parametrize("case", SOURCES)
def test_a_source_that_is_of_no_use(user: User, case: str) -> None:
    source, reason, parts = SOURCES[case]
    user.apply(dependency("shop", source))
    assert_failure_is_shown(user, "shop", "fetch", reason, *parts)


MISSING: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "config-map": (
        {"configMapRef": {"name": "missing", "key": "openapi.json"}},
        "ConfigMapNotFound",
        ("ConfigMap missing doesn't exist", "create it, or correct spec.source.configMapRef.name"),
    ),
    "config-map-key": (
        {"configMapRef": {"name": "specs", "key": "missing"}},
        "ConfigMapKeyMissing",
        ("ConfigMap specs has no key missing", "add it, or correct spec.source.configMapRef.key"),
    ),
    "secret": (
        {"url": "http://127.0.0.1:1/", "secretRef": {"name": "missing"}},
        "SecretNotFound",
        ("Secret missing doesn't exist", "create it, or correct spec.source.secretRef"),
    ),
    "secret-key": (
        {"url": "http://127.0.0.1:1/", "secretRef": {"name": "empty"}},
        "SecretKeyMissing",
        ("Secret empty has no key", "add bearerToken"),
    ),
    "authority": (
        {"url": "https://127.0.0.1:1/", "certSecretRef": {"name": "missing"}},
        "SecretNotFound",
        ("create it, or correct spec.source.certSecretRef",),
    ),
    "service": (
        {"serviceRef": {"name": "missing", "port": 80, "path": "/"}},
        "ServiceNotFound",
        ("Service missing doesn't exist", "create it, or correct spec.source.serviceRef.name"),
    ),
    "service-port": (
        {"serviceRef": {"name": "orders", "port": 81, "path": "/"}},
        "ServicePortMissing",
        ("Service orders has no TCP port 81 (it has: 80)",),
    ),
}
SERVICE = {"selector": {"app": "orders"}, "ports": [{"port": 80}]}


@pytest.mark.parametrize("case", MISSING)
def test_what_is_missing_is_named_at_once_and_looked_for_again(user: User, case: str) -> None:
    source, reason, parts = MISSING[case]
    user.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "specs"}, "data": {"openapi.json": "{}"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "empty"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "orders"}, "spec": SERVICE},
        dependency("shop", source),
    )
    user.wait("dep/shop", "condition=Ready=false")
    ready = user.condition("dep/shop", "Ready")
    assert ready["reason"] == reason
    for part in (*parts, "attempt 2 not before"):
        assert part in ready["message"]
    assert user.condition("dep/shop", "Reconciling")["reason"] == "Retrying"
    assert user.events("shop") == []
    [job] = user.all("sjob")
    assert (job["status"]["phase"], job["status"]["attempts"]) == ("Pending", 1)


def test_what_comes_a_little_later_than_its_dependency_is_no_failure(user: User, documents: Documents) -> None:
    url = documents.publish(f"/{user.namespace}/api", contract("Shop"))
    config_map = {"configMapRef": {"name": "specs", "key": "openapi.json"}}
    user.apply(dependency("shop", {"url": url, "secretRef": {"name": "login"}}), dependency("specs", config_map))
    for name in ("shop", "specs"):
        user.wait(f"dep/{name}", "condition=Ready=false")
    user.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {"bearerToken": "t0ken"}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "specs"},
            "data": {"openapi.json": json.dumps(contract("Specs"))},
        },
    )
    for name in ("shop", "specs"):
        user.wait(f"dep/{name}", "Ready")
        assert user.reasons(name) == ["BaselineCreated"]
        assert user.get(f"dep/{name}")["status"]["health"].get("consecutiveFailures", 0) == 0


def test_a_certificate_of_an_unknown_authority(user: User, secure_documents: Documents) -> None:
    url = secure_documents.publish(f"/{user.namespace}{QUERY}", contract("Shop"))
    user.depend_on("shop", url)
    assert_failure_is_shown(user, "shop", "fetch", "TLSFailure", "ca.crt in the Secret of certSecretRef")
    assert secure_documents.asked(f"/{user.namespace}{QUERY}") == []


@pytest.mark.parametrize(
    ("kind", "reason", "parts"),
    [
        ("500", "ServerError", ("HTTP 500", "tell its owner")),
        ("timeout", "Timeout", ("was not fetched within 1 seconds", "set a longer timeout")),
        ("refused", "ConnectionFailed", ("No connection to", "check host and port")),
    ],
)
def test_what_may_pass_is_tried_again_and_shown_from_the_first_failure_on(
    user: User, documents: Documents, closed_port: str, kind: str, reason: str, parts: tuple[str, ...]
) -> None:
    path = f"/{user.namespace}/{kind}{QUERY}"
    url = f"http://{closed_port}/{QUERY}" if kind == "refused" else documents.publish(path, b"", status=500)
    user.apply(dependency("shop", {"url": url, "timeout": "1s"}, suspend=True))
    with documents.held(path if kind == "timeout" else "/nobody"):
        job = user.create_job("shop", activeDeadlineSeconds=10)
        user.wait("dep/shop", "condition=Ready=false")
        first = user.get(f"sjob/{job}")["status"]
        ready = user.condition("dep/shop", "Ready")
        assert (first["phase"], first["attempts"], first["error"]["reason"]) == ("Pending", 1, reason)
        assert ready["reason"] == reason
        assert "attempt 2 not before" in ready["message"]
        assert user.condition("dep/shop", "Reconciling")["reason"] == "Retrying"
        assert user.events("shop") == []

        user.wait(f"sjob/{job}", "Failed")
        user.status_when("shop", lambda s: s["lastSync"]["result"] == "Failed")
    status = user.get(f"sjob/{job}")["status"]
    assert 2 <= status["attempts"] <= 3
    assert status["error"]["reason"] == reason
    message = user.condition("dep/shop", "Ready")["message"]
    for part in parts:
        assert part in message
    assert user.events("shop") == [("Warning", "SyncFailed", f"{reason} in stage fetch: {message}")]
    assert message in user.kubectl("describe", "dep", "shop")
    assert "s3cret" not in json.dumps([user.get("dep/shop")["status"], status, user.events("shop")])


def test_a_server_that_recovers_in_time_is_no_failure(user: User, documents: Documents) -> None:
    path = f"/{user.namespace}/api"
    user.depend_on("shop", documents.publish(path, b"", status=500))
    user.wait("dep/shop", "condition=Ready=false")
    documents.publish(path, contract("Shop"))
    user.wait("dep/shop", "Ready")
    assert user.reasons("shop") == ["BaselineCreated"]
    [job] = user.all("sjob")
    assert (job["status"]["result"], job["status"]["attempts"]) == ("Baseline", 1)
    assert "error" not in job["status"]
    assert [each["type"] for each in user.get("dep/shop")["status"]["conditions"]] == ["Ready", "SpecValid"]


def test_a_job_for_a_dependency_that_is_not_there(user: User) -> None:
    job = user.create_job("nobody")
    user.wait(f"sjob/{job}", "Failed")
    status = user.get(f"sjob/{job}")["status"]
    assert (status["phase"], status["error"]["reason"]) == ("Failed", "TargetNotFound")
    assert "create it first, or correct spec.target.name" in status["error"]["message"]
    [(kind, reason, message)] = user.events(job)
    assert (kind, reason, message) == ("Warning", "TargetNotFound", status["error"]["message"])
    assert message in user.kubectl("describe", "sjob", job)


@pytest.mark.parametrize("kind", ["snap", "chg"])
def test_an_object_of_somebody_else_that_bears_the_jobs_name(user: User, documents: Documents, kind: str) -> None:
    path = f"/{user.namespace}"
    user.depend_on("shop", documents.publish(path, contract("Shop", fields=3)))
    user.wait("dep/shop", "Ready")
    documents.publish(path, contract("Shop", version="2", fields=2))
    user.sync("shop", "Changed")
    [*_, taken] = user.all(kind)
    user.apply({**taken, "metadata": {"name": "mine", "namespace": user.namespace}})
    documents.publish(path, contract("Shop", version="3", fields=1))
    user.create_job("shop", "mine")
    user.wait("sjob/mine", "Failed")
    error = user.get("sjob/mine")["status"]["error"]
    assert (error["reason"], error["message"]) == (
        "NameConflict",
        f"{taken['kind']} mine exists and isn't this job's: delete it, or create another SyncJob",
    )
    user.kubectl("delete", kind, "mine")
    user.sync("shop", "Changed")
