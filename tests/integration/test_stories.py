"""A contract's life as its user sees it with kubectl: baseline, unchanged, changed, in every form that it comes in."""

import copy
import json
from typing import Any

import pytest
import yaml

from tests.integration.crew import contract
from tests.integration.documents import Documents
from tests.integration.user import User, dependency
from tests.waiting import eventually


def path_for(user: User, file: str = "openapi.json") -> str:
    return f"/{user.namespace}/{file}"


def rows(table: str) -> list[dict[str, str]]:
    """kubectl's table, by the headings; columns are wherever a heading begins."""
    heading, *lines = table.splitlines()
    starts = [0, *(i + 3 for i in range(len(heading) - 3) if heading[i : i + 3] == "   " and heading[i + 3] != " ")]
    spans = list(zip(starts, [*starts[1:], None], strict=True))
    return [{heading[a:b].strip(): line[a:b].strip() for a, b in spans} for line in lines]


def test_from_the_first_apply_to_a_breaking_change(user: User, documents: Documents) -> None:
    path = path_for(user)
    url = documents.publish(path, contract("Shop", version="1.0", fields=3))
    user.depend_on("shop", url)
    user.wait("dep/shop", "Ready")

    [row] = rows(user.kubectl("get", "dep", "-o", "wide"))
    assert row["NAME"] == "shop"
    assert (row["API"], row["VERSION"], row["HEALTH"], row["READY"]) == ("Shop", "1.0", "healthy", "True")
    assert (row["RESULT"], row["URL"], row["MESSAGE"]) == ("Baseline", url, "first snapshot of Shop 1.0")
    assert row["NEXT SYNC"].endswith("Z")
    [snapshot] = user.all("snap")
    [job] = user.all("sjob")
    name = job["metadata"]["name"]
    assert snapshot["metadata"]["name"] == name
    assert "previous" not in snapshot["spec"]
    [row] = rows(user.kubectl("get", "sjob", "-o", "wide"))
    assert (row["TARGET"], row["TRIGGER"], row["PHASE"], row["RESULT"]) == (
        "shop",
        "Scheduled",
        "Succeeded",
        "Baseline",
    )
    user.wait(f"sjob/{name}", "Finished")
    assert user.reasons("shop") == ["BaselineCreated"]

    job = user.sync("shop", "Unchanged")
    user.wait(f"sjob/{job['metadata']['name']}", "Complete")
    assert user.names("snap") == {name}
    assert user.reasons("shop") == ["BaselineCreated"]

    documents.publish(path, contract("Shop", version="2.0", fields=2))
    changed = user.sync("shop", "Changed")["metadata"]["name"]
    [row] = rows(user.kubectl("get", "chg"))
    assert row["NAME"] == changed
    assert (row["DEPENDENCY"], row["FROM"], row["TO"], row["BREAKING"]) == ("shop", "1.0", "2.0", "1")
    [broken] = [event for event in user.get(f"chg/{changed}")["spec"]["events"] if event["severity"] == "breaking"]
    assert broken["witness"]["acceptedBy"] == "new"  # what the server may answer from now on
    assert broken["witness"]["place"].startswith("response 200")
    assert [row["NAME"] for row in rows(user.kubectl("get", "snap"))] == sorted((name, changed))
    [row] = rows(user.kubectl("get", "dep"))
    assert (row["VERSION"], row["RESULT"], row["BREAKING"]) == ("2.0", "Changed", "1")
    kind, reason, message = user.events("shop")[-1]
    assert (kind, reason) == ("Warning", "BreakingChange")
    assert "1 breaking" in message
    assert changed in message
    description = user.kubectl("describe", "dep", "shop")
    for word in ("BreakingChange", "BaselineCreated", "Shop 2.0 has changed"):
        assert word in description
    for kind in ("dependency", "syncjob", "specsnapshot", "changeset"):
        assert f"{kind}.specsync.dev/" in user.kubectl("get", "specsync", "-o", "name")


def swagger(fields: int) -> dict[str, Any]:
    schema = contract("Old", fields=fields)["paths"]["/things"]["get"]["responses"]["200"]["content"][
        "application/json"
    ]["schema"]
    get = {"operationId": "list", "produces": ["application/json"]}
    return {
        "swagger": "2.0",
        "info": {"title": "Old", "version": "1"},
        "paths": {"/things": {"get": {**get, "responses": {"200": {"description": "ok", "schema": schema}}}}},
    }


def in_version(version: str, fields: int) -> dict[str, Any]:
    return {**contract("Any", fields=fields), "openapi": version}


