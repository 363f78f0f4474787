"""The table of rules, ``rules.tsv``: what specsync reports, how severe it is by default, and in which words.

A finder says *what* it found (an aspect, such as ``max-length-decreased``) and *where* (a scope, such as ``request-
property``); the table says whether that is an event, and which. Rule ids and default severities follow the catalog
of oasdiff, the vocabulary of the field, so that teams keep their ignore lists; see ``docs/divergences.md``.
"""

from __future__ import annotations

import msgspec

from specsync.diffing.comparison import Severity


class Rule(msgspec.Struct, frozen=True, gc=False):
    id: str
    severity: Severity
    direction: str
    """request, response or none."""
    area: str
    scope: str
    """Where it applies; empty for what isn't found in schemas, where the aspect is the id."""
    aspect: str
    kind: str
    origin: str
    """oasdiff: from that tool's catalog, under its name; specsync: what the catalog lacks."""
    text: str
    """A template: ``{at}``, ``{before}``, ``{after}``, ``{name}``, ``{status}``, ``{parameter}``, ``{location}``,
    ``{header}``.
    """


def _load() -> list[Rule]:
    with open(__file__.rpartition("rules.py")[0] + "rules.tsv", encoding="utf-8") as table:  # noqa: PTH123 - faster
        lines = table.read().splitlines()
    return [Rule(*line.split("\t")) for line in lines[1:]]  # type: ignore[arg-type]


RULES: dict[str, Rule] = {rule.id: rule for rule in _load()}
"""All rules by id."""

BY_PLACE: dict[tuple[str, str], Rule] = {(rule.scope, rule.aspect): rule for rule in RULES.values()}
"""All rules by scope and aspect."""
