"""What doesn't load, and what its users are told."""

from __future__ import annotations

import pickle
from itertools import pairwise

import pytest

from specsync.openapi.errors import DocumentError
from specsync.openapi.limits import Limits
from specsync.openapi.load import load


def refusal(data: bytes, limits: Limits | None = None) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        load(data, limits=limits or Limits())
    error = caught.value
    assert str(error) == error.message
    assert "\n" not in error.message
    assert len(error.message) < 400
    assert error.message.endswith(".")
    if error.line is not None:
        assert f"line {error.line}" in error.message
    return error


@pytest.mark.parametrize(
    ("data", "reason", "says"),
    [
        (b"", "EmptyDocument", "empty"),
        (b" \n\t\r\n", "EmptyDocument", "empty"),
        (b"\xef\xbb\xbf", "EmptyDocument", "empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "HTMLDocument", "login page"),
        (b"\n  <HTML>\n<p>", "HTMLDocument", "login page"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD">', "HTMLDocument", "login page"),
        (b"<script>location='/login'</script>", "HTMLDocument", "login page"),
        (b'<?xml version="1.0"?><definitions xmlns:wsdl="x">', "NotOpenAPI", "WSDL"),
        (b"<Error><Code>AccessDenied</Code></Error>", "NotOpenAPI", "XML"),
        (b"PK\x03\x04\x14\x00", "NotOpenAPI", "zip archive"),
        (b"\x1f\x8b\x08\x00", "NotOpenAPI", "gzip"),
        (b"%PDF-1.7\n", "NotOpenAPI", "PDF"),
        (b"asyncapi: 2.6.0\ninfo: {title: t}\n", "NotOpenAPI", "AsyncAPI"),
        (b'{"asyncapi": "3.0.0"}', "NotOpenAPI", "AsyncAPI"),
        (b"arazzo: 1.0.0\n", "NotOpenAPI", "Arazzo"),
        (b"overlay: 1.0.0\n", "NotOpenAPI", "Overlay"),
        (b"type Query {\n  pets: [Pet!]!\n}\n", "NotOpenAPI", "GraphQL"),
        (b'# pets\n"""\nAll of it\n"""\nschema {\n  query: Query\n}\n', "NotOpenAPI", "GraphQL"),
        (b'{"data": {"__schema": {"types": []}}}', "NotOpenAPI", "GraphQL"),
        (b'syntax = "proto3";\npackage pets;\n', "NotOpenAPI", "protobuf"),
        (b"#%RAML 1.0\ntitle: t\n", "NotOpenAPI", "RAML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "NotOpenAPI", "Git LFS"),
        (b'{"$schema": "https://json-schema.org/draft/2020-12/schema"}', "NotOpenAPI", "JSON Schema"),
        (b"type: object\nproperties: {a: {type: string}}\n", "NotOpenAPI", "JSON Schema"),
        (b"apiVersion: v1\nkind: ConfigMap\n", "NotOpenAPI", "Kubernetes"),
        (b'{"info": {"_postman_id": "1", "name": "x"}, "item": []}', "NotOpenAPI", "Postman"),
        (b'{"message": "Not Found", "status": "404"}', "NotOpenAPI", "error answer"),
        (b"404: Not Found", "NotOpenAPI", "error answer"),
        (b"Not Found", "NotOpenAPI", "plain text"),
        (b"[]", "NotOpenAPI", "a list"),
        (b"- a\n- b\n", "NotOpenAPI", "a list"),
        (b"# nothing\n", "NotOpenAPI", "empty but for comments"),
        (b"null", "NotOpenAPI", "empty but for comments"),
        (b"42", "NotOpenAPI", "a single value"),
        (b"paths: {}\n", "NotOpenAPI", '"openapi" line is missing'),
        (b"a: 1\n", "NotOpenAPI", 'neither "openapi" nor "swagger"'),
        (b"openapi: 4.0.0\n", "UnsupportedVersion", "openapi: 4.0.0"),
        (b'{"openapi": "3.10.0"}', "UnsupportedVersion", "openapi: 3.10.0"),
        (b'{"openapi": 3}', "UnsupportedVersion", "openapi: 3"),
        (b"swagger: '1.2'\n", "UnsupportedVersion", "swagger: 1.2"),
        (b'{"swaggerVersion": "1.1"}', "UnsupportedVersion", "swaggerVersion: 1.1"),
        (b"openapi: [a]\n", "UnsupportedVersion", "isn't a version"),
        (b'{"openapi": "<b>x</b>"}', "UnsupportedVersion", "isn't a version"),
    ],
)
def test_refused_with_reason_and_words(data: bytes, reason: str, says: str) -> None:
    error = refusal(data)
    assert error.reason == reason
    assert says in error.message


@pytest.mark.parametrize(
    ("data", "line", "column", "says"),
    [
        (b'{"openapi": "3.0.0",\n "info": {"title": "t"', 2, 23, "cut off"),
        (b'{\n  "openapi": "3.0.0",\n  "info" "x"\n}', 3, 10, "JSON"),
        (b'{"openapi": "3.0.0",\n "x": \xc3\xa9 1:2: {"}', 2, 7, "JSON"),
        (b'{"openapi": "3.0.0"} {"openapi": "3.0.0"}', 1, 23, "JSON"),
        (b'["x", \n]]', 2, 1, "JSON"),
        (b"openapi: 3.0.0\npaths:\n\t/a: {}\n", 3, 1, "YAML"),
        (b"openapi: 3.0.0\ninfo: a: b\n", 2, 8, "YAML"),
        (b'openapi: 3.0.0\ninfo: "never closed\n', 3, 1, "YAML"),
        (b"openapi: 3.0.0\nx: \x01\n", 2, 4, "control character"),
        (b"{openapi: 3.0.0, x: [1, 2}", 1, 26, "YAML"),
    ],
)
def test_syntax_errors_say_where(data: bytes, line: int, column: int, says: str) -> None:
    error = refusal(data)
    assert error.reason == "NotParseable"
    assert (error.line, error.column) == (line, column), error.message
    assert says in error.message


def test_numbers_that_json_lacks_are_text() -> None:
    # Not JSON, but YAML, where NaN is a word like any other.
    assert load(b'{"openapi": "3.0.0", "x-a": NaN}').as_tree()["x-a"] == "NaN"


def test_json_that_only_a_whole_decode_refuses() -> None:
    with pytest.raises(DocumentError) as caught:
        load(b'{"openapi":"3.0.0","x-a":1e999}').as_tree()
    assert caught.value.reason == "NotParseable"


def nested_json(levels: int) -> bytes:
    inside = levels - 1
    return b'{"openapi":"3.0.0","x-a":' + b'{"a":' * inside + b"1" + b"}" * inside + b"}"


def nested_yaml(levels: int) -> bytes:
    return (
        b"openapi: 3.0.0\n" + b"".join(b" " * i + b"a:\n" for i in range(levels - 1)) + b" " * (levels - 1) + b"a: 1\n"
    )


@pytest.mark.parametrize("nested", [nested_json, nested_yaml])
def test_depth_is_bounded_exactly(nested: object) -> None:
    assert callable(nested)
    assert load(nested(200)).as_tree()["openapi"] == "3.0.0"
    assert refusal(nested(201)).reason == "LimitExceeded"
    assert load(nested(20), limits=Limits(max_depth=20)).format == "openapi-3.0"
    assert refusal(nested(21), Limits(max_depth=20)).reason == "LimitExceeded"


@pytest.mark.parametrize(
    "data",
    [
        b'{"openapi":"3.0.0","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"openapi":"3.0.0","x":' + b'{"a":[' * 50_000 + b"]}" * 50_000 + b"}",
        b'{"x":' * 100_000,
        b"[" * 100_000,
        b"openapi: 3.0.0\nx: " + b"[" * 100_000,
        b"openapi: 3.0.0\nx: " + b"{a: " * 100_000,
        b"openapi: 3.0.0\nx:\n" + b"- " * 50_000 + b"a",
        b"- " * 50_000 + b"a",
        b"--- " + b"- " * 50_000,
        b"openapi: 3.0.0\nx:\n  " + b"? - : " * 50_000 + b"a",
        b"openapi: 3.0.0\nx:\n  " + b"-   " * 50_000 + b"a",
        b"".join(b" " * i + b"a:\n" for i in range(3000)),
        b"".join(b" " * i + b"- \n" for i in range(3000)),
    ],
)
def test_endless_nesting_neither_crashes_nor_loads(data: bytes) -> None:
    assert refusal(data).reason in {"LimitExceeded", "NotParseable"}


@pytest.mark.parametrize(
    "piece",
    [
        b"_",
        b"0b",
        b"0x",
        b"0a",
        b"1_",
        b"x!!",
        b" ",
        b"-",
        b"? ",
        b"& * ",
        b"&a *b ",
        b'"',
        b"a:",
        b"*",
        b"{a,",
        b"#\n",
        b"\\",
    ],
)
def test_hostile_text_is_read_in_linear_time(piece: bytes) -> None:
    # A million characters: where the time is quadratic, this runs into the time limit of the tests.
    text = piece * (1_000_000 // len(piece))
    for head in (
        b"openapi: 3.0.0\nx: {200: a}\ny: z",
        b'openapi: 3.0.0\ny: "',
        b'{"openapi": "3.0.0", "x": "',
        b'""" x ',
    ):
        try:
            loaded = load(head + text)
        except DocumentError:
            continue
        assert loaded.format == "openapi-3.0"


def test_depth_hidden_from_the_estimate_does_no_harm() -> None:
    hidden = b'{"openapi":"3.0.0","x-a":"' + b"}" * 2_000 + b'","x-b":' + b"[" * 600 + b"]" * 600 + b"}"
    try:
        assert load(hidden).as_tree()["openapi"] == "3.0.0"
    except DocumentError as error:
        assert error.reason == "LimitExceeded"


def test_brackets_in_strings_are_no_depth() -> None:
    text = b'{"openapi":"3.0.0","x-a":"' + b"[{" * 5000 + b'\\"\\\\","x-b":["' + b'[\\"[' * 300 + b'"]}'
    assert load(text).raw == text


def test_nodes_are_bounded() -> None:
    few = Limits(max_nodes=100)
    list_ = b", ".join([b"1"] * 97)
    assert load(b'{"openapi":"3.0.0","x":[' + list_ + b"]}", limits=few).format == "openapi-3.0"
    assert load(b"openapi: 3.0.0\nx: [" + list_ + b"]", limits=few).format == "openapi-3.0"
    for data in (b'{"openapi":"3.0.0","x":[1,' + list_ + b"]}", b"openapi: 3.0.0\nx: [1," + list_ + b"]"):
        assert refusal(data, few).reason == "LimitExceeded"
    commas_in_text = b'{"openapi":"3.0.0","x":"' + b'\\\\,\\",' * 500 + b'"}'
    assert load(commas_in_text, limits=few).format == "openapi-3.0"


def test_an_alias_bomb_is_refused() -> None:
    levels = "abcdefghij"
    text = "openapi: 3.0.0\n" + f"a: &a [{', '.join(['x'] * 9)}]\n"
    for before, name in pairwise(levels):
        text += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    error = refusal(text.encode())
    assert error.reason == "LimitExceeded"
    assert "aliases" in error.message
    assert error.line is not None


def test_a_tower_of_aliases_is_as_deep_as_what_it_stands_for() -> None:
    text = "openapi: 3.0.0\na0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 300))
    assert refusal(text.encode()).reason == "LimitExceeded"


def test_errors_travel_between_processes() -> None:
    error = refusal(b"openapi: 3.0.0\ninfo: a: b\n")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.reason, copy.message, copy.line, copy.column, copy.pointer) == (
        error.reason, error.message, error.line, error.column, error.pointer,
    )  # fmt: skip
