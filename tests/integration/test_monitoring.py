"""Monitoring a part of a contract, as its user sees it: what counts, what doesn't, and what a new selection does."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.documents import Documents
from tests.integration.user import User, dependency
from tests.waiting import eventually


def path_for(user: User) -> str:
    return f"/{user.namespace}/openapi.json"


def api(version: str = "1", **fields: int) -> dict[str, Any]:
    """Three domains, Orders, Billing and stock (by its path), with as many fields in what they answer as is asked."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for domain, path in (("Orders", "/v1/orders/{id}"), ("Billing", "/v1/invoices"), ("", "/stock")):
        count = fields.get(domain.lower() or "stock", 3)
        names = [f"field{number}" for number in range(count)]
        schemas[f"Of{domain}"] = {
            "type": "object",
            "required": names,
            "properties": {name: {"type": "string"} for name in names},
        }
        schema = {"$ref": f"#/components/schemas/Of{domain}"}
        operation: dict[str, Any] = {
            "responses": {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}}
        }
        if domain:
            operation["tags"] = [domain]
        if "{id}" in path:
            operation["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
        paths[path] = {"get": operation}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Shop", "version": version},
        "paths": paths,
        "components": {"schemas": schemas},
    }


PARTIAL = {"mode": "Partial", "domains": ["Orders"]}


def events(user: User, name: str) -> set[str]:
    """The operations that a change set tells of."""
    return {each["operation"]["path"] for each in user.get(f"chg/{name}")["spec"]["events"] if "operation" in each}


def is_another_than(snapshot: str) -> Callable[[Any], bool]:
    return lambda status: bool(status["current"]["snapshot"] != snapshot)


def test_only_what_is_monitored_counts(user: User, documents: Documents) -> None:
    path = path_for(user)
    user.depend_on("shop", documents.publish(path, api()), monitor=PARTIAL)
    user.wait("dep/shop", "Ready")
    [snapshot] = user.all("snap")
    assert (snapshot["spec"]["operations"], snapshot["spec"]["domains"]) == (1, ["Orders"])
    assert snapshot["spec"]["monitor"] == PARTIAL

    documents.publish(path, api("2", billing=1))
    job = user.sync("shop", "Unchanged")
    [record] = [each for each in job["status"]["stages"] if each["name"] == "normalize"]
    assert record["message"] == "nothing that is monitored differs"

    documents.publish(path, api("3", billing=1, orders=2))
    changed = user.sync("shop", "Changed")["metadata"]["name"]
    assert events(user, changed) == {"/v1/orders/{id}"}
    assert user.get(f"chg/{changed}")["spec"]["summary"]["breaking"] == 1


def test_endpoints_by_pattern(user: User, documents: Documents) -> None:
    path = path_for(user)
    monitor = {"mode": "Partial", "domains": ["stock"], "endpoints": ["GET /v1/orders/{orderId}"]}
    user.depend_on("shop", documents.publish(path, api()), monitor=monitor)
    user.wait("dep/shop", "Ready")
    [snapshot] = user.all("snap")
    assert snapshot["spec"]["operations"] == 2
    documents.publish(path, api("2", orders=2, billing=2, stock=2))
    assert events(user, user.sync("shop", "Changed")["metadata"]["name"]) == {"/v1/orders/{id}", "/stock"}


def test_a_new_selection_is_no_change_of_the_contract(user: User, documents: Documents) -> None:
    user.depend_on("shop", documents.publish(path_for(user), api(), etag='"v1"'))
    user.wait("dep/shop", "Ready")
    [first] = user.names("snap")
    for monitor, operations in ((PARTIAL, 1), ({**PARTIAL, "domains": ["Orders", "Billing"]}, 2), (None, 3)):
        before = user.get("dep/shop")["status"]["current"]["snapshot"]
        user.patch("dep/shop", monitor=monitor)
        status = user.status_when("shop", is_another_than(before), timeout=60)
        assert (status["lastSync"]["result"], status["current"]["operations"]) == ("Baseline", operations)
        assert status["baseline"]["snapshot"] == first
    assert user.names("chg") == set()
    assert "BreakingChange" not in user.reasons("shop")
    _, reason, message = user.events("shop")[-1]
    assert reason == "BaselineCreated"
    assert message.startswith("a new baseline: spec.monitor was changed; in what is monitored now nothing else was")
    user.sync("shop", "Unchanged")


