"""The Dockerfile's steps, run as they stand there: no container engine is needed, and the two can't drift apart.

What stays unproved is the base image. Paths below / are moved into a folder of the test; everything else is literal.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import PROJECT

# The programs of the machine that the steps use; the image has Python in /usr/local/bin.
SYSTEM_PATH = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"


class Instruction(NamedTuple):
    keyword: str
    rest: str


class Image(NamedTuple):
    """The two stages of the Dockerfile."""

    build: list[Instruction]
    final: list[Instruction]

    def final_value(self, keyword: str) -> str:
        [value] = [i.rest for i in self.final if i.keyword == keyword]
        return value


class Built(NamedTuple):
    """The final stage's file system, as far as it is ours, below `root`."""

    image: Image
    root: Path

    def move(self, text: str) -> str:
        """Absolute paths of the image in `text` as paths below `root`."""
        return re.sub(r"(?<![\w.])/(?=(opt|src)\b)", f"{self.root}/", text)

    def command(self, keyword: str) -> list[str]:
        words = json.loads(self.image.final_value(keyword))
        return [self.move(word) for word in words]

    def environment(self) -> dict[str, str]:
        assignments = dict(word.split("=", 1) for word in self.image.final_value("ENV").split())
        return {name: self.move(value).replace("$PATH", SYSTEM_PATH) for name, value in assignments.items()}


def read_dockerfile() -> Image:
    text = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    stages: list[list[Instruction]] = []
    for line in lines:
        keyword, rest = line.split(maxsplit=1)
        if keyword == "FROM":
            stages.append([])
        stages[-1].append(Instruction(keyword, rest.strip()))
    build, final = stages
    return Image(build, final)


@pytest.fixture(scope="module")
def built() -> Iterator[Built]:
    """The image, built below a folder that another user may enter, then made read-only."""
    image = read_dockerfile()
    root = Path(tempfile.mkdtemp(prefix="specsync-image-"))
    root.chmod(0o755)
    built = Built(image, root)
    try:
        for instruction in image.build:
            run_step(built, instruction)
        # The final stage takes the virtual environment alone.
        assert [i.rest for i in image.final if i.keyword == "COPY"] == ["--from=build /opt/specsync /opt/specsync"]
        shutil.rmtree(root / "src")
        shutil.rmtree(root / "opt" / "build")
        subprocess.run(["chmod", "-R", "a-w,a+rX", root / "opt"], check=True)
        yield built
    finally:
        subprocess.run(["chmod", "-R", "u+w", root], check=True)
        shutil.rmtree(root)


def run_step(built: Built, step: Instruction) -> None:
    work = built.root / "src"
    match step.keyword:
        case "FROM":
            pass
        case "WORKDIR":
            Path(built.move(step.rest)).mkdir(parents=True)
        case "COPY":
            *sources, target = step.rest.split()
            for source in sources:
                copy(PROJECT / source, work / target / ("" if target.endswith("/") else "."))
        case "RUN":
            done = subprocess.run(
                ["/bin/sh", "-ec", built.move(step.rest)],
                cwd=work,
                env={**os.environ, "PATH": SYSTEM_PATH},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"RUN {step.rest}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        case other:
            pytest.fail(f"This test doesn't know how to run {other} of the build stage. Teach it.")


def copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        # As Docker: the folder's content. .dockerignore leaves the bytecode out.
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        shutil.copy(source, target)


def run_in_image(built: Built, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the image would: its user without any right to write, its environment, its folder."""
    return subprocess.run(
        [*as_user(built), *words],
        cwd=built.image.final_value("WORKDIR"),
        env=built.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def as_user(built: Built) -> list[str]:
    """How to become the image's user; nothing where the tests don't run as root, for they have no more rights."""
    if os.getuid() != 0:
        return []
    user, group = built.image.final_value("USER").split(":")
    drop = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
    # A Python in root's own home is closed to others: that user may then read everything, but still write nothing.
    python = Path(sys.executable).resolve()
    reachable = subprocess.run([*drop, "test", "-x", python], check=False).returncode == 0
    capabilities = "-all" if reachable else "-all,+dac_read_search"
    return [*drop, f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}"]


def contents(folder: Path) -> set[tuple[str, int]]:
    return {(str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*")}


def test_the_entry_point_runs_unprivileged_and_writes_nothing(built: Built) -> None:
    before = contents(built.root)
    done = run_in_image(built, *built.command("ENTRYPOINT"), *built.command("CMD"))
    assert done.returncode == 0, done.stderr
    assert "usage: specsync" in done.stdout
    assert contents(built.root) == before


@pytest.mark.parametrize("role", ["controller", "worker"])
def test_the_roles_of_the_deployments_are_commands(built: Built, role: str) -> None:
    done = run_in_image(built, *built.command("ENTRYPOINT"), role, "--help")
    assert done.returncode == 0, done.stderr
    assert f"usage: specsync {role}" in done.stdout


def test_all_requirements_load_in_the_image(built: Built) -> None:
    modules = (
        "aiohttp, brotli, certifi, httpcore, jsonschema_rs, kubernetes, msgspec, obstore, "
        "prometheus_client, structlog, uvloop, xxhash, yaml, yaml_rs, zstandard, aiosmtplib, specsync.resources"
    )
    done = run_in_image(built, "python", "-c", f"import sys, {modules}; print(sys.prefix)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(built.root / "opt" / "specsync")


def test_bytecode_is_there_and_tools_are_not(built: Built) -> None:
    [package] = (built.root / "opt" / "specsync").glob("lib/python3*/site-packages/specsync")
    assert list((package / "__pycache__").glob("__init__.*.pyc"))
    assert not (package.parent / "pip").exists()
    assert not (package.parent / "hatchling").exists()


def test_the_user_can_write_nothing_of_the_image(built: Built) -> None:
    trial = "import sys; open(sys.prefix + '/trial', 'w')"
    done = run_in_image(built, "python", "-c", trial)
    assert done.returncode == 1
    assert "PermissionError" in done.stderr


def test_the_image_needs_no_shell_and_no_root() -> None:
    image = read_dockerfile()
    assert isinstance(json.loads(image.final_value("ENTRYPOINT")), list)
    assert isinstance(json.loads(image.final_value("CMD")), list)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", image.final_value("USER"))
    assert "RUN" not in {i.keyword for i in image.final}
    assert image.final_value("STOPSIGNAL") == "SIGTERM"


def test_the_build_context_holds_what_is_copied() -> None:
    let_in = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {source for i in read_dockerfile().build if i.keyword == "COPY" for source in i.rest.split()[:-1]}
    assert copied == let_in
    assert all((PROJECT / path).exists() for path in copied)


def test_both_stages_start_from_the_same_python() -> None:
    froms = re.findall(r"^FROM (\S+)", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(froms) == 2
    assert len(set(froms)) == 1, "the virtual environment of one Python doesn't work with another"
