"""How long loading takes and how much memory it needs, for each document, each in a process of its own.

    python -m bench.load [FILE ...]        documents, .xz or not; without any, those of the conformance folder

For YAML, PyYAML's CSafeLoader and both readers of ours stand side by side. The time is the best of five,
the memory (on Linux) is the peak of the process above what it needed with everything imported and the document read.
"""

from __future__ import annotations

import json
import lzma
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from specsync.openapi.limits import Limits
from specsync.openapi.load import load
from specsync.openapi.yaml_events import read_exactly

PROJECT = Path(__file__).parent.parent
ROUNDS = 5
READERS: dict[str, Callable[[bytes], object]] = {
    "load": load,
    "as_tree": lambda data: load(data).as_tree(),
    "exact": lambda data: read_exactly(data, Limits()),
    "CSafeLoader": lambda data: yaml.load(data, Loader=yaml.CSafeLoader),
}


def main() -> None:
    files = [Path(name) for name in sys.argv[1:]] or conformance_files()
    if not files:
        sys.exit("No documents: name some, or set SPECSYNC_CONFORMANCE_DIR to the folder that holds them.")
    print(f"{'document':24} {'MB':>6} {'reader':12} {'ms':>8} {'peak MB':>8}")
    for file in files:
        data = read(file)
        is_json = data.lstrip()[:1] in b"{["
        for reader in ("load", "as_tree") if is_json else ("load", "exact", "CSafeLoader"):
            result = measured(data, reader)
            print(
                f"{file.name.removesuffix('.xz'):24} {len(data) / 1e6:6.1f} {reader:12} "
                f"{result['ms']:8.1f} {result['mb']:8.1f}"
            )


def conformance_files() -> list[Path]:
    folder = os.environ.get("SPECSYNC_CONFORMANCE_DIR") or PROJECT.parent / "shared" / "conformance"
    return sorted(Path(folder).glob("real/*.xz"))


def read(file: Path) -> bytes:
    return lzma.decompress(file.read_bytes()) if file.suffix == ".xz" else file.read_bytes()


def measured(data: bytes, reader: str) -> dict[str, float]:
    """Milliseconds and megabytes of one reader on one document, from a fresh process."""
    # By a file: unpacking, or reading a pipe, would leave a peak of its own in that process.
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        command = [sys.executable, "-m", "bench.load", "--one", file.name, reader]
        output = subprocess.run(command, check=True, capture_output=True, cwd=PROJECT).stdout
    result: dict[str, float] = json.loads(output)
    return result


def one(file: Path, reader: str) -> None:
    run = READERS[reader]
    data = file.read_bytes()
    before = peak_mb()
    run(data)
    mb = peak_mb() - before
    best = min(timed(run, data) for _ in range(ROUNDS))
    json.dump({"ms": best * 1e3, "mb": mb}, sys.stdout)


def timed(run: Callable[[bytes], object], data: bytes) -> float:
    start = time.perf_counter()
    run(data)
    return time.perf_counter() - start


def peak_mb() -> float:
    # Not getrusage(): its maximum outlives exec(), so a child begins with that of its parent.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("The kernel doesn't say what this process needed at most: no VmHWM in /proc/self/status.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(Path(sys.argv[2]), sys.argv[3])
    else:
        main()
