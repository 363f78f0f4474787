"""What loads: every format, version and encoding, and what is known of it afterwards."""

from __future__ import annotations

import codecs

import msgspec
import pytest

from specsync.openapi.errors import DocumentError
from specsync.openapi.limits import Limits
from specsync.openapi.load import load, read_any

JSON = b'{"openapi": "3.0.3", "info": {"title": "Zo\xc3\xab", "version": "1.2"}, "paths": {}}'
YAML = "openapi: 3.0.3\ninfo: {title: Zoë, version: '1.2'}\npaths: {}\n".encode()


@pytest.mark.parametrize(
    ("written", "format_"),
    [
        ('"3.0.0"', "openapi-3.0"),
        ('"3.0.4"', "openapi-3.0"),
        ('"3.0.0-rc2"', "openapi-3.0"),
        ('"3.1.1"', "openapi-3.1"),
        ('"3.2.0"', "openapi-3.2"),
        ("3.1", "openapi-3.1"),
        ('" 3.0.1 "', "openapi-3.0"),
    ],
)
def test_versions_in_json_and_yaml(written: str, format_: str) -> None:
    json = f'{{"openapi": {written}, "info": {{"title": "t", "version": "v"}}}}'
    yaml = f"openapi: {written}\ninfo:\n  title: t\n  version: v\n"
    assert load(json.encode()).format == load(yaml.encode()).format == format_


def test_json_stays_bytes_and_yaml_becomes_a_tree() -> None:
    json, yaml = load(JSON), load(YAML)
    assert json.raw == JSON
    assert json.tree is None
    assert yaml.raw is None
    assert json.as_tree() == yaml.as_tree() == msgspec.json.decode(JSON)
    assert (json.title, json.version) == (yaml.title, yaml.version) == ("Zoë", "1.2")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"\uDE00 \ud83d\ud83d\ude00", "\ufffd \ufffd\U0001f600"),
        (rb"\\ud83d \ud83d\n", "\\ud83d \ufffd\n"),
    ],
)
def test_json_with_half_characters_is_read(written: bytes, read: str) -> None:
    text = JSON.replace(b'"paths": {}', b'"paths": {}, "x-text": "' + written + b'"')
    assert load(text).as_tree()["x-text"] == read
    assert read_any(text, Limits())[0]["x-text"] == read
    with pytest.raises(DocumentError, match="too early"):
        load(text[:-1])


def test_swagger_is_lifted_and_keeps_its_name() -> None:
    for text in (
        b'{"swagger": "2.0", "basePath": "/v1"}',
        b"swagger: 2.0\nbasePath: /v1\n",
        b"swagger: 2\nbasePath: /v1",
    ):
        loaded = load(text)
        assert loaded.format == "swagger-2.0"
        assert loaded.raw is None
        assert loaded.as_tree()["servers"] == [{"url": "/v1"}]
        assert loaded.as_tree()["openapi"].startswith("3.0.")


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize("source", [JSON, YAML], ids=["json", "yaml"])
def test_encodings_with_and_without_a_mark(source: bytes, encoding: str) -> None:
    data = source.decode().encode(encoding)
    loaded = load(data)
    assert loaded.title == "Zoë"
    if loaded.raw is not None:
        assert loaded.raw == JSON


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE])
def test_a_mark_is_believed(mark: bytes) -> None:
    encoding = "utf-16-be" if mark == codecs.BOM_UTF16_BE else "utf-32-le"
    assert load(mark + JSON.decode().encode(encoding)).raw == JSON


def test_invalid_text_says_where() -> None:
    with pytest.raises(DocumentError) as caught:
        load(b"openapi: 3.0.0\ninfo:\n  title: caf\xe9\n")
    assert (caught.value.reason, caught.value.line, caught.value.column) == ("NotParseable", 3, 13)
    assert "line 3, column 13" in caught.value.message


@pytest.mark.parametrize("before", [0, (1 << 20) - 1, (1 << 20) - 2, 1 << 20, (2 << 20) - 3])
def test_invalid_text_is_found_at_the_seams_of_the_pieces(before: int) -> None:
    good = "é".encode()
    line = b"x" * before
    with pytest.raises(DocumentError) as caught:
        load(line + good + b"\xff" + good)
    assert (caught.value.line, caught.value.column) == (1, before + 2)
    assert load(b"openapi: 3.0.0\nx: " + line + good).format == "openapi-3.0"


@pytest.mark.parametrize(
    ("info", "title", "version"),
    [
        ("{}", "", ""),
        ("[]", "", ""),
        ("", "", ""),
        ("{title: 42, version: 2024-01-01}", "42", "2024-01-01"),
        ("{title: [a], version: true}", "", ""),
        ("\n  title: ' a '\n  version: 1.10", "a", "1.10"),
        ("\n  title: a\n  version: 1.10 # ten", "a", "1.10"),
        ("\n  title: a\n  version: 3", "a", "3"),
    ],
)
def test_title_and_version_as_written(info: str, title: str, version: str) -> None:
    loaded = load(f"openapi: 3.0.0\ninfo: {info}\npaths: {{}}\n".encode())
    assert (loaded.title, loaded.version) == (title, version)


def test_json_that_is_only_yaml() -> None:
    loaded = load(b'{"openapi": "3.0.0", # why\n "info": {"title": "t", "version": "1",},\n}')
    assert loaded.title == "t"
    assert loaded.tree is not None


def test_json_after_white_space() -> None:
    assert load(b"\n\n  " + JSON + b"\n").raw is not None


def test_json_keeps_big_integers_and_the_last_of_repeated_keys() -> None:
    big = "9" * 40
    tree = load(f'{{"openapi":"3.0.0","x-a":{big},"x-b":-{big},"x-c":1,"x-c":2}}'.encode()).as_tree()
    assert (tree["x-a"], tree["x-b"], tree["x-c"]) == (int(big), -int(big), 2)


def test_size_is_bounded_before_anything_is_read() -> None:
    with pytest.raises(DocumentError) as caught:
        load(b"PK\x03\x04 not even looked at", limits=Limits(max_bytes=8))
    assert caught.value.reason == "LimitExceeded"
