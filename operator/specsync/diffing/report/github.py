"""A comparison as workflow commands of GitHub Actions: annotations of the files, and a summary line in the log."""

from __future__ import annotations

from specsync.diffing.comparison import Comparison, Severity
from specsync.diffing.report.grouping import example, notes, summary_line
from specsync.diffing.report.places import Places

_COMMANDS: dict[Severity, str] = {"breaking": "error", "risky": "warning", "safe": "notice"}


def github(comparison: Comparison, places: Places, *, group: str = "cause") -> str:
    """One line for each note, worst first: GitHub shows only the first ten of each severity."""
    lines = [summary_line(comparison)]
    for sentence, events in notes(comparison, group):
        worst = events[0]
        properties = {"title": f"{worst.severity}: {worst.id}"}
        place = places.of(worst)
        if place.file:
            properties = {"file": place.file, **({"line": str(place.line)} if place.line else {}), **properties}
        shown_by = example(events)
        told = f"{sentence}\n{shown_by}" if shown_by else sentence
        written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        lines.append(f"::{_COMMANDS[worst.severity]} {written}::{_data(told)}")
    return "\n".join(lines) + "\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
