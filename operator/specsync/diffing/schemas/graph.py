"""The graph of pairs of schemas: each pair (old, new, direction) is one node, compared once, whoever refers to it.

A node holds what its two schemas differ in, and edges to the pairs below them. Results are never copied from node
to node: inside a cycle a copied result would depend on where one came from. ``expansion.py`` walks the graph from
each operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from specsync.diffing.comparison import Severity
from specsync.diffing.schemas.patterns import Patterns
from specsync.diffing.schemas.sides import ANYTHING, Resolved, Side
from specsync.diffing.unchanged import Unchanged
from specsync.openapi.model import Schema

_MOST_GUESSES = 5_000
"""In one comparison: documents with alternatives in alternatives would ask for each pair of schemas that they have."""
_DEEPEST_GUESS = 20
"""To know whether alternatives mean the same, those within them may have to be tried against each other."""


class Finding(msgspec.Struct, gc=False):
    """A difference between the two schemas of a node, before anybody has said what it means for an operation."""

    aspect: str
    """As in ``rules.tsv``; with a "?" in front where it depends on the place (``expansion.RESOLVERS``)."""
    old: str | None
    new: str | None
    before: Any = None
    after: Any = None
    name: str = ""
    child: str = ""
    """The property that it is about, where the finding is on the schema that has the property."""
    structural: bool = False
    """Counts only where something else was found at or below the same node: a mere move is no event."""
    weak: bool = False
    """Counts only where values are written as text, so that a number is a string."""
    unsure: bool = False
    """What it does to the values isn't known: it is at least a risk."""
    severity: Severity | None = None
    """What it is whatever the rule says, where that is known."""
    cause: Any = None
    """Filled by ``causes.py`` on first use."""


class Edge(msgspec.Struct, gc=False):
    segment: str
    node: Node
    guarded: bool
    """Below it nothing is sent in this direction: readOnly in requests, writeOnly in responses."""
    inverted: bool
    """Below ``not`` and ``if``, where a narrowing may widen what is around it."""


class Node:
    """Two schemas and a direction, with what they differ in."""

    __slots__ = (
        "claims_structure",
        "claims_type",
        "edges",
        "findings",
        "graph",
        "is_compared",
        "is_live",
        "moved",
        "new",
        "new_pointer",
        "old",
        "old_pointer",
        "parents",
        "request",
    )

    def __init__(
        self, graph: Graph, old: Schema, new: Schema, old_pointer: str, new_pointer: str, request: bool
    ) -> None:
        self.graph = graph
        self.old = old
        self.new = new
        self.old_pointer = old_pointer
        self.new_pointer = new_pointer
        self.request = request
        self.findings: list[Finding] = []
        self.edges: list[Edge] = []
        self.parents: list[Node] = []
        self.is_compared = False
        self.is_live = False
        self.claims_type = False
        self.claims_structure = False
        self.moved: frozenset[str] = frozenset()

    @property
    def guarded(self) -> bool:
        """Whether nobody sends it. Who writes requests may know the older document only."""
        if self.request:
            return self.old.read_only or self.new.read_only
        return self.new.write_only

    def both_can_be(self, name: str) -> bool:
        """Whether values of a type are possible on both sides; keywords for other types mean nothing there."""
        old, new = self.old.types, self.new.types
        if not name or old == new:
            return True
        if name == "number":
            return (not old or "number" in old or "integer" in old) and (not new or "number" in new or "integer" in new)
        return (not old or name in old) and (not new or name in new)

    def found(
        self,
        aspect: str,
        keyword: str = "",
        before: Any = None,
        after: Any = None,
        *,
        name: str = "",
        child: str = "",
        structural: bool = False,
        weak: bool = False,
        unsure: bool = False,
        severity: Severity | None = None,
    ) -> None:
        """Note a difference in ``keyword``, the rest of its JSON pointer in both documents."""
        self.findings.append(
            Finding(
                aspect,
                self.graph.old.keyword_pointer(self.old, keyword, self.old_pointer),
                self.graph.new.keyword_pointer(self.new, keyword, self.new_pointer),
                before,
                after,
                name,
                child,
                structural,
                weak,
                unsure,
                severity,
            )
        )

    def compare_below(
        self,
        segment: str,
        old: Schema | bool,
        new: Schema | bool,
        old_keyword: str,
        new_keyword: str,
        *,
        inverted: bool = False,
    ) -> Node | None:
        """Add an edge to the pair below, unless the two are known to mean the same."""
        places = (self.old_pointer + old_keyword, self.new_pointer + new_keyword)
        node = self.graph.node(old, new, *places, self.request, user=self)
        if node is not None:
            self.edges.append(Edge(segment, node, node.guarded, inverted))
            node.parents.append(self)
        return node


