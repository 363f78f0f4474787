"""`python -m tour`, as `make run` starts it: the whole story on a control plane of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devcluster import Binaries, ControlPlane
from tests.conftest import PROJECT
from tests.waiting import eventually

WITHIN = 240  # seconds for a whole tour; it takes about 15


@contextmanager
def tour(*words: str | Path, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A tour that is going on; it is over when the block ends."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tour", *words],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def processes_of(state: Path) -> list[str]:
    table = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,args="], capture_output=True, text=True, check=True)
    return [line for line in table.stdout.splitlines() if str(state) in line]


def worker_of(state: Path) -> int:
    workers = [line for line in processes_of(state) if "specsync.cli.main worker" in line]
    return int(workers[0].split()[0])


def assert_all_has_ended(state: Path) -> None:
    eventually(lambda: processes_of(state), until=lambda left: not left, what="all processes of the tour to end")
    assert list((state / "tour").glob("*kubeconfig")) == []


def test_a_tour_from_start_to_end(binaries: Binaries, tmp_path: Path) -> None:
    state, output = tmp_path / "state", tmp_path / "output"
    with tour("--once", "--state", state, output=output) as process:
        code = process.wait(timeout=WITHIN)
    text = output.read_text()
    assert code == 0, text
    for line in (
        "$ kubectl apply --server-side -k tour/manifests",
        "$ kubectl wait --for=condition=Ready --timeout=120s dep --all",
        "dependency.specsync.dev/kubernetes-api condition met",
        "Format      swagger-2.0",
        "      POST /apis/tour.specsync.dev/v1/namespaces/{namespace}/orders",
        "syncjob.specsync.dev/kubernetes-api-orders-v2 condition met",
    ):
        assert line in text.splitlines()
    assert "8 safe changes" in text
    assert "spec.currency: required property removed" in text
    assert "BreakingChange" in text
    assert "✗" not in text
    # Colours are for terminals; secrets are for nobody.
    assert "\x1b" not in text
    assert "eyJ" not in text
    assert_all_has_ended(state)


def test_it_stays_until_ctrl_c_and_its_cluster_can_be_used(binaries: Binaries, tmp_path: Path) -> None:
    state, output = tmp_path / "state", tmp_path / "output"
    with tour("--state", state, output=output) as process:
        eventually(lambda: "go on until Ctrl-C" in output.read_text() or process.poll() is not None, timeout=WITHIN)
        kubeconfig = state / "tour" / "kubeconfig"
        assert f"export KUBECONFIG={kubeconfig}" in output.read_text()
        listed = subprocess.run(
            [binaries.kubectl, "get", "dep", "-o", "name"],
            env=os.environ | {"KUBECONFIG": str(kubeconfig)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert listed.stdout.split() == ["dependency.specsync.dev/apps-api", "dependency.specsync.dev/kubernetes-api"]

        second = tmp_path / "second"
        with tour("--once", "--state", state, output=second) as refused:
            assert refused.wait(timeout=30) == 1
        assert "a tour is going on already" in second.read_text()

        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    assert_all_has_ended(state)


def test_an_operator_that_ends_fails_the_tour_and_its_log_is_shown(binaries: Binaries, tmp_path: Path) -> None:
    state, output = tmp_path / "state", tmp_path / "output"
    with tour("--once", "--state", state, output=output) as process:
        worker = eventually(lambda: worker_of(state), timeout=60)
        os.kill(worker, signal.SIGKILL)
        assert process.wait(timeout=WITHIN) == 1
    text = output.read_text()
    assert "✗ `specsync worker` ended with exit code -9" in text
    assert "controller.log:" in text
    assert_all_has_ended(state)


def test_somebody_elses_cluster_is_named_and_not_touched_without_a_yes(
    cluster: ControlPlane, binaries: Binaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cluster.environment().items():
        monkeypatch.setenv(name, value)
    output = tmp_path / "output"
    with tour("--once", "--cluster", "current", "--state", tmp_path / "state", output=output) as process:
        assert process.wait(timeout=60) == 1
    text = output.read_text()
    assert f"The current context is specsync-devcluster, at {cluster.url}." in text.replace("\n", " ")
    assert "the tour needs a y on a terminal" in text.replace("\n", " ")
    assert "specsync-tour" not in cluster.kubectl("get", "namespaces", "-o", "name")
