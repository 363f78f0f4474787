"""spec.source.externalRefs: documents of several files, as a user sees them."""

import base64
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster import ControlPlane
from tests.integration.documents import Documents
from tests.integration.user import User, dependency

ROOT: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Shop", "version": "1"},
    "paths": {"/things": {"$ref": "paths/things.yaml"}},
}
THINGS = """
get:
  responses:
    '200': {description: ok, content: {application/json: {schema: {$ref: ../schemas.json#/Thing}}}}
"""


def schemas(*fields: str) -> dict[str, Any]:
    owner = {"type": "object", "properties": {"things": {"type": "array", "items": {"$ref": "#/Thing"}}}}
    properties = {**{name: {"type": "string"} for name in fields}, "owner": {"$ref": "schemas.json#/Owner"}}
    return {"Thing": {"type": "object", "required": list(fields), "properties": properties}, "Owner": owner}


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Documents]:
    """Another origin: the same host, another port, which the operator might well fetch from."""
    with Documents() as documents:
        yield documents


@pytest.fixture(scope="module")
def operator_options(elsewhere: Documents) -> tuple[str, ...]:
    return ("--allow-host", elsewhere.address)


def published(user: User, documents: Documents) -> str:
    folder = f"/{user.namespace}"
    documents.publish(f"{folder}/paths/things.yaml", THINGS)
    documents.publish(f"{folder}/schemas.json", schemas("a", "b"))
    return documents.publish(f"{folder}/openapi.json", ROOT, etag='"always-the-same"')


def specsync(cluster: ControlPlane, user: User, *words: str) -> bytes:
    command = [str(Path(sys.executable).with_name("specsync")), *words, "-n", user.namespace]
    return subprocess.run(command, env=cluster.environment(), capture_output=True, timeout=60, check=True).stdout


def types(user: User, name: str) -> set[str]:
    return {each["type"] for each in user.get(f"dep/{name}")["status"]["conditions"]}


def test_references_that_are_not_followed_are_told(user: User, documents: Documents) -> None:
    user.depend_on("shop", published(user, documents))
    user.wait("dep/shop", "ExternalRefsIgnored")
    condition = user.condition("dep/shop", "ExternalRefsIgnored")
    assert condition["reason"] == "ExternalRefsIgnored"
    assert condition["message"] == (
        "1 reference to other files is not followed, and what stands there isn't monitored: paths/things.yaml at "
        "/paths/~1things. Set spec.source.externalRefs to SameOrigin to have them followed to where the document is"
    )
    assert condition["message"] in user.kubectl("describe", "dep", "shop")
    assert user.condition("dep/shop", "Ready")["status"] == "True"
    assert documents.asked(f"/{user.namespace}/paths/things.yaml") == []
    user.sync("shop", "Unchanged")
    assert "ExternalRefsIgnored" in types(user, "shop")

    user.patch("dep/shop", source={"externalRefs": "SameOrigin"})
    user.status_when("shop", lambda s: s["current"]["operations"] == 1 and "activeJob" not in s)
    assert user.get("dep/shop")["status"]["lastSync"]["result"] == "Baseline"
    assert "spec.source.externalRefs was changed" in user.events("shop")[-1][2]
    assert user.all("chg") == []
    assert "ExternalRefsIgnored" not in types(user, "shop")


def test_a_change_in_any_file_is_a_change_of_the_contract(
    cluster: ControlPlane, user: User, documents: Documents
) -> None:
    user.apply(dependency("shop", {"url": published(user, documents), "externalRefs": "SameOrigin"}))
    user.wait("dep/shop", "Ready")
    [snapshot] = user.all("snap")
    assert (snapshot["spec"]["files"], snapshot["spec"]["operations"]) == (3, 1)
    with tarfile.open(fileobj=io.BytesIO(specsync(cluster, user, "snapshot", "raw", "dep/shop"))) as archive:
        names = [name.removeprefix(f"{user.namespace}/") for name in archive.getnames()]
        assert names == ["specsync-bundle.json", "openapi.json", "paths/things.yaml", "schemas.json"]
        assert json.load(archive.extractfile(archive.getnames()[-1]) or io.BytesIO()) == schemas("a", "b")
    assert b"\nFiles       3; " in specsync(cluster, user, "snapshot", "show", "dep/shop")

    job = user.sync("shop", "Unchanged")
    assert job["status"]["stages"][0]["message"] == "same content"
    # Each file is asked for, and the document itself too: its ETag says nothing of the others.
    for file in ("openapi.json", "paths/things.yaml", "schemas.json"):
        assert len(documents.asked(f"/{user.namespace}/{file}")) == 2
    assert "If-None-Match" not in documents.asked(f"/{user.namespace}/openapi.json")[-1]

    documents.publish(f"/{user.namespace}/schemas.json", schemas("a"))
    user.sync("shop", "Changed")
    [change] = user.all("chg")
    assert change["spec"]["summary"]["breaking"] == 1
    assert change["spec"]["causes"][0]["scope"] == "schema"
    assert change["spec"]["causes"][0]["id"].startswith("schemas.Thing")


