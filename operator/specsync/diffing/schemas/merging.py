"""allOf: what its branches mean together. Schemas are compared by that, not by how their parts are spread over
branches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any

from msgspec import UNSET

from specsync.diffing.schemas.alternatives import match
from specsync.diffing.schemas.graph import Node
from specsync.diffing.schemas.sides import NOTHING, SIBLINGS, Resolved, Side, copied, has_keywords
from specsync.diffing.schemas.types import covers
from specsync.openapi.model import Schema, value_key
from specsync.openapi.references import shown_reference

_UPPER = ("maximum", "exclusive_maximum", "max_length", "max_items", "max_properties", "max_contains")
_LOWER = ("minimum", "exclusive_minimum", "min_length", "min_items", "min_properties", "min_contains")
_FLAGS = ("unique_items", "read_only", "write_only", "deprecated")
_FIRST = ("title", "discriminator", "x_sunset", "x_stability", "x_extensible_enum")
_ONCE = (
    "format",
    "pattern",
    "multiple_of",
    "content_media_type",
    "content_encoding",
    "content_schema",
    "pattern_properties",
    "property_names",
    "unevaluated_properties",
    "unevaluated_items",
    "dependent_required",
    "dependent_schemas",
    "prefix_items",
    "contains",
    "one_of",
    "any_of",
    "not_",
    "if_",
    "then",
    "else_",
    "additional_properties",
)
"""Keywords that two branches may only have where they are equal; else the branches can't be merged."""

_plain = attrgetter(*_ONCE, *_FIRST, *_FLAGS, *_UPPER, *_LOWER)
_NOT_PLAIN = _plain(Schema())


def settle_single_alternatives(node: Node) -> None:
    """oneOf and anyOf of one are an allOf of one, where the other side has no alternatives to compare it with."""
    if node.old.one_of or node.old.any_of:
        if not (node.new.one_of or node.new.any_of):
            node.old = _with_only_alternative(node.graph.old, node.old, node.old_pointer)
    elif node.new.one_of or node.new.any_of:
        node.new = _with_only_alternative(node.graph.new, node.new, node.new_pointer)


def _with_only_alternative(side: Side, schema: Schema, pointer: str) -> Schema:
    """``schema`` merged with its only alternative, where it has one and can be merged."""
    alternatives = [*(schema.one_of or ()), *(schema.any_of or ())]
    if len(alternatives) != 1 or schema.all_of or schema.discriminator is not None:
        return schema
    side.place_children(schema, pointer)
    values = {name: getattr(schema, name) for name in Schema.__struct_fields__}
    whole = side.keep(Schema(**{**values, "one_of": None, "any_of": None, "all_of": alternatives}))
    side.parts[id(whole)] = [(schema, pointer)]
    return merged(side, whole, pointer) or schema


def compare_all_of(node: Node) -> None:
    """Puts the merged schemas in the place of the node's, where both can be merged; else compares branch by branch."""
    old, new = node.old, node.new
    if not old.all_of and not new.all_of:
        return
    left = merged(node.graph.old, old, node.old_pointer)
    right = merged(node.graph.new, new, node.new_pointer)
    can_merge = left is not None and right is not None
    before, after = list(old.all_of or ()), list(new.all_of or ())
    pairs, removed, added = match_branches(node, before, after, guess=not can_merge)
    kept_added, noted = _annotating(node.graph.new, added, after, f"{node.new_pointer}/allOf")
    kept_removed, unnoted = _annotating(node.graph.old, removed, before, f"{node.old_pointer}/allOf")
    now = _notes(node.graph.new, added, after, f"{node.new_pointer}/allOf")
    more = now - _notes(node.graph.old, removed, before, f"{node.old_pointer}/allOf")
    # The others were reworded, or now stand elsewhere.
    _report(node, kept_added, after, "added", structural=can_merge)
    _report(node, kept_removed, before, "removed", structural=can_merge)
    _report(node, noted[: max(more, 0)], after, "added", annotates=True)
    _report(node, unnoted[: max(-more, 0)], before, "removed", annotates=True)
    if left is not None and right is not None:
        for name in _branch_names(node.graph.old, old, node.old_pointer):
            node.graph.old.used.setdefault(name, []).append((node, node))
        node.old, node.new = left, right
        return
    for i, j in pairs:
        branch = after[j]
        name = shown_reference(branch.ref) if isinstance(branch, Schema) and branch.ref else f"#{j + 1}"
        node.compare_below(f"allOf[{name}]", before[i], branch, f"/allOf/{i}", f"/allOf/{j}")


