"""What the API server makes of the kinds: what it refuses, with which words, and what it fills in."""

import json
from typing import Any

import pytest

from devcluster.controlplane import ControlPlane
from devcluster.errors import KubectlError
from tests.integration.applying import Patch, apply, sync_job

URL = "https://api.example.com/openapi.json"
NAME_52 = "d" * 52


def dependency(spec: Patch | None = None, name: str = "shop") -> Patch:
    return {
        "apiVersion": "specsync.dev/v1alpha1",
        "kind": "Dependency",
        "metadata": {"name": name},
        "spec": {"source": {"url": URL}} if spec is None else spec,
    }


def from_url(url: Any = URL, **more: Any) -> Patch:
    return dependency({"source": {"url": url, **more}})


def from_service(**more: Any) -> Patch:
    return dependency({"source": {"serviceRef": {**SERVICE, **more}}})


def with_field(field: str, value: Any) -> Patch:
    return dependency({"source": {"url": URL}, field: value})


def refusal(cluster: ControlPlane, space: str, body: Patch, *flags: str) -> str:
    with pytest.raises(KubectlError) as caught:
        apply(cluster, space, body, "--dry-run=server", *flags)
    return caught.value.stderr


EXACTLY_ONE = "spec.source: Invalid value: set exactly one of source.url, source.configMapRef and source.serviceRef"
BAD_URL = (
    "url must be http or https with a host, without spaces and '#', for example https://api.example.com/openapi.json"
)
USER_INFO = "url must not hold user info: put the credentials into a Secret and name it in secretRef"
BAD_INTERVAL = "interval must be a duration of at least 10s, for example 15m or 6h"
BAD_TIMEOUT = "timeout must be a duration between 1s and 5m, for example 60s"
DECREASING = "health thresholds must not decrease: degradedAfter <= unhealthyAfter"
NO_SECRETS = "source.secretRef and source.certSecretRef don't go with source.configMapRef: leave them out"
BAD_PATH = "path must begin with '/' and have no spaces and no '#', for example /openapi.json"
SCHEDULED = (
    "spec.trigger: Invalid value: Scheduled and Requested are the operator's own: "
    "write trigger: Manual, or leave it out"
)
CONFIG_MAP = {"name": "specs", "key": "openapi.yaml"}
SERVICE: Patch = {"name": "orders", "port": 8080, "path": "/openapi.json"}

