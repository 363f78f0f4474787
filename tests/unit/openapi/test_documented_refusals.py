"""docs/troubleshooting.md quotes what the loader says of documents that can't be used: these are the documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from specsync.openapi.canonical import normalize
from specsync.openapi.errors import DocumentError
from specsync.openapi.load import load

PAGE = Path(__file__).parents[3] / "docs" / "troubleshooting.md"
YAML = b"openapi: 3.0.3\ninfo: {title: t, version: '1'}\n"

DOCUMENTS: dict[str, bytes] = {
    "a login page": b"<!DOCTYPE html><html></html>",
    "nothing, or blanks": b"\n",
    "JSON that was cut off": b'{"openapi": "3.0.3", "info": {"title": "t"',
    "broken JSON": b'{"openapi": "3.0.3",, }',
    "broken YAML": b"openapi: 3.0.3\ninfo: {title: [\n",
    "a YAML key twice": YAML + b"paths: {}\npaths: {}\n",
    "another encoding": b"openapi: 3.0.3\ninfo: {title: \xff}\n",
    "a JSON Schema; AsyncAPI, Arazzo, GraphQL likewise": b'{"$schema": "https://json-schema.org/draft/2020-12/schema"}',
    "a zip archive": b"PK\x03\x04",
    "`paths` without `openapi`": b'{"info": {}, "paths": {}}',
    "`swagger: 1.2`": b'{"swagger": "1.2"}',
    "a path whose `$ref` leads to nothing": YAML + b"paths: {/orders: {$ref: '#/components/pathItems/Gone'}}",
    "100,000 levels of nesting": b"x: " + b"[" * 100_000 + b"]" * 100_000,
}


@pytest.mark.parametrize("what", DOCUMENTS)
def test_the_page_quotes_what_is_said(what: str) -> None:
    with pytest.raises(DocumentError) as refused:
        normalize(load(DOCUMENTS[what]), lenient=True)
    assert f"| {what} | `{refused.value.reason}` | {refused.value.message} |\n" in PAGE.read_text()
