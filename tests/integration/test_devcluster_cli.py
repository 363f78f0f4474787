"""`python -m devcluster`, as a person uses it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster import Binaries
from devcluster.statefolder import StateFolder
from tests.conftest import PROJECT
from tests.waiting import eventually

CRD_FOLDER = PROJECT / "crds"


@pytest.fixture
def state(tmp_path: Path, binaries: Binaries) -> Iterator[StateFolder]:
    """A state folder; whatever runs in it at the end of the test is stopped."""
    folder = StateFolder(tmp_path / "state")
    yield folder
    devcluster("down", "--state", folder.path)


def devcluster(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "devcluster", *words],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def foreground(state: StateFolder) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "devcluster", "up", "--state", state.path],
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_up_env_exec_down(state: StateFolder) -> None:
    up = devcluster("up", "--detach", "--audit", "--crds", CRD_FOLDER, "--state", state.path)
    assert up.returncode == 0, up.stderr
    assert "is up" in up.stderr
    assert str(state.kubeconfig) in up.stderr

    again = devcluster("up", "--detach", "--state", state.path)
    assert (again.returncode, "running already" in again.stderr) == (0, True)

    script = f'eval "$({sys.executable} -m devcluster env --state {state.path})" && kubectl get crds -o name'
    shell = subprocess.run(["sh", "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert "customresourcedefinition.apiextensions.k8s.io/dependencies.specsync.dev" in shell.stdout.split()

    run = devcluster("exec", "--state", state.path, "--", "kubectl", "get", "namespace", "default", "-o", "name")
    assert (run.returncode, run.stdout) == (0, "namespace/default\n")
    assert devcluster("exec", "--state", state.path, "--", "sh", "-c", "exit 7").returncode == 7
    missing = devcluster("exec", "--state", state.path, "--", "no-such-program")
    assert (missing.returncode, "no-such-program cannot be run" in missing.stderr) == (1, True)
    assert state.audit_log.stat().st_size > 0

    down = devcluster("down", "--state", state.path)
    assert (down.returncode, down.stdout) == (0, "")
    assert state.owner() is None
    assert state.logs.is_dir()
    assert not state.kubeconfig.exists()


def test_nothing_is_running(state: StateFolder) -> None:
    down = devcluster("down", "--state", state.path)
    assert (down.returncode, "No control plane is running" in down.stderr) == (0, True)
    for command in (["env"], ["exec", "--", "true"]):
        outcome = devcluster(command[0], "--state", state.path, *command[1:])
        assert (outcome.returncode, outcome.stdout) == (1, "")
        assert f"up --detach --state {state.path}" in outcome.stderr


def test_ctrl_c_stops_a_foreground_one(state: StateFolder) -> None:
    with foreground(state) as up:
        eventually(state.is_up, timeout=60)
        taken = devcluster("up", "--state", state.path)
        assert (taken.returncode, "already" in taken.stderr) == (1, True)
        up.send_signal(signal.SIGINT)
        assert up.wait(timeout=30) == 0
    assert state.owner() is None


def test_a_detached_one_that_is_killed_can_be_started_again(state: StateFolder) -> None:
    assert devcluster("up", "--detach", "--state", state.path).returncode == 0
    owner = state.owner()
    assert owner
    os.kill(owner, signal.SIGKILL)
    eventually(lambda: not state.is_up())
    assert devcluster("env", "--state", state.path).returncode == 1
    up = devcluster("up", "--detach", "--state", state.path)
    assert up.returncode == 0, up.stderr
    assert state.owner() != owner


def test_a_component_that_ends_ends_all_and_is_named(state: StateFolder) -> None:
    with foreground(state) as up:
        eventually(state.is_up, timeout=60)
        table = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,args="], capture_output=True, text=True, check=True)
        [etcd] = [line for line in table.stdout.splitlines() if f"--data-dir={state.etcd_data}" in line]
        os.kill(int(etcd.split()[0]), signal.SIGKILL)
        assert up.wait(timeout=30) == 1
        assert up.stderr
        assert "etcd ended with code -9" in up.stderr.read()
    assert state.owner() is None


def test_other_peoples_folders_are_refused(tmp_path: Path, binaries: Binaries) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for words in (["up"], ["up", "--detach"]):
        outcome = devcluster(*words, "--state", tmp_path)
        assert (outcome.returncode, "holds other files" in outcome.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
