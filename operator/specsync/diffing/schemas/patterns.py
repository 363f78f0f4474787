"""Matching the patterns of schemas in bounded time: a hostile one keeps Python's matcher busy for years."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jsonschema_rs

_BACKTRACKS = 10_000


class Patterns:
    """The patterns (ECMA-262) that one comparison has come across, each read once."""

    def __init__(self) -> None:
        self._read: dict[str, jsonschema_rs.Draft202012Validator | None] = {}

    def match(self, pattern: str, text: str) -> bool:
        """Whether ``pattern`` is found in ``text``; False also where it can't be read, or it takes too long to say."""
        if pattern not in self._read:
            self._read[pattern] = _validator(pattern)
        validator = self._read[pattern]
        return validator is not None and validator.is_valid(text)


def _validator(pattern: str) -> jsonschema_rs.Draft202012Validator | None:
    import jsonschema_rs  # noqa: PLC0415 — takes 20 ms, and few comparisons ask

    options = jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS)
    try:
        return jsonschema_rs.Draft202012Validator({"pattern": pattern}, offline=True, pattern_options=options)
    except (jsonschema_rs.ValidationError, ValueError):
        return None
