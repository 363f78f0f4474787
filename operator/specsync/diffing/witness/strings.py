"""Strings that match a pattern, for the patterns that are simple: no look-around, no references to groups."""

from __future__ import annotations

import re

_CLASSES = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a"}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r"}
_SET = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_UNSURE = re.compile(r"\[|--|&&|~~|\|\|")
"""What Python may one day read otherwise in a set."""
_REPEAT = re.compile(r"(?:\{(\d+)(?:,(\d*))?\}|([*+?]))\??")
_TRIED = ("a", "A", "0", "-", "_", " ", ".", "/", "z", "é")
_MANY = 10_000
_LONGEST_PATTERN = 300
_LONGEST_RESULT = 1_000


class _TooHard(Exception):
    pass


def matching(pattern: str, shortest: int = 0) -> str | None:
    """A short string in which ``pattern`` (ECMA-262) is found, of at least ``shortest`` characters where some part of
    it may be repeated. None where that is too hard to say. Not checked: a hostile pattern can keep a matcher busy.
    """
    if len(pattern) > _LONGEST_PATTERN:
        return None
    try:
        result = _Reader(pattern).whole()
        return _Reader(pattern, shortest - len(result)).whole() if len(result) < shortest else result
    except _TooHard:
        return None


class _Reader:
    """Reads a pattern and writes the string, from left to right."""

    def __init__(self, pattern: str, missing: int = 0) -> None:
        self._pattern = pattern
        self.place = 0
        self._missing = missing
        """Characters to be added where a part of one character may be repeated."""

    def whole(self) -> str:
        result = self.alternatives()
        if self.place < len(self._pattern):
            raise _TooHard
        return result

    def alternatives(self) -> str:
        """The first one; the others are only read."""
        first = self._sequence()
        while self._next() == "|":
            self.place += 1
            missing, self._missing = self._missing, 0
            self._sequence()
            self._missing = missing
        return first

    def _next(self) -> str:
        return self._pattern[self.place : self.place + 1]

    def _sequence(self) -> str:
        parts = []
        while self._next() not in ("", "|", ")"):
            atom = self._atom()
            repeat = _REPEAT.match(self._pattern, self.place)
            least, most = 1, 1
            if repeat is not None:
                least, most = _times(repeat)
                self.place = repeat.end()
            count = least
            if len(atom) == 1 and self._missing > 0:
                count = min(most, least + self._missing)
                self._missing -= count - least
            if len(atom) * count > _LONGEST_RESULT:
                raise _TooHard
            parts.append(atom * count)
        return "".join(parts)

    def _atom(self) -> str:
        character = self._next()
        self.place += 1
        match character:
            case "^" | "$":
                return ""
            case ".":
                return "a"
            case "(":
                return self._group()
            case "[":
                return self._set()
            case "\\":
                return self._escaped()
            case "*" | "+" | "?":
                raise _TooHard
            case _:
                return character

    def _group(self) -> str:
        if self._next() == "?":
            if self._pattern[self.place : self.place + 2] != "?:":
                raise _TooHard
            self.place += 2
        inside = self.alternatives()
        if self._next() != ")":
            raise _TooHard
        self.place += 1
        return inside

    def _set(self) -> str:
        found = _SET.match(self._pattern, self.place - 1)
        if found is None or _UNSURE.search(found[0], 1):
            raise _TooHard
        self.place = found.end()
        own = found[0].strip("[]^")[:1]
        try:
            return next(candidate for candidate in (*_TRIED, own) if re.fullmatch(found[0], candidate))
        except (StopIteration, re.error):
            raise _TooHard from None

    def _escaped(self) -> str:
        character = self._next()
        self.place += 1
        if character == "b":
            return ""
        if character.isalnum():
            known = _CLASSES.get(character) or _CONTROLS.get(character)
            if known is None:
                raise _TooHard
            return known
        return character


def _times(repeat: re.Match[str]) -> tuple[int, int]:
    match repeat[3]:
        case "*":
            return 0, _MANY
        case "+":
            return 1, _MANY
        case "?":
            return 0, 1
    least = min(int(repeat[1]), _MANY)
    return least, least if repeat[2] is None else int(repeat[2]) if repeat[2] else _MANY
