"""Judging whatever comes: bounded findings, short messages, no crash, and real documents."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path
from typing import Any

import pytest

from specsync.openapi.load import load
from specsync.openapi.validation import judge
from specsync.openapi.validation.findings import MOST_COUNTED, MOST_KEPT

CONFORMANCE = Path(
    os.environ.get("SPECSYNC_CONFORMANCE_DIR") or Path(__file__).parents[3].parent / "shared" / "conformance"
)


def test_findings_are_bounded_and_counted_to_an_end() -> None:
    schemas = {f"S{number}": {"minLength": -1} for number in range(MOST_KEPT + 100)}
    document: dict[str, Any] = {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {}}
    report = judge(load(json.dumps({**document, "components": {"schemas": schemas}}).encode()))
    assert (report.errors, len(report.findings), report.complete) == (MOST_KEPT + 100, MOST_KEPT, True)
    schemas = {f"S{number}": {"minLength": -1} for number in range(MOST_COUNTED + 5)}
    report = judge(load(json.dumps({**document, "components": {"schemas": schemas}}).encode()))
    assert (report.errors, report.complete) == (MOST_COUNTED, False)
    assert report.counted == "more than 10,000 errors"


def test_messages_are_short_whatever_the_document_holds() -> None:
    long = "x" * 100_000
    document = {
        "openapi": "3.0.3",
        "info": {"title": 10**400, "version": {long: long}, long: 1},
        "paths": {"/a": {"get": {"operationId": long, "responses": {long: long}, "parameters": [{"$ref": long}]}}},
        "components": {"schemas": {"S": {"type": long, "enum": long, "oneOf": [{"type": long}, long]}}},
    }
    report = judge(load(json.dumps(document).encode()))
    assert report.errors > 5
    assert max(len(finding.message) for finding in report.findings) < 400


def test_nonsense_in_every_place_is_borne() -> None:
    values: tuple[Any, ...] = (
        None,
        5,
        "x",
        [],
        {},
        [None],
        {"a": None},
        [[]],
        {"/a": [{}]},
        [{"$ref": 5}],
        {"$ref": "#/a/0/b"},
    )
    for value in values:
        for key in ("info", "paths", "components", "security", "servers", "tags", "webhooks", "definitions"):
            for version in ({"swagger": "2.0"}, {"openapi": "3.0.3"}, {"openapi": "3.1.0"}, {"openapi": "3.2.0"}):
                judge(load(json.dumps({**version, key: value}).encode()))
                paths = {"/{a}": {"get": value, "parameters": value, "post": {key: value, "parameters": value}}}
                judge(load(json.dumps({**version, "paths": paths}).encode()))


@pytest.mark.skipif(not CONFORMANCE.is_dir(), reason="no conformance data: set SPECSYNC_CONFORMANCE_DIR")
def test_real_documents() -> None:
    found = {}
    for path in sorted(CONFORMANCE.glob("real/*.xz")):
        report = judge(load(lzma.decompress(path.read_bytes())))
        found[path.name.split(".")[0]] = {(each.rule, each.pointer) for each in report.findings}
    # Two pairs of GitHub's paths differ in the name of a parameter only; all else is as it should be, but for defaults.
    assert {name: {rule for rule, _ in rules} for name, rules in found.items() if rules} == {
        "github-19": {"default-type"},
        "github-23": {"path-ambiguous"},
    }


def test_what_would_cost_too_much_memory_has_one_finding() -> None:
    schema: dict[str, Any] = {"minLength": "x"}
    for _ in range(60):
        schema = {"properties": {"p": schema, **{f"q{number}": {"type": "string"} for number in range(500)}}}
    document = {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {}}
    report = judge(load(json.dumps({**document, "components": {"schemas": {"S": schema, "T": 5}}}).encode()))
    assert {(each.rule, each.pointer) for each in report.findings} == {
        ("schema-unlocated", "/components/schemas/S"),
        ("schema-type", "/components/schemas/T"),
    }
