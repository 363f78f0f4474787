"""A comparison for a comment on a pull request: GitHub's and GitLab's Markdown, within what a comment may hold.

Text of documents can't mention anybody, refer to issues, link or draw.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from specsync.diffing.comparison import SEVERITIES, Comparison, Event, Severity
from specsync.diffing.plain import plain
from specsync.diffing.report.grouping import Example, by_operation, change, counts, edits, in_words, shown_by
from specsync.diffing.report.source import Source, names

_LONGEST = 60_000
"""Characters; a comment on GitHub may have 65,536."""
_MARKS: dict[Severity, str] = {"breaking": "🔴", "risky": "🟠", "safe": "🟢"}
_FEW = 3  # operations named for each edit
_MANY = 30  # rows of a table that is not folded

_SPECIAL = re.compile(r"[\\`*_{}\[\]()#+!|~$-]")
_APART = "\u200b"
"""A space without width: keeps ``@name``, ``#1`` and ``https://`` from becoming mentions, references and links."""
_LIVE = re.compile(r"@(?=\w)|(?<=:)(?=//)|\b(?=www\.)|#(?=\d)|(?<=\bGH)-(?=\d)", re.IGNORECASE)


def markdown(comparison: Comparison, old: Source, new: Source, *, group: str = "cause") -> str:
    """The comparison as Markdown, worst first; what doesn't fit into a comment is counted at the end."""
    marked = {severity: f"{_MARKS[severity]} {count} {severity}" for severity, count in counts(comparison)}
    head = [f"### API changes: {escaped(names(old, new))}", "", in_words(comparison, marked), ""]
    sections = _operations(comparison) if group == "operation" else _edits(comparison)
    return "\n".join(_fitting(head, sections))


def _edits(comparison: Comparison) -> Iterator[tuple[Severity, str, list[str]]]:
    found = edits(comparison)
    for severity in SEVERITIES:
        rows = []
        for edit in found:
            if edit.severity != severity:
                continue
            values = change(edit.events[0]) if edit.events else None
            told = prose(edit.summary)
            if values is not None and not any(value in edit.summary for value in values):
                told += "<br>" + " → ".join(map(escaped, values))
            rows.append(f"| {told}{_example(edit.events)} | {_reach(edit.operations())} |")
        if rows:
            yield severity, "| Change | Operations |", rows


def _operations(comparison: Comparison) -> Iterator[tuple[Severity, str, list[str]]]:
    found = by_operation(comparison)
    for severity in SEVERITIES:
        rows = [
            f"| {escaped(changes.name)} | {prose(plain(event.summary))}{_example([event])} |"
            for changes in found
            for event in changes.events
            if event.severity == severity
        ]
        if rows:
            yield severity, "| Operation | Change |", rows


def _example(events: list[Event]) -> str:
    """What shows the break, on a line of its own within a table."""
    witness = shown_by(events)
    if witness is None:
        return ""
    shown = Example.of(witness)
    return f"<br>for example ({escaped(shown.where)}): {_code(shown.value)} {escaped(shown.verdict)}"


def _reach(operations: list[str]) -> str:
    shown = operations if len(operations) <= _FEW + 1 else operations[:_FEW]
    lines = [escaped(operation) for operation in shown]
    if len(operations) > len(shown):
        lines.append(f"and {len(operations) - len(shown)} more")
    return "<br>".join(lines)


def _fitting(head: list[str], sections: Iterator[tuple[Severity, str, list[str]]]) -> Iterator[str]:
    yield from head
    left = _LONGEST - sum(map(len, head))
    for severity, columns, rows in sections:
        title = f"{_MARKS[severity]} {severity.capitalize()} ({len(rows)})"
        fitting = []
        for row in rows:
            left -= len(row) + 1
            if left < 0:
                break
            fitting.append(row)
        is_folded = severity == "safe" or len(rows) > _MANY
        if fitting:
            yield from (f"<details><summary>{title}</summary>", "") if is_folded else (f"#### {title}", "")
            yield from (columns, "|---|---|", *fitting, "")
        if len(fitting) < len(rows):
            yield f"…and {len(rows) - len(fitting)} more {severity} rows that don't fit here: run `specsync diff`."
            yield ""
        if fitting and is_folded:
            yield from ("</details>", "")


def prose(text: str) -> str:
    """A sentence of ours, in which ``backticks`` enclose names: as code where that is safe in a table."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escaped(text)
    return "".join(_code(part) if index % 2 else escaped(part) for index, part in enumerate(parts))


def _code(text: str) -> str:
    if not text.strip() or "|" in text or "\\" in text or "`" in text:
        return escaped(text)
    return f"`{text}`"


def escaped(text: str) -> str:
    """``text`` so that it is shown as it is, in a table too."""
    text = _LIVE.sub(lambda found: f"{found[0]}{_APART}", plain(text))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\g<0>", text)
