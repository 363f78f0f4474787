"""Where documents come from, on a real API server: credentials from Secrets, Services, and what a user sees."""

import base64
import json
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devcluster import ControlPlane
from tests.conftest import OperatorKubeconfig
from tests.integration.crew import Crew, Member
from tests.integration.vendors import NEVER_SHOWN, Vendor, serving
from tests.unit.fetching.bodies import BOMBS, ENDLESS, MEBIBYTE
from tests.unit.fetching.conftest import Certificates, certificates  # noqa: F401 -- a fixture
from tests.waiting import eventually

MEMORY = 400 * MEBIBYTE  # of a worker: 64 MiB for each of a few documents at once, and some 90 for itself
CONTACT = "https://team.example/specsync"


@dataclass
class Field:
    """The servers, and the crew that works in a namespace of its own."""

    crew: Crew
    worker: Member
    plain: Vendor
    secure: Vendor
    mutual: Vendor
    limited: Vendor
    hostile: Vendor
    beside: Vendor
    pem: Certificates

    def secret(self, name: str, **keys: bytes | str) -> None:
        """Creates or replaces a Secret; `__` in a key stands for a dot, `_` for a dash."""
        data = {
            key.replace("__", ".").replace("_", "-"): base64.b64encode(
                value.encode() if isinstance(value, str) else value
            ).decode()
            for key, value in keys.items()
        }
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
        path = f"/api/v1/namespaces/{self.crew.namespace}/secrets/{name}?fieldManager=test&force=true"
        self.crew.cluster.api.request("PATCH", path, body, content_type="application/apply-patch+yaml")

    def service(self, name: str, **spec: Any) -> None:
        body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
        self.crew.cluster.api.request("POST", f"/api/v1/namespaces/{self.crew.namespace}/services", body)

    def failure(self, name: str, source: Any) -> tuple[str, str]:
        """Reason and message of the Ready condition, once an attempt has failed; without when the next one is."""
        self.crew.depend_on_source(name, source)

        def condition() -> Any:
            conditions = self.crew.get("dependencies", name)["status"]["conditions"]
            [ready] = [each for each in conditions if each["type"] == "Ready"]
            assert ready["status"] == "False"
            return ready

        ready = eventually(condition, timeout=30)
        return ready["reason"], re.sub(r" \(attempt 2 not before [0-9:]+ UTC\)$", "", ready["message"])


@pytest.fixture(scope="module")
def place(
    cluster: ControlPlane,
    operator_kubeconfig: OperatorKubeconfig,
    certificates: Certificates,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Field]:
    namespace = cluster.create_namespace()
    with ExitStack() as stack:
        plain = stack.enter_context(serving(Vendor()))
        secure = stack.enter_context(serving(Vendor(), certificates.server()))
        mutual = stack.enter_context(serving(Vendor(), certificates.server(client_ca="ca.crt")))
        limited = stack.enter_context(serving(Vendor("127.0.0.2")))  # a host of its own, for it is let alone
        beside = stack.enter_context(serving(Vendor("127.0.0.3")))
        hostile = stack.enter_context(serving(Vendor()))
        crew = stack.enter_context(Crew(cluster, operator_kubeconfig, namespace, tmp_path_factory.mktemp("crew")))
        crew.start("controller")
        vendors = (plain, secure, mutual, limited, hostile, beside)
        hosts = [f"--allow-host={vendor.host}:{vendor.port}" for vendor in vendors]
        worker = crew.start("worker", *hosts, "--contact", CONTACT)
        crew.wait_ready(worker)
        yield Field(crew, worker, plain, secure, mutual, limited, hostile, beside, certificates)
    cluster.api.request("DELETE", f"/api/v1/namespaces/{namespace}")


LOGINS: dict[str, tuple[dict[str, bytes | str], dict[str, str]]] = {
    "bearer": ({"bearerToken": f"{NEVER_SHOWN}-1\n"}, {"Authorization": f"Bearer {NEVER_SHOWN}-1"}),
    "basic": (
        {"username": "ann", "password": f"{NEVER_SHOWN}:ü\n"},
        {"Authorization": "Basic " + base64.b64encode(f"ann:{NEVER_SHOWN}:ü".encode()).decode()},
    ),
    "no-password": ({"username": "k3y", "password": ""}, {"Authorization": "Basic azN5Og=="}),
    "header": ({"header__X_Api_Key": f"{NEVER_SHOWN}-2", "other": "y"}, {"X-Api-Key": f"{NEVER_SHOWN}-2"}),
    "bearer-and-header": (
        {"bearerToken": f"{NEVER_SHOWN}-3", "header__X_Tenant": "t1"},
        {"Authorization": f"Bearer {NEVER_SHOWN}-3", "X-Tenant": "t1"},
    ),
}


