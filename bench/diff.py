"""How fast `specsync diff` is, and what it needs, beside oasdiff; and that its cost grows as the document does.

    python -m bench.diff [--runs 5] [--without-peer] [-o json]

whole   both tools as processes, from start to exit, alternating; the least of the runs, in wall time, and peak memory
warm    what a worker's child does that has the older version's canonical form as bytes: it reads those, loads and
        normalizes the newer version, and compares; and the parts of that, in milliseconds
growth  the same document with its operations 1, 4 and 16 times: microseconds for each operation
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bench.conformance import folder
from bench.diff_peer import PAIRS, Best, alternate, own_command, peer_command, unpacked
from specsync.diffing import compare
from specsync.openapi.canonical import CanonicalDocument, normalize
from specsync.openapi.load import load

TIMES = (1, 4, 16)
_GROWING = ("box-120", "box-0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs of each (default: %(default)s)")
    parser.add_argument("--without-peer", action="store_true", help="specsync alone: nothing is built or downloaded")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    options = parser.parse_args()
    data = folder()
    if data is None:
        sys.exit("No data: set SPECSYNC_CONFORMANCE_DIR to the folder that holds it.")
    commands = [own_command()] if options.without_peer else [own_command(), peer_command()]
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        pairs = {f"{old} → {new}": [unpacked(data, each, scratch) for each in (old, new)] for old, new in PAIRS}
        # First of all, while this process is small: a child's peak begins with what its parent holds.
        whole = {pair: alternate(commands, files, options.runs, scratch) for pair, files in pairs.items()}
        warm = {pair: _warm(files, options.runs) for pair, files in pairs.items()}
        growth = _growth([unpacked(data, each, scratch) for each in _GROWING], options.runs)
    (_print_json if options.output == "json" else _print)(whole, warm, growth)


_Whole = dict[str, list[Best]]
_Parts = dict[str, dict[str, float]]


def _warm(files: list[Path], runs: int) -> dict[str, float]:
    """Milliseconds of what is done where the older version's form is there, and of its parts."""
    raw_old, raw_new = (path.read_bytes() for path in files)
    stored = normalize(load(raw_old)).to_bytes()

    def warm() -> None:
        compare(CanonicalDocument.from_bytes(stored), normalize(load(raw_new)))

    loaded = load(raw_new)
    new = normalize(loaded)
    return {
        "warm": _best(runs, warm),
        "load": _best(runs, lambda: load(raw_new)),
        "normalize": _best(runs, lambda: normalize(loaded)),
        "compare": _best(runs, lambda: compare(CanonicalDocument.from_bytes(stored), new)),
    }


def _growth(files: list[Path], runs: int) -> dict[int, dict[str, float]]:
    """For documents with a multiple of the operations: how many there are, and microseconds for each."""
    found = {}
    for times in TIMES:
        old, new = (_multiplied(path.read_bytes(), times) for path in files)

        def work(old: bytes = old, new: bytes = new) -> None:
            compare(normalize(load(old)), normalize(load(new)))

        operations = len(normalize(load(new)).operations)
        found[times] = {"operations": operations, "each": _best(min(runs, 3), work) * 1000 / operations}
    return found


def _multiplied(document: bytes, times: int) -> bytes:
    """A JSON document with all of its paths several times, under different names."""
    tree: dict[str, Any] = msgspec.json.decode(document)
    tree["paths"] = {
        f"/copy{number}{path}" if number else path: item
        for number in range(times)
        for path, item in tree["paths"].items()
    }
    return msgspec.json.encode(tree)


def _best(runs: int, work: Callable[[], object]) -> float:
    """Milliseconds of processor time: the least of the runs."""
    times = []
    for _ in range(runs):
        gc.collect()
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times) * 1000


def _mean(ratios: list[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def _print(whole: _Whole, warm: _Parts, growth: dict[int, dict[str, float]]) -> None:
    print(f"{'whole':<32}{'specsync':>20}{'oasdiff':>20}{'faster':>9}{'memory':>9}")
    ratios = []
    for pair, (own, *peers) in whole.items():
        line = f"{pair:<32}{own.seconds * 1000:>10.0f} ms {own.megabytes:>3.0f} MB"
        for peer in peers:
            ratios.append(peer.seconds / own.seconds)
            line += f"{peer.seconds * 1000:>10.0f} ms {peer.megabytes:>3.0f} MB"
            line += f"{ratios[-1]:>8.1f}×{own.megabytes / peer.megabytes:>9.0%}"
        print(line)
    if ratios:
        print(f"{'geometric mean':<72}{_mean(ratios):>8.1f}×")
    print(f"\n{'warm':<32}{'ms':>10}{'load':>10}{'normalize':>10}{'compare':>10}{'faster':>9}")
    for pair, parts in warm.items():
        line = f"{pair:<32}" + "".join(f"{value:>10.0f}" for value in parts.values())
        print(line + "".join(f"{peer.seconds * 1000 / parts['warm']:>8.1f}×" for peer in whole[pair][1:]))
    print(f"\n{'growth':<32}{'operations':>10}{'µs each':>10}")
    for times, found in growth.items():
        print(f"{' → '.join(_GROWING) + f', {times}×':<32}{found['operations']:>10.0f}{found['each']:>10.0f}")


def _print_json(whole: _Whole, warm: _Parts, growth: dict[int, dict[str, float]]) -> None:
    tools = ("specsync", "oasdiff")
    pairs = {
        pair: {tool: vars(best) for tool, best in zip(tools, found, strict=False)} for pair, found in whole.items()
    }
    ratios = [found[1].seconds / found[0].seconds for found in whole.values() if len(found) > 1]
    result = {"whole": pairs, "geometricMean": _mean(ratios) if ratios else None, "warm": warm, "growth": growth}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
