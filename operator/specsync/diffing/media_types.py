"""Names of media types (RFC 6838) and of ranges of them (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

Name = tuple[str, str, str, tuple[str, ...]]


@lru_cache(4096)
def parsed(name: str) -> Name:
    """Type, subtype, structured syntax suffix, and sorted parameters, in lower case: ``("application", "hal",
    "json", ())``.
    """
    essence, *parameters = (part.strip().lower() for part in name.split(";"))
    kind, _, rest = essence.partition("/")
    subtype, _, suffix = rest.partition("+")
    return kind, subtype, suffix, tuple(sorted(part for part in parameters if part))


def is_range(name: str) -> bool:
    """Whether a name stands for many media types: ``*/*`` or ``text/*``."""
    return parsed(name)[1] == "*"


def contains(wide: str, narrow: str) -> bool:
    """Whether each message of type ``narrow`` is also one of type ``wide``: ``application/json`` has
    ``application/hal+json``, and ``*/*`` has all.
    """
    kind, subtype, suffix, _ = parsed(wide)
    other_kind, other_subtype, other_suffix, _ = parsed(narrow)
    if subtype == "*" and kind in ("*", other_kind):
        return True
    if kind != other_kind:
        return False
    if not suffix and other_suffix and other_suffix == subtype:
        return True
    return subtype == other_subtype and suffix == other_suffix


class Paired(NamedTuple):
    pairs: list[tuple[str, str]]
    """The names of one media type before and after."""
    removed: list[str]
    added: list[str]


def paired(old: Iterable[str], new: Iterable[str], *, request: bool) -> Paired:
    """Which media type became which. One whose name became wider or narrower is still the same one; and one that goes
    is still taken in requests, where a range has it.
    """
    before, after = set(old), set(new)
    pairs = [(name, name) for name in sorted(before & after)]
    removed, added = sorted(before - after), []
    for name in sorted(after - before):
        match = next((gone for gone in removed if contains(name, gone) or contains(gone, name)), None)
        if match is None:
            added.append(name)
        else:
            removed.remove(match)
            pairs.append((match, name))
    ranges = [name for name in sorted(after) if is_range(name)] if request and removed else []
    for gone in list(removed) if ranges else ():
        wide = next((name for name in ranges if contains(name, gone)), None)
        if wide is not None:
            removed.remove(gone)
            pairs.append((gone, wide))
    return Paired(pairs, removed, added)
