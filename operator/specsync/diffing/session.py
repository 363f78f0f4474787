"""What one comparison knows while it runs: both sides, the graph of schemas, and the events so far."""

from __future__ import annotations

from typing import Any

import msgspec
import xxhash

from specsync.diffing.causes import Causes
from specsync.diffing.comparison import Event, Location, OperationRef, Severity
from specsync.diffing.policy import Policy
from specsync.diffing.rules import BY_PLACE, Rule
from specsync.diffing.schemas.alternatives import compare_alternatives
from specsync.diffing.schemas.annotations import compare_annotations
from specsync.diffing.schemas.applicators import compare_applicators, compare_booleans
from specsync.diffing.schemas.bounds import compare_bounds
from specsync.diffing.schemas.graph import Finding, Graph, Node
from specsync.diffing.schemas.merging import compare_all_of, settle_single_alternatives
from specsync.diffing.schemas.objects import compare_objects
from specsync.diffing.schemas.sides import Side
from specsync.diffing.schemas.types import compare_types
from specsync.diffing.schemas.values import compare_values
from specsync.diffing.unchanged import Unchanged
from specsync.diffing.wording import Place, sentence, worded
from specsync.openapi.canonical import CanonicalDocument

_COMPARERS = [
    settle_single_alternatives,
    compare_all_of,  # before all others: it may put merged schemas in the place of the two
    compare_booleans,
    compare_alternatives,  # may explain what would otherwise look like a change of type
    compare_types,
    compare_values,
    compare_bounds,
    compare_objects,
    compare_applicators,
    compare_annotations,
]

_encode = msgspec.json.Encoder(order="deterministic").encode


class Target(msgspec.Struct, frozen=True, gc=False):
    """The operation that an event is about."""

    ref: OperationRef | None
    """None for a webhook."""
    key: str
    """Method and path, without the names of its parameters unless these tell it from another one: what stays the same
    when they are renamed.
    """
    domain: str
    old_pointer: str
    new_pointer: str
    sunset_days: int = 0
    """Days that must pass between a deprecation and its sunset here."""


class Root(msgspec.Struct, frozen=True, gc=False):
    """A pair of schemas as an operation meets it."""

    target: Target
    place: Place
    node: Node


NOWHERE = Place(scope="")


class Session:
    def __init__(self, old: CanonicalDocument, new: CanonicalDocument, policy: Policy) -> None:
        self.old = old
        self.new = new
        self.policy = policy
        self.unchanged = Unchanged(old, new)
        self.graph = Graph(Side(old), Side(new), self.unchanged, list(_COMPARERS))
        self.roots: list[Root] = []
        self.events: list[Event] = []
        self.causes = Causes()
        self.crowded: set[tuple[str, str]] = set()
        """Shapes of paths, with the method, of which a document has several operations (``operations.py``)."""
        self._seen: set[str] = set()

    def report(
        self,
        target: Target | None,
        aspect: str,
        old: str | None,
        new: str | None,
        before: Any = None,
        after: Any = None,
        *,
        name: str = "",
        place: Place = NOWHERE,
        severity: Severity | None = None,
    ) -> None:
        """An event outside of schemas. ``old`` and ``new`` are JSON pointers; ``aspect`` is a rule's in the place's
        scope; ``severity`` is the rule's, unless given.
        """
        rule = BY_PLACE.get((place.scope, aspect))
        if rule is not None:
            self.emit(
                target, place, rule, Finding(aspect, old, new, before, after, name), "", severity or rule.severity
            )

    def emit(
        self, target: Target | None, place: Place, rule: Rule, finding: Finding, at: str, severity: Severity
    ) -> None:
        """Add the event that ``rule`` makes of ``finding`` for one operation, unless it was added before: a body that
        is offered as JSON and as YAML changes once.
        """
        called = (place.called,) if place.called else ()
        fingerprint = xxhash.xxh3_64_hexdigest(
            _encode(
                (
                    rule.id,
                    target.key if target else "",
                    place.status,
                    place.location,
                    place.parameter,
                    place.header,
                    at,
                    finding.name,
                    finding.before,
                    finding.after,
                    *called,
                )
            )
        )
        if fingerprint in self._seen:
            return
        self._seen.add(fingerprint)
        cause = finding.cause
        if cause is None:
            cause = finding.cause = self.causes.of(finding, target)
        values = (worded(finding.before), worded(finding.after), finding.name)
        self.causes.count(cause, rule, severity, place, at, values, target)
        self.events.append(
            Event(
                id=rule.id,
                kind=rule.kind,
                severity=severity,
                operation=target.ref if target else None,
                location=Location(finding.old, finding.new),
                summary=sentence(rule, place, at, *values),
                before=finding.before,
                after=finding.after,
                cause=cause.fingerprint,
                domain=target.domain if target else "",
                fingerprint=fingerprint,
            )
        )
