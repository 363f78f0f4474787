"""Whose programs are used: the user's if they fit, else the cached ones."""

import os
from pathlib import Path

import pytest

from devcluster.binaries import find_binaries
from devcluster.errors import DevclusterError
from devcluster.gomodules import ETCD, KUBERNETES


def pretend(folder: Path, version: str, without: str = "") -> Path:
    """A folder with programs that only tell their version."""
    folder.mkdir(parents=True)
    lines = {
        "etcd": "etcd Version: 3.6.1",
        "kube-apiserver": f"Kubernetes {version}",
        "kube-controller-manager": f"Kubernetes {version}",
        "kubectl": f"Client Version: {version}\nKustomize Version: v5.8.1",
    }
    for name, text in lines.items():
        if name != without:
            (folder / name).write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
            (folder / name).chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and nothing else that could be found."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("SPECSYNC_DEVCLUSTER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def full_cache(cache: Path) -> Path:
    for module in (KUBERNETES, ETCD):
        (cache / module.title).mkdir(parents=True)
        for name in module.programs:
            (cache / module.title / name).touch()
    return cache


PINNED = ".".join(map(str, KUBERNETES.minor))
OTHER_PATCH = f"{KUBERNETES.version.rsplit('.', 1)[0]}.99"
OTHER_MINOR = "v1.29.3"


def test_kubebuilder_assets_of_the_pinned_minor_version_come_first(
    tmp_path: Path, full_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{pretend(tmp_path / 'path', OTHER_PATCH)}:{os.defpath}")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(pretend(tmp_path / "assets", OTHER_PATCH)))
    found = find_binaries(may_build=False)
    assert found.origin == "KUBEBUILDER_ASSETS"
    assert {program.parent for program in found.all()} == {tmp_path / "assets"}


def test_the_path_comes_before_the_cache(tmp_path: Path, full_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{pretend(tmp_path / 'path', OTHER_PATCH)}:{os.defpath}")
    assert find_binaries(may_build=False).origin == "PATH"


@pytest.mark.parametrize(
    ("version", "without", "reason"),
    [
        (OTHER_MINOR, "", f"kube-apiserver is 1.29, and {'.'.join(map(str, KUBERNETES.minor))} is needed"),
        (OTHER_PATCH, "kubectl", "kubectl is missing"),
    ],
)
def test_assets_that_do_not_fit_are_passed_over_and_it_is_said_why(
    tmp_path: Path,
    full_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    without: str,
    reason: str,
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(pretend(tmp_path / "assets", version, without)))
    said: list[str] = []
    found = find_binaries(may_build=False, say=said.append)
    assert found.origin == "cache"
    assert found.kubectl == full_cache / KUBERNETES.title / "kubectl"
    assert found.etcd == full_cache / ETCD.title / "etcd"
    assert [reason in line for line in said] == [True]


@pytest.mark.parametrize(("version", "without"), [(OTHER_MINOR, ""), (OTHER_PATCH, "etcd")])
def test_a_path_that_does_not_fit_is_passed_over_silently(
    tmp_path: Path, full_cache: Path, monkeypatch: pytest.MonkeyPatch, version: str, without: str
) -> None:
    monkeypatch.setenv("PATH", f"{pretend(tmp_path / 'path', version, without)}:{os.defpath}")
    said: list[str] = []
    assert find_binaries(may_build=False, say=said.append).origin == "cache"
    assert said == []


def test_nothing_there_and_not_to_be_built() -> None:
    with pytest.raises(DevclusterError, match="python -m devcluster build"):
        find_binaries(may_build=False)