def _branch_names(side: Side, schema: Schema, pointer: str) -> set[str]:
    """The components that were merged into a schema."""
    branches = _branches(side, enumerate(schema.all_of or ()), f"{pointer}/allOf")
    return {resolved.name for resolved in branches if resolved.name is not None}


def _branches(side: Side, listed: Iterable[tuple[int, Schema | bool]], pointer: str) -> Iterator[Resolved]:
    """These branches of an allOf and their own ones, each once, in whatever ways they are reached."""
    waiting = [(branch, f"{pointer}/{index}") for index, branch in listed]
    seen: set[tuple[int, str | None]] = set()
    for branch, place in waiting:  # grows while it is walked
        resolved = side.resolve(branch, place)
        key = (id(resolved.schema), resolved.name)
        if resolved.schema is None or key in seen:
            continue
        seen.add(key)
        yield resolved
        below = enumerate(resolved.schema.all_of or ())
        waiting.extend((inner, f"{resolved.pointer}/allOf/{index}") for index, inner in below)


def match_branches(
    node: Node, before: list[Schema | bool], after: list[Schema | bool], *, guess: bool
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """As for alternatives; without guessing, only by reference and by content, the rest in the order of their
    places.
    """
    if guess:
        return match(node, before, after, "allOf")
    left, right = list(range(len(before))), list(range(len(after)))
    pairs = []
    for i in list(left):
        for j in right:
            if _identity(before[i]) == _identity(after[j]):
                pairs.append((i, j))
                left.remove(i)
                right.remove(j)
                break
    for notes in (False, True):
        inline_left = [i for i in left if _is_inline(before[i], notes=notes)]
        inline_right = [j for j in right if _is_inline(after[j], notes=notes)]
        for i, j in zip(inline_left, inline_right, strict=False):
            pairs.append((i, j))
            left.remove(i)
            right.remove(j)
    return pairs, left, right


def _is_inline(branch: Schema | bool, *, notes: bool) -> bool:
    """Whether a branch is written out in its place, and only annotates or not."""
    if not isinstance(branch, Schema):
        return not notes
    return branch.ref is None and annotates_only(branch) is notes


def _identity(schema: Schema | bool) -> tuple[str, Any]:
    if isinstance(schema, Schema) and schema.ref is not None:
        return "ref", schema.ref
    return "inline", value_key(schema)


def _annotating(
    side: Side, indexes: list[int], branches: list[Schema | bool], pointer: str
) -> tuple[list[int], list[int]]:
    """The branches that constrain something, and those that don't."""
    constraining: list[int] = []
    annotating: list[int] = []
    for index in indexes:
        schema = side.resolve(branches[index], f"{pointer}/{index}").schema
        (annotating if schema is not None and annotates_only(schema) else constraining).append(index)
    return constraining, annotating


def _notes(side: Side, indexes: list[int], branches: list[Schema | bool], pointer: str) -> int:
    """How many branches of allOf constrain nothing, among these and their own branches."""
    found = _branches(side, ((index, branches[index]) for index in indexes), pointer)
    return sum(branch.schema is not None and annotates_only(branch.schema) for branch in found)


def _report(
    node: Node,
    indexes: list[int],
    branches: list[Schema | bool],
    action: str,
    *,
    structural: bool = False,
    annotates: bool = False,
) -> None:
    if not indexes:
        return
    names = [
        shown_reference(branch.ref) if isinstance(branch, Schema) and branch.ref else f"branch #{index + 1}"
        for index in indexes
        for branch in (branches[index],)
    ]
    node.found(
        f"all-of-{action}" + ("-annotation-only" if annotates else ""),
        "/allOf",
        None if action == "added" else names,
        names if action == "added" else None,
        name=", ".join(names),
        structural=structural,
        unsure=not structural and not annotates,
    )


def annotates_only(schema: Schema) -> bool:
    """Whether a schema constrains nothing."""
    return not has_keywords(schema, *SIBLINGS)


def merged(side: Side, schema: Schema, pointer: str, within: tuple[int, ...] = ()) -> Schema | None:
    """One schema that means what ``schema`` with all its branches means; None where no single schema does."""
    if not schema.all_of:
        return schema
    if id(schema) in within or len(within) > 50:
        return None
    key = id(schema)
    if key in side.merged:
        return side.merged[key]
    own = side.keep(copied(schema, without="all_of"))
    side.place_children(schema, pointer)
    result: Schema | None = own
    parts = {id(own): (own, pointer)}
    branches: list[Schema] = []
    for index, branch in enumerate(schema.all_of):
        resolved = side.resolve(branch, f"{pointer}/allOf/{index}")
        part = None
        if resolved.schema is not None:
            part = merged(side, resolved.schema, resolved.pointer, (*within, key))
        if part is None or part is NOTHING or result is None:
            result = part
            break
        side.place_children(part, resolved.pointer)
        branches.append(part)
        for each in side.parts.get(id(part)) or [(part, resolved.pointer)]:
            parts.setdefault(id(each[0]), each)
        result = _both(side, result, part)
        if result is None:
            break
    if result is not None and result is not NOTHING:
        result.nullable = _accepts_null(schema, branches)
        side.parts[id(result)] = list(parts.values())
    side.merged[key] = result
    return result


def _accepts_null(schema: Schema, branches: list[Schema]) -> bool:
    """``nullable`` beside allOf is meant for the whole, as 3.0 users write it; else all branches must accept null."""
    if schema.nullable or schema.type is not None:
        return schema.nullable
    return any(branch.nullable for branch in branches) and all(
        branch.nullable or branch.type is None for branch in branches
    )


def _both(side: Side, left: Schema, right: Schema) -> Schema | None:
    """What accepts what both accept."""
    result = copied(left)
    if _plain(right) != _NOT_PLAIN and not _settle_plain(result, left, right):
        return None
    if _closes(left, right) or ((left.if_ is not None) + (right.if_ is not None) == 2 and left.then != right.then):
        return None
    result.default = left.default if left.default is not UNSET else right.default
    if not _settle_values(result, left, right):
        return None
    result.required = sorted({*(left.required or ()), *(right.required or ())}) or None
    result.properties = _all_properties(side, left, right)
    result.items = left.items if right.items is None else right.items
    if left.items is not None and right.items is not None and left.items != right.items:
        result.items = _together(side, left.items, right.items)
    return side.keep(result)


def _settle_plain(result: Schema, left: Schema, right: Schema) -> bool:
    """The keywords that are merged one by one; False where two of them can't be."""
    for name in _ONCE:
        a, b = getattr(left, name), getattr(right, name)
        if a is None:
            setattr(result, name, b)
        elif b is not None and a != b:
            return False
    for name in _FIRST:
        if getattr(left, name) is None:
            setattr(result, name, getattr(right, name))
    for name in _FLAGS:
        setattr(result, name, getattr(left, name) or getattr(right, name))
    for names, pick in ((_UPPER, min), (_LOWER, max)):
        for name in names:
            values = [v for v in (getattr(left, name), getattr(right, name)) if v is not None]
            setattr(result, name, pick(values) if values else None)
    return True


def _closes(left: Schema, right: Schema) -> bool:
    """Whether one branch forbids or constrains properties that it doesn't name: those of the other branch too."""
    for one, other in ((left, right), (right, left)):
        closed = one.additional_properties is not None or one.unevaluated_properties is not None
        if closed and (other.properties or other.pattern_properties):
            return True
    return False


def _settle_values(result: Schema, left: Schema, right: Schema) -> bool:
    """type, enum and const of both; False where nothing would be left."""
    a, b = left.types, right.types
    if a and b and a != b:
        both = sorted({name for name in a if covers(b, (name,))} | {name for name in b if covers(a, (name,))})
        if not both:
            return False
        result.type = both[0] if len(both) == 1 else both
    else:
        result.type = left.type if a else right.type
    if left.const is not UNSET and right.const is not UNSET and value_key(left.const) != value_key(right.const):
        return False
    result.const = left.const if left.const is not UNSET else right.const
    if left.enum is not None and right.enum is not None:
        kept = {value_key(value) for value in right.enum}
        result.enum = [value for value in left.enum if value_key(value) in kept]
        return bool(result.enum)
    result.enum = left.enum if left.enum is not None else right.enum
    return True


def _all_properties(side: Side, left: Schema, right: Schema) -> dict[str, Schema | bool] | None:
    if not left.properties or not right.properties:
        return left.properties or right.properties
    together = dict(left.properties)
    for name, schema in right.properties.items():
        if name in together and together[name] != schema:
            together[name] = _together(side, together[name], schema)
        else:
            together[name] = schema
    return together


def _together(side: Side, left: Schema | bool, right: Schema | bool) -> Schema:
    """What accepts what both accept. What they have in common is in it once: else a component that is merged in many
    ways would double at each step.
    """
    branches: list[Schema | bool] = []
    for each in (left, right):
        branches.extend(part for part in side.joined.get(id(each), (each,)) if part not in branches)
    made = side.keep(Schema(all_of=branches))
    side.joined[id(made)] = branches
    return made
