"""How long comparing takes, for each of the real pairs.

    python -m bench.diff [ROUNDS]          default 5; the minimum of each is printed

``process`` is `specsync diff` as a whole, with its start and its output; ``load``, ``normalize`` and ``compare`` are
its parts, in a warm interpreter; ``warm`` is what a worker does that holds the older version's canonical form as bytes:
reading those, loading and normalizing the newer version, comparing. ``peak`` is the process's largest resident set.
"""

from __future__ import annotations

import gc
import lzma
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.conformance import folder
from specsync.diffing import compare
from specsync.openapi.canonical import CanonicalDocument, normalize
from specsync.openapi.load import load

PAIRS = (("plaid-1", "plaid-0"), ("plaid-60", "plaid-0"), ("box-120", "box-0"), ("github-19.0.0", "github-23.0.2"))


def main() -> None:
    data = folder()
    if data is None:
        sys.exit("No data: set SPECSYNC_CONFORMANCE_DIR to the folder that holds it.")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    columns = ("process", "peak MB", "load", "normalize", "compare", "warm", "events", "causes")
    print(f"{'pair (ms)':28}" + "".join(f"{column:>10}" for column in columns))
    with tempfile.TemporaryDirectory() as scratch:
        pairs = {f"{old} → {new}": [_unpacked(data, name, Path(scratch)) for name in (old, new)] for old, new in PAIRS}
        # First of all, while this process is small: a child's peak begins with what its parent holds.
        processes = {name: [_process(files) for _ in range(rounds)] for name, files in pairs.items()}
        for name, files in pairs.items():
            print(f"{name:28}" + "".join(f"{value:>10}" for value in _measured(files, rounds, processes[name])))


def _unpacked(data: Path, name: str, scratch: Path) -> Path:
    (packed,) = (data / "real").glob(f"{name}.*.xz")
    path = scratch / packed.name.removesuffix(".xz")
    if not path.exists():
        path.write_bytes(lzma.decompress(packed.read_bytes()))
    return path


def _measured(files: list[Path], rounds: int, processes: list[tuple[float, int]]) -> list[str]:
    raw = [path.read_bytes() for path in files]
    loaded = [load(data) for data in raw]
    forms = [normalize(one) for one in loaded]
    stored = forms[0].to_bytes()
    old, new = forms
    comparison = compare(old, new)

    def warm() -> None:
        compare(CanonicalDocument.from_bytes(stored), normalize(load(raw[1])))

    parts = [
        _best(rounds, lambda: [load(data) for data in raw]),
        _best(rounds, lambda: [normalize(one) for one in loaded]),
        _best(rounds, lambda: compare(old, new)),
        _best(rounds, warm),
    ]
    peak = max(memory for _, memory in processes)
    return [
        f"{min(seconds for seconds, _ in processes) * 1000:.0f}",
        f"{peak / 1024:.0f}",
        *(f"{seconds * 1000:.0f}" for seconds in parts),
        str(len(comparison.events)),
        str(len(comparison.causes)),
    ]


def _process(files: list[Path]) -> tuple[float, int]:
    """Seconds and KiB of one `specsync diff`."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "specsync.cli.main", "diff", *map(str, files)], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"specsync diff ended with {process.returncode}.")
    return time.perf_counter() - started, usage.ru_maxrss


def _best(rounds: int, work: Callable[[], object]) -> float:
    times = []
    for _ in range(rounds):
        gc.collect()
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


if __name__ == "__main__":
    main()
