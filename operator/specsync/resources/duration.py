"""Durations as users write them, in Go's syntax."""

import re

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(duration: str) -> float:
    """The length in seconds of a duration such as 1h30m, which the schema has checked."""
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))


def compact(length: float) -> str:
    """A length in seconds as a duration to show: 90 → 1m30s."""
    rest, parts = round(length), []
    for unit, size in (("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
