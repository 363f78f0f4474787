"""`specsync rules`: the table of what counts as a change, and how severe it is by default."""

from __future__ import annotations

import argparse

import msgspec

from specsync.cli.terminal import fail, has_color, table_width, write
from specsync.diffing.comparison import SEVERITIES, Severity
from specsync.diffing.rules import RULES, Rule

_STYLES: dict[Severity, str] = {"breaking": "\x1b[31;1m", "risky": "\x1b[33m", "safe": "\x1b[32m"}
_RESET = "\x1b[0m"


class _Row(msgspec.Struct, rename="camel"):
    """What a program gets of a rule."""

    id: str
    severity: Severity
    direction: str
    area: str
    kind: str
    origin: str
    text: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "List the rules by which `specsync diff` and the operator judge changes: id, default severity and what it is "
        "about. Ids and severities are those of oasdiff where it has them."
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="only rules whose id or text has all of these words")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="format (default: text)")
    parser.add_argument("--severity", choices=SEVERITIES, help="only rules of this severity")


def run(options: argparse.Namespace) -> int:
    """Returns the exit code: 0, or 1 where no rule fits."""
    rules = [rule for rule in RULES.values() if _fits(rule, options.words, options.severity)]
    if not rules:
        return fail("rules", "no rule has these words; `specsync rules` lists all.")
    write(_json(rules) if options.output == "json" else _table(rules).encode())
    return 0


def _fits(rule: Rule, words: list[str], severity: Severity | None) -> bool:
    searched = f"{rule.id} {rule.kind} {rule.text}".lower()
    return all(word.lower() in searched for word in words) and severity in (None, rule.severity)


def _json(rules: list[Rule]) -> bytes:
    rows = [
        _Row(rule.id, rule.severity, rule.direction, rule.area, rule.kind, rule.origin, rule.text) for rule in rules
    ]
    return msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n"


def _table(rules: list[Rule]) -> str:
    """ID, SEVERITY, KIND, TEXT: the text is cut where a terminal is too narrow."""
    columns = [("ID", "SEVERITY", "KIND", "TEXT"), *((rule.id, rule.severity, rule.kind, rule.text) for rule in rules)]
    widths = [max(len(row[column]) for row in columns) for column in range(3)]
    most, color = table_width(), has_color()
    lines = []
    for row in columns:
        line = "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]).rstrip()
        line = line if most is None or len(line) <= most else line[: most - 1] + "…"
        style = _STYLES.get(row[1]) if color else None  # type: ignore[call-overload]
        if style:
            start = widths[0] + 2
            end = start + len(row[1])
            line = f"{line[:start]}{style}{line[start:end]}{_RESET}{line[end:]}" if len(line) >= end else line
        lines.append(line)
    return "\n".join(lines) + "\n"
