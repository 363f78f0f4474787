"""Every rule of the table is found in its example, at its default severity, and says so in a sentence."""

from __future__ import annotations

import pytest

from specsync.diffing import compare
from specsync.diffing.rules import BY_PLACE, RULES, Rule
from tests.unit.diffing.documents import canonical
from tests.unit.diffing.examples import example

UNREACHABLE: dict[str, str] = {}
"""Rules that are in the table for the sake of ignore lists, and why they are never found; see docs/divergences.md."""


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in RULES.values()])
def test_rule_is_found_in_its_example(rule: Rule) -> None:
    if rule.id in UNREACHABLE:
        pytest.skip(UNREACHABLE[rule.id])
    old, new, policy = example(rule)
    comparison = compare(canonical(old), canonical(new), policy)
    events = [event for event in comparison.events if event.id == rule.id]
    assert events, [event.id for event in comparison.events]
    for event in events:
        assert event.severity == rule.severity
        assert event.kind == rule.kind
        assert event.location.old is not None or event.location.new is not None
        assert event.summary
        assert "{" not in event.summary
        assert "\n" not in event.summary
        assert event.cause in {cause.fingerprint for cause in comparison.causes}
    assert compare(canonical(new), canonical(new), policy).events == []


def test_no_two_rules_claim_the_same_place() -> None:
    assert len(BY_PLACE) == len(RULES)


def test_catalog_is_whole() -> None:
    assert len(RULES) >= 509
    assert {rule.severity for rule in RULES.values()} == {"breaking", "risky", "safe"}
