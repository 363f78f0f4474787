"""How commands end, whatever they are given: one line that says why, and a code that is no verdict."""

from __future__ import annotations

import http.server
import os
import shlex
import signal
import subprocess
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from specsync.cli import documents, main
from specsync.cli.reading import run_reading
from specsync.diffing import Comparison
from specsync.kube.client import KubeClient

SPECSYNC = Path(sys.executable).parent / "specsync"
NO_CLUSTER = (
    "{clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: a, user: {}}], "
    "contexts: [{name: a, context: {cluster: a, user: a}}], current-context: a}"
)
DOCUMENT = "openapi: 3.0.3\ninfo: {title: Shop, version: '1'}\npaths: {}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(DOCUMENT)
    return tmp_path


def told(folder: Path, words: str, code: int = 2) -> str:
    """What a command line of a shell says on standard error."""
    command = f"{shlex.quote(str(SPECSYNC))} {words}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    return done.stderr.decode()


@pytest.mark.parametrize("url", ["http://[::1", "http://exa℀mple.com/", "http://[vx.y]/", "http:///", "https://"])
def test_what_is_no_url(folder: Path, url: str) -> None:
    for words in (f"validate '{url}'", f"diff a.yaml '{url}' --fail-on breaking"):
        assert "The URL can't be used" in told(folder, words)


def test_references_that_no_file_can_have(folder: Path) -> None:
    (folder / "loop.yaml").symlink_to("loop.yaml")
    for name in ("x%00.yaml", "loop.yaml", "x" * 300 + ".yaml"):
        (folder / "root.yaml").write_text(DOCUMENT.replace("{}", f"{{/a: {{$ref: '{name}'}}}}"))
        line = told(folder, "validate root.yaml")
        assert "the $ref at root.yaml#/paths/~1a leads to" in line
        assert "use --external-refs ignore" in line


def test_names_of_files_that_are_not_text(folder: Path) -> None:
    names = os.fsencode(folder) + b"/\xff"
    os.mkdir(names)  # noqa: PTH102 -- a name in bytes
    for name, text in ((b"/a.yaml", DOCUMENT.replace("{}", "{/a: {$ref: b.yaml}}")), (b"/b.yaml", "{}\n")):
        with open(names + name, "w") as file:  # noqa: PTH123
            file.write(text)
    for words in (
        "validate $'\\xff/a.yaml' -o json",
        *(f"diff $'\\xff/a.yaml' a.yaml -o {f}" for f in ("json", "sarif")),
    ):
        assert told(folder, words, code=0) == ""


def test_the_name_of_a_file_that_is_not_there_is_shown_as_far_as_it_is_text(folder: Path) -> None:
    assert told(folder, "validate $'\\xff.yaml'").startswith("specsync validate: ?.yaml: No such file or directory.")


@pytest.mark.parametrize("command", ["diff - a.yaml", "validate -"])
def test_standard_input_that_is_closed(folder: Path, command: str) -> None:
    assert "The document is empty" in told(folder, f"{command} <&-")


@pytest.mark.parametrize("command", ["diff a.yaml a.yaml", "validate a.yaml", "rules"])
def test_output_that_goes_nowhere(folder: Path, command: str) -> None:
    assert told(folder, f"{command} >&-", code=0) == ""
    assert told(folder, f"{command} >&- 2>&-", code=0) == ""
    if Path("/dev/full").exists():
        assert "standard output can't be written to: No space left" in told(folder, f"{command} >/dev/full")


@pytest.fixture
def silent_server() -> Iterator[tuple[str, threading.Event]]:
    """A server that never answers, and when it was asked."""
    asked, over = threading.Event(), threading.Event()

    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            over.wait(60)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", asked
        over.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("command", ["validate {url}", "diff a.yaml {url}", "snapshot show x --kubeconfig kubeconfig"])
def test_a_command_that_is_interrupted(folder: Path, silent_server: tuple[str, threading.Event], command: str) -> None:
    url, asked = silent_server
    (folder / "kubeconfig").write_text(NO_CLUSTER.replace("http://127.0.0.1:1", url))
    words = command.format(url=url).split()
    process = subprocess.Popen([SPECSYNC, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert asked.wait(30)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == 130


def test_a_defect_of_ours_is_no_verdict(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: object) -> None:
    """1 would be that the document isn't valid, or that something breaks."""

    def broken(*_: object) -> None:
        raise AssertionError("a defect")

    monkeypatch.setattr(documents, "_read_alone", broken)
    with pytest.raises(SystemExit) as ended:
        main.main(["diff", str(folder / "a.yaml"), str(folder / "a.yaml"), "--fail-on", "breaking"])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--concurrency=0", "no number from 1 on"),
        ("--children=-1", "no number from 1 on"),
        ("--max-document-mib=0", "no number from 1 on"),
        ("--child-memory-mib=many", "no number from 1 on"),
        ("--probes-port=65536", "no port"),
        ("--min-interval=5", "no duration"),
        ("--alert-history=30d1h", "no duration"),  # 1h, read as leniently as a status is
        ("--blob-grace=0s", "no duration"),
    ],
)
def test_numbers_that_no_operator_can_use(flag: str, says: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["run", flag])
    assert ended.value.code == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert flag.partition("=")[0] in line
    assert says in line


def test_a_port_that_another_process_serves(folder: Path, silent_server: tuple[str, threading.Event]) -> None:
    url, _ = silent_server
    port = url.rstrip("/").rpartition(":")[2]
    (folder / "kubeconfig").write_text(NO_CLUSTER)
    line = told(folder, f"run --kubeconfig kubeconfig --probes-port {port}").splitlines()[-1]
    assert line.startswith(f"specsync: port {port} can't be served (Address already in use): give another")


def test_no_document_writes_to_the_terminal_what_it_likes(folder: Path) -> None:
    """Escape sequences move the cursor, or write to the clipboard."""
    (folder / "twice.yaml").write_text('openapi: 3.0.3\n"\\e[2Jkey": 1\n"\\e[2Jkey": 2\n')
    (folder / "away.yaml").write_text(DOCUMENT.replace("{}", r'{"/a\e[2J": {$ref: "gone\e[2J.yaml"}}'))
    for name, says in (("twice", 'the key "key" at line 3'), ("away", "away.yaml#/paths/~1a leads to gone.yaml")):
        line = told(folder, f"validate {name}.yaml")
        assert line.rstrip("\n").isprintable()
        assert says in line


@pytest.mark.parametrize("name", ["''", "dep/"])
def test_a_name_that_is_missing(folder: Path, name: str) -> None:
    (folder / "kubeconfig").write_text(NO_CLUSTER)
    assert "a name is missing" in told(folder, f"snapshot show {name} --kubeconfig kubeconfig", code=1)


def test_content_of_another_version(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "kubeconfig").write_text(NO_CLUSTER)
    options = Namespace(command="changes", namespace="a", kubeconfig=str(folder / "kubeconfig"), context=None)

    async def read(client: KubeClient, namespace: str) -> bytes:
        return msgspec.json.decode(b'{"causes": 7}', type=Comparison) and b""

    assert run_reading(options, read) == 1
    assert "isn't as this version writes it" in capfd.readouterr().err