def test_a_change_of_the_contract_is_found_across_a_new_selection(user: User, documents: Documents) -> None:
    path = path_for(user)
    user.depend_on("shop", documents.publish(path, api()), suspend=True)
    user.sync("shop", "Baseline")
    documents.publish(path, api("2", orders=2, billing=1))
    user.patch("dep/shop", monitor=PARTIAL)
    changed = user.sync("shop", "Changed")["metadata"]["name"]
    assert events(user, changed) == {"/v1/orders/{id}"}
    assert user.get(f"chg/{changed}")["spec"]["summary"]["breaking"] == 1


def test_a_selection_of_nothing_is_refused(user: User, documents: Documents) -> None:
    url = documents.publish(path_for(user), api())
    user.depend_on("shop", url, monitor={"mode": "Partial", "domains": ["Odrers"]})
    user.wait("dep/shop", "condition=Ready=false")
    ready = user.condition("dep/shop", "Ready")
    assert ready["reason"] == "NothingMonitored"
    assert "none of the document's 3 operations; its domains are Billing, Orders, stock." in ready["message"]
    user.patch("dep/shop", monitor=PARTIAL)
    user.wait("dep/shop", "Ready")


def test_the_removal_of_all_that_is_monitored_is_a_change(user: User, documents: Documents) -> None:
    path, document = path_for(user), api()
    user.depend_on("shop", documents.publish(path, document), monitor=PARTIAL)
    user.wait("dep/shop", "Ready")
    without = copy.deepcopy(document)
    del without["paths"]["/v1/orders/{id}"]
    documents.publish(path, without)
    changed = user.sync("shop", "Changed")["metadata"]["name"]
    assert user.get(f"chg/{changed}")["spec"]["summary"]["breaking"] == 1
    without["info"]["version"] = "2"
    documents.publish(path, without)
    user.sync("shop", "Unchanged")


def test_entries_that_fit_nothing_are_told(user: User, documents: Documents) -> None:
    url = documents.publish(path_for(user), api())
    user.depend_on("shop", url, monitor={**PARTIAL, "endpoints": ["GET /v1/oders"]})
    user.wait("dep/shop", "MonitorUnmatched")
    message = user.condition("dep/shop", "MonitorUnmatched")["message"]
    assert message.startswith("no operation of the document fits these entries of spec.monitor: GET /v1/oders.")
    user.sync("shop", "Unchanged")
    assert user.condition("dep/shop", "MonitorUnmatched")["status"] == "True"
    user.patch("dep/shop", monitor={"endpoints": []})
    eventually(
        lambda: {each["type"] for each in user.get("dep/shop")["status"]["conditions"]},
        until=lambda types: "MonitorUnmatched" not in types,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("monitor", "message"),
    [
        ({"mode": "Partial"}, "monitor.mode Partial needs an entry in monitor.domains or monitor.endpoints"),
        ({"mode": "Partial", "domains": [], "endpoints": []}, "monitor.mode Partial needs an entry"),
        ({"domains": ["Orders"]}, "monitor.domains and monitor.endpoints need monitor.mode: Partial"),
        ({"mode": "Full", "endpoints": ["/x"]}, "monitor.domains and monitor.endpoints need monitor.mode: Partial"),
        ({"mode": "Partial", "endpoints": ["v1/orders"]}, "an endpoint is a path, or a method and a path"),
        ({"mode": "Partial", "endpoints": ["GET  "]}, "an endpoint is a path, or a method and a path"),
        ({"mode": "Partial", "domains": [""]}, "spec.monitor.domains[0] in body should be at least 1 chars long"),
        ({"mode": "Most", "domains": ["Orders"]}, 'supported values: "Full", "Partial"'),
    ],
)
def test_what_cannot_be_meant_is_refused_at_apply(user: User, monitor: dict[str, Any], message: str) -> None:
    wanted = dependency("shop", {"url": "https://api.example.com/"}, monitor=monitor)
    assert message in user.refused("apply", "--dry-run=server", "-f", "-", stdin=wanted)


def test_what_can_be_meant_is_taken(user: User) -> None:
    for monitor in ({}, {"mode": "Full"}, PARTIAL, {"mode": "Partial", "endpoints": ["/**", "* /a", "get /a/{b}?c"]}):
        user.apply(dependency("shop", {"url": "https://api.example.com/"}, suspend=True, monitor=monitor))
