"""Witnesses: for a breaking change of a schema, a value that one document accepts and the other refuses."""

from specsync.diffing.witness.search import Witness, Witnesses, witness_for, witnesses_for

__all__ = ["Witness", "Witnesses", "witness_for", "witnesses_for"]
