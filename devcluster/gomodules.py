"""The pinned Go modules of `modules/`: what each one builds. Their go.mod files are the only place of a version."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

_FOLDER = Path(__file__).parent / "modules"
_VERSION_PACKAGE = "k8s.io/component-base/version"


@dataclass(frozen=True)
class GoModule:
    """One folder of `modules/` and how its programs are built.

    `source` is the module whose version counts; `names` renames a program whose folder is named otherwise;
    `stamped` sets the version that Kubernetes programs report, for kubectl fails on an empty one;
    `minutes` is what a first build takes on two cores, and `instead` how to do without one, as texts for people.
    """

    name: str
    source: str
    minutes: str
    instead: str
    names: Mapping[str, str] = field(default_factory=dict)
    stamped: bool = False

    @property
    def folder(self) -> Path:
        return _FOLDER / self.name

    @cached_property
    def _go_mod(self) -> str:
        return (self.folder / "go.mod").read_text()

    @cached_property
    def version(self) -> str:
        """The pinned version of `source`, as in `v1.37.2`."""
        return self._find(rf"^\s*(?:require )?{re.escape(self.source)} (v\S+)")

    @cached_property
    def go_version(self) -> str:
        """The Go language version that the module asks for, as in `1.26.0`."""
        return self._find(r"^go (\S+)")

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """Import paths of the programs: the `tool` lines of the go.mod."""
        block = re.search(r"^tool \((.*?)^\)", self._go_mod, re.MULTILINE | re.DOTALL)
        if block:
            return tuple(block.group(1).split())
        return (self._find(r"^tool (\S+)"),)

    @property
    def programs(self) -> tuple[str, ...]:
        """File names of the built programs, in the order of `tools`."""
        return tuple(self.names.get(self.built_name(tool), self.built_name(tool)) for tool in self.tools)

    @property
    def title(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version as numbers."""
        return parse_minor(self.version)

    def ldflags(self) -> str:
        """Link flags: no symbol tables, and the version stamp where the programs need one."""
        flags = ["-s", "-w"]
        if self.stamped:
            major, minor = self.minor
            stamps = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor}
            flags += [f"-X {_VERSION_PACKAGE}.{key}={value}" for key, value in stamps.items()]
        return " ".join(flags)

    @staticmethod
    def built_name(tool: str) -> str:
        """The name that `go install` gives a program: the last part of its path that isn't a major version."""
        parts = tool.split("/")
        return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]

    def _find(self, pattern: str) -> str:
        match = re.search(pattern, self._go_mod, re.MULTILINE)
        if not match:
            raise ValueError(f"devcluster/modules/{self.name}/go.mod has no line like {pattern}")
        return match.group(1)


def parse_minor(version: str) -> tuple[int, int]:
    """Major and minor number of the first `1.2`-like version in a text; (0, 0) where there is none."""
    match = re.search(r"(\d+)\.(\d+)", version)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


_ASSETS = (
    "set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver, kube-controller-manager and kubectl of the same "
    "minor version"
)
KUBERNETES = GoModule(
    "kubernetes", source="k8s.io/kubernetes", minutes="5 to 12 minutes", instead=_ASSETS, stamped=True
)
ETCD = GoModule(
    "etcd",
    source="go.etcd.io/etcd/server/v3",
    minutes="about a minute",
    instead=_ASSETS,
    names={"server": "etcd"},
)
OASDIFF = GoModule(
    "oasdiff",
    source="github.com/oasdiff/oasdiff",
    minutes="about a minute",
    instead="measure without it: python -m bench.diff --without-peer",
)
"""The peer that `make bench-diff` measures beside us, in the version that the conformance data was made with."""
VERSITYGW = GoModule(
    "versitygw",
    source="github.com/versity/versitygw",
    minutes="one to two minutes",
    instead="put versitygw into the PATH",
)
"""A real S3 server, on a folder: tests of the object store talk to it, kill it and fill its disk."""
