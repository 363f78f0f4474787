"""The OpenAPI Initiative's own examples are read, are valid, and are compared with themselves as unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest

from specsync.diffing import compare
from specsync.openapi.canonical import normalize
from specsync.openapi.load import load
from specsync.openapi.validation import judge

DOCUMENTS = sorted(Path(__file__).with_name("official").glob("[0-9]*"))
FORMATS = {"2.0": "swagger-2.0", "3.0": "openapi-3.0", "3.1": "openapi-3.1"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_official_example(path: Path) -> None:
    loaded = load(path.read_bytes())
    assert loaded.format == FORMATS[path.name[:3]]
    assert loaded.title
    assert judge(loaded).findings == []
    document = normalize(loaded)
    assert document.findings == []
    assert document.operations or document.webhooks
    assert compare(document, normalize(load(path.read_bytes()))).events == []


def test_yaml_and_json_of_the_same_example_are_the_same_contract() -> None:
    for name in ("3.0-uspto", "3.1-webhooks"):
        json, yaml = (
            normalize(load(Path(__file__).with_name("official").joinpath(f"{name}.{kind}").read_bytes()))
            for kind in ("json", "yaml")
        )
        assert json.digest == yaml.digest


def test_there_are_examples_of_each_version() -> None:
    assert {path.name[:3] for path in DOCUMENTS} == set(FORMATS)
