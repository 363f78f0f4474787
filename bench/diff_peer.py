"""Whole processes of `specsync diff` and of oasdiff, on the real pairs of the conformance data.

The two alternate, so that both meet the same moods of the machine, and both print JSON. `specsync` runs from compiled
bytecode, as it does where it is installed.
"""

from __future__ import annotations

import contextlib
import lzma
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devcluster.building import build, cached
from devcluster.gomodules import OASDIFF

PAIRS = (("plaid-1", "plaid-0"), ("plaid-60", "plaid-0"), ("box-120", "box-0"), ("github-19.0.0", "github-23.0.2"))
_BETWEEN_LOOKS = 0.002
"""Seconds."""


@dataclass
class Best:
    """The least time that any of several runs took, and the most memory."""

    seconds: float = math.inf
    cpu_seconds: float = math.inf
    megabytes: float = 0.0
    """The peak: of the largest process, or of all together where there are several at a time."""


def peer_command() -> list[str]:
    """oasdiff at its pinned version, built if it isn't yet."""
    folder = cached(OASDIFF) or build(OASDIFF, lambda text: print(text, file=sys.stderr))
    return [str(folder / "oasdiff"), "changelog", "--allow-external-refs=false", "-f", "json"]


def own_command() -> list[str]:
    return [str(Path(sys.executable).parent / "specsync"), "diff", "-o", "json"]


def unpacked(data: Path, name: str, into: Path) -> Path:
    """One of the real documents, as a file."""
    (packed,) = (data / "real").glob(f"{name}.*.xz")
    path = into / packed.name.removesuffix(".xz")
    if not path.exists():
        path.write_bytes(lzma.decompress(packed.read_bytes()))
    return path


def alternate(commands: list[list[str]], files: list[Path], runs: int, scratch: Path) -> list[Best]:
    """The best of ``runs`` runs of each command on two documents."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(scratch / "bytecode")
    lines = [[*command, *map(str, files)] for command in commands]
    for line in lines:
        _measure(line, environment)  # compiles, and brings all files into memory
    best = [Best(megabytes=max(_peak(line, environment) for _ in range(2))) for line in lines]
    for _ in range(runs):
        for found, line in zip(best, lines, strict=True):
            seconds, cpu_seconds = _measure(line, environment)
            found.seconds, found.cpu_seconds = min(found.seconds, seconds), min(found.cpu_seconds, cpu_seconds)
    return best


def _measure(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    started = time.perf_counter()
    with _running(command, environment) as process:
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command[0]} failed: {process.stderr.read().decode() if process.stderr else ''}")
    return elapsed, usage.ru_utime + usage.ru_stime


def _peak(command: list[str], environment: dict[str, str]) -> float:
    """The most memory, in MB, that a command used: its process alone, or with those that it forked, where what they
    share counts once.

    Not getrusage(): its maximum begins with that of the process that started the command.
    """
    alone = together = 0.0
    with _running(command, environment) as process:
        while process.poll() is None:
            alone = max(alone, _megabytes(process.pid, "status", "VmHWM:"))
            together = max(together, sum(_megabytes(pid, "smaps_rollup", "Pss:") for pid in _family(process.pid)))
            time.sleep(_BETWEEN_LOOKS)
    return max(alone, together)


def _running(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)


def _megabytes(pid: int, file: str, field: str) -> float:
    """One field of what the kernel says of a process; 0 where it says nothing, as of one that is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    return 0.0
