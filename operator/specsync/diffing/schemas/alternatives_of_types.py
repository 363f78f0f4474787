"""Lists of types or values, and oneOf or anyOf of the same types or values: two spellings of one thing."""

from __future__ import annotations

from typing import NamedTuple, TypeGuard

from msgspec import UNSET

from specsync.diffing.schemas.bounds import BOUNDS
from specsync.diffing.schemas.graph import Node
from specsync.diffing.schemas.sides import SIBLINGS, copied, has_keywords
from specsync.diffing.schemas.types import covers
from specsync.openapi.model import Schema


def recognize_types(node: Node) -> bool:
    """A type became a list of types in oneOf or anyOf, or the reverse. True where that is all that there is to say."""
    before, after = _type_pattern(node.old), _type_pattern(node.new)
    if before is None or after is None or not (before.keyword or after.keyword):
        return False
    added = [name for name in after.types if not covers(tuple(before.types), (name,))]
    removed = [name for name in before.types if not covers(tuple(after.types), (name,))]
    if before.keyword and after.keyword and not added and not removed:
        return False
    if added or removed:
        if removed if node.request else not added:
            node.found("list-of-types-narrowed", "", ", ".join(removed), None)
        else:
            node.found("list-of-types-widened", "", None, ", ".join(added))
    node.claims_type = node.claims_structure = True
    pairs = [(name, name) for name in sorted(before.types.keys() & after.types.keys())]  # what became of what stayed
    if before.keyword and after.keyword:
        pairs.clear()  # they are matched as alternatives
    sent, received = (before.types, after.types) if node.request else (after.types, before.types)
    if "integer" in sent and "integer" not in received and "number" in received:  # which has limits of its own
        pairs.append(("integer", "number") if node.request else ("number", "integer"))
    for left, right in pairs:
        (old, old_keyword), (new, new_keyword) = before.types[left], after.types[right]
        node.compare_below(f"{after.keyword or before.keyword}[{right}]", old, new, old_keyword, new_keyword)
    if before.keyword and after.keyword:
        return False
    node.old, node.new = without_values(node.old), without_values(node.new)
    return True


def recognize_values(node: Node) -> bool:
    """An enum became oneOf or anyOf of single values, each with words of its own, or the reverse: then the values say
    it all, and ``values.py`` compares them.
    """
    for listed, other, side, pointer in (
        (node.old, node.new, node.graph.new, node.new_pointer),
        (node.new, node.old, node.graph.old, node.old_pointer),
    ):
        has_list = listed.enum is not None or listed.const is not UNSET
        if not has_list or listed.one_of or listed.any_of or has_keywords(other, "type", "one_of", "any_of", *SIBLINGS):
            continue
        if bool(other.one_of) is bool(other.any_of):
            continue
        keyword = "oneOf" if other.one_of else "anyOf"
        parts = [
            side.resolve(alternative, f"{pointer}/{keyword}/{index}").schema
            for index, alternative in enumerate(other.one_of or other.any_of or ())
        ]
        if all(part is not None and _is_value(part) for part in parts):
            node.claims_type = node.claims_structure = True
            return True
    return False


def _is_value(schema: Schema) -> bool:
    is_single = schema.const is not UNSET or (schema.enum is not None and len(schema.enum) == 1)
    return is_single and not has_keywords(schema, "type", "enum", "const", *SIBLINGS)


class _Pattern(NamedTuple):
    types: dict[str, tuple[Schema, str]]
    """For each type the schema that has it, and the rest of its pointer."""
    keyword: str
    """oneOf or anyOf; empty for a schema that has its types itself."""


def _type_pattern(schema: Schema) -> _Pattern | None:
    """The types that a schema is made of; None where that isn't how it is made."""
    if schema.not_ is not None or schema.all_of or schema.properties:
        return None
    if schema.type is not None:
        if schema.one_of or schema.any_of:
            return None
        if len(schema.types) == 1:
            return _Pattern({schema.types[0]: (not_null(schema), "")}, "")
        if schema.enum is not None or schema.const is not UNSET:
            return None
        return _Pattern({name: (_of_type(schema, name), "") for name in schema.types}, "")
    if not only_alternatives(schema):
        return None
    for alternatives, keyword in ((schema.one_of, "oneOf"), (schema.any_of, "anyOf")):
        if not alternatives:
            continue
        types: dict[str, tuple[Schema, str]] = {}
        for index, alternative in enumerate(alternatives):
            if not _is_plain(alternative) or alternative.types[0] in types:
                return None
            types[alternative.types[0]] = (alternative, f"/{keyword}/{index}")
        return _Pattern(types, keyword)
    return None


def _is_plain(alternative: Schema | bool) -> TypeGuard[Schema]:
    return (
        isinstance(alternative, Schema)
        and len(alternative.types) == 1
        and not (alternative.properties or alternative.one_of or alternative.any_of or alternative.all_of)
    )


def _of_type(schema: Schema, name: str) -> Schema:
    """What a schema says of its values of one type."""
    part = copied(schema)
    part.type, part.nullable = name, False
    for attribute, _, _, kind in BOUNDS:
        if kind != name and not (kind == "number" and name == "integer"):
            setattr(part, attribute, None)
    if name not in ("number", "integer"):
        part.multiple_of = None
    if name != "string":
        part.pattern = None
    return part


def only_alternatives(schema: Schema) -> bool:
    return (
        schema.type is None
        and not schema.properties
        and schema.enum is None
        and schema.const is UNSET
        and schema.items is None
        and not schema.required
        and schema.not_ is None
        and not (schema.one_of and schema.any_of)
    )


def not_null(schema: Schema) -> Schema:
    """The schema without null, which is judged on its own."""
    if not schema.nullable:
        return schema
    bare = copied(schema)
    bare.nullable = False
    return bare


def without_values(schema: Schema) -> Schema:
    """What is left to compare of a schema whose values were all compared: null, and what accompanies them."""
    return Schema(type="object", **{name: getattr(schema, name) for name in SIBLINGS})
