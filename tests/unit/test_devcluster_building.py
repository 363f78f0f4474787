"""Building once, whoever asks first, and leaving nothing half-made. `go` is a script here."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from devcluster.building import build, cache_folder, cached
from devcluster.errors import DevclusterError
from devcluster.gomodules import ETCD, KUBERNETES, VERSITYGW
from tests.waiting import eventually

PROJECT = Path(__file__).parent.parent.parent

# Counts its installs, and waits in an install while the file `hold` exists.
GO = """#!/bin/sh
case "$1 $2" in
  "env GOVERSION") echo "go${FAKE_GO_VERSION-1.99.1}" ;;
  "list -deps")
    [ -z "$FAKE_GO_OFFLINE" ] || { echo "dial tcp: no route to host" >&2; exit 1; } ;;
  "install -v")
    echo run >> "$FAKE_GO/installs"
    while [ -e "$FAKE_GO/hold" ]; do sleep 0.02; done
    for name in server kube-apiserver kube-controller-manager kubectl; do echo "$name" > "$GOBIN/$name"; done
    echo "compiled: example.org/package" >&2
    exit "${FAKE_GO_EXIT-0}" ;;
esac
"""

BUILD = "from devcluster.building import build; from devcluster.gomodules import ETCD; build(ETCD, print)"


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a pretended `go`, which is first on the PATH; the cache is empty."""
    folder = tmp_path / "go"
    folder.mkdir()
    (folder / "go").write_text(GO)
    (folder / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_GO", str(folder))
    monkeypatch.setenv("SPECSYNC_DEVCLUSTER_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def say(lines: list[str]) -> Callable[[str], None]:
    return lines.append


def installs(go: Path) -> int:
    log = go / "installs"
    return log.read_text().count("run") if log.exists() else 0


def leftovers() -> list[Path]:
    return list(cache_folder().glob("*.building-*"))


def test_builds_once_and_says_what_and_how_long(go: Path, lines: list[str], say: Callable[[str], None]) -> None:
    folder = build(ETCD, say)
    assert (folder / "etcd").read_text() == "server\n"
    assert "etcd" in lines[0]
    assert "minute" in lines[0]
    assert build(ETCD, say) == folder
    assert installs(go) == 1
    assert leftovers() == []


def test_all_programs_of_a_module_end_up_in_its_folder(go: Path, say: Callable[[str], None]) -> None:
    folder = build(KUBERNETES, say)
    assert folder.name == f"kubernetes-{KUBERNETES.version}"
    assert all((folder / name).is_file() for name in KUBERNETES.programs)


def test_a_failed_build_leaves_nothing_and_shows_the_compilers_words(
    go: Path, say: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_EXIT", "1")
    with pytest.raises(DevclusterError, match=r"compiled: example\.org"):
        build(ETCD, say)
    assert cached(ETCD) is None
    assert leftovers() == []


def test_modules_that_cannot_be_fetched(go: Path, say: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO_OFFLINE", "yes")
    with pytest.raises(DevclusterError, match=r"(?s)GOPROXY.*no route to host"):
        build(ETCD, say)
    assert installs(go) == 0
    assert leftovers() == []


def test_no_go_on_the_path(say: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SPECSYNC_DEVCLUSTER_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DevclusterError, match=rf"Install Go {ETCD.go_version} .*KUBEBUILDER_ASSETS"):
        build(ETCD, say)
    with pytest.raises(DevclusterError, match="or put versitygw into the PATH"):
        build(VERSITYGW, say)


def test_too_old_a_go(go: Path, say: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO_VERSION", "1.9.7")
    with pytest.raises(DevclusterError, match=rf"needs Go {ETCD.go_version}: this Go is 1\.9\.7"):
        build(ETCD, say)
    assert installs(go) == 0


def test_two_processes_at_once_build_once(go: Path) -> None:
    (go / "hold").touch()
    with _builder() as first:
        eventually(lambda: installs(go) == 1)
        with _builder() as second:
            assert second.stdout
            assert "waiting" in second.stdout.readline()
            (go / "hold").unlink()
            assert second.wait(timeout=20) == 0
        assert first.wait(timeout=20) == 0
    assert installs(go) == 1
    assert cached(ETCD)


def test_a_killed_build_is_made_anew(go: Path, say: Callable[[str], None]) -> None:
    (go / "hold").touch()
    with _builder() as builder:
        eventually(lambda: installs(go) == 1)
        os.killpg(builder.pid, signal.SIGKILL)
    assert cached(ETCD) is None
    assert leftovers()
    (go / "hold").unlink()
    assert (build(ETCD, say) / "etcd").is_file()
    assert leftovers() == []


def test_an_interrupted_build_ends_and_leaves_nothing(go: Path) -> None:
    (go / "hold").touch()
    with _builder() as builder:
        eventually(lambda: installs(go) == 1)
        os.killpg(builder.pid, signal.SIGINT)  # as the terminal does on Ctrl-C
        assert builder.wait(timeout=20) != 0
    assert cached(ETCD) is None
    assert leftovers() == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"SPECSYNC_DEVCLUSTER_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/specsync/devcluster"),
        ({"HOME": "/c"}, "/c/.cache/specsync/devcluster"),
    ],
)
def test_cache_folder(settings: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPECSYNC_DEVCLUSTER_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected)


def _builder() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-c", BUILD],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
