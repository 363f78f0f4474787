"""A comparison as JUnit's XML, which CI servers show as a list of tests: each note is a test."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from specsync.diffing.comparison import Comparison, Event, Severity
from specsync.diffing.plain import plain
from specsync.diffing.report.grouping import RANK, example, notes, summary_line
from specsync.diffing.report.source import Source, names


def junit(
    comparison: Comparison, old: Source, new: Source, *, group: str = "cause", fails: Severity = "breaking"
) -> str:
    """Notes of the severity ``fails`` or worse are failed tests, the others passed ones. One passed test for none."""
    found = notes(comparison, group)
    failures = sum(RANK[events[0].severity] <= RANK[fails] for _, events in found)
    suite = quoteattr(plain(f"specsync diff: {names(old, new)}"))
    size = f'tests="{len(found) or 1}" failures="{failures}" errors="0" skipped="0" time="0"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="specsync diff" {size}>',
        f"  <testsuite name={suite} {size}>",
    ]
    if not found:
        lines.append('    <testcase classname="specsync.diff" name="No changes" time="0"/>')
    for sentence, events in found:
        worst = events[0]
        case = f"    <testcase classname={quoteattr(f'{worst.severity}.{worst.id}')} name={quoteattr(sentence)}"
        if RANK[worst.severity] > RANK[fails]:
            lines.append(f'{case} time="0"/>')
            continue
        message = quoteattr(f"{worst.severity}: {sentence}")
        lines.append(f'{case} time="0">')
        lines.append(f"      <failure type={quoteattr(worst.id)} message={message}>{_details(events)}</failure>")
        lines.append("    </testcase>")
    lines.append(f"    <system-out>{escape(summary_line(comparison))}</system-out>")
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"]) + "\n"


def _details(events: list[Event]) -> str:
    rows = []
    for event in events:
        operation = f"{event.operation.method} {event.operation.path}: " if event.operation is not None else ""
        rows.append(plain(f"{operation}{event.summary} [{event.fingerprint}]"))
        if event.witness is not None:
            rows.append(f"  {example([event])}")
    return escape("\n".join(rows))
