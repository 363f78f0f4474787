"""Names of media types (RFC 6838)."""

from __future__ import annotations


def parsed(name: str) -> tuple[str, str, str, tuple[str, ...]]:
    """Type, subtype, structured syntax suffix, and sorted parameters, in lower case: ``("application", "hal",
    "json", ())``.
    """
    essence, *parameters = (part.strip().lower() for part in name.split(";"))
    kind, _, rest = essence.partition("/")
    subtype, _, suffix = rest.partition("+")
    return kind, subtype, suffix, tuple(sorted(part for part in parameters if part))


def contains(wide: str, narrow: str) -> bool:
    """Whether each message of type ``narrow`` is also one of type ``wide``: ``application/json`` has
    ``application/hal+json``.
    """
    kind, subtype, suffix, _ = parsed(wide)
    other_kind, other_subtype, other_suffix, _ = parsed(narrow)
    if kind != other_kind:
        return False
    if not suffix and other_suffix and other_suffix == subtype:
        return True
    return subtype == other_subtype and suffix == other_suffix
