"""Digests over a graph of components, so that equal digests mean equal meaning however deep the references go.

A component's digest covers its own bytes and the digests of all that it refers to (a Merkle DAG). Components that
refer to each other in a circle share the fate of their strongly connected component.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import xxhash

Key = TypeVar("Key", bound=Hashable)


def merkle_digests(contents: Mapping[Key, bytes], references: Mapping[Key, Sequence[Key]]) -> dict[Key, str]:
    """A digest (32 hex digits) for each key of ``contents``.

    ``references`` names what each key refers to; names that ``contents`` lacks are ignored. The same input gives the
    same digests on every machine.
    """
    digests: dict[Key, str] = {}
    for component in strongly_connected(contents, references):
        outside = sorted(
            {
                f"{target} {digests[target]}"  # with its name: contents that are swapped are a change
                for key in component
                for target in references.get(key, ())
                if target in digests
            }
        )
        if len(component) == 1:
            key = component[0]
            circular = "circular" if key in references.get(key, ()) else ""
            digests[key] = _digest(contents[key], circular, *outside)
            continue
        own = {key: _digest(contents[key]) for key in component}
        together = _digest(b"", *sorted(f"{key} {digest}" for key, digest in own.items()), *outside)
        for key in component:
            digests[key] = _digest(b"", own[key], together)
    return digests


_MOST_ROUNDS = 8


def shape_digests(contents: Mapping[Key, bytes], references: Mapping[Key, Sequence[Key]]) -> dict[Key, str]:
    """Digests that don't depend on the names of components: those of a component and of its renamed copy are equal.

    ``contents`` must not hold the names that ``references`` has, in the order of their places. Digests of components
    that differ may be equal where the difference is more than some levels of reference away.
    """
    own = {key: _digest(content) for key, content in contents.items()}
    shapes = own
    for _ in range(_MOST_ROUNDS):
        classes = len(set(shapes.values()))
        shapes = {
            key: _digest(b"", own[key], *(shapes.get(target, "") for target in references.get(key, ()))) for key in own
        }
        if len(set(shapes.values())) == classes:
            break
    return shapes


def _digest(content: bytes, *parts: str) -> str:
    hasher = xxhash.xxh3_128(content)
    for part in parts:
        hasher.update(part.encode())
    return hasher.hexdigest()


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
