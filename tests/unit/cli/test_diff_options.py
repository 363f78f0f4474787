"""The options of `specsync diff`: where documents come from, what is shown of their differences, and how."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

import jsonschema_rs
import pytest
import yaml

from specsync.cli import documents
from specsync.cli.main import main
from tests.unit.diffing.documents import Tree, document, with_request

OLD = with_request({"type": "object", "properties": {"kind": {"enum": ["cat", "dog"]}, "age": {"type": "integer"}}})
NEW = with_request({"type": "object", "properties": {"kind": {"enum": ["cat"]}, "name": {"type": "string"}}})
DIFF_SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "diff.schema.json").read_text())
SPECSYNC = Path(sys.executable).parent / "specsync"

Files = dict[str, str]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Documents in files, by name."""
    found = {}
    for name, tree in (("old", OLD), ("new", NEW)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(tree))
        found[name] = str(path)
    return found


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["diff", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_witness_shows_the_break(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files["old"], files["new"], "--witness", "-o", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert jsonschema_rs.validator_for(DIFF_SCHEMA, offline=True).is_valid(report)
    (event,) = [event for event in report["events"] if event["severity"] == "breaking"]
    assert event["witness"]["acceptedBy"] == "old"
    assert event["witness"]["value"] == {"kind": "dog"}

    assert run(files["old"], files["new"], "--witness") == 0
    assert 'for example (request body): {"kind":"dog"} was accepted, is refused now' in capsys.readouterr().out
    assert run(files["old"], files["new"]) == 0
    assert "for example" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("format_", "begins"),
    [
        ("text", "1 breaking"),
        ("json", "{\n"),
        ("yaml", "old:\n"),
        ("markdown", "### API changes"),
        ("html", "<!DOCTYPE html>"),
        ("junit", "<?xml"),
        ("sarif", "{\n"),
        ("github", "1 breaking"),
    ],
)
@pytest.mark.parametrize("group", ["cause", "operation"])
def test_formats(files: Files, capfd: Any, format_: str, begins: str, group: str) -> None:
    assert run(files["old"], files["new"], "-o", format_, "--group", group) == 0
    output = capfd.readouterr()
    assert output.out.startswith(begins)
    assert output.out.endswith("\n")
    assert "enum" in output.out
    assert output.err == ""


def test_yaml_and_json_say_the_same(files: Files, capfd: Any) -> None:
    run(files["old"], files["new"], "-o", "json")
    expected = json.loads(capfd.readouterr().out)
    run(files["old"], files["new"], "-o", "yaml")
    assert yaml.safe_load(capfd.readouterr().out) == expected


def test_junit_fails_from_the_asked_severity_on(files: Files, capfd: Any) -> None:
    failures = []
    for options in ([], ["--fail-on", "risky"]):
        run(files["old"], files["new"], "-o", "junit", *options)
        failures.append(ElementTree.fromstring(capfd.readouterr().out).get("failures"))
    assert failures == ["1", "2"]


def test_severity_file_decides_on_the_exit_code(files: Files, tmp_path: Path, capfd: Any) -> None:
    levels = tmp_path / "levels.txt"
    levels.write_text("request-property-enum-value-removed info\nrequest-property-removed none\n")
    assert run(files["old"], files["new"], "--fail-on", "risky", "--severity", str(levels)) == 0
    assert capfd.readouterr().out.startswith("2 safe changes from 2 edits")
    levels.write_text("new-optional-request-property err\n")
    assert run(files["old"], files["old"], "--fail-on", "breaking", "--severity", str(levels)) == 0
    assert run(files["old"], files["new"], "--fail-on", "breaking", "--severity", str(levels)) == 1
    assert "2 breaking" in capfd.readouterr().out


def test_severity_file_that_cannot_be_used(files: Files, tmp_path: Path, capfd: Any) -> None:
    levels = tmp_path / "levels.txt"
    levels.write_text("request-property-enum-value-remove err\n")
    assert run(files["old"], files["new"], "--severity", str(levels)) == 2
    output = capfd.readouterr()
    assert output.out == ""
    assert "line 1" in output.err
    assert "request-property-enum-value-removed" in output.err
    assert run(files["old"], files["new"], "--severity", str(tmp_path / "nothing")) == 2
    assert "No such file" in capfd.readouterr().err


def test_ignore_files(files: Files, tmp_path: Path, capfd: Any) -> None:
    first, second = tmp_path / "errors.md", tmp_path / "warnings.md"
    first.write_text("# Agreed\n- POST /pets removed the enum value `dog` of the request property `kind`\n")
    second.write_text("post /pets request-property-removed `age`\n")
    options = ["--ignore", str(first), "--ignore", str(second)]
    assert run(files["old"], files["new"], "--fail-on", "risky", *options) == 0
    output = capfd.readouterr()
    assert output.out.startswith("1 safe change from 1 edit")
    assert output.err == "specsync diff: 2 changes ignored.\n"


@pytest.mark.parametrize(
    ("options", "first"),
    [
        (["--only", "/pets"], "1 breaking, 1 risky, 1 safe changes from 3 edits"),
        (["--only", "GET /pets"], "No changes"),
        (["--only", "tag:none"], "No changes"),
        (["--exclude", "POST /*"], "No changes"),
        (["--exclude", "/pets/*"], "1 breaking, 1 risky, 1 safe changes from 3 edits"),
    ],
)
def test_only_and_exclude(files: Files, capfd: Any, options: list[str], first: str) -> None:
    run(files["old"], files["new"], *options)
    assert capfd.readouterr().out.splitlines()[0] == first


def test_pattern_that_cannot_be_read(files: Files, capfd: Any) -> None:
    assert run(files["old"], files["new"], "--only", "pets") == 2
    error = capfd.readouterr().err
    assert "tag:NAME" in error
    assert error.count("\n") == 1


def test_all_operations_are_named_on_request(tmp_path: Path, capfd: Any) -> None:
    for name, kind in (("old", "string"), ("new", "integer")):
        schema = {"$ref": "#/components/schemas/Pet"}
        response = {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}
        paths = {f"/p{number}": {"get": {"responses": response}} for number in range(9)}
        (tmp_path / name).write_text(json.dumps(document(paths, components={"schemas": {"Pet": {"type": kind}}})))
    run(str(tmp_path / "old"), str(tmp_path / "new"))
    assert "… and 6 more operations" in capfd.readouterr().out
    run(str(tmp_path / "old"), str(tmp_path / "new"), "--all")
    output = capfd.readouterr().out
    assert "GET /p8" in output
    assert "more operations" not in output


class _Server(BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, tuple[int, bytes]]] = {}

    def do_GET(self) -> None:
        status, body = self.answers.get(self.path.partition("?")[0], (404, b""))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", body.decode())
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server of documents, on this machine and a port that no web server has."""
    _Server.answers = {"/old.json": (200, json.dumps(OLD).encode()), "/new.json": (200, json.dumps(NEW).encode())}
    _Server.answers["/private.json"] = (401, b"")
    _Server.answers["/moved.json"] = (302, b"http://127.0.0.1:1/?token=secret")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://localhost:{serving.server_port}"
        serving.shutdown()
        thread.join()


def test_urls(server: str, files: Files, capfd: Any) -> None:
    assert run(f"{server}/old.json?token=secret", f"{server}/new.json", "-o", "json") == 0
    output = capfd.readouterr().out
    report = json.loads(output)
    assert report["summary"]["breaking"] == 1
    assert report["old"]["source"] == f"{server}/old.json"
    assert "secret" not in output
    assert run(files["old"], f"{server}/new.json", "--fail-on", "breaking") == 1
    assert run(f"{server}/new.json", files["new"], "--fail-on", "breaking") == 0


def test_url_without_a_document(server: str, files: Files, capfd: Any) -> None:
    assert run(files["old"], f"{server}/nothing?token=secret") == 2
    error = capfd.readouterr().err
    assert error.startswith(f"specsync diff: {server}/nothing")
    assert "404" in error
    assert "secret" not in error
    assert error.count("\n") == 1


def test_url_that_asks_for_credentials(server: str, files: Files, capfd: Any) -> None:
    assert run(files["old"], f"{server}/private.json") == 2
    error = capfd.readouterr().err
    assert "asks for credentials" in error
    assert "Secret" not in error


def test_url_that_leads_to_another_port_of_this_machine(server: str, files: Files, capfd: Any) -> None:
    assert run(files["old"], f"{server}/moved.json") == 2
    error = capfd.readouterr().err
    assert "give the URL that it leads to" in error
    assert "--allow-host" not in error, "a flag of the operator's"
    assert "secret" not in error


def test_url_with_a_password_is_refused(server: str, files: Files, capfd: Any) -> None:
    assert run(files["old"], server.replace("//", "//user:secret@") + "/new.json") == 2
    error = capfd.readouterr().err
    assert "aren't sent" in error
    assert "secret" not in error


def test_metadata_services_stay_closed(files: Files, capfd: Any) -> None:
    assert run(files["old"], "http://169.254.169.254/latest/meta-data") == 2
    assert "metadata" in capfd.readouterr().err


def large(kind: str) -> Tree:
    """A document that is large enough to be read beside the other one."""
    properties = {f"property{number:05}": {"type": "string", "description": "x" * 60} for number in range(5000)}
    return with_request({"type": "object", "properties": {**properties, "kind": {"type": kind}}})


@pytest.fixture
def large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setattr(documents, "_WORTH", 1.0)
    found = {}
    for name, kind in (("old", "string"), ("new", "integer")):
        path = tmp_path / f"large-{name}.json"
        path.write_text(json.dumps(large(kind)))
        found[name] = str(path)
    return found


@pytest.mark.parametrize("cores", [True, False])
def test_large_documents_give_the_same_with_one_core_or_two(
    large_files: Files, capfd: Any, monkeypatch: pytest.MonkeyPatch, cores: bool
) -> None:
    children = []
    monkeypatch.setattr(documents, "_has_second_core", lambda: cores)
    monkeypatch.setattr(os, "fork", lambda fork=os.fork: children.append(fork()) or children[-1])
    assert run(large_files["old"], large_files["new"], "-o", "json") == 0
    assert len(children) == cores
    report = json.loads(capfd.readouterr().out)
    assert [event["id"] for event in report["events"]] == ["request-property-type-changed"]
    assert report["old"]["digest"] != report["new"]["digest"]


@pytest.mark.parametrize("cores", [True, False])
@pytest.mark.parametrize("broken", [["old"], ["new"], ["old", "new"]])
def test_large_document_that_cannot_be_used(
    large_files: Files, capfd: Any, monkeypatch: pytest.MonkeyPatch, cores: bool, broken: list[str]
) -> None:
    monkeypatch.setattr(documents, "_has_second_core", lambda: cores)
    for name in broken:
        path = Path(large_files[name])
        path.write_text(path.read_text()[:-1])
    assert run(large_files["old"], large_files["new"]) == 2
    output = capfd.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"specsync diff: {large_files[broken[0]]}: ")


def test_document_is_read_here_where_the_other_process_is_killed(
    large_files: Files, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object) -> None:
        os._exit(9)

    monkeypatch.setattr(documents, "_has_second_core", lambda: True)
    monkeypatch.setattr(documents, "_send", end)
    assert run(large_files["old"], large_files["new"]) == 0
    assert capfd.readouterr().out.startswith("1 breaking change from 1 edit")


def on_terminal(arguments: list[str], environment: dict[str, str]) -> str:
    """What a command prints to a terminal of its own."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(arguments, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=environment)
    os.close(theirs)
    output = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux's word for: the other side is closed
            break
        if not piece:
            break
        output += piece
    os.close(ours)
    assert process.wait(60) == 0
    return output.decode()