REFUSED_DEPENDENCIES: dict[str, tuple[Patch, str]] = {
    "no spec": ({k: v for k, v in dependency().items() if k != "spec"}, "spec: Required value"),
    "no source": (dependency({}), "spec.source: Required value"),
    "empty source": (dependency({"source": {}}), EXACTLY_ONE),
    "two sources": (from_url(configMapRef=CONFIG_MAP), EXACTLY_ONE),
    "url and service": (from_url(serviceRef=SERVICE), EXACTLY_ONE),
    "externalRefs elsewhere": (from_url(externalRefs="Everywhere"), 'supported values: "Ignore", "SameOrigin"'),
    "service without port": (
        dependency({"source": {"serviceRef": {"name": "orders", "path": "/"}}}),
        "spec.source.serviceRef.port: Required value",
    ),
    "service without path": (
        dependency({"source": {"serviceRef": {"name": "orders", "port": 80}}}),
        "spec.source.serviceRef.path: Required value",
    ),
    "service on port 0": (from_service(port=0), "spec.source.serviceRef.port in body should be greater than or equal"),
    "service on port 65536": (from_service(port=65536), "spec.source.serviceRef.port in body should be less than"),
    "service in another namespace": (
        from_service(namespace="team-b"),
        'unknown field "spec.source.serviceRef.namespace"',
    ),
    "service by a name with a path": (
        from_service(name="orders/../x"),
        "must be the name of a Service: lower-case letters, digits, '-' and '.', for example my-api",
    ),
    "service by ftp": (from_service(scheme="ftp"), 'supported values: "http", "https"'),
    "service with a relative path": (from_service(path="openapi.json"), BAD_PATH),
    "service with a host as path": (from_service(path="@evil.example/"), BAD_PATH),
    "service with a fragment": (from_service(path="/openapi.json#/paths"), BAD_PATH),
    "service with a line break": (from_service(path="/\nHost: evil.example"), BAD_PATH),
    "unknown field": (dependency({"source": {"url": URL}, "intervall": "1h"}), 'unknown field "spec.intervall"'),
    "unknown source": (dependency({"source": {"git": "x"}}), 'unknown field "spec.source.git"'),
    "url without scheme": (from_url("api.example.com/openapi.json"), BAD_URL),
    "url without host": (from_url("https:///openapi.json"), BAD_URL),
    "url with a port alone": (from_url("https://:8443/openapi.json"), BAD_URL),
    "url with a bad port": (from_url("https://api.example.com:http/"), BAD_URL),
    "url with half an IPv6 address": (from_url("https://[::1/"), BAD_URL),
    "url with a space": (from_url("https://api.example.com/open api.json"), BAD_URL),
    "url with a line break": (from_url(URL + "\n"), BAD_URL),
    "url with a fragment": (from_url(URL + "#/paths"), BAD_URL),
    "url with bad escapes": (from_url("https://api.example.com/%zz"), BAD_URL),
    "empty url": (from_url(""), BAD_URL),
    "file": (from_url("file:///etc/passwd"), BAD_URL),
    "ftp": (from_url("ftp://api.example.com/openapi.json"), BAD_URL),
    "long url": (
        from_url("https://api.example.com/" + "x" * 2048),
        "spec.source.url: Too long: may not be more than 2048",
    ),
    "user info": (from_url("https://me:secret@api.example.com/"), USER_INFO),
    "user alone": (from_url("https://token@api.example.com/"), USER_INFO),
    "user info before a query": (from_url("https://api.example.com@evil.example?x"), USER_INFO),
    "interval 1s": (with_field("interval", "1s"), BAD_INTERVAL),
    "interval 9s": (with_field("interval", "9s"), BAD_INTERVAL),
    "interval 9999ms": (with_field("interval", "9999ms"), BAD_INTERVAL),
    "interval of words": (with_field("interval", "hourly"), BAD_INTERVAL),
    "interval empty": (with_field("interval", ""), BAD_INTERVAL),
    "interval without unit": (with_field("interval", "3600"), BAD_INTERVAL),
    "interval negative": (with_field("interval", "-6h"), BAD_INTERVAL),
    "interval in days": (with_field("interval", "1d"), BAD_INTERVAL),
    "interval that overflows": (with_field("interval", "9999999999999h"), BAD_INTERVAL),
    "interval as a number": (with_field("interval", 60), 'spec.interval in body must be of type string: "integer"'),
    "timeout 999ms": (from_url(timeout="999ms"), BAD_TIMEOUT),
    "timeout 301s": (from_url(timeout="301s"), BAD_TIMEOUT),
    "timeout of words": (from_url(timeout="soon"), BAD_TIMEOUT),
    "secretRef with configMapRef": (
        dependency({"source": {"configMapRef": CONFIG_MAP, "secretRef": {"name": "token"}}}),
        NO_SECRETS,
    ),
    "certSecretRef with configMapRef": (
        dependency({"source": {"configMapRef": CONFIG_MAP, "certSecretRef": {"name": "ca"}}}),
        NO_SECRETS,
    ),
    "secretRef without name": (from_url(secretRef={}), "spec.source.secretRef.name: Required value"),
    "secretRef to a path": (
        from_url(secretRef={"name": "../../kube-system/secrets/x"}),
        "spec.source.secretRef.name: Invalid value",
    ),
    "configMapRef without key": (
        dependency({"source": {"configMapRef": {"name": "specs"}}}),
        "spec.source.configMapRef.key: Required value",
    ),
    "configMapRef with a bad key": (
        dependency({"source": {"configMapRef": {"name": "specs", "key": "a/b"}}}),
        "must be a key of a ConfigMap: letters, digits, '-', '_' and '.', for example openapi.yaml",
    ),
    "configMapRef with a bad name": (
        dependency({"source": {"configMapRef": {"name": "My Specs", "key": "a"}}}),
        "must be the name of a ConfigMap: lower-case letters, digits, '-' and '.', for example my-api",
    ),
    "name of 53 characters": (
        dependency(name="d" * 53),
        "metadata.name must have at most 52 characters: names of jobs are made from it",
    ),
    "long displayName": (with_field("displayName", "x" * 129), "spec.displayName: Too long: may not be more than 128"),
    "degraded after unhealthy": (with_field("health", {"degradedAfter": 6, "unhealthyAfter": 5}), DECREASING),
    "unhealthy after paused": (with_field("health", {"degradedAfter": 11, "pausedAfter": 10}), DECREASING),
    "paused first": (with_field("health", {"degradedAfter": 2, "unhealthyAfter": 2, "pausedAfter": 1}), DECREASING),
    "degraded after 0": (with_field("health", {"degradedAfter": 0}), "should be greater than or equal to 1"),
    "history of 0 jobs": (with_field("history", {"jobs": 0}), "should be greater than or equal to 1"),
    "history of 1 snapshot": (with_field("history", {"snapshots": 1}), "should be greater than or equal to 2"),
    "history of 0 change sets": (with_field("history", {"changeSets": 0}), "should be greater than or equal to 1"),
    "history of too many jobs": (with_field("history", {"jobs": 101}), "should be less than or equal to 100"),
}

