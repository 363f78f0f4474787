"""properties and required: what an object has, must have, and no longer has."""

from __future__ import annotations

from operator import itemgetter

from msgspec import UNSET

from specsync.diffing.schemas.graph import Finding, Node
from specsync.diffing.schemas.patterns import Patterns
from specsync.diffing.schemas.sides import has_keywords
from specsync.diffing.schemas.types import type_text
from specsync.openapi.model import Schema
from specsync.openapi.tolerant import escaped


def compare_objects(node: Node) -> None:
    old, new = node.old, node.new
    before, after = old.properties or {}, new.properties or {}
    if not before and not after and old.required == new.required:
        return
    required_before, required_after = frozenset(old.required or ()), frozenset(new.required or ())
    for name in sorted(required_before ^ required_after):
        if name not in (before if name in required_before else after):  # required, though nobody says what it is
            _required_changed(node, name, after.get(name, True), name in required_after)
    for name, schema in sorted(before.items(), key=itemgetter(0)):  # whatever the order in the document was
        if name not in after:
            if name not in node.moved:
                _removed(node, name, schema, name in required_before)
                _compare_with_unnamed(node, name, schema, None)
            continue
        is_changed = not node.graph.unchanged(schema, after[name])
        if is_changed:
            segment = f"/properties/{escaped(name)}"
            node.compare_below(name, schema, after[name], segment, segment)
        if (name in required_before) is not (name in required_after):
            _required_changed(node, name, after[name], name in required_after)
        if is_changed:
            _compare_flags(node, name, schema, after[name], name in required_before)
    for name, schema in sorted(after.items(), key=itemgetter(0)):
        if name not in before:
            _added(node, name, schema, name in required_after)
            _compare_with_unnamed(node, name, None, schema)


def _removed(node: Node, name: str, schema: Schema | bool, required: bool) -> None:
    resolved = node.graph.old.resolve(schema, f"{node.old_pointer}/properties/{escaped(name)}")
    gone = resolved.schema or Schema()
    if node.request:
        if gone.read_only:
            if required and name in (node.new.required or ()):  # it had not to be sent, and now has to
                _required_changed(node, name, True, True)
            return
        aspect = "removed"
    else:
        aspect = ("required" if required else "optional") + "-removed"
        if gone.write_only:
            aspect = "write-only:" + aspect
    pointer = node.graph.old.pointer_of(schema, f"{node.old_pointer}/properties/{escaped(name)}")
    node.findings.append(Finding(aspect, pointer, None, type_text(gone), None, name, name))


def _added(node: Node, name: str, schema: Schema | bool, required: bool) -> None:
    resolved = node.graph.new.resolve(schema, f"{node.new_pointer}/properties/{escaped(name)}")
    added = resolved.schema or Schema()
    after = type_text(added)
    if node.request:
        if added.read_only:
            return
        aspect = "added-required" if required else "added-optional"
        if required and added.default is not UNSET:
            aspect, after = "added-required-with-default", added.default
    else:
        aspect = ("required" if required else "optional") + "-added"
        if added.write_only and name in (node.old.required or ()):  # it was always sent, and no longer is
            aspect = "required-became-write-only"
        elif added.write_only:
            aspect = "write-only:" + aspect
    pointer = node.graph.new.pointer_of(schema, f"{node.new_pointer}/properties/{escaped(name)}")
    node.findings.append(Finding(aspect, None, pointer, None, after, name, name))


def _compare_with_unnamed(node: Node, name: str, old: Schema | bool | None, new: Schema | bool | None) -> None:
    """A property that only one side names, with what the other side says of properties that it doesn't name."""
    side = node.new if new is None else node.old
    other, keyword = _unnamed(side, name, node.graph.patterns)
    if other is None:
        return
    named = f"/properties/{escaped(name)}"
    if new is None and old is not None:
        node.compare_below(name, old, other, named, keyword)
    elif new is not None:
        node.compare_below(name, other, new, keyword, named)


def _unnamed(schema: Schema, name: str, patterns: Patterns) -> tuple[Schema | bool | None, str]:
    """The schema for a property that isn't named, and the rest of its pointer; None where nothing is said of it."""
    for pattern, below in (schema.pattern_properties or {}).items():
        if patterns.match(pattern, name):
            return below, f"/patternProperties/{escaped(pattern)}"
    if schema.additional_properties is None and (schema.pattern_properties or schema.property_names is not None):
        return True, "/patternProperties"  # it is a map, of which each name is a key
    if isinstance(schema.additional_properties, Schema) and has_keywords(schema.additional_properties):
        return schema.additional_properties, "/additionalProperties"
    if name in (schema.required or ()):
        return True, "/required"
    for key, others in (schema.dependent_required or {}).items():
        if name in (key, *others):
            return True, "/dependentRequired"
    for key, below in (schema.dependent_schemas or {}).items():
        if name == key or (isinstance(below, Schema) and name in (below.required or ())):
            return True, "/dependentSchemas"
    for keyword, alternatives in (("/oneOf", schema.one_of), ("/anyOf", schema.any_of)):
        if any(isinstance(below, Schema) and name in (below.required or ()) for below in alternatives or ()):
            return True, keyword
    return None, ""


def _required_changed(node: Node, name: str, schema: Schema | bool, required: bool) -> None:
    now = node.graph.new.resolve(schema, f"{node.new_pointer}/properties/{escaped(name)}").schema or Schema()
    aspect = "became-required" if required else "became-optional"
    after = None
    if node.request:
        if now.read_only:
            return
        if required and now.default is not UNSET:
            aspect, after = "became-required-with-default", now.default
    elif now.write_only:
        aspect = "write-only:" + aspect
    node.findings.append(
        Finding(
            aspect,
            node.graph.old.required_pointer(node.old, name, node.old_pointer),
            node.graph.new.required_pointer(node.new, name, node.new_pointer),
            None,
            after,
            name,
            name,
        )
    )


def _compare_flags(node: Node, name: str, old: Schema | bool, new: Schema | bool, required: bool) -> None:
    keyword = f"/properties/{escaped(name)}"
    left = node.graph.old.resolve(old, node.old_pointer + keyword)
    right = node.graph.new.resolve(new, node.new_pointer + keyword)
    if left.schema is None or right.schema is None or left.schema is right.schema:
        return
    prefix = "required" if required else "optional"
    for attribute, label, below in (("read_only", "read-only", "readOnly"), ("write_only", "write-only", "writeOnly")):
        before, after = getattr(left.schema, attribute), getattr(right.schema, attribute)
        if before is not after:
            aspect = f"{prefix}-became-{label}" if after else f"{prefix}-became-not-{label}"
            node.findings.append(
                Finding(aspect, f"{left.pointer}/{below}", f"{right.pointer}/{below}", before, after, name, name)
            )