@pytest.mark.parametrize("kind", LOGINS)
def test_a_login_from_a_secret_is_shown_to_the_server(place: Field, kind: str) -> None:
    keys, place.plain.wanted = LOGINS[kind]
    place.secret(f"login-{kind}", **keys)
    place.crew.depend_on_source(f"by-{kind}", {"url": place.plain.url(), "secretRef": {"name": f"login-{kind}"}})
    status = place.crew.wait_for_result(f"by-{kind}", "Baseline")
    assert status["current"]["title"] == "Shop"


def test_a_secret_is_read_anew_for_each_sync(place: Field) -> None:
    place.plain.wanted = {"Authorization": "Bearer old"}
    place.secret("turning", bearerToken="old")
    place.crew.depend_on_source("turning", {"url": place.plain.url(), "secretRef": {"name": "turning"}})
    place.crew.wait_for_result("turning", "Baseline")
    place.plain.wanted = {"Authorization": "Bearer new"}
    place.secret("turning", bearerToken="new")
    place.crew.request_sync("turning", "1")
    place.crew.wait_for_result("turning", "Unchanged")


def test_an_own_authority_and_a_client_certificate_open_the_server(place: Field) -> None:
    ca, cert, key = (place.pem.pem(name) for name in ("ca.crt", "client.crt", "client.key"))
    place.secret("trust", ca__crt=ca)
    place.secret("mutual", ca__crt=ca, tls__crt=cert, tls__key=key)
    place.crew.depend_on_source("own-ca", {"url": place.secure.url(), "certSecretRef": {"name": "trust"}})
    place.crew.depend_on_source("client-cert", {"url": place.mutual.url(), "certSecretRef": {"name": "mutual"}})
    for name in ("own-ca", "client-cert"):
        assert place.crew.wait_for_result(name, "Baseline")["current"]["title"] == "Shop"


BAD_LOGINS: dict[str, tuple[dict[str, bytes | str], str, str]] = {
    "both": (
        {"bearerToken": NEVER_SHOWN, "username": NEVER_SHOWN, "password": NEVER_SHOWN},
        "InvalidCredentials",
        "The Secret bad-both has both bearerToken and username; keep one of them.",
    ),
    "no-password-key": (
        {"username": NEVER_SHOWN},
        "SecretKeyMissing",
        "Secret bad-no-password-key has username but no password: add password; it may be empty",
    ),
    "no-username": (
        {"password": NEVER_SHOWN},
        "SecretKeyMissing",
        "Secret bad-no-username has password but no username: add username",
    ),
    "no-key": (
        {"token": NEVER_SHOWN},
        "SecretKeyMissing",
        "Secret bad-no-key has no key that spec.source.secretRef needs: "
        "add bearerToken, or username and password, or header.<Name>",
    ),
    "empty": (
        {"bearerToken": "\n"},
        "InvalidCredentials",
        "The Secret bad-empty has an empty value or a character that no header may have in bearerToken; write it anew.",
    ),
    "smuggled": (
        {"header__X_Key": f"{NEVER_SHOWN}\r\nHost: evil"},
        "InvalidCredentials",
        "The Secret bad-smuggled has an empty value or a character that no header may have in header.X-Key; "
        "write it anew.",
    ),
    "not-theirs": (
        {"header__Host": NEVER_SHOWN},
        "InvalidCredentials",
        "The Secret bad-not-theirs has a header that may not be set: header.'Host'; remove it.",
    ),
    "twice": (
        {"header__X_Key": NEVER_SHOWN, "header__x_key": NEVER_SHOWN},
        "InvalidCredentials",
        "The Secret bad-twice has the same header twice, spelt differently; keep one of them.",
    ),
    "not-utf-8": (
        {"username": b"\xff" + NEVER_SHOWN.encode(), "password": ""},
        "InvalidCredentials",
        "The Secret bad-not-utf-8 has a username that isn't UTF-8 text; write it anew.",
    ),
}


@pytest.mark.parametrize("case", BAD_LOGINS)
def test_a_login_that_is_of_no_use_is_named(place: Field, case: str) -> None:
    keys, reason, message = BAD_LOGINS[case]
    place.secret(f"bad-{case}", **keys)
    asked = len(place.plain.requests)
    source = {"url": place.plain.url(), "secretRef": {"name": f"bad-{case}"}}
    assert place.failure(f"bad-{case}", source) == (reason, message)
    assert len(place.plain.requests) == asked