REFUSED_JOBS: dict[str, tuple[Patch, str]] = {
    "no target": ({**sync_job(), "spec": {}}, "spec.target: Required value"),
    "target without name": (sync_job(target={"kind": "Dependency"}), "spec.target.name: Required value"),
    "target of another kind": (sync_job(target={"kind": "Pod", "name": "shop"}), 'supported values: "Dependency"'),
    "target with a pattern": (
        sync_job(target={"name": "sh.p|("}),
        "must be the name of a Dependency: lower-case letters, digits, '-' and '.'",
    ),
    "long target": (sync_job(target={"name": "d" * 53}), "spec.target.name: Too long: may not be more than 52"),
    "unknown trigger": (sync_job(trigger="Cron"), 'supported values: "Manual", "Requested", "Scheduled"'),
    "Scheduled under another name": (sync_job(trigger="Scheduled"), SCHEDULED),
    "Requested under another name": (sync_job(trigger="Requested"), SCHEDULED),
    "Scheduled with letters": (sync_job("shop-abcdefghij", trigger="Scheduled"), SCHEDULED),
    "Scheduled of another target": (sync_job("shopp-1700000000", trigger="Scheduled"), SCHEDULED),
    "Scheduled by generateName": (sync_job(None, trigger="Scheduled"), SCHEDULED),
    "deadline of 9 seconds": (sync_job(activeDeadlineSeconds=9), "should be greater than or equal to 10"),
    "deadline of two days": (sync_job(activeDeadlineSeconds=172800), "should be less than or equal to 86400"),
    "negative ttl": (sync_job(ttlSecondsAfterFinished=-1), "should be greater than or equal to 0"),
}


@pytest.mark.parametrize("case", REFUSED_DEPENDENCIES)
def test_bad_dependency_is_refused_with_what_to_write(cluster: ControlPlane, space: str, case: str) -> None:
    body, message = REFUSED_DEPENDENCIES[case]
    assert message in refusal(cluster, space, body)


@pytest.mark.parametrize("case", REFUSED_JOBS)
def test_bad_sync_job_is_refused_with_what_to_write(cluster: ControlPlane, space: str, case: str) -> None:
    body, message = REFUSED_JOBS[case]
    # `apply` wants a name, `create` works with generateName too; the checks are the same.
    with pytest.raises(KubectlError) as caught:
        apply(cluster, space, body, "--dry-run=server", verb="create")
    assert message in caught.value.stderr


