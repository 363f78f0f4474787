"""What oneOf and anyOf amount to as a whole, against a schema that has no alternatives."""

from __future__ import annotations

from specsync.diffing.schemas.graph import Node
from specsync.diffing.schemas.sides import SIBLINGS, Side, has_keywords
from specsync.diffing.schemas.types import covers
from specsync.openapi.model import Schema


def recognize_same_types(node: Node) -> None:
    """A schema without a type has those of its alternatives."""
    for single, other, side, pointer in (
        (node.old, node.new, node.graph.new, node.new_pointer),
        (node.new, node.old, node.graph.old, node.old_pointer),
    ):
        if single.format is not None or other.type is not None or not single.types:
            continue
        if _types_of_alternatives(side, other, pointer) == set(single.types):
            node.claims_type = True


def takes_all_of(node: Node, *, old_is_single: bool) -> bool:
    """Whether the side without alternatives says nothing but types, and those of all alternatives are among them."""
    single, other, side, pointer = (
        (node.old, node.new, node.graph.new, node.new_pointer)
        if old_is_single
        else (node.new, node.old, node.graph.old, node.old_pointer)
    )
    if has_keywords(single, "type", *SIBLINGS) or not single.types:
        return False
    types = _types_of_alternatives(side, other, pointer)
    return types is not None and covers(single.types, tuple(types))


def _types_of_alternatives(side: Side, schema: Schema, pointer: str) -> set[str] | None:
    """The types of all alternatives together; None where one of them has none, or takes null beside it."""
    found: set[str] = set()
    for alternatives, keyword in ((schema.one_of, "oneOf"), (schema.any_of, "anyOf")):
        for index, alternative in enumerate(alternatives or ()):
            resolved = side.resolve(alternative, f"{pointer}/{keyword}/{index}").schema
            if resolved is None or not resolved.types or resolved.nullable:
                return None
            found.update(resolved.types)
    return found or None
