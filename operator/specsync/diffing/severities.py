"""Severity files: what a team finds worse or better than the table of rules does, in oasdiff's form.

Each line has a rule's id and a level: ``api-security-removed err``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from specsync.diffing.comparison import Severity
from specsync.diffing.rules import RULES

Overrides = Mapping[str, Severity | None]
"""A severity for each id; None: such changes are left out."""

LEVELS: dict[str, Severity | None] = {
    "err": "breaking",
    "error": "breaking",
    "breaking": "breaking",
    "warn": "risky",
    "warning": "risky",
    "risky": "risky",
    "info": "safe",
    "safe": "safe",
    "none": None,
}


def read_severities(lines: Iterable[str]) -> dict[str, Severity | None]:
    """The overrides in a severity file. Empty lines and what follows a ``#`` don't count.

    Raises ``ValueError`` that names the line: for an unknown id or level, as a typing error would go unnoticed.
    """
    found: dict[str, Severity | None] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2:
            raise ValueError(f"line {number} isn't a rule's id and a level; write for example: {_EXAMPLE}")
        id_, level = words
        if id_ not in RULES:
            raise ValueError(f"line {number}: there is no rule {id_!r}{_similar(id_)}")
        if level.lower() not in LEVELS:
            raise ValueError(f"line {number}: {level!r} is no level; use err, warn, info or none")
        found[id_] = LEVELS[level.lower()]
    return found


_EXAMPLE = "api-security-removed err"


def _similar(id_: str) -> str:
    import difflib  # noqa: PLC0415 - takes longer to import than all else here

    close = difflib.get_close_matches(id_, RULES, 1)
    return f"; did you mean {close[0]}?" if close else "; `specsync rules` lists them"
