"""oneOf, anyOf and prefixItems: which alternatives came, went or changed."""

from __future__ import annotations

from collections.abc import Callable

from specsync.diffing.schemas.alternatives_as_whole import recognize_same_types, takes_all_of
from specsync.diffing.schemas.alternatives_of_types import (
    not_null,
    only_alternatives,
    recognize_types,
    recognize_values,
    without_values,
)
from specsync.diffing.schemas.applicators import accepts_everything
from specsync.diffing.schemas.graph import Node
from specsync.diffing.schemas.positions import compare_positions
from specsync.diffing.schemas.sides import ANYTHING, Side
from specsync.openapi.model import Schema
from specsync.openapi.references import component_name, shown_reference
from specsync.openapi.tolerant import escaped

Alternatives = list[Schema | bool]

_MOST_GUESSES = 1024
"""Pairs of alternatives that are tried against each other to recognize one that was renamed or inlined."""


def compare_alternatives(node: Node) -> None:
    old, new = node.old, node.new
    if not (old.one_of or old.any_of or new.one_of or new.any_of or old.prefix_items or new.prefix_items):
        return
    if recognize_types(node) or recognize_values(node):
        return
    for attribute, keyword, aspect in (("one_of", "oneOf", "one-of"), ("any_of", "anyOf", "any-of")):
        before: Alternatives = getattr(old, attribute) or []
        after: Alternatives = getattr(new, attribute) or []
        if (not before and not after) or node.claims_structure:
            continue
        if not before and _became_alternatives(node, after, keyword, aspect):
            return
        if not after and _became_single(node, before, keyword, aspect):
            return
    _recognize_wrapping(node)
    recognize_same_types(node)
    for attribute, keyword, aspect in (("one_of", "oneOf", "one-of"), ("any_of", "anyOf", "any-of")):
        before, after = getattr(old, attribute) or [], getattr(new, attribute) or []
        if before or after:
            _compare_lists(node, before, after, keyword, aspect)
    if old.prefix_items or new.prefix_items:
        compare_positions(node)


def _became_alternatives(node: Node, after: Alternatives, keyword: str, aspect: str) -> bool:
    """X became one of several, X among them: the others were added, and nothing else is to be said."""
    if not only_alternatives(node.new) or node.old.one_of or node.old.any_of or node.old == ANYTHING:
        return False
    rest = _without_same(node, node.old, after, keyword, is_old=True)
    if rest is None:
        return False
    names = _names(rest, after, node.graph.new, f"{node.new_pointer}/{keyword}")
    if rest and not takes_all_of(node, old_is_single=True):
        node.found(f"{aspect}-added", f"/{keyword}", None, names, name=", ".join(names))
    node.old, node.new = without_values(node.old), without_values(node.new)
    return True


def _became_single(node: Node, before: Alternatives, keyword: str, aspect: str) -> bool:
    if not only_alternatives(node.old) or node.new.one_of or node.new.any_of or node.new == ANYTHING:
        return False
    rest = _without_same(node, node.new, before, keyword, is_old=False)
    if rest is None:
        return False
    names = _names(rest, before, node.graph.old, f"{node.old_pointer}/{keyword}")
    if rest and not takes_all_of(node, old_is_single=False):
        node.found(f"{aspect}-removed", f"/{keyword}", names, None, name=", ".join(names))
    node.old, node.new = without_values(node.old), without_values(node.new)
    return True


def _without_same(
    node: Node, single: Schema, alternatives: Alternatives, keyword: str, *, is_old: bool
) -> list[int] | None:
    """The positions of the other alternatives, where one of them means the same as ``single``; else None."""
    bare = not_null(single)
    if bare is not single:
        side = node.graph.old if is_old else node.graph.new
        side.place_children(single, node.old_pointer if is_old else node.new_pointer)
        side.keep(bare)
    if len(alternatives) > _MOST_GUESSES:
        return None
    for index, alternative in enumerate(alternatives):
        pointer = f"/{keyword}/{index}"
        if is_old:
            same = node.graph.means_same(bare, alternative, node.old_pointer, node.new_pointer + pointer, node.request)
        else:
            same = node.graph.means_same(alternative, bare, node.old_pointer + pointer, node.new_pointer, node.request)
        if same:
            return [other for other in range(len(alternatives)) if other != index]
    return None


def _recognize_wrapping(node: Node) -> None:
    """An object became one of several objects, among which its properties are found again."""
    old, new = node.old, node.new
    if old.one_of or not old.properties or not new.one_of or new.properties or new.type is not None:
        return
    found: set[str] = set()
    for index, alternative in enumerate(new.one_of):
        resolved = node.graph.new.resolve(alternative, f"{node.new_pointer}/oneOf/{index}").schema
        found.update((resolved.properties or {}) if resolved is not None else ())
    moved = frozenset(old.properties) & found
    if moved:
        node.moved = moved
        node.claims_type = True
        node.found("wrapped-in-one-of", "/oneOf", None, len(new.one_of))


