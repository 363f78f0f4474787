"""How far specsync agrees with oasdiff on what that tool was recorded on.

    python -m bench.conformance

Compared are the sets of (rule id, method, path) over the ids of that tool's catalog; what specsync finds beyond the
catalog is counted apart. Small pairs that differ are shown with what is missing (-) and what is more (+). For the real
pairs, the operations on which the tools differ about "breaking" are counted by the divergence that explains them
(``explained.py``). Exits with 1 where something is unexplained. The data is looked for in SPECSYNC_CONFORMANCE_DIR,
else beside the project.
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
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from bench.explained import Tool, divergence_of, titles
from specsync.diffing import compare
from specsync.diffing.rules import RULES
from specsync.openapi.canonical import normalize
from specsync.openapi.load import Loaded, load

PROJECT = Path(__file__).parent.parent
Key = tuple[str, str, str]
Operation = tuple[str, str]
TOOLS: tuple[Tool, Tool] = ("oasdiff", "specsync")


def folder() -> Path | None:
    """Where the data is, if it is there."""
    path = Path(os.environ.get("SPECSYNC_CONFORMANCE_DIR") or PROJECT.parent / "shared" / "conformance")
    return path if path.is_dir() else None


class Found(NamedTuple):
    """One event, in the terms that both tools have in common."""

    id: str
    method: str
    path: str
    breaks: bool
    place: str
    """Where in the operation: oasdiff's arguments, or specsync's JSON pointer."""
    is_known: bool = True
    """The other tool has this id, too."""

    @property
    def key(self) -> Key:
        return self.id, self.method, self.path


@dataclass(frozen=True)
class Agreement:
    """One pair of documents: what either tool found in it."""

    name: str
    expected: tuple[Found, ...]
    found: tuple[Found, ...]

    @cached_property
    def theirs(self) -> frozenset[Key]:
        return frozenset(each.key for each in self.expected)

    @cached_property
    def ours(self) -> frozenset[Key]:
        """Only ids that the other tool has."""
        return frozenset(each.key for each in self.found if each.is_known)

    @property
    def beyond(self) -> int:
        """How many events of ours have an id that the other tool has not."""
        return sum(not each.is_known for each in self.found)

    @property
    def is_exact(self) -> bool:
        return self.theirs == self.ours

    @property
    def same_verdict(self) -> bool:
        return any(each.breaks for each in self.expected) == any(each.breaks for each in self.found)

    @property
    def precision(self) -> float:
        return len(self.theirs & self.ours) / len(self.ours) if self.ours else 1.0

    @property
    def recall(self) -> float:
        return len(self.theirs & self.ours) / len(self.theirs) if self.theirs else 1.0

    def breaking(self, finder: Tool) -> dict[Operation, list[Found]]:
        """The operations that break by the one tool, with what breaks them."""
        operations: dict[Operation, list[Found]] = {}
        for each in self.expected if finder == "oasdiff" else self.found:
            if each.breaks and each.method:
                operations.setdefault((each.method, each.path), []).append(each)
        return operations

    def only(self, finder: Tool) -> list[Found]:
        """What only one of the tools finds, and what only it calls breaking where they differ on the whole pair."""
        one, other = (self.expected, self.found) if finder == "oasdiff" else (self.found, self.expected)
        keys = {each.key for each in other}
        broken = {each.key for each in other if each.breaks}
        return [
            each
            for each in one
            if (each.is_known and each.key not in keys)
            or (each.breaks and each.key not in broken and not self.same_verdict)
        ]


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
    events = compare(normalize(old), normalize(new)).events
    return Agreement(
        name=name,
        expected=tuple(
            Found(
                id=event["id"],
                method=event.get("operation") or "",
                path=event.get("path") or "",
                breaks=event["level"] == "ERR",
                place=" ".join(event.get("args") or ()),
            )
            for event in expected
        ),
        found=tuple(
            Found(
                id=event.id,
                method=event.operation.method if event.operation else "",
                path=event.operation.path if event.operation else "",
                breaks=event.severity == "breaking",
                place=event.location.new or event.location.old or "",
                is_known=RULES[event.id].origin == "oasdiff",
            )
            for event in events
        ),
    )


class Difference(NamedTuple):
    """What only one tool says of an operation, or of a small pair, and the divergences that explain it."""

    pair: str
    finder: Tool
    operation: Operation
    divergences: frozenset[int]
    unexplained: tuple[Found, ...]
    example: Found


def pair_differences(agreements: Iterable[Agreement]) -> list[Difference]:
    """For pairs that don't agree exactly, or not on whether anything breaks: each event that is one tool's only."""
    return [
        _difference(agreement, finder, ("", ""), agreement.only(finder))
        for agreement in agreements
        for finder in TOOLS
        if (not agreement.is_exact or not agreement.same_verdict) and agreement.only(finder)
    ]


def breaking_differences(agreements: Iterable[Agreement]) -> list[Difference]:
    """For each operation that breaks by one tool only: all that breaks it."""
    differences = []
    for agreement in agreements:
        for finder, other in (TOOLS, TOOLS[::-1]):
            known = agreement.breaking(other)
            for operation, found in agreement.breaking(finder).items():
                if operation not in known:
                    differences.append(_difference(agreement, finder, operation, found))
    return differences


def _difference(agreement: Agreement, finder: Tool, operation: Operation, found: list[Found]) -> Difference:
    numbers = [divergence_of(finder, agreement.name, each.id, each.place) for each in found]
    return Difference(
        pair=agreement.name,
        finder=finder,
        operation=operation,
        divergences=frozenset(number for number in numbers if number is not None),
        unexplained=tuple(each for each, number in zip(found, numbers, strict=True) if number is None),
        example=found[0],
    )


def _by_divergence(differences: list[Difference], what: str) -> None:
    """A table: each divergence, how many it explains, by who finds it, and one of them."""
    heading = titles()
    print(f"{'':>3} {'divergence':64} {'oasdiff':>8} {'specsync':>9}   for example")
    for number in sorted({number for each in differences for number in each.divergences}):
        of_it = [each for each in differences if number in each.divergences]
        counts = Counter(each.finder for each in of_it)
        first = next((each for each in of_it if len(each.divergences) == 1), of_it[0])
        example = " ".join(part for part in (first.example.id, *first.operation, f"({first.pair})") if part)
        title = heading[number] if len(heading[number]) <= 64 else heading[number][:63] + "…"
        print(f"{number:3} {title:64} {counts['oasdiff']:8} {counts['specsync']:9}   {example}")
    unexplained = [each for each in differences if each.unexplained]
    print(f"{len(differences)} {what}; {len(unexplained)} of them unexplained" + (":" if unexplained else "."))
    for each in unexplained:
        print(f"  {each.finder} only, {each.pair}: {' '.join(each.operation)}")
        for found in each.unexplained:
            print(f"    {found.id} {found.place}")


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
    print(f"{verdict} on whether anything breaks.\n")
    differing = [agreement for agreement in small if not agreement.is_exact or not agreement.same_verdict]
    for agreement in differing:
        print(f"  {agreement.name}" + ("" if agreement.same_verdict else "   (the verdict differs)"))
        for finder, sign in zip(TOOLS, "-+", strict=True):
            for found in agreement.only(finder):
                number = divergence_of(finder, agreement.name, found.id, found.place)
                print(f"    {sign} {' '.join(found.key).rstrip()}: divergence {number}")
    print()
    pairs = pair_differences(small)
    _by_divergence(pairs, "times that one tool finds more in a small pair")
    real = list(real_agreements(data))
    print(f"\n{'real pair':30} {'theirs':>7} {'ours':>6} {'both':>6} {'precision':>10} {'recall':>7}", end="")
    print("   operations that break: theirs, ours, both")
    for a in real:
        theirs, ours = a.breaking("oasdiff").keys(), a.breaking("specsync").keys()
        print(
            f"{a.name:30} {len(a.theirs):7} {len(a.ours):6} {len(a.theirs & a.ours):6} {a.precision:10.1%} "
            f"{a.recall:7.1%}   {len(theirs):4} {len(ours):4} {len(theirs & ours):4}"
            f"   and {a.beyond} events beyond the catalog"
        )
    print("\nOperations of the real pairs that break by one tool only:")
    operations = breaking_differences(real)
    _by_divergence(operations, "operations")
    _by_id([*small, *real])
    if any(each.unexplained for each in (*pairs, *operations)):
        sys.exit(1)


if __name__ == "__main__":
    main()
