"""Writes ``docs/rules.md`` from the table of rules: ``python -m specsync.diffing.rulesdoc [--check]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from specsync.diffing.comparison import SEVERITIES
from specsync.diffing.rules import RULES, Rule

_PAGE = Path("docs/rules.md")
_HEAD = """\
# Rules

<!-- Written by `python -m specsync.diffing.rulesdoc`; edit `rules.tsv` instead. -->

What `specsync diff` and the operator report as a change, and how severe each is unless a
[severity file](diff.md#severities) says otherwise. `specsync rules` prints the same table.

Ids and severities of rules whose origin is oasdiff are those of that tool's catalog (ERR is breaking, WARN risky, INFO
safe), so that its users keep their files; where specsync judges otherwise, [divergences](divergences.md) says why.
"""


def page(rules: dict[str, Rule]) -> str:
    """The whole page, as Markdown."""
    return "\n".join([_HEAD, *_overview(rules), *_tables(rules)])


def _overview(rules: dict[str, Rule]) -> Iterator[str]:
    areas = dict.fromkeys(rule.area for rule in rules.values())
    yield "| Area | " + " | ".join(severity.capitalize() for severity in SEVERITIES) + " | Rules |"
    yield "|---" * (len(SEVERITIES) + 2) + "|"
    for area in sorted(areas):
        found = [rule.severity for rule in rules.values() if rule.area == area]
        counts = " | ".join(str(found.count(severity)) for severity in SEVERITIES)
        yield f"| [{area}](#{area.lower()}) | {counts} | {len(found)} |"
    found = [rule.severity for rule in rules.values()]
    yield "| all | " + " | ".join(str(found.count(severity)) for severity in SEVERITIES) + f" | {len(found)} |"
    yield ""


def _tables(rules: dict[str, Rule]) -> Iterator[str]:
    for area in sorted({rule.area for rule in rules.values()}):
        yield f"## {area}"
        yield ""
        yield "| Id | Severity | Direction | Kind | Origin | What it says |"
        yield "|---|---|---|---|---|---|"
        for rule in rules.values():
            if rule.area == area:
                direction = "" if rule.direction == "none" else rule.direction
                text = rule.text.replace("|", "\\|")
                yield f"| `{rule.id}` | {rule.severity} | {direction} | {rule.kind} | {rule.origin} | {text} |"
        yield ""


def main() -> int:
    """Writes the page, or with ``--check`` says whether it is up to date: exit code 1 where it isn't."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where the page is out of date")
    parser.add_argument("--page", type=Path, default=_PAGE, help="default: %(default)s")
    options = parser.parse_args()
    text = page(RULES)
    if not options.check:
        options.page.write_text(text, encoding="utf-8")
    elif not options.page.is_file() or options.page.read_text(encoding="utf-8") != text:
        print(f"{options.page} is out of date: run python -m specsync.diffing.rulesdoc", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
