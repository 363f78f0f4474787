"""`specsync diff` as its users meet it: what it prints, what it exits with, what it says when it can't."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from specsync.cli.main import main
from tests.unit.diffing.documents import Tree, document, with_request

OLD = with_request({"type": "object", "properties": {"kind": {"enum": ["cat", "dog"]}, "age": {"type": "integer"}}})
NEW = with_request({"type": "object", "properties": {"kind": {"enum": ["cat"]}, "name": {"type": "string"}}})
SAFER = with_request({"type": "object", "properties": {"kind": {"enum": ["cat", "dog", "bird"]}}})


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Documents in files, by name."""
    trees: dict[str, Tree] = {"old": OLD, "new": NEW, "safer": SAFER}
    found = {}
    for name, tree in trees.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(tree))
        found[name] = str(path)
    return found


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["diff", *arguments])
    code = ended.value.code
    return code if isinstance(code, int) else 0


def test_text_begins_with_the_counts_and_then_the_worst(files: dict[str, str], capfd: Any) -> None:
    assert run(files["old"], files["new"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "1 breaking, 1 risky, 1 safe changes from 3 edits"
    assert lines[2] == "Breaking (1)"
    assert lines[3] == "  request property `kind`: enum value dog removed"
    assert lines[4] == "      POST /pets"
    assert lines[6] == "Risky (1)"
    assert "\x1b" not in "".join(lines)


def test_no_changes(files: dict[str, str], capfd: Any) -> None:
    assert run(files["old"], files["old"], "--fail-on", "risky") == 0
    assert capfd.readouterr().out == "No changes\n"


def test_json_is_one_object(files: dict[str, str], capfd: Any) -> None:
    assert run(files["old"], files["new"], "-o", "json") == 0
    report = json.loads(capfd.readouterr().out)
    assert set(report) == {"old", "new", "summary", "causes", "events"}
    assert report["old"]["source"] == files["old"]
    assert report["new"]["title"] == "Pets"
    assert report["new"]["digest"].startswith("sha256:")
    assert report["summary"]["breaking"] == 1
    (event,) = [event for event in report["events"] if event["severity"] == "breaking"]
    assert event["id"] == "request-property-enum-value-removed"
    assert event["operation"] == {"method": "POST", "path": "/pets"}
    pointer = "/paths/~1pets/post/requestBody/content/application~1json/schema/properties/kind/enum"
    assert event["location"] == {"old": pointer, "new": pointer}


@pytest.mark.parametrize(
    ("new", "fail_on", "code"),
    [
        ("new", "breaking", 1),
        ("new", "risky", 1),
        ("safer", "breaking", 0),
        ("safer", "risky", 1),  # a property was removed
        ("old", "risky", 0),
    ],
)
def test_fail_on(files: dict[str, str], new: str, fail_on: str, code: int) -> None:
    assert run(files["old"], files[new], "--fail-on", fail_on) == code


def test_standard_input(files: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(NEW).encode())))
    assert run(files["old"], "-", "--fail-on", "breaking") == 1
    assert "1 breaking" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html></html>", "HTML page"),
        (b"{", "line 1"),
        (b'{"asyncapi": "3.0.0"}', "AsyncAPI"),
        (json.dumps(with_request({"$ref": "#/components/schemas/Gone"})).encode(), "#/components/schemas/Gone"),
    ],
)
def test_document_that_cannot_be_used(
    files: dict[str, str], tmp_path: Path, capfd: Any, content: bytes, reason: str
) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    assert run(files["old"], str(path)) == 2
    output = capfd.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"specsync diff: {path}: ")
    assert reason.lower() in output.err.lower()
    assert output.err.count("\n") == 1


def test_file_that_is_not_there(files: dict[str, str], tmp_path: Path, capfd: Any) -> None:
    assert run(files["old"], str(tmp_path / "nothing")) == 2
    assert "No such file" in capfd.readouterr().err


def test_both_from_standard_input_is_refused(capfd: Any) -> None:
    assert run("-", "-") == 2
    assert capfd.readouterr().err.count("\n") == 1


def test_long_lists_of_operations_are_cut(tmp_path: Path, capfd: Any) -> None:
    def api(kind: str) -> str:
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}
        response = {"200": {"description": "", "content": content}}
        paths = {f"/p{number}": {"get": {"responses": response}} for number in range(30)}
        path = tmp_path / kind
        path.write_text(json.dumps(document(paths, components={"schemas": {"Pet": {"type": kind}}})))
        return str(path)

    run(api("string"), api("integer"))
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "30 breaking changes from 1 edit"
    assert lines[-1] == "      … and 27 more operations"
    assert len(lines) == 8