BAD_TRUSTS: dict[str, tuple[dict[str, bytes | str], str, str]] = {
    "none": (
        {"password": NEVER_SHOWN, "ca__crt": ""},
        "SecretKeyMissing",
        "Secret pem-none has no key that spec.source.certSecretRef needs: add ca.crt, or tls.crt and tls.key",
    ),
    "half": (
        {"tls__crt": NEVER_SHOWN},
        "SecretKeyMissing",
        "Secret pem-half has tls.crt but no tls.key: add tls.key, which proves that the certificate is yours",
    ),
    "other-half": (
        {"tls__key": NEVER_SHOWN},
        "SecretKeyMissing",
        "Secret pem-other-half has tls.key but no tls.crt: add tls.crt, the certificate of that key",
    ),
    "no-pem": (
        {"ca__crt": NEVER_SHOWN},
        "InvalidCredentials",
        "In the Secret pem-no-pem, ca.crt isn't a PEM certificate; write it anew.",
    ),
    "no-pair": (
        {"tls__crt": NEVER_SHOWN, "tls__key": NEVER_SHOWN},
        "InvalidCredentials",
        "In the Secret pem-no-pair, tls.crt and tls.key aren't a PEM certificate and its unencrypted key; "
        "write it anew.",
    ),
}


@pytest.mark.parametrize("case", BAD_TRUSTS)
def test_certificates_that_are_of_no_use_are_named(place: Field, case: str) -> None:
    keys, reason, message = BAD_TRUSTS[case]
    place.secret(f"pem-{case}", **keys)
    source = {"url": place.secure.url(), "certSecretRef": {"name": f"pem-{case}"}}
    assert place.failure(f"pem-{case}", source) == (reason, message)


def test_a_secret_that_is_not_there_is_named(place: Field) -> None:
    for field_name in ("secretRef", "certSecretRef"):
        name = f"no-{field_name.lower()}"
        source = {"url": place.plain.url(), field_name: {"name": "absent"}}
        text = (
            f"Secret absent doesn't exist in namespace {place.crew.namespace}: "
            f"create it, or correct spec.source.{field_name}"
        )
        assert place.failure(name, source) == ("SecretNotFound", text)


@pytest.mark.parametrize(
    ("case", "source", "message"),
    [
        ("own", {"secretRef": {"name": "wrong"}}, "or doesn't accept the given ones (HTTP 401)"),
        ("none", {}, "asks for credentials"),
    ],
)
def test_a_server_that_wants_other_credentials_says_so(
    place: Field, case: str, source: dict[str, Any], message: str
) -> None:
    place.plain.wanted = {"Authorization": "Bearer right"}
    place.secret("wrong", bearerToken=f"{NEVER_SHOWN}-wrong")
    reason, shown = place.failure(f"wrong-{case}", {"url": place.plain.url(), **source})
    assert reason == "Unauthorized"
    assert message in shown


def test_a_server_without_a_trusted_certificate_or_the_clients_own_says_so(place: Field) -> None:
    assert place.failure("untrusted", {"url": place.secure.url()}) == (
        "TLSFailure",
        f"No trusted connection to https://127.0.0.1:{place.secure.port}/openapi.json, its certificate is signed by "
        "none that is trusted: put the CA as ca.crt in the Secret of certSecretRef.",
    )


SELECTOR = {"app": "orders"}
PORTS = [{"name": "http", "port": 8080}, {"name": "dns", "port": 53, "protocol": "UDP"}]
BAD_SERVICES: dict[str, tuple[dict[str, Any] | None, str, str]] = {
    "absent": (
        None,
        "ServiceNotFound",
        "Service absent doesn't exist in namespace {}: create it, or correct spec.source.serviceRef.name",
    ),
    "external": (
        {"type": "ExternalName", "externalName": "metadata.google.internal", "ports": PORTS},
        "ServiceUnusable",
        "Service external is of type ExternalName and leads out of the cluster, so it isn't fetched from: "
        "write its target in spec.source.url",
    ),
    "headless": (
        {"clusterIP": "None", "selector": SELECTOR, "ports": PORTS},
        "ServiceUnusable",
        "Service headless is headless (it has no cluster IP), so it isn't fetched from: "
        "name a Service with a cluster IP",
    ),
    "selectorless": (
        {"ports": PORTS},
        "ServiceUnusable",
        "Service selectorless has no selector and may lead anywhere, so it isn't fetched from: "
        "give it a selector of your Pods, or use spec.source.url, for which the operator's admin can open it "
        "(--allow-host)",
    ),
    "portless": (
        {"selector": SELECTOR, "ports": [{"name": "a", "port": 80}, *PORTS[1:], {"name": "b", "port": 81}]},
        "ServicePortMissing",
        "Service portless has no TCP port 8080 (it has: 80, 81): correct spec.source.serviceRef.port",
    ),
}


