"""What validation says of a document: findings, each with its place, and how many there are."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Severity = Literal["error", "warning"]

MOST_KEPT = 500
"""Findings that are kept with their texts."""

MOST_COUNTED = 10_000
"""Findings after which nobody counts on: the document isn't worth the time."""

_LONGEST_NAME = 60
_MOST_EXTERNAL = 10
_QUERY, _USER_INFO = re.compile(r"\?[^#]*"), re.compile(r"//[^/]*@")


class Finding(msgspec.Struct, frozen=True):
    """One defect of a document."""

    pointer: str
    """JSON pointer into the document as it was written; empty for the whole."""

    message: str
    """What is wrong, in a few words that go on from the pointer."""

    rule: str
    """Which rule says so: ``schema-…`` for those of the meta-schema."""

    severity: Severity

    file: str = ""
    """The file that the pointer is in, where the document was joined from several and it isn't its own."""

    @property
    def place(self) -> str:
        """The pointer, for a person."""
        return f"{self.file}#{self.pointer}" if self.file else self.pointer or "the document"


class Report(msgspec.Struct, frozen=True):
    """All that was found. An invalid document has at least one error."""

    format: str
    errors: int = 0
    warnings: int = 0
    complete: bool = True
    """False where counting ended at ``MOST_COUNTED``: there are more."""
    findings: list[Finding] = []
    """Errors first, each kind in the order of the document; the first ``MOST_KEPT``."""
    external: int = 0
    """Different references that lead out of the document: what stands there isn't looked at."""
    external_first: list[str] = []
    """The first of them, each with its place, without queries."""

    @property
    def valid(self) -> bool:
        return not self.errors

    @property
    def counted(self) -> str:
        """``3 errors and 1 warning``; ``no findings``."""
        more = "" if self.complete else "more than "
        parts = [
            f"{more}{number:,} {word}{'' if number == 1 else 's'}"
            for number, word in ((self.errors, "error"), (self.warnings, "warning"))
            if number
        ]
        return " and ".join(parts) or "no findings"


class Collector:
    """Gathers findings up to the limits, each but once."""

    def __init__(self) -> None:
        self._seen: set[Finding] = set()
        self._kept: dict[Severity, list[Finding]] = {"error": [], "warning": []}
        self._counts: dict[Severity, int] = {"error": 0, "warning": 0}
        self._external: list[str] = []
        self._external_count = 0

    @property
    def full(self) -> bool:
        return sum(self._counts.values()) >= MOST_COUNTED

    def add(self, finding: Finding) -> None:
        if self.full:
            return
        kept = self._kept[finding.severity]
        if finding in self._seen:
            return
        self._seen.add(finding)
        if len(kept) < MOST_KEPT:
            kept.append(finding)
        self._counts[finding.severity] += 1

    def error(self, rule: str, pointer: str, message: str) -> None:
        self.add(Finding(pointer, message, rule, "error"))

    def warning(self, rule: str, pointer: str, message: str) -> None:
        self.add(Finding(pointer, message, rule, "warning"))

    def external(self, reference: str, pointer: str) -> None:
        """Notes a reference out of the document; each is to be told once."""
        self._external_count += 1
        if len(self._external) < _MOST_EXTERNAL:
            file = _USER_INFO.sub("//", _QUERY.sub("", reference))
            self._external.append(f"{shown(file)[1:-1]} at {pointer}")

    def report(self, format_: str) -> Report:
        return Report(
            format=format_,
            errors=self._counts["error"],
            warnings=self._counts["warning"],
            complete=not self.full,
            findings=(self._kept["error"] + self._kept["warning"])[:MOST_KEPT],
            external=self._external_count,
            external_first=self._external,
        )


def shown(value: object) -> str:
    """A value in a message: scalars as JSON, cut where they are long; all else by what it is."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str) and len(value) > _LONGEST_NAME:
        value = value[: _LONGEST_NAME - 1] + "…"
    try:
        text = msgspec.json.encode(value).decode()
    except (msgspec.MsgspecError, TypeError, ValueError):
        return "a number"
    return text if len(text) <= 2 * _LONGEST_NAME else text[: 2 * _LONGEST_NAME] + "…"
