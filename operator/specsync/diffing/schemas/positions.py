"""prefixItems: what each position of an array holds."""

from __future__ import annotations

from specsync.diffing.comparison import SEVERITIES, Severity
from specsync.diffing.rules import BY_PLACE
from specsync.diffing.schemas.graph import Finding, Node
from specsync.diffing.schemas.types import type_aspect
from specsync.openapi.model import Schema

_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}


def compare_positions(node: Node) -> None:
    """Each position of an array; where prefixItems says nothing of one, items or unevaluatedItems do, or it is open."""
    before, after = node.old.prefix_items or [], node.new.prefix_items or []
    for index in range(max(len(before), len(after))):
        keyword = f"/prefixItems/{index}"
        old, old_keyword = (before[index], keyword) if index < len(before) else (_rest(node.old), "/items")
        new, new_keyword = (after[index], keyword) if index < len(after) else (_rest(node.new), "/items")
        label = f"#{index + 1}"
        if index < len(before) and index < len(after):
            node.compare_below(f"prefixItems[{label}]", old, new, old_keyword, new_keyword)
            continue
        pair = (old, new, node.old_pointer + old_keyword, node.new_pointer + new_keyword, node.request)
        if node.graph.means_same(*pair):
            continue
        action, rest = ("added", old) if index >= len(before) else ("removed", new)
        both = node.graph.node(*pair, is_guess=True)
        severity = None if rest is False or both is None else _worst(both)  # the rules are about a closed array
        node.found(f"prefix-items-{action}", keyword, name=label, severity=severity)


def _rest(schema: Schema) -> Schema | bool:
    if schema.items is not None:
        return schema.items
    return schema.unevaluated_items if schema.unevaluated_items is not None else True


def _worst(pair: Node) -> Severity:
    """How bad it is that one schema takes the place of another."""
    worst: Severity = "safe"
    for node in pair.graph.compared(pair):
        scope = "request-property" if node.request else "response-property"
        for finding in node.findings:
            rule = BY_PLACE.get((scope, _aspect(finding)))
            if rule is not None:
                worst = min(worst, finding.severity or rule.severity, key=_RANK.__getitem__)
    return worst


def _aspect(finding: Finding) -> str:
    return type_aspect(finding, strong=True, parameter="") if finding.aspect == "?type" else finding.aspect