FORMS: dict[str, tuple[str, bytes, bytes]] = {
    "swagger-json": ("swagger-2.0", json.dumps(swagger(3)).encode(), json.dumps(swagger(2)).encode()),
    "swagger-yaml": ("swagger-2.0", yaml.safe_dump(swagger(3)).encode(), yaml.safe_dump(swagger(2)).encode()),
    "3.0-yaml": (
        "openapi-3.0",
        yaml.safe_dump(in_version("3.0.3", 3)).encode(),
        yaml.safe_dump(in_version("3.0.3", 2)).encode(),
    ),
    "3.1-json": (
        "openapi-3.1",
        json.dumps(in_version("3.1.0", 3)).encode(),
        json.dumps(in_version("3.1.0", 2)).encode(),
    ),
    "3.1-json-to-yaml": (
        "openapi-3.1",
        json.dumps(in_version("3.1.0", 3)).encode(),
        yaml.safe_dump(in_version("3.1.0", 2)).encode(),
    ),
    "byte-order-mark": (
        "openapi-3.0",
        b"\xef\xbb\xbf" + json.dumps(in_version("3.0.3", 3)).encode(),
        json.dumps(in_version("3.0.3", 2)).encode(),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_document_is_read_and_compared(user: User, documents: Documents, form: str) -> None:
    format_, before, after = FORMS[form]
    path = path_for(user, "api")
    user.depend_on("api", documents.publish(path, before))
    user.wait("dep/api", "Ready")
    [snapshot] = user.all("snap")
    assert (snapshot["spec"]["format"], snapshot["spec"]["operations"]) == (format_, 1)
    documents.publish(path, after)
    changed = user.sync("api", "Changed")["metadata"]["name"]
    assert user.get(f"chg/{changed}")["spec"]["summary"]["breaking"] == 1


def test_a_document_in_a_config_map(user: User) -> None:
    def publish(key: str, fields: int) -> None:
        text = json.dumps(contract("Inside", fields=fields))
        user.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "specs"}, "data": {key: text}})

    publish("openapi.json", 3)
    user.apply(dependency("inside", {"configMapRef": {"name": "specs", "key": "openapi.json"}}))
    user.wait("dep/inside", "Ready")
    user.sync("inside", "Unchanged")
    publish("openapi.json", 2)
    user.sync("inside", "Changed")
    assert user.reasons("inside") == ["BaselineCreated", "BreakingChange"]


@pytest.mark.parametrize(
    ("validator", "header"),
    [({"etag": '"v1"'}, "If-None-Match"), ({"last_modified": "Fri, 02 Jan 2026 03:04:05 GMT"}, "If-Modified-Since")],
    ids=["etag", "last-modified"],
)
def test_a_server_that_says_not_modified_is_believed(
    user: User, documents: Documents, validator: dict[str, Any], header: str
) -> None:
    path = path_for(user)
    [value] = validator.values()
    user.depend_on("shop", documents.publish(path, contract("Shop"), **validator))
    user.wait("dep/shop", "Ready")
    assert header not in documents.asked(path)[0]
    for _ in range(2):
        job = user.sync("shop", "Unchanged")
        assert documents.asked(path)[-1][header] == value
        assert job["status"]["stages"][0]["message"] == "304 Not Modified"
    # Another address is another document: what the old one said does not count.
    other = path_for(user, "moved.json")
    user.patch("dep/shop", source={"url": documents.publish(other, contract("Shop", version="2", fields=2))})
    user.status_when("shop", lambda status: status["lastSync"]["result"] == "Changed")
    assert header not in documents.asked(other)[0]


def test_the_same_bytes_need_no_blob_and_no_parsing(user: User, documents: Documents) -> None:
    user.depend_on("shop", documents.publish(path_for(user), contract("Shop")))
    user.wait("dep/shop", "Ready")
    blobs = user.blobs()
    job = user.sync("shop", "Unchanged")
    states = {record["name"]: record["state"] for record in job["status"]["stages"]}
    assert states.pop("fetch") == "Succeeded"
    assert set(states.values()) == {"Skipped"}
    assert user.blobs() == blobs


def test_another_spelling_is_no_change_and_leaves_nothing_behind(user: User, documents: Documents) -> None:
    path, document = path_for(user), contract("Shop")
    user.depend_on("shop", documents.publish(path, document))
    user.wait("dep/shop", "Ready")
    snapshots, blobs = user.names("snap"), user.blobs()

    spelled = copy.deepcopy(dict(reversed(document.items())))
    documents.publish(path, json.dumps(spelled, indent=3))
    name = user.create_job("shop", ttlSecondsAfterFinished=0)
    user.wait(f"sjob/{name}", "delete")
    eventually(user.blobs, until=lambda left: left == blobs, what="the blob to go with its job")
    assert user.names("snap") == snapshots
    assert user.get("dep/shop")["status"]["lastSync"]["result"] == "Unchanged"
    # What it said last is known now, so that the next one is not even parsed.
    job = user.sync("shop", "Unchanged")
    assert job["status"]["stages"][0]["message"] == "same content"


def test_a_broken_document_is_told_and_its_repair_too(user: User, documents: Documents) -> None:
    path = path_for(user)
    user.depend_on("shop", documents.publish(path, contract("Shop")))
    user.wait("dep/shop", "Ready")
    [good] = user.names("snap")

    documents.publish(path, b'{"openapi": "3.0.3", "info": {')
    user.sync("shop", "Failed")
    user.wait("dep/shop", "condition=Ready=false")
    ready = user.condition("dep/shop", "Ready")
    assert ready["reason"] == "NotParseable"
    assert user.get("dep/shop")["status"]["current"]["snapshot"] == good
    user.sync("shop", "Failed")

    documents.publish(path, contract("Shop", version="2", fields=2))
    user.sync("shop", "Changed")
    user.wait("dep/shop", "Ready")
    assert user.reasons("shop") == ["BaselineCreated", "SyncFailed", "BreakingChange", "Recovered"]
    [change_set] = user.all("chg")
    assert change_set["spec"]["from"]["snapshot"] == good
