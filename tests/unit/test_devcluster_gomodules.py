"""The go.mod files are the single place of the versions of the development cluster."""

import re

import pytest

from devcluster.gomodules import ETCD, KUBERNETES, GoModule, parse_minor

MODULES = [KUBERNETES, ETCD]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_every_program_has_a_name_and_a_version(module: GoModule) -> None:
    assert re.fullmatch(r"v\d+\.\d+\.\d+", module.version)
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?", module.go_version)
    assert len(module.programs) == len(module.tools)
    assert (module.folder / "go.sum").is_file()


def test_programs_are_named_as_people_know_them() -> None:
    assert KUBERNETES.programs == ("kube-apiserver", "kube-controller-manager", "kubectl")
    assert ETCD.programs == ("etcd",)


def test_published_parts_of_kubernetes_are_of_the_same_release() -> None:
    replaced = re.findall(
        r"^\s*k8s\.io/\S+ => k8s\.io/\S+ (v\S+)$", (KUBERNETES.folder / "go.mod").read_text(), re.MULTILINE
    )
    assert replaced
    assert set(replaced) == {KUBERNETES.version.replace("v1.", "v0.", 1)}


def test_kubernetes_programs_are_stamped_with_their_version() -> None:
    major, minor = KUBERNETES.minor
    flags = KUBERNETES.ldflags()
    assert f"version.gitVersion={KUBERNETES.version}" in flags
    assert f"version.gitMajor={major}" in flags
    assert f"version.gitMinor={minor}" in flags
    assert ETCD.ldflags() == "-s -w"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("v1.37.2", (1, 37)), ("Kubernetes v1.9.0-rc.1", (1, 9)), ("etcd Version: 3.7.3", (3, 7)), ("", (0, 0))],
)
def test_parse_minor(text: str, expected: tuple[int, int]) -> None:
    assert parse_minor(text) == expected