@pytest.mark.parametrize("case", BAD_SERVICES)
def test_a_service_that_could_lead_anywhere_is_refused(place: Field, case: str) -> None:
    spec, reason, message = BAD_SERVICES[case]
    if spec is not None:
        place.service(case, **spec)
    source = {"serviceRef": {"name": case, "port": 8080, "path": "/openapi.json"}}
    assert place.failure(f"service-{case}", source) == (reason, message.format(place.crew.namespace))


def test_a_vendor_learns_whom_to_ask_about_the_requests(place: Field) -> None:
    place.plain.wanted = {}
    place.crew.depend_on_source("contact", {"url": place.plain.url()})
    place.crew.wait_for_result("contact", "Baseline")
    assert place.plain.requests[-1]["User-Agent"] == f"specsync/0.1.0 (+{CONTACT})"


def test_a_host_that_asks_for_a_pause_gets_it_from_all_and_nobodys_health_suffers(place: Field) -> None:
    place.limited.instead = (429, {"Retry-After": "3600"}, b"")
    reason, message = place.failure("limited", {"url": place.limited.url("/a.json")})
    assert reason == "RateLimited"
    assert "limits how often it is asked (HTTP 429) and is tried again in 3600 seconds" in message
    reason, message = place.failure("limited-too", {"url": place.limited.url("/b.json")})
    assert reason == "RateLimited"
    assert "127.0.0.2 asked a moment ago to be asked less" in message
    assert len(place.limited.requests) == 1
    for name in ("limited", "limited-too"):
        health = place.crew.get("dependencies", name)["status"].get("health", {})
        assert (health.get("state", "healthy"), health.get("consecutiveFailures", 0)) == ("healthy", 0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the worker's memory from /proc")
@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_costs_one_attempt_and_little_memory(place: Field, coding: str) -> None:
    place.hostile.instead = (200, {"Content-Encoding": coding}, BOMBS[coding]())
    name = "bomb-" + coding.replace(", ", "-in-")
    reason, message = place.failure(name, {"url": place.hostile.url(f"/{name}")})
    assert (reason, "is larger than 64 MiB" in message) == ("TooLarge", True)
    [job] = place.crew.jobs_of(name)
    assert job["status"]["attempts"] == 1
    assert peak_memory(place.worker) < MEMORY


@pytest.mark.skipif(sys.platform != "linux", reason="reads the worker's memory from /proc")
def test_answers_without_end_end_and_the_worker_lives_on(place: Field) -> None:
    """As many at once as their host has places; beside them a document is fetched as ever."""
    place.hostile.endless = {f"/endless-{number}": answer for number, answer in enumerate(ENDLESS.values())}
    for path, answer in place.hostile.endless.items():
        timeout = "2s" if answer.reason == "Timeout" else "60s"
        place.crew.depend_on_source(path[1:], {"url": place.hostile.url(path), "timeout": timeout})
    place.crew.depend_on_source("beside", {"url": place.beside.url()})
    place.crew.wait_for_result("beside", "Baseline")

    def reasons() -> list[str]:
        jobs = [place.crew.jobs_of(path[1:])[0] for path in place.hostile.endless]
        return [job["status"]["error"]["reason"] for job in jobs]

    eventually(reasons, until=lambda found: found == [answer.reason for answer in ENDLESS.values()], timeout=120)
    assert peak_memory(place.worker) < MEMORY
    assert place.worker.running


def peak_memory(worker: Member) -> int:
    """Bytes that the process had at most."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def test_nothing_of_a_secret_or_a_query_is_in_any_object_event_or_log(place: Field) -> None:
    """Runs last: it looks at all that the tests before have left. The user's own spec holds the query, and only it."""
    objects = [
        one for plural in ("syncjobs", "specsnapshots", "changesets", "events") for one in place.crew.all(plural)
    ]
    objects += [each["status"] for each in place.crew.all("dependencies")]
    assert len(objects) > 20
    assert NEVER_SHOWN not in json.dumps(objects)
    assert NEVER_SHOWN not in json.dumps(place.worker.log())
