"""Witnesses: for a breaking change of a schema, a value that one document accepts and the other refuses."""

from specsync.diffing.comparison import Comparison, Witness
from specsync.diffing.witness.search import Witnesses, witness_for, witnesses_for
from specsync.openapi.canonical import CanonicalDocument

__all__ = ["Witness", "Witnesses", "attach_witnesses", "witness_for", "witnesses_for"]


def attach_witnesses(old: CanonicalDocument, new: CanonicalDocument, comparison: Comparison, *, seconds: float) -> None:
    """Sets the witness of each breaking event of ``compare(old, new)`` for which one is found in that time."""
    found = witnesses_for(old, new, comparison, seconds=seconds)
    for event in comparison.events:
        event.witness = found.get(event.fingerprint)