def test_colour_on_a_terminal_only(files: Files) -> None:
    command = [str(SPECSYNC), "diff", files["old"], files["new"]]
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "60"}
    assert "\x1b[31;1m1 breaking\x1b[0m" in on_terminal(command, environment)
    assert "\x1b" not in on_terminal(command, {**environment, "NO_COLOR": "1"})
    assert "\x1b" not in on_terminal(command, {**environment, "TERM": "dumb"})
    assert b"\x1b" not in subprocess.run(command, env=environment, check=True, capture_output=True).stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(lambda f: [f["old"], f["new"], "--fail-on", "breaking"], 1), (lambda f: [f["old"], "/no/such/file"], 2)],
)
def test_exit_code_and_output_of_the_process_itself(
    files: Files, arguments: Callable[[Files], list[str]], code: int
) -> None:
    done = subprocess.run([SPECSYNC, "diff", *arguments(files)], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert bool(done.stdout) == (code == 1)
    assert bool(done.stderr) == (code == 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_report_that_cannot_be_written(files: Files) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [SPECSYNC, "diff", files["old"], files["new"]], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == "specsync diff: standard output can't be written to: No space left on device.\n"


def test_documents_from_pipes(large_files: Files) -> None:
    script = f"{SPECSYNC} diff <(cat {large_files['old']}) <(cat {large_files['new']})"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("1 breaking change from 1 edit")


def test_standard_input_that_is_no_document(files: Files) -> None:
    command = [str(SPECSYNC), "diff", files["old"], "-"]
    done = subprocess.run(command, input=b"{", capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"specsync diff: standard input: ")
    assert b"line 1" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(large_files: Files) -> None:
    command = [str(SPECSYNC), "diff", large_files["old"], large_files["new"], "-o", "json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0


def test_only_what_is_needed_is_imported(files: Files) -> None:
    script = (
        "import sys; from specsync.cli.main import main\n"
        "try: main(['diff', *sys.argv[1:], '-o', 'json'])\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, files["old"], files["new"]], capture_output=True, text=True, check=True
    )
    needless = {"asyncio", "yaml", "kubernetes", "httpcore", "structlog", "difflib", "ssl"}
    needless |= {f"specsync.diffing.report.{name}" for name in ("html", "sarif", "junit", "markdown", "yaml", "lines")}
    assert needless & set(done.stderr.split()) == set()
