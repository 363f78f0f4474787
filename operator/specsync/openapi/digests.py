"""Digests over a graph of components, so that equal digests mean equal meaning however deep the references go.

A component's digest covers its own bytes and the digests of all that it refers to (a Merkle DAG). Components that
refer to each other in a circle share the fate of their strongly connected component.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

import xxhash

Key = TypeVar("Key", bound=Hashable)


def merkle_digests(contents: Mapping[Key, bytes], references: Mapping[Key, Sequence[Key]]) -> dict[Key, str]:
    """A digest (32 hex digits) for each key of ``contents``.

    ``references`` names what each key refers to; names that ``contents`` lacks are ignored. The same input gives the
    same digests on every machine.
    """
    digests: dict[Key, str] = {}
    # Without references there is no order to find.
    digests = {key: _digest(content) for key, content in contents.items() if not references.get(key)}
    labels = _Labels(digests)
    rest = {key: content for key, content in contents.items() if key not in digests}
    for component in strongly_connected(rest, references):
        outside = {target for key in component for target in references[key] if target in digests}
        told = sorted(map(labels.__getitem__, outside))
        if len(component) == 1:
            key = component[0]
            digests[key] = _digest(contents[key], "circular" if key in references[key] else "", *told)
            continue
        own = {key: _digest(contents[key]) for key in component}
        together = _digest(b"", *sorted(f"{key} {digest}" for key, digest in own.items()), *told)
        for key in component:
            digests[key] = _digest(b"", own[key], together)
    return digests


class _Labels(dict[Any, str]):
    """Keys with their digests, as text: contents that are swapped are a change."""

    def __init__(self, digests: Mapping[Any, str]) -> None:
        super().__init__()
        self._digests = digests

    def __missing__(self, key: Any) -> str:
        label = self[key] = f"{key} {self._digests[key]}"
        return label


_MOST_ROUNDS = 8


def shapes(contents: Mapping[Key, bytes], references: Mapping[Key, Sequence[Key]]) -> dict[Key, int]:
    """Numbers that don't depend on the names of components: those of a component and of its renamed copy are equal,
    within this process.

    ``contents`` must not hold the names that ``references`` has, in the order of their places. Numbers of components
    that differ may be equal where the difference is more than some levels of reference away.
    """
    found = {key: hash(content) for key, content in contents.items()}
    referring = [(key, own, references[key]) for key, own in found.items() if references.get(key)]
    classes = len(set(found.values()))
    for _ in range(_MOST_ROUNDS):
        before = classes
        found |= {key: hash((own, *[found.get(target) for target in targets])) for key, own, targets in referring}
        classes = len(set(found.values()))
        if classes == before:
            break
    return found


def _digest(content: bytes, *parts: str) -> str:
    return xxhash.xxh3_128_hexdigest(content + "".join(parts).encode() if parts else content)


def strongly_connected(nodes: Mapping[Key, object], references: Mapping[Key, Sequence[Key]]) -> list[list[Key]]:
    """The strongly connected components, each after all that it refers to (Tarjan's algorithm, without recursion)."""
    order: dict[Key, int] = {}
    lowest: dict[Key, int] = {}
    open_nodes: list[Key] = []
    is_open: set[Key] = set()
    found: list[list[Key]] = []
    for start in nodes:
        if start in order:
            continue
        order[start] = lowest[start] = len(order)
        open_nodes.append(start)
        is_open.add(start)
        work = [(start, iter(references.get(start, ())))]
        while work:
            node, targets = work[-1]
            descended = False
            for target in targets:
                if target not in nodes:
                    continue
                if target not in order:
                    order[target] = lowest[target] = len(order)
                    open_nodes.append(target)
                    is_open.add(target)
                    work.append((target, iter(references.get(target, ()))))
                    descended = True
                    break
                if target in is_open:
                    lowest[node] = min(lowest[node], order[target])
            if descended:
                continue
            work.pop()
            if work:
                parent = work[-1][0]
                lowest[parent] = min(lowest[parent], lowest[node])
            if lowest[node] == order[node]:
                component: list[Key] = []
                while True:
                    member = open_nodes.pop()
                    is_open.discard(member)
                    component.append(member)
                    if member == node:
                        break
                found.append(component)
    return found
