"""docs/divergences.md says what specsync finds in each of its pairs. It must be true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from specsync.diffing.rules import RULES
from tests.unit.diffing.documents import Tree, compared, document, with_parameter, with_request, with_response

PAGE = Path(__file__).parents[3] / "docs" / "divergences.md"
PLACES = {"request": with_request, "response": with_response, "parameter": with_parameter}


def pairs() -> list[tuple[str, dict[str, Any]]]:
    """Each pair of the page, with the heading that it stands under."""
    found: list[tuple[str, dict[str, Any]]] = []
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        heading = section.splitlines()[0]
        blocks = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
        assert blocks, f"{heading}: shows no pair of documents"
        found.extend((f"{heading} ({number})", yaml.safe_load(block)) for number, block in enumerate(blocks, 1))
    return found


def tree(pair: dict[str, Any], side: str) -> Tree:
    if pair["in"] == "document":
        rest = dict(pair[side])
        return {**document(rest.pop("paths")), **rest}
    return PLACES[pair["in"]](pair[side])


@pytest.mark.parametrize(("heading", "pair"), [pytest.param(*pair, id=pair[0]) for pair in pairs()])
def test_specsync_finds_what_the_page_says(heading: str, pair: dict[str, Any]) -> None:
    events = compared(tree(pair, "old"), tree(pair, "new")).events
    assert sorted(f"{event.id} {event.severity}" for event in events) == sorted(pair["specsync"]), heading
    assert {finding.split()[0] for finding in pair["oasdiff"]} <= RULES.keys()
    if not heading.startswith(("11. An operation is named", "19. Four conventions")):
        assert sorted(pair["oasdiff"]) != sorted(pair["specsync"]), f"{heading}: no divergence"