def test_credentials_go_to_the_origin_and_nothing_goes_elsewhere(
    user: User, documents: Documents, elsewhere: Documents
) -> None:
    folder = f"/{user.namespace}"
    token = base64.b64encode(b"t0ken").decode()
    user.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "data": {"bearerToken": token}})
    other = elsewhere.publish(f"{folder}/a.json", {"type": "string"})
    documents.publish(f"{folder}/own.json", {"type": "object", "properties": {"other": {"$ref": other}}})
    root = {**ROOT, "paths": {}, "components": {"schemas": {"Own": {"$ref": "own.json"}}}}
    url = documents.publish(f"{folder}/openapi.json", root)
    user.apply(dependency("shop", {"url": url, "externalRefs": "SameOrigin", "secretRef": {"name": "login"}}))
    user.wait("dep/shop", "Ready")
    assert [asked["Authorization"] for asked in documents.asked(f"{folder}/own.json")] == ["Bearer t0ken"]
    assert elsewhere.asked(f"{folder}/a.json") == []
    message = user.condition("dep/shop", "ExternalRefsIgnored")["message"]
    assert f"{other} at /components/schemas/Own/properties/other" in message
    assert "Only those to where the document is are followed" in message


def test_a_redirect_takes_no_credentials_along(user: User, documents: Documents, elsewhere: Documents) -> None:
    """The origin is then that of the document's last address."""
    folder = f"/{user.namespace}"
    token = base64.b64encode(b"t0ken").decode()
    user.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "data": {"bearerToken": token}})
    elsewhere.publish(f"{folder}/own.json", {"type": "string"})
    root = {**ROOT, "paths": {}, "components": {"schemas": {"Own": {"$ref": "own.json"}}}}
    moved = elsewhere.publish(f"{folder}/openapi.json", root)
    url = documents.publish(f"{folder}/moved", b"", status=302, headers={"Location": moved})
    user.apply(dependency("shop", {"url": url, "externalRefs": "SameOrigin", "secretRef": {"name": "login"}}))
    user.wait("dep/shop", "Ready")
    assert "Authorization" in documents.asked(f"{folder}/moved")[0]
    for file in ("openapi.json", "own.json"):
        assert ["Authorization" in asked for asked in elsewhere.asked(f"{folder}/{file}")] == [False]


@pytest.mark.parametrize(
    ("body", "status", "stage", "reason", "says"),
    [
        (b"", 404, "fetch", "NotFound", ("/schemas.json", "The $ref at paths/things.yaml#/get/responses/200/content/")),
        (b"<html></html>", 200, "parse", "HTMLDocument", ("schemas.json: The source answered with an HTML page",)),
        (
            b'{"Other": ',
            200,
            "parse",
            "NotParseable",
            ("schemas.json: The JSON ends too early",),
        ),
    ],
)
def test_a_file_that_is_of_no_use_is_named_with_who_refers_to_it(
    user: User, documents: Documents, body: bytes, status: int, stage: str, reason: str, says: tuple[str, ...]
) -> None:
    url = published(user, documents)
    documents.publish(f"/{user.namespace}/schemas.json", body, status=status)
    user.apply(dependency("shop", {"url": url, "externalRefs": "SameOrigin"}))
    user.wait("dep/shop", "condition=Ready=false")
    user.status_when("shop", lambda s: s["lastSync"]["result"] == "Failed")
    ready = user.condition("dep/shop", "Ready")
    assert ready["reason"] == reason
    assert user.get("dep/shop")["status"]["lastSync"]["error"]["stage"] == stage
    for part in says:
        assert part in ready["message"]


def test_a_file_that_lacks_something_is_monitored_without_it(user: User, documents: Documents) -> None:
    url = published(user, documents)
    documents.publish(f"/{user.namespace}/schemas.json", {"Other": {}})
    user.apply(dependency("shop", {"url": url, "externalRefs": "SameOrigin"}))
    user.wait("dep/shop", "Ready")
    message = user.condition("dep/shop", "SpecValid")["message"]
    assert message.startswith("1 error: paths/things.yaml#/get/responses/200/content/application~1json/schema/$ref: ")
    assert '"schemas.json#/Thing" isn\'t in that file' in message
    with pytest.raises(LookupError):  # it isn't one that nobody followed
        user.condition("dep/shop", "ExternalRefsIgnored")


def test_the_keys_of_a_config_map_are_files_beside_each_other(user: User) -> None:
    root = {**ROOT, "paths": {"/things": {"$ref": "things.yaml"}}}
    data = {
        "openapi.json": json.dumps(root),
        "things.yaml": THINGS.replace("../", ""),
        "schemas.json": json.dumps(schemas("a", "b")),
    }
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "specs"}, "data": data}
    source = {"configMapRef": {"name": "specs", "key": "openapi.json"}, "externalRefs": "SameOrigin"}
    user.apply(config_map, dependency("shop", source))
    user.wait("dep/shop", "Ready")
    data["schemas.json"] = json.dumps(schemas("a"))
    user.apply(config_map)
    user.sync("shop", "Changed")
    assert user.get("dep/shop")["status"]["lastChange"]["breaking"] == 1

    del data["schemas.json"]
    user.apply(config_map)
    job = user.create_job("shop", activeDeadlineSeconds=10)
    user.wait(f"sjob/{job}", "Failed")
    error = user.get(f"sjob/{job}")["status"]["error"]
    assert error["reason"] == "ConfigMapKeyMissing"
    assert error["message"].startswith("ConfigMap specs has no key schemas.json, where the $ref at things.yaml#/get/")
