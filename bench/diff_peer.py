"""Measures `specsync diff` beside oasdiff: whole processes, alternating, on the real pairs of the conformance data.

`make bench-diff` runs it. Prints, for each pair, the minimum of the runs' wall time and the peak memory of both.
"""

import argparse
import json
import lzma
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from devcluster.building import build, cached
from devcluster.gomodules import OASDIFF

ROOT = Path(__file__).parent.parent
PAIRS = (
    ("plaid-1", "plaid-0", "yml"),
    ("plaid-60", "plaid-0", "yml"),
    ("box-120", "box-0", "json"),
    ("github-19.0.0", "github-23.0.2", "json"),
)


@dataclass
class Best:
    """The best of several runs: wall time in seconds, peak memory in MB."""

    seconds: float = math.inf
    megabytes: float = math.inf

    def take(self, seconds: float, megabytes: float) -> None:
        self.seconds = min(self.seconds, seconds)
        self.megabytes = min(self.megabytes, megabytes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs of each (default: %(default)s)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    options = parser.parse_args()
    data = Path(os.environ.get("SPECSYNC_CONFORMANCE_DIR") or ROOT.parent / "shared" / "conformance") / "real"
    if not data.is_dir():
        print(f"no documents in {data}: set SPECSYNC_CONFORMANCE_DIR", file=sys.stderr)
        return 2
    folder = cached(OASDIFF) or build(OASDIFF, lambda text: print(text, file=sys.stderr))
    peer = [str(folder / "oasdiff"), "changelog", "--allow-external-refs=false", "-f", "json"]
    ours = [str(Path(sys.executable).parent / "specsync"), "diff", "-o", "json"]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for old, new, suffix in PAIRS:
            paths = [_unpack(data / f"{name}.{suffix}.xz", Path(scratch)) for name in (old, new)]
            best = _alternate([peer, ours], paths, options.runs)
            rows.append((f"{old} → {new}", best[0], best[1]))
    _print(rows, options.output)
    return 0


def _unpack(packed: Path, into: Path) -> str:
    path = into / packed.stem
    if not path.exists():
        path.write_bytes(lzma.decompress(packed.read_bytes()))
    return str(path)


def _alternate(commands: list[list[str]], paths: list[str], runs: int) -> list[Best]:
    best = [Best() for _ in commands]
    for _ in range(runs):
        for found, command in zip(best, commands, strict=True):
            found.take(*_measure([*command, *paths]))
    return best


def _measure(command: list[str]) -> tuple[float, float]:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{' '.join(command)} failed: {process.stderr.read().decode() if process.stderr else ''}")
    return elapsed, usage.ru_maxrss / 1024


def _print(rows: list[tuple[str, Best, Best]], output: str) -> None:
    mean = math.exp(sum(math.log(peer.seconds / ours.seconds) for _, peer, ours in rows) / len(rows))
    if output == "json":
        found = [
            {"pair": pair, "oasdiff": vars(peer), "specsync": vars(ours), "ratio": peer.seconds / ours.seconds}
            for pair, peer, ours in rows
        ]
        print(json.dumps({"pairs": found, "geometricMean": mean}, indent=2))
        return
    print(f"{'pair':<32}{'oasdiff':>18}{'specsync':>18}{'faster':>9}{'memory':>9}")
    for pair, peer, ours in rows:
        print(
            f"{pair:<32}{peer.seconds:>9.2f}s {peer.megabytes:>5.0f}MB {ours.seconds:>9.2f}s {ours.megabytes:>5.0f}MB"
            f"{peer.seconds / ours.seconds:>8.1f}×{ours.megabytes / peer.megabytes:>8.0%}"
        )
    print(f"geometric mean: {mean:.1f}× faster than oasdiff {OASDIFF.version}")


if __name__ == "__main__":
    sys.exit(main())
