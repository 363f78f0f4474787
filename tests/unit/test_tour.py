"""Parts of the tour that need no cluster."""

import json
from pathlib import Path
from typing import Any

import pytest

from tour.cluster import Cluster
from tour.shell import PROJECT, Shell, TourFailed, shown_path
from tour.terminal import Terminal


def cluster(server: str, folder: Path) -> Cluster:
    configuration: dict[str, Any] = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "admin", "user": {"token": "admins"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "admin"}}],
        "current-context": "c",
    }
    return Cluster("c", False, folder, configuration, {}, lambda: None)


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("https://127.0.0.1:6443", "127.0.0.1:6443"),
        ("https://api.example.com/", "api.example.com:443"),
        ("https://[fd00::1]:6443", "[fd00::1]:6443"),
        ("http://10.0.0.1/k8s/clusters/c-1", "10.0.0.1:80"),
    ],
)
def test_the_address_to_allow(server: str, address: str, tmp_path: Path) -> None:
    assert cluster(server, tmp_path).address == address


def test_another_identity_has_its_token_only(tmp_path: Path) -> None:
    path = cluster("https://127.0.0.1:6443", tmp_path).kubeconfig_with_token("worker", "workers")
    assert path.stat().st_mode & 0o077 == 0
    written = json.loads(path.read_text())
    assert written["users"] == [{"name": "worker", "user": {"token": "workers"}}]
    assert written["contexts"][0]["context"]["user"] == "worker"
    assert "admins" not in path.read_text()


def test_lines_are_cut_or_wrapped_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    table = "AGE  MESSAGE\n1s   " + "word " * 12
    terminal.output(table)
    assert capsys.readouterr().out.rstrip() == table.rstrip()
    terminal.interactive = True
    terminal.output("x" * 50)
    assert capsys.readouterr().out == "x" * 39 + "…\n"
    terminal.output(table, hang="MESSAGE")
    header, first, second = capsys.readouterr().out.splitlines()
    assert header == "AGE  MESSAGE"
    assert first == "1s   " + " ".join(["word"] * 7)
    assert second == "     " + " ".join(["word"] * 5)


def test_a_command_is_shown_and_run(capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell(Terminal(), {"GREETING": "hello"})
    assert shell.show("cat <<EOF\n$GREETING\nEOF") == "hello\n"
    assert capsys.readouterr().out == "\n$ cat <<EOF\n$GREETING\nEOF\nhello\n"
    assert shell.show("exit 1", codes=(1,)) == ""
    with pytest.raises(TourFailed, match=r"`exit 3` ended with exit code 3"):
        shell.show("exit 3")
    with pytest.raises(TourFailed, match=r"ended with exit code 2: why not"):
        shell.read("echo why not >&2; exit 2")


def test_a_command_ends_when_time_is_up_or_what_it_waits_for_has_ended() -> None:
    shell = Shell(Terminal(), {})
    with pytest.raises(TourFailed, match="took longer than 0 s"):
        shell.read("exec sleep 60", timeout=0)
    shell.watch = lambda: "the worker is gone"
    with pytest.raises(TourFailed, match="the worker is gone during `exec sleep 60`"):
        shell.read("exec sleep 60")


def test_paths_are_shown_as_typed_in_the_project(tmp_path: Path) -> None:
    assert shown_path(PROJECT / ".run" / "tour" / "ca.crt") == ".run/tour/ca.crt"
    assert shown_path(tmp_path) == str(tmp_path)
