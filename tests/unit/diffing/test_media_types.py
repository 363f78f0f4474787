"""Names of media types: one that became wider or narrower, and ranges."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diffing.documents import Tree, compared, document, with_request, with_response

JSON, HAL, CSV = "application/json", "application/hal+json", "text/csv"
OBJECT: Tree = {"type": "object"}
NAMED = "request-body-media-type-name-"


def request(*names: str) -> Tree:
    body = {"content": {name: {"schema": OBJECT} for name in names}}
    return document({"/a": {"post": {"requestBody": body, "responses": {}}}})


def response(*names: str) -> Tree:
    answer = {"description": "", "content": {name: {"schema": OBJECT} for name in names}}
    return document({"/a": {"get": {"responses": {"200": answer}}}})


def found(old: Tree, new: Tree) -> list[str]:
    return [f"{event.severity} {event.id}" for event in compared(old, new).events]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([JSON], [HAL], [f"breaking {NAMED}specialized"]),
        ([HAL], [JSON], [f"safe {NAMED}generalized"]),
        ([JSON], ["*/*"], [f"safe {NAMED}generalized"]),
        ([JSON], ["application/*"], [f"safe {NAMED}generalized"]),
        ([JSON, CSV], ["*/*"], [f"safe {NAMED}generalized"] * 2),
        ([JSON, CSV], [JSON, "text/*"], [f"safe {NAMED}generalized"]),
        (["*/*"], [JSON], [f"breaking {NAMED}specialized"]),
        ([JSON], ["text/*"], ["breaking request-body-media-type-removed", "safe request-body-media-type-added"]),
        ([f"{HAL};version=1"], [f"{HAL};version=2"], [f"risky {NAMED}changed"]),
        ([JSON], [f"{JSON}; charset=utf-8"], []),
        ([JSON], ["Application/JSON"], []),
    ],
)
def test_what_a_request_may_be(old: list[str], new: list[str], expected: list[str]) -> None:
    assert found(request(*old), request(*new)) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (["*/*"], [JSON], ["safe response-media-type-name-specialized"]),
        ([JSON], ["*/*"], ["breaking response-media-type-name-generalized"]),
        (["*/*"], [JSON, CSV], ["safe response-media-type-added", "safe response-media-type-name-specialized"]),
        (
            [JSON, CSV],
            ["*/*"],
            ["breaking response-media-type-name-generalized", "breaking response-media-type-removed"],
        ),
    ],
)
def test_what_a_response_may_be(old: list[str], new: list[str], expected: list[str]) -> None:
    assert found(response(*old), response(*new)) == expected


def owner(part: Any) -> Tree:
    return {"type": "object", "properties": {"a": part}}


@pytest.mark.parametrize("name", ["*/*", "application/*"])
def test_a_range_may_be_json(name: str) -> None:
    """Which tells ``1`` from ``"1"``."""
    text, number = owner({"type": "string"}), owner({"type": "integer"})
    assert found(with_response(text, media_type=name), with_response(number, media_type=name)) == [
        "breaking response-property-type-changed"
    ]
    assert found(with_request(number, media_type=name), with_request(text, media_type=name)) == [
        "breaking request-property-type-changed"
    ]
    assert found(with_response(text, media_type="text/*"), with_response(number, media_type="text/*")) == [
        "safe response-property-type-compatible"
    ]