def _compare_lists(node: Node, before: Alternatives, after: Alternatives, keyword: str, aspect: str) -> None:
    pairs, removed, added = match(node, before, after, keyword)
    for left, right in pairs:
        label = _label(before[left], after[right], right)
        node.compare_below(
            f"{keyword}[{label}]", before[left], after[right], f"/{keyword}/{left}", f"/{keyword}/{right}"
        )
    if node.claims_structure:
        return
    if added:
        names = _names(added, after, node.graph.new, f"{node.new_pointer}/{keyword}")
        node.found(_added_aspect(node, before, aspect), f"/{keyword}", None, names, name=", ".join(names))
    if removed:
        names = _names(removed, before, node.graph.old, f"{node.old_pointer}/{keyword}")
        node.found(_removed_aspect(node, after, aspect), f"/{keyword}", names, None, name=", ".join(names))


def _added_aspect(node: Node, before: Alternatives, aspect: str) -> str:
    """Alternatives where there were none narrow what is accepted; among others they widen it."""
    if before or (not node.request and not accepts_everything(node.old) and not takes_all_of(node, old_is_single=True)):
        return f"{aspect}-added"
    return f"{aspect}-introduced"


def _removed_aspect(node: Node, after: Alternatives, aspect: str) -> str:
    if after or (node.request and not accepts_everything(node.new) and not takes_all_of(node, old_is_single=False)):
        return f"{aspect}-removed"
    return f"{aspect}-dropped"


def match(
    node: Node, before: Alternatives, after: Alternatives, keyword: str
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Which alternative became which: by reference, by content, by meaning, by title, or because only one pair is
    left.
    """
    left, right = list(range(len(before))), list(range(len(after)))
    pairs: list[tuple[int, int]] = []

    def pair_up(are_same: Callable[[int, int], bool]) -> None:
        for i in list(left):
            for j in right:
                if are_same(i, j):
                    pairs.append((i, j))
                    left.remove(i)
                    right.remove(j)
                    break

    pair_up(lambda i, j: _reference(before[i]) is not None and _reference(before[i]) == _reference(after[j]))
    pair_up(lambda i, j: _reference(before[i]) is None and before[i] == after[j])
    if left and right and len(left) * len(right) <= _MOST_GUESSES:
        pair_up(lambda i, j: _same_shape(node, before[i], after[j]))
        pair_up(
            lambda i, j: (
                _may_be_same(node, before[i], after[j])
                and node.graph.means_same(
                    before[i],
                    after[j],
                    f"{node.old_pointer}/{keyword}/{i}",
                    f"{node.new_pointer}/{keyword}/{j}",
                    node.request,
                )
            )
        )
    pair_up(lambda i, j: _title(before[i]) != "" and _title(before[i]) == _title(after[j]))
    plain_left = [i for i in left if _reference(before[i]) is None]
    plain_right = [j for j in right if _reference(after[j]) is None]
    if len(plain_left) == len(plain_right) == 1:
        i, j = plain_left[0], plain_right[0]
        if not _title(before[i]) and not _title(after[j]):
            pairs.append((i, j))
            left.remove(i)
            right.remove(j)
    return sorted(pairs), left, right


def _same_shape(node: Node, old: Schema | bool, new: Schema | bool) -> bool:
    """Whether two references lead to components that differ in their names only."""
    left, right = _reference(old), _reference(new)
    if left is None or right is None:
        return False
    before = node.graph.old.document.schema_shapes().get(component_name(left, "schemas"))
    return before is not None and before == node.graph.new.document.schema_shapes().get(
        component_name(right, "schemas")
    )


def _may_be_same(node: Node, old: Schema | bool, new: Schema | bool) -> bool:
    """A quick look at whether two alternatives may mean the same."""
    left = node.graph.old.resolve(old, node.old_pointer).schema
    right = node.graph.new.resolve(new, node.new_pointer).schema
    if left is None or right is None:
        return False
    if left.all_of or right.all_of or left.one_of or right.one_of or left.any_of or right.any_of:
        return True
    return left.type == right.type and (left.properties or {}).keys() == (right.properties or {}).keys()


def _reference(schema: Schema | bool) -> str | None:
    return schema.ref if isinstance(schema, Schema) else None


def _title(schema: Schema | bool) -> str:
    return (schema.title or "") if isinstance(schema, Schema) and schema.ref is None else ""


def _names(indexes: list[int], alternatives: Alternatives, side: Side, pointer: str) -> list[str]:
    names = []
    for index in indexes:
        alternative = alternatives[index]
        reference = _reference(alternative)
        place = side.pointer_of(alternative, f"{pointer}/{index}")
        if reference is not None:
            names.append(shown_reference(reference))
        elif place.startswith("/components/schemas/") and place.count("/") == 3:
            names.append(place.rsplit("/", 1)[1])
        else:
            names.append(f"#{index + 1}" + (f" {_title(alternative)}" if _title(alternative) else ""))
    return names


def _label(old: Schema | bool, new: Schema | bool, position: int) -> str:
    """An alternative in a path: its component, else its title, else its position, counted from 1."""
    reference = _reference(new) or _reference(old)
    if reference is not None:
        return escaped(shown_reference(reference))
    return _title(new) or f"#{position + 1}"
