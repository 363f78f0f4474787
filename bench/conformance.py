"""How far specsync agrees with oasdiff on what that tool was recorded on.

    python -m bench.conformance [-v]       -v: each pair that differs, with what is missing (-) and what is more (+)

Compared are the sets of (rule id, method, path) over the ids of that tool's catalog; what specsync finds beyond the
catalog is counted apart. The data is looked for in SPECSYNC_CONFORMANCE_DIR, else beside the project.
"""

from __future__ import annotations

import gzip
import json
import lzma
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specsync.diffing import Comparison, compare
from specsync.diffing.rules import RULES
from specsync.openapi.canonical import normalize
from specsync.openapi.load import Loaded, load

PROJECT = Path(__file__).parent.parent
Key = tuple[str, str, str]


def folder() -> Path | None:
    """Where the data is, if it is there."""
    path = Path(os.environ.get("SPECSYNC_CONFORMANCE_DIR") or PROJECT.parent / "shared" / "conformance")
    return path if path.is_dir() else None


@dataclass(frozen=True)
class Agreement:
    """One pair of documents: what either tool found in it."""

    name: str
    theirs: frozenset[Key]
    ours: frozenset[Key]
    """Only ids that the other tool has."""
    beyond: int
    """How many events of ours have an id that the other tool has not."""
    they_break: bool
    we_break: bool
    their_breaking: frozenset[tuple[str, str]]
    our_breaking: frozenset[tuple[str, str]]
    """Operations with a breaking change."""

    @property
    def is_exact(self) -> bool:
        return self.theirs == self.ours

    @property
    def same_verdict(self) -> bool:
        return self.they_break == self.we_break

    @property
    def precision(self) -> float:
        return len(self.theirs & self.ours) / len(self.ours) if self.ours else 1.0

    @property
    def recall(self) -> float:
        return len(self.theirs & self.ours) / len(self.theirs) if self.theirs else 1.0


def small_agreements(data: Path) -> Iterator[Agreement]:
    for line in (data / "oasdiff" / "expected.jsonl").read_text().splitlines():
        pair = json.loads(line)
        old, new = (load((data / "oasdiff" / pair[side]).read_bytes()) for side in ("base", "revision"))
        yield _agreement(f"{pair['base']} → {pair['revision']}", old, new, pair["events"])


def real_agreements(data: Path) -> Iterator[Agreement]:
    for path in sorted((data / "real").glob("*.expected.jsonl.gz")):
        name = path.name.removesuffix(".expected.jsonl.gz")
        with gzip.open(path, "rt") as lines:
            events = [json.loads(line) for line in lines]
        old, new = (read(data, document) for document in name.split("--"))
        yield _agreement(name, old, new, events)


def read(data: Path, name: str) -> Loaded:
    """One of the real documents, loaded."""
    (path,) = (path for path in (data / "real").glob(f"{name}.*.xz"))
    return load(lzma.decompress(path.read_bytes()))


def _agreement(name: str, old: Loaded, new: Loaded, expected: list[dict[str, Any]]) -> Agreement:
    comparison = compare(normalize(old), normalize(new))
    known = [event for event in comparison.events if RULES[event.id].origin == "oasdiff"]
    return Agreement(
        name=name,
        theirs=frozenset((event["id"], event.get("operation") or "", event.get("path") or "") for event in expected),
        ours=frozenset(
            (event.id, event.operation.method, event.operation.path) if event.operation else (event.id, "", "")
            for event in known
        ),
        beyond=len(comparison.events) - len(known),
        they_break=any(event["level"] == "ERR" for event in expected),
        we_break=any(event.severity == "breaking" for event in comparison.events),
        their_breaking=frozenset(
            (event["operation"], event["path"])
            for event in expected
            if event["level"] == "ERR" and event.get("operation")
        ),
        our_breaking=_breaking_operations(comparison),
    )


def _breaking_operations(comparison: Comparison) -> frozenset[tuple[str, str]]:
    return frozenset(
        (event.operation.method, event.operation.path)
        for event in comparison.events
        if event.severity == "breaking" and event.operation is not None
    )


def _by_id(agreements: Iterable[Agreement]) -> None:
    both, missing, more = Counter[str](), Counter[str](), Counter[str]()
    for agreement in agreements:
        both.update(key[0] for key in agreement.theirs & agreement.ours)
        missing.update(key[0] for key in agreement.theirs - agreement.ours)
        more.update(key[0] for key in agreement.ours - agreement.theirs)
    print(f"\n{'id':62} {'both':>5} {'missing':>8} {'more':>5} {'precision':>10} {'recall':>7}")
    for name in sorted(missing | more, key=lambda name: (-(missing[name] + more[name]), name)):
        ours, theirs = both[name] + more[name], both[name] + missing[name]
        precision = f"{both[name] / ours:.0%}" if ours else "–"
        recall = f"{both[name] / theirs:.0%}" if theirs else "–"
        print(f"{name:62} {both[name]:5} {missing[name]:8} {more[name]:5} {precision:>10} {recall:>7}")
    silent = [name for name in both if not missing[name] and not more[name]]
    print(f"All others ({len(silent)} ids): 100 % and 100 %.")


def main() -> None:
    data = folder()
    if data is None:
        sys.exit("No data: set SPECSYNC_CONFORMANCE_DIR to the folder that holds it.")
    small = list(small_agreements(data))
    exact, verdict = sum(a.is_exact for a in small), sum(a.same_verdict for a in small)
    print(f"Small pairs: {exact} of {len(small)} agree exactly ({exact / len(small):.1%}), ", end="")
    print(f"{verdict} on whether anything breaks.")
    differing = [agreement for agreement in small if not agreement.is_exact]
    for agreement in differing if "-v" in sys.argv else ():
        print(f"  {agreement.name}")
        for sign, keys in (("-", agreement.theirs - agreement.ours), ("+", agreement.ours - agreement.theirs)):
            for key in sorted(keys):
                print(f"    {sign} {' '.join(key)}")
    real = list(real_agreements(data))
    print(f"\n{'real pair':30} {'theirs':>7} {'ours':>6} {'both':>6} {'precision':>10} {'recall':>7}", end="")
    print("   operations that break: theirs, ours, both")
    for a in real:
        print(
            f"{a.name:30} {len(a.theirs):7} {len(a.ours):6} {len(a.theirs & a.ours):6} {a.precision:10.1%} "
            f"{a.recall:7.1%}   {len(a.their_breaking):4} {len(a.our_breaking):4} "
            f"{len(a.their_breaking & a.our_breaking):4}   and {a.beyond} events beyond the catalog"
        )
    _by_id([*small, *real])


if __name__ == "__main__":
    main()
