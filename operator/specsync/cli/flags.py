"""Values of flags: what is written, as what it means; what can't be meant is refused with what to write."""

import argparse
import re

from specsync.resources.duration import seconds

_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+")
_LAST_PORT = 65535


def duration(text: str) -> float:
    """A length of time above zero, in seconds."""
    length = seconds(text) if _DURATION.fullmatch(text) else 0.0
    if length <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write for example 30s, 5m or 24h")
    return length


def count(text: str) -> int:
    """A number from 1 on."""
    number = _number(text)
    if number is None or number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return number


def port(text: str) -> int:
    """The number of a port, or 0 for none."""
    number = _number(text)
    if number is None or number > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; write a number up to {_LAST_PORT}, or 0 for none")
    return number


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
