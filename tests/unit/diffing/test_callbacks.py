"""Callbacks and webhooks: the provider is the client there, so that what it sends is judged as a response is."""

from __future__ import annotations

from typing import Any

import pytest

from specsync.diffing import Event
from tests.unit.diffing.documents import Tree, compared, document, ids

TEXT: Tree = {"type": "string"}
EXPRESSION = "{$request.body#/url}"
CALLED = f"callback onSale, POST {EXPRESSION}"
POINTER = "/{$request.body#~1url}/post"


def json_of(schema: Any) -> Tree:
    return {"content": {"application/json": {"schema": schema}}}


def call(sent: Any = TEXT, taken: Any = TEXT, header: Any = TEXT) -> Tree:
    """A request of the provider: what it sends, what it takes as an answer, and a header that it sends."""
    return {
        "parameters": [{"name": "X-Count", "in": "header", "schema": header}],
        "requestBody": json_of(sent),
        "responses": {"200": {"description": "", **json_of(taken)}},
    }


def with_callback(*, name: str = "onSale", **schemas: Any) -> Tree:
    callbacks = {name: {EXPRESSION: {"post": call(**schemas)}}}
    return document({"/subscribe": {"post": {"callbacks": callbacks, "responses": {}}}})


def with_component(*, name: str = "Sale", **schemas: Any) -> Tree:
    callbacks = {"onSale": {"$ref": f"#/components/callbacks/{name}"}}
    components = {"callbacks": {name: {EXPRESSION: {"post": call(**schemas)}}}}
    return document({"/subscribe": {"post": {"callbacks": callbacks, "responses": {}}}}, components=components)


def with_webhook(**schemas: Any) -> Tree:
    return document(webhooks={"sold": {"post": call(**schemas)}})


PLACES = [with_callback, with_component, with_webhook]
WIDE: Tree = {"type": "object", "properties": {"a": TEXT}}
NARROW: Tree = {**WIDE, "required": ["a"]}


def found(old: Tree, new: Tree) -> list[tuple[str, str]]:
    return [(event.id, event.severity) for event in compared(old, new).events]


@pytest.mark.parametrize("place", PLACES)
def test_what_is_sent_is_judged_as_a_response_and_what_is_taken_as_a_request(place: Any) -> None:
    assert found(place(sent=NARROW), place(sent=WIDE)) == [("response-property-became-optional", "breaking")]
    assert found(place(sent=WIDE), place(sent=NARROW)) == [("response-property-became-required", "safe")]
    assert found(place(taken=WIDE), place(taken=NARROW)) == [("request-property-became-required", "breaking")]
    assert found(place(taken=NARROW), place(taken=WIDE)) == [("request-property-became-optional", "safe")]
    limited = {**TEXT, "maxLength": 9}
    assert found(place(header=limited), place(header=TEXT)) == [("response-header-max-length-unset", "breaking")]
    assert found(place(), place()) == []


def only(old: Tree, new: Tree) -> Event:
    (event,) = compared(old, new).events
    return event


def test_event_names_the_operation_the_callback_and_the_place() -> None:
    event = only(with_callback(sent=NARROW), with_callback(sent=WIDE))
    assert event.operation is not None
    assert (event.operation.method, event.operation.path) == ("POST", "/subscribe")
    assert event.summary == f"{CALLED}: request property `a`: became optional"
    pointer = f"/paths/~1subscribe/post/callbacks/onSale{POINTER}/requestBody/content/application~1json/schema/required"
    assert (event.location.old, event.location.new) == (pointer, pointer)
    event = only(with_callback(taken=WIDE), with_callback(taken=NARROW))
    assert event.summary == f"{CALLED}: response 200 property `a`: became required"
    event = only(with_callback(header={**TEXT, "maxLength": 9}), with_callback(header=TEXT))
    assert event.summary.startswith(f"{CALLED}: header parameter `X-Count`: ")


def test_event_of_a_shared_callback_points_to_its_component() -> None:
    event = only(with_component(sent=NARROW), with_component(sent=WIDE))
    assert event.location.new is not None
    assert event.location.new.startswith(f"/components/callbacks/Sale{POINTER}/requestBody/")
    (cause,) = compared(with_component(sent=NARROW), with_component(sent=WIDE)).causes
    assert (cause.scope, cause.id, cause.operations) == ("callback", "Sale", 1)


def test_event_of_a_webhook_concerns_no_operation_and_names_the_webhook() -> None:
    event = only(with_webhook(sent=NARROW), with_webhook(sent=WIDE))
    assert event.operation is None
    assert event.summary == "webhook sold, POST: request property `a`: became optional"
    assert event.location.new == "/webhooks/sold/post/requestBody/content/application~1json/schema/required"
    (cause,) = compared(with_webhook(sent=NARROW), with_webhook(sent=WIDE)).causes
    assert (cause.scope, cause.operations, cause.events) == ("global", 0, 1)