Comparer = Callable[[Node], None]


class Graph:
    """All pairs of one comparison."""

    def __init__(self, old: Side, new: Side, unchanged: Unchanged, comparers: list[Comparer]) -> None:
        self.old = old
        self.new = new
        self.unchanged = unchanged
        self.patterns = Patterns()
        self._comparers = comparers
        self._nodes: dict[tuple[int, int, bool], Node] = {}
        self._waiting: list[Node] = []
        self._guesses = 0
        self._guessing = 0

    def node(
        self,
        old: Schema | bool,
        new: Schema | bool,
        old_pointer: str,
        new_pointer: str,
        request: bool,
        *,
        user: Node | None = None,
        is_guess: bool = False,
    ) -> Node | None:
        """The node of a pair, to be compared by ``run``; None where the two mean the same, or nothing is known of them.

        ``user``: the node that the pair is below of. ``is_guess``: it is only looked at, and belongs nowhere yet.
        """
        if old.__class__ is Schema and self.unchanged(old, new):
            return None
        left, right = self.old.resolve(old, old_pointer), self.new.resolve(new, new_pointer)
        if left.schema is None or right.schema is None:
            return self._opaque(old, new, left, right, request)
        node = self._node(left, right, request)
        if left.via and not is_guess:
            for name in left.via - right.via:
                self.old.used.setdefault(name, []).append((user, node))
        return node

    def _node(self, left: Resolved, right: Resolved, request: bool) -> Node | None:
        assert left.schema is not None
        assert right.schema is not None
        if left.digest is not None and left.digest == right.digest:
            return None
        key = (id(left.schema), id(right.schema), request)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = Node(self, left.schema, right.schema, left.pointer, right.pointer, request)
            self._waiting.append(node)
        return node

    def _opaque(
        self, old: Schema | bool, new: Schema | bool, left: Resolved, right: Resolved, request: bool
    ) -> Node | None:
        """The node of a pair of which at least one isn't known: what it refers to in another document, or that it does,
        may have changed.
        """
        if left.elsewhere == right.elsewhere:
            return None
        before, after = left.schema or old, right.schema or new
        key = (id(before), id(after), request)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = Node(self, ANYTHING, ANYTHING, left.pointer, right.pointer, request)
            node.found("reference-changed")
            node.is_compared = True
        return node

    def run(self) -> None:
        """Compare all pairs that wait, and those that they lead to."""
        while self._waiting:
            self._compare(self._waiting.pop())

    def _compare(self, node: Node) -> None:
        if node.is_compared:
            return
        node.is_compared = True
        for comparer in self._comparers:
            comparer(node)

    def means_same(
        self, old: Schema | bool, new: Schema | bool, old_pointer: str, new_pointer: str, request: bool
    ) -> bool:
        """Whether two schemas accept the same values. False also where that isn't known, or much has been asked."""
        if self._guesses >= _MOST_GUESSES or self._guessing >= _DEEPEST_GUESS:
            return False
        self._guesses += 1
        self._guessing += 1
        try:
            return self._means_same(old, new, old_pointer, new_pointer, request)
        finally:
            self._guessing -= 1

    def _means_same(
        self, old: Schema | bool, new: Schema | bool, old_pointer: str, new_pointer: str, request: bool
    ) -> bool:
        node = self.node(old, new, old_pointer, new_pointer, request, is_guess=True)
        if node is None:
            left, right = self.old.resolve(old, old_pointer), self.new.resolve(new, new_pointer)
            return left.schema is not None and right.schema is not None
        return not any(
            not finding.structural and not finding.weak
            for current in self.compared(node)
            for finding in current.findings
        )

    def compared(self, node: Node) -> Iterator[Node]:
        """A node and all below it, compared one after the other."""
        seen = {id(node)}
        waiting = [node]
        while waiting:
            current = waiting.pop()
            self._compare(current)
            yield current
            for edge in current.edges:
                if id(edge.node) not in seen:
                    seen.add(id(edge.node))
                    waiting.append(edge.node)

    def reached(self, roots: Iterable[Node]) -> set[int]:
        """The ``id`` of each node that can be reached: the others were only guesses."""
        waiting = list(roots)
        seen = {id(node) for node in waiting}
        while waiting:
            for edge in waiting.pop().edges:
                if id(edge.node) not in seen:
                    seen.add(id(edge.node))
                    waiting.append(edge.node)
        return seen

    def mark_live(self) -> None:
        """Mark the nodes from which a finding can be reached; the others need no visit."""
        waiting = [node for node in self._nodes.values() if any(not finding.structural for finding in node.findings)]
        for node in waiting:
            node.is_live = True
        while waiting:
            for parent in waiting.pop().parents:
                if not parent.is_live:
                    parent.is_live = True
                    waiting.append(parent)
