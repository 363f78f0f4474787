"""`specsync diff` and `validate` on documents of several files, from a folder and from a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

HEAD = "openapi: 3.0.3\ninfo: {title: Shop, version: '1'}\n"
ROOT = f"""{HEAD}paths:
  /pets:
    get:
      responses:
        '200':
          description: ok
          content: {{application/json: {{schema: {{$ref: schemas/Pet.yaml}}}}}}
"""


def specsync(folder: Path, *words: str, stdin: str | None = None) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "specsync.cli.main", *words]
    done = subprocess.run(
        command, cwd=folder, env=os.environ, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two versions of a contract, each of two files; the second has lost a field, and has a defect."""
    for version, schema in (
        ("v1", "{type: object, required: [a, b], properties: {a: {type: string}, b: {type: string}}}"),
        ("v2", "{type: object, required: [a], properties: {a: {type: string}}, minLength: x}"),
    ):
        (tmp_path / version / "schemas").mkdir(parents=True)
        (tmp_path / version / "openapi.yaml").write_text(ROOT)
        (tmp_path / version / "schemas" / "Pet.yaml").write_text(schema)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{found.server_address[1]}"
        finally:
            found.shutdown()
            thread.join()


def test_a_change_in_another_file_is_found(folder: Path, server: str) -> None:
    for new in ("v2/openapi.yaml", f"{server}/v2/openapi.yaml"):
        code, output, error = specsync(folder, "diff", "v1/openapi.yaml", new, "--fail-on", "breaking")
        assert (code, error) == (1, "")
        assert "required property removed" in output
        assert "GET /pets" in output


def test_references_are_left_alone_where_that_is_asked_for(folder: Path) -> None:
    words = ("diff", "v1/openapi.yaml", "v2/openapi.yaml", "--external-refs", "ignore")
    assert specsync(folder, *words) == (0, "No changes\n", "")


def test_standard_input_has_no_folder_so_both_are_read_alike(folder: Path) -> None:
    code, output, error = specsync(folder, "diff", "-", "v2/openapi.yaml", stdin=ROOT)
    assert (code, output) == (0, "No changes\n")
    assert error == "specsync: references to other files are not followed from standard input.\n"


def test_findings_name_their_file_and_lines_are_those_of_the_document(folder: Path) -> None:
    code, output, _ = specsync(folder, "validate", "v2/openapi.yaml")
    assert code == 1
    assert "v2/openapi.yaml: error: schemas/Pet.yaml#/minLength: " in output
    (folder / "v2" / "openapi.yaml").write_text(ROOT.replace("          description: ok\n", ""))
    _, output, _ = specsync(folder, "validate", "v2/openapi.yaml")
    assert 'v2/openapi.yaml:7: error: /paths/~1pets/get/responses/200: "description" is missing' in output
    found = json.loads(specsync(folder, "validate", "v2/openapi.yaml", "-o", "json")[1])["findings"]
    assert {(each.get("file", ""), each["pointer"]) for each in found} == {
        ("schemas/Pet.yaml", "/minLength"),
        ("", "/paths/~1pets/get/responses/200"),
    }
    _, output, _ = specsync(folder, "validate", "v1/openapi.yaml", "--external-refs", "ignore")
    assert "note: 1 reference out of the document was not followed: schemas/Pet.yaml at /paths/~1pets/" in output


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("missing.yaml", "leads to missing.yaml, which can't be read: No such file or directory."),
        ("../../secret.yaml", "outside of the document's folder and the current one."),
        ("/etc/hostname", "outside of the document's folder and the current one."),
        ("link.yaml", "outside of the document's folder and the current one."),
    ],
)
def test_only_files_of_the_folder_tree_are_read(folder: Path, reference: str, says: str) -> None:
    (folder.parent / "secret.yaml").write_text("{type: string}")
    (folder / "v1" / "link.yaml").symlink_to(folder.parent / "secret.yaml")
    (folder / "v1" / "openapi.yaml").write_text(ROOT.replace("schemas/Pet.yaml", reference))
    code, output, error = specsync(folder, "validate", "v1/openapi.yaml")
    assert (code, output) == (2, "")
    assert says in error
    assert "--external-refs ignore" in error


def test_a_file_beside_the_folder_is_read_from_where_both_are(folder: Path) -> None:
    (folder / "v1" / "openapi.yaml").write_text(ROOT.replace("schemas/Pet.yaml", "../v2/schemas/Pet.yaml"))
    assert "v2/schemas/Pet.yaml#/minLength" in specsync(folder, "validate", "v1/openapi.yaml")[1]
    assert "outside" in specsync(folder / "v1", "validate", "openapi.yaml")[2]


def test_a_server_that_lacks_a_file_says_which(folder: Path, server: str) -> None:
    (folder / "v1" / "schemas" / "Pet.yaml").unlink()
    code, _, error = specsync(folder, "validate", f"{server}/v1/openapi.yaml")
    assert code == 2
    assert "/v1/openapi.yaml: the $ref at openapi.yaml#/paths/~1pets/get/" in error
    assert "HTTP 404" in error


def test_a_stored_snapshot_of_several_files_can_be_compared(folder: Path) -> None:
    """What `specsync snapshot raw` prints."""
    from specsync.cli.files import with_files_beside

    document = folder / "v1" / "openapi.yaml"
    (folder / "old.tar").write_bytes(with_files_beside(str(document), document.read_bytes()))
    code, output, _ = specsync(folder, "diff", "old.tar", "v2/openapi.yaml")
    assert code == 0
    assert "required property removed" in output