def test_callback_that_is_extracted_or_renamed_as_a_component_is_no_event() -> None:
    assert ids(with_callback(sent=WIDE), with_component(sent=WIDE)) == []
    assert ids(with_component(sent=WIDE), with_component(name="Renamed", sent=WIDE)) == []


def test_one_schema_edit_has_one_cause_wherever_it_is_sent() -> None:
    def api(schema: Tree) -> Tree:
        reference = {"$ref": "#/components/schemas/Sale"}
        tree = with_callback(sent=reference)
        tree["webhooks"] = {"sold": {"post": call(sent=reference)}, "gone": {"post": call(sent=reference)}}
        tree["components"] = {"schemas": {"Sale": schema}}
        return tree

    result = compared(api(NARROW), api(WIDE))
    assert len(result.events) == len({event.fingerprint for event in result.events}) == 3
    (cause,) = result.causes
    assert (cause.scope, cause.id, cause.summary) == ("schema", "Sale", "schema Sale, a: became optional")
    assert [event.fingerprint for event in result.events] == [
        event.fingerprint for event in compared(api(NARROW), api(WIDE)).events
    ]


def test_parameter_of_a_path_item_and_references_to_path_items_count() -> None:
    def api(schema: Tree) -> Tree:
        parameter = {"name": "X-Count", "in": "header", "schema": schema}
        item = {"parameters": [parameter], "post": {"responses": {}}}
        callbacks = {"onSale": {EXPRESSION: {"$ref": "#/components/pathItems/Sold"}}}
        return document(
            {"/subscribe": {"post": {"callbacks": callbacks, "responses": {}}}},
            webhooks={"sold": {"$ref": "#/components/pathItems/Sold"}},
            components={"pathItems": {"Sold": item}},
        )

    assert ids(api({"maxLength": 5}), api({"maxLength": 9})) == ["response-header-max-length-increased"] * 2


def test_webhook_with_the_name_of_a_path_is_not_taken_for_it() -> None:
    def api(schema: Tree) -> Tree:
        return {**document({"/sold": {"post": {"responses": {}}}}), "webhooks": {"/sold": {"post": call(sent=schema)}}}

    assert ids(api(NARROW), api(WIDE)) == ["response-property-became-optional"]


def test_preview_of_a_callback_makes_no_events() -> None:
    old, new = with_callback(sent=NARROW), with_callback(sent=WIDE)
    for tree in (old, new):
        callback = tree["paths"]["/subscribe"]["post"]["callbacks"]["onSale"]
        callback[EXPRESSION]["post"]["x-stability-level"] = "alpha"
    assert ids(old, new) == []


@pytest.mark.parametrize("where", ["webhook", "callback"])
def test_headers_of_an_answer_are_judged_as_what_is_sent(where: str) -> None:
    def api(schema: Tree) -> Tree:
        responses = {"200": {"description": "", "headers": {"X-Seen": {"schema": schema}}}}
        post = {"post": {"responses": responses}}
        if where == "webhook":
            return document(webhooks={"sold": post})
        return document({"/subscribe": {"post": {"callbacks": {"onSale": {EXPRESSION: post}}, "responses": {}}}})

    event = only(api({**TEXT, "maxLength": 9}), api({**TEXT, "maxLength": 5}))
    assert (event.id, event.severity) == ("request-parameter-max-length-decreased", "breaking")
    assert event.summary.endswith(": response 200 header `X-Seen`: maxLength decreased from 9 to 5")
    assert found(api({**TEXT, "maxLength": 5}), api({**TEXT, "maxLength": 9})) == [
        ("request-parameter-max-length-increased", "safe")
    ]


def test_parameter_of_a_call_is_compared_by_its_content_too() -> None:
    def api(schema: Tree) -> Tree:
        parameter = {"name": "X-Sale", "in": "header", **json_of(schema)}
        return document(webhooks={"sold": {"post": {"parameters": [parameter], "responses": {}}}})

    event = only(api(TEXT), api({"type": "boolean"}))
    assert (event.id, event.severity) == ("response-header-type-changed", "breaking")
    assert event.summary == "webhook sold, POST: header parameter `X-Sale`: type changed from string to boolean"


def test_callbacks_of_callbacks_are_named_where_they_come_and_go() -> None:
    def api(*names: str) -> Tree:
        nested: Tree = {name: {"{$response.body#/url}": {"post": {"responses": {}}}} for name in names}
        callbacks = {"onSale": {EXPRESSION: {"post": {"callbacks": nested, "responses": {}}}}}
        return document({"/subscribe": {"post": {"callbacks": callbacks, "responses": {}}}})

    event = only(api("seen", "gone"), api("seen"))
    assert (event.id, event.severity) == ("endpoint-callback-removed", "risky")
    assert event.summary == f"{CALLED}: callback gone removed"