@pytest.mark.parametrize(
    "body",
    [
        from_url("http://api.example.com"),
        from_url("https://api.example.com:8443/v1/openapi.json?version=2&x=a@b"),
        from_url("https://[2001:db8::1]:8443/openapi"),
        from_url("https://api.example.com/x", secretRef={"name": "my.token"}, timeout="1s"),
        from_url(certSecretRef={"name": "ca"}, timeout="5m"),
        from_url(externalRefs="SameOrigin"),
        dependency({"source": {"configMapRef": CONFIG_MAP}}),
        from_service(),
        dependency(
            {
                "source": {
                    "serviceRef": {**SERVICE, "scheme": "https", "path": "/v3/api-docs?group=x"},
                    "secretRef": {"name": "login"},
                    "certSecretRef": {"name": "ca"},
                }
            }
        ),
        with_field("interval", "10s"),
        with_field("interval", "1h30m"),
        with_field("interval", "1.5h"),
        with_field("interval", "8760h"),
        with_field("health", {"degradedAfter": 1, "unhealthyAfter": 1, "pausedAfter": 1}),
        with_field("health", {}),
        with_field("history", {"jobs": 1, "snapshots": 2, "changeSets": 1}),
        dependency(name=NAME_52),
        dependency(name="shop.v2"),
        sync_job("shop-1700000000", trigger="Scheduled"),
        sync_job(NAME_52 + "-1700000000", trigger="Scheduled", target={"name": NAME_52}),
        sync_job("shop.v2-1700000000", trigger="Scheduled", target={"name": "shop.v2"}),
        sync_job(cancel=True, ttlSecondsAfterFinished=0, activeDeadlineSeconds=10),
    ],
    ids=lambda body: json.dumps(body["spec"])[:60],
)
def test_good_input_is_accepted(cluster: ControlPlane, space: str, body: Patch) -> None:
    stored = apply(cluster, space, body, "--dry-run=server")
    for field, value in body["spec"].items():
        assert _contains(stored["spec"][field], value)


def _contains(stored: Any, given: Any) -> bool:
    if isinstance(given, dict):
        return all(_contains(stored[key], value) for key, value in given.items())
    return bool(stored == given)


def test_what_is_left_out_of_a_dependency_is_filled_in(cluster: ControlPlane, space: str) -> None:
    stored = apply(cluster, space, dependency(name="defaults"))
    assert stored["spec"] == {
        "source": {"url": URL, "timeout": "60s", "externalRefs": "Ignore"},
        "interval": "6h",
        "suspend": False,
        "validation": "Lenient",
        "alerts": "Enabled",
    }
    assert stored["status"] == {"observedGeneration": -1}


def test_a_sync_job_is_pending_from_its_first_instant(cluster: ControlPlane, space: str) -> None:
    name = apply(cluster, space, sync_job(None), verb="create")["metadata"]["name"]
    body = json.loads(cluster.kubectl("get", "syncjob", name, "-o", "json", namespace=space))
    assert body["spec"] == {
        "target": {"kind": "Dependency", "name": "shop"},
        "trigger": "Manual",
        "activeDeadlineSeconds": 1800,
        "cancel": False,
    }
    assert body["status"] == {"phase": "Pending", "attempts": 0}
    listed = cluster.kubectl("get", "sjob", "--field-selector", "status.phase=Pending", "-o", "name", namespace=space)
    assert f"syncjob.specsync.dev/{name}" in listed.split()


@pytest.mark.parametrize(
    "path",
    [
        "dependency",
        "dep.spec.source.url",
        "dep.spec.source.externalRefs",
        "sjob.spec.cancel",
        "snap.spec.blobs",
        "chg.spec",
    ],
)
def test_kubectl_explains_each_field(cluster: ControlPlane, space: str, path: str) -> None:
    text = cluster.kubectl("explain", path, "--api-version=specsync.dev/v1alpha1")
    assert "GROUP:      specsync.dev" in text
    assert "<empty>" not in text


def test_kubectl_explains_the_whole_tree(cluster: ControlPlane, space: str) -> None:
    text = cluster.kubectl("explain", "dependency", "--recursive", "--api-version=specsync.dev/v1alpha1")
    words = text.split()
    assert words[words.index("certSecretRef") + 1] == "<Object>"
    assert words[words.index("nextSyncTime") + 1] == "<string>"
    assert "enum: degraded, healthy, paused, unhealthy" in text
