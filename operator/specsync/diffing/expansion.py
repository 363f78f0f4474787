"""From pairs of schemas to events: each operation walks the part of the graph that it reaches, each pair once.

A pair that a body reaches in several ways is reported at the shortest of them, so that the work and the number of
events stay in proportion to the documents, whatever cycles there are.
"""

from __future__ import annotations

from collections.abc import Callable

from specsync.diffing.comparison import SEVERITIES, Severity
from specsync.diffing.lifecycle import property_deprecation
from specsync.diffing.rules import BY_PLACE, Rule
from specsync.diffing.schemas.graph import Finding, Node
from specsync.diffing.schemas.types import type_aspect
from specsync.diffing.session import Root, Session

_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_DESCRIPTIVE = frozenset(("deprecation_changed", "stability_changed"))
"""Kinds of events that change no value, so that it doesn't matter what they stand under."""
_OF_THE_WHOLE = frozenset(("max-items-increased", "max-items-decreased"))
"""What the catalog reports of a parameter also where it is about something inside of it."""
_TOLD_BY_WRAPPING = frozenset(("one-of-added", "one-of-introduced"))
"""What is told as a whole, by wrapped-in-one-of, of a body."""
_BODIES = frozenset(("request-body", "response-body"))


def expand(session: Session, root: Root) -> None:
    """Report all that differs in a root's schemas, to the operation that it belongs to."""
    if not root.node.is_live:
        return
    seen = {id(root.node)}
    waiting = [(root.node, "", False)]
    guarded: list[tuple[Node, str, bool]] = []
    for node, at, inverted in waiting:  # grows while it is walked: breadth first
        _report(session, root, node, at, inverted=inverted, guarded=False)
        for edge in node.edges:
            if not edge.node.is_live:
                continue
            step = (edge.node, f"{at}/{edge.segment}" if at else edge.segment, inverted or edge.inverted)
            if edge.guarded and root.place.scope in _BODIES:
                guarded.append(step)
            elif id(edge.node) not in seen:
                seen.add(id(edge.node))
                waiting.append(step)
    for node, at, inverted in guarded:
        if id(node) in seen:
            continue
        seen.add(id(node))
        _report(session, root, node, at, inverted=inverted, guarded=True)
        guarded.extend(
            (edge.node, f"{at}/{edge.segment}", inverted or edge.inverted) for edge in node.edges if edge.node.is_live
        )


def _report(session: Session, root: Root, node: Node, at: str, *, inverted: bool, guarded: bool) -> None:
    for finding in node.findings:
        if (finding.structural and not _shows(root, node, at)) or (finding.weak and root.place.strong):
            continue
        if finding.aspect in _TOLD_BY_WRAPPING and node.moved and not at and root.place.scope in _BODIES:
            continue
        scope = root.place.scope if not at and not finding.child else root.place.nested
        path = (f"{at}/{finding.child}" if at else finding.child) if finding.child else at
        rule = _rule(session, root, scope, finding)
        if rule is None and inverted:
            rule = BY_PLACE.get((scope or root.place.scope, "exclusion-changed"))
        if rule is None:
            continue
        severity = rule.severity
        if guarded:
            variant = BY_PLACE.get((rule.scope, f"{'read' if node.request else 'write'}-only:{rule.aspect}"))
            if variant is not None and node.guarded:
                rule, severity = variant, variant.severity
            elif severity != "safe":
                continue  # it is never sent, so nobody can notice
        if finding.structural:
            severity = _structural_severity(root, node, at, severity)
        if finding.unsure and severity == "safe":
            severity = "risky"
        elif finding.severity is not None:
            severity = finding.severity
        if inverted and severity == "safe" and rule.kind not in _DESCRIPTIVE:
            severity = "risky"  # under `not`, what accepts more refuses more
        session.emit(root.target, root.place, rule, finding, path, severity)


def _rule(session: Session, root: Root, scope: str, finding: Finding) -> Rule | None:
    place, aspect = root.place, finding.aspect
    if aspect[0] == "?":
        resolved = RESOLVERS[aspect](session, root, scope, finding)
        if resolved is None:
            return None
        scope, aspect = resolved
    if aspect.startswith("default-value") and scope == place.scope and not place.has_default:
        return None
    rule = BY_PLACE.get((scope, aspect))
    if scope == place.nested and place.scope not in _BODIES:
        if place.location == "header" and not place.called:
            rule = BY_PLACE.get(("request-header-property", aspect), rule)
        if rule is None and aspect in _OF_THE_WHOLE:
            rule = BY_PLACE.get((place.scope, aspect))
    return rule


def _shows(root: Root, node: Node, at: str) -> bool:
    """Whether a node with a structural finding has anything that shows the structure to matter here."""
    return _worst_beside(root, node, at) is not None or any(edge.node.is_live for edge in node.edges)


def _worst_beside(root: Root, node: Node, at: str) -> Severity | None:
    """The worst that a node's other findings can be here; None where they constrain nothing."""
    worst: Severity | None = None
    for finding in node.findings:
        aspect = finding.aspect
        if finding.structural or aspect.startswith(("?deprecated", "?invalid", "reactivated", "default-value")):
            continue
        scope = root.place.scope if not at and not finding.child else root.place.nested
        rule = BY_PLACE.get((scope, aspect))
        severity: Severity = "breaking" if aspect == "?type" else rule.severity if rule is not None else "safe"
        if worst is None or _RANK[severity] < _RANK[worst]:
            worst = severity
    return worst


def _structural_severity(root: Root, node: Node, at: str, default: Severity) -> Severity:
    """A change of allOf is as bad as what it does, where that was found out."""
    if any(edge.node.is_live for edge in node.edges):
        return default
    worst = _worst_beside(root, node, at) or "safe"
    return max(default, worst, key=_RANK.__getitem__)


def _type(_: Session, root: Root, scope: str, finding: Finding) -> tuple[str, str] | None:
    place = root.place
    parameter = ""
    if place.parameter:
        parameter = "value" if scope == place.scope else "property"
    return scope, type_aspect(finding, strong=place.strong, parameter=parameter)


def _deprecated(session: Session, root: Root, scope: str, finding: Finding) -> tuple[str, str] | None:
    return scope, property_deprecation(finding.after, session.policy.today, root.target.sunset_days)


def _invalid_stability(*_: object) -> tuple[str, str] | None:
    return "", "api-invalid-stability-level"


RESOLVERS: dict[str, Callable[[Session, Root, str, Finding], tuple[str, str] | None]] = {
    "?type": _type,
    "?deprecated": _deprecated,
    "?invalid-stability": _invalid_stability,
}
"""For findings that depend on where they are met: scope and aspect of the rule."""
