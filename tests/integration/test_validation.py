"""What a user sees of a document that breaks the specification: reported and monitored, or refused where asked for."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from devcluster import ControlPlane
from tests.integration.crew import contract
from tests.integration.documents import Documents
from tests.integration.user import User

MISSING = '/paths/~1things/get/responses/200: "description" is missing'


def path_for(user: User, file: str = "openapi.json") -> str:
    return f"/{user.namespace}/{file}"


def defective(**options: Any) -> dict[str, Any]:
    """A contract with one error."""
    document = contract("Shop", **options)
    del document["paths"]["/things"]["get"]["responses"]["200"]["description"]
    return document


def specsync(cluster: ControlPlane, user: User, *words: str) -> str:
    command = [str(Path(sys.executable).with_name("specsync")), *words, "-n", user.namespace]
    environment = cluster.environment()
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, timeout=60, check=True).stdout.decode()


def test_a_valid_document_is_called_so_at_no_cost(user: User, documents: Documents) -> None:
    user.depend_on("shop", documents.publish(path_for(user), contract("Shop")))
    user.wait("dep/shop", "SpecValid")
    valid = user.condition("dep/shop", "SpecValid")
    assert (valid["reason"], valid["message"]) == ("Valid", "the document is valid")
    [snapshot] = user.all("snap")
    assert "findings" not in snapshot["spec"]
    assert "findings" not in snapshot["spec"]["blobs"]
    before = user.condition("dep/shop", "SpecValid")
    user.sync("shop", "Unchanged")
    assert user.condition("dep/shop", "SpecValid") == before


def test_defects_are_reported_and_monitoring_goes_on(user: User, documents: Documents) -> None:
    path = path_for(user)
    user.depend_on("shop", documents.publish(path, defective()))
    user.wait("dep/shop", "Ready")
    [snapshot] = user.all("snap")
    name = snapshot["metadata"]["name"]
    condition = user.condition("dep/shop", "SpecValid")
    assert (condition["status"], condition["reason"]) == ("False", "Defects")
    assert condition["message"] == f"1 error: {MISSING}. All: kubectl specsync snapshot findings {name}"
    assert snapshot["spec"]["findings"] == 1
    assert snapshot["spec"]["blobs"]["findings"]["size"] > 0

    user.sync("shop", "Unchanged")
    assert user.condition("dep/shop", "SpecValid") == condition

    documents.publish(path, defective(version="2", fields=2))
    user.sync("shop", "Changed")
    again = user.condition("dep/shop", "SpecValid")
    assert again["lastTransitionTime"] == condition["lastTransitionTime"]
    assert user.get("dep/shop")["status"]["lastChange"]["breaking"] == 1

    documents.publish(path, contract("Shop", version="3", fields=2))
    user.sync("shop", "Changed")
    assert user.condition("dep/shop", "SpecValid")["status"] == "True"


def test_all_findings_can_be_read(cluster: ControlPlane, user: User, documents: Documents) -> None:
    document = defective()
    for number in range(20):
        document["paths"][f"/more/{number}"] = {"get": {"responses": {"200": {}}}}
    user.depend_on("shop", documents.publish(path_for(user), document))
    user.wait("dep/shop", "Ready")
    message = user.condition("dep/shop", "SpecValid")["message"]
    assert message.startswith("21 errors: ")
    assert "; and 18 more. All: " in message
    output = specsync(cluster, user, "snapshot", "findings", "dep/shop").splitlines()
    assert f"error: {MISSING}" in output
    assert len(output) == 22
    assert output[-1] == "21 errors"
    report = json.loads(specsync(cluster, user, "snapshot", "findings", "dep/shop", "-o", "json"))
    assert (report["errors"], report["warnings"], len(report["findings"])) == (21, 0, 21)
    assert "Findings    21\n" in specsync(cluster, user, "snapshot", "show", "dep/shop")


def test_pointers_are_those_of_the_swagger_document(user: User, documents: Documents) -> None:
    document = {
        "swagger": "2.0",
        "info": {"title": "Old", "version": "1"},
        "paths": {},
        "definitions": {"Pet": {"type": "object", "minProperties": "one"}},
    }
    user.depend_on("old", documents.publish(path_for(user), document))
    user.wait("dep/old", "Ready")
    message = user.condition("dep/old", "SpecValid")["message"]
    assert '1 error: /definitions/Pet/minProperties: is "one", but must be an integer.' in message


def test_strict_refuses_until_it_is_corrected(user: User, documents: Documents) -> None:
    path = path_for(user)
    user.depend_on("shop", documents.publish(path, defective()), validation="Strict")
    user.wait("dep/shop", "condition=Ready=false")
    ready = user.condition("dep/shop", "Ready")
    assert ready["reason"] == "Invalid"
    assert f"the document has 1 error, and spec.validation is Strict: {MISSING}." in ready["message"]
    assert user.condition("dep/shop", "SpecValid")["reason"] == "Invalid"
    [job] = user.all("sjob")
    assert (job["status"]["error"]["stage"], job["status"]["attempts"]) == ("parse", 1)
    assert user.names("snap") == set()
    assert user.reasons("shop") == ["SyncFailed"]

    documents.publish(path, contract("Shop"))
    user.sync("shop", "Baseline")
    user.wait("dep/shop", "SpecValid")
    user.wait("dep/shop", "Ready")


def test_strict_counts_at_once_for_a_document_that_has_not_changed(user: User, documents: Documents) -> None:
    user.depend_on("shop", documents.publish(path_for(user), defective(), etag='"v1"'))
    user.wait("dep/shop", "Ready")
    user.patch("dep/shop", validation="Strict")
    user.wait("dep/shop", "condition=Ready=false")
    assert user.condition("dep/shop", "Ready")["reason"] == "Invalid"
    user.patch("dep/shop", validation="Lenient")
    user.wait("dep/shop", "Ready")
    condition = user.condition("dep/shop", "SpecValid")
    assert condition["reason"] == "Defects"
    # Nothing has changed, so there is one snapshot and no change.
    assert len(user.names("snap")) == 1
    assert user.names("chg") == set()


def test_a_reference_to_nothing_is_reported_and_the_rest_is_monitored(user: User, documents: Documents) -> None:
    def with_dangling(**options: Any) -> dict[str, Any]:
        order = {"properties": {"item": {"$ref": "#/components/schemas/Gone"}}}
        return {**contract("Shop", **options), "components": {"schemas": {"Order": order}}}

    path = path_for(user)
    user.depend_on("shop", documents.publish(path, with_dangling()))
    user.wait("dep/shop", "Ready")
    condition = user.condition("dep/shop", "SpecValid")
    assert (condition["status"], condition["reason"]) == ("False", "Defects")
    place = "/components/schemas/Order/properties/item/$ref"
    assert f'1 error: {place}: "#/components/schemas/Gone" isn\'t in the document' in condition["message"]
    documents.publish(path, with_dangling(version="2", fields=2))
    user.sync("shop", "Changed")
    assert user.get("dep/shop")["status"]["lastChange"]["breaking"] == 1

    user.patch("dep/shop", validation="Strict")
    user.wait("dep/shop", "condition=Ready=false")
    ready = user.condition("dep/shop", "Ready")
    assert ready["reason"] == "Invalid"
    assert place in ready["message"]


def test_warnings_are_no_errors(user: User, documents: Documents) -> None:
    document = contract("Shop")
    document["components"] = {"schemas": {"Size": {"type": "integer", "default": "large"}}}
    user.depend_on("shop", documents.publish(path_for(user), document), validation="Strict")
    user.wait("dep/shop", "Ready")
    condition = user.condition("dep/shop", "SpecValid")
    assert (condition["status"], condition["reason"]) == ("True", "Valid")
    assert condition["message"].startswith("1 warning: /components/schemas/Size/default: is ")


def test_what_validation_may_be_is_told_at_apply(user: User) -> None:
    dependency = {
        "apiVersion": "specsync.dev/v1alpha1",
        "kind": "Dependency",
        "metadata": {"name": "shop"},
        "spec": {"source": {"url": "https://api.example.com/"}, "validation": "strict"},
    }
    assert 'spec.validation: Unsupported value: "strict": supported values: "Lenient", "Strict"' in user.refused(
        "apply", "-f", "-", stdin=dependency
    )
