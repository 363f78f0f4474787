"""Keywords that apply a schema to a part of the value: items, additionalProperties, contains, if/then/else and the
like.
"""

from __future__ import annotations

from operator import attrgetter

from specsync.diffing.schemas.bounds import contained
from specsync.diffing.schemas.graph import Node
from specsync.diffing.schemas.sides import ANYTHING, NOTHING, SINGLE
from specsync.openapi.model import Schema
from specsync.openapi.tolerant import escaped

_ASPECTS = {
    "items": "items",
    "additionalProperties": "additional-properties",
    "contains": "contains",
    "propertyNames": "property-names",
    "unevaluatedItems": "unevaluated-items",
    "unevaluatedProperties": "unevaluated-properties",
    "if": "if",
    "then": "then",
    "else": "else",
    "not": "not",
    "contentSchema": "content-schema",
}
_TYPES = {
    "items": "array",
    "contains": "array",
    "unevaluatedItems": "array",
    "additionalProperties": "object",
    "propertyNames": "object",
    "unevaluatedProperties": "object",
    "contentSchema": "string",
}
"""The type that a keyword applies to; the others apply to all."""
_CLOSING = frozenset(("additionalProperties", "unevaluatedProperties"))
"""Where these are false in a response, more properties may come all the same: who receives it ignores them."""
_INVERTED = frozenset(("not", "if"))
_of = attrgetter(
    *(attribute for attribute, _ in SINGLE),
    "pattern_properties",
    "dependent_schemas",
    "dependent_required",
    "content_media_type",
    "content_encoding",
)
_NONE = _of(Schema())


def compare_applicators(node: Node) -> None:
    old, new = node.old, node.new
    if _of(old) == _NONE == _of(new):
        return
    for attribute, keyword in SINGLE:
        before, after = getattr(old, attribute), getattr(new, attribute)
        if attribute == "contains" and before is not after:
            before, after = contained(old), contained(new)
        if (before is None and after is None) or not node.both_can_be(_TYPES.get(keyword, "")):
            continue
        if before is None:
            if keyword == "if" or not accepts_everything(after):
                node.found(f"{_ASPECTS[keyword]}-added", f"/{keyword}")
        elif before is False and after is not False and not node.request and keyword in _CLOSING:
            node.found(f"{_ASPECTS[keyword]}-opened", f"/{keyword}")
        elif after is None:
            if keyword == "if" or not accepts_everything(before):
                node.found(f"{_ASPECTS[keyword]}-removed", f"/{keyword}")
        else:
            inverted = keyword in _INVERTED or (keyword == "contains" and _limits_contains(node))
            node.compare_below(keyword, before, after, f"/{keyword}", f"/{keyword}", inverted=inverted)
    if old.pattern_properties or new.pattern_properties:
        _compare_named(node, "pattern_properties", "patternProperties", "pattern-property")
    if old.dependent_schemas or new.dependent_schemas:
        _compare_named(node, "dependent_schemas", "dependentSchemas", "dependent-schema")
    if old.dependent_required != new.dependent_required:
        _compare_dependent_required(node)
    if old.content_media_type != new.content_media_type:
        node.found("content-media-type-changed", "/contentMediaType", old.content_media_type, new.content_media_type)
    if old.content_encoding != new.content_encoding:
        node.found("content-encoding-changed", "/contentEncoding", old.content_encoding, new.content_encoding)


def compare_booleans(node: Node) -> None:
    """``false`` accepts nothing, so there is nothing more to say of what stands against it."""
    was_nothing, became_nothing = node.old is NOTHING, node.new is NOTHING
    if was_nothing is not became_nothing:
        node.found("schema-became-false" if became_nothing else "schema-became-not-false")
    if was_nothing or became_nothing:
        node.old = node.new = ANYTHING


def accepts_everything(schema: Schema | bool) -> bool:
    return schema is True or (isinstance(schema, Schema) and schema == Schema())


def _limits_contains(node: Node) -> bool:
    """Where only so many items may match, what matches more is refused more."""
    return node.old.max_contains is not None or node.new.max_contains is not None


def _compare_named(node: Node, attribute: str, keyword: str, aspect: str) -> None:
    before: dict[str, Schema | bool] = getattr(node.old, attribute) or {}
    after: dict[str, Schema | bool] = getattr(node.new, attribute) or {}
    for name, schema in before.items():
        pointer = f"/{keyword}/{escaped(name)}"
        if name in after:
            node.compare_below(f"{keyword}[{name}]", schema, after[name], pointer, pointer)
        else:
            node.found(f"{aspect}-removed", pointer, name=name)
            other = node.new.additional_properties
            if keyword == "patternProperties" and isinstance(other, Schema):  # which these names have from now on
                node.compare_below(f"{keyword}[{name}]", schema, other, pointer, "/additionalProperties")
    for name, schema in after.items():
        if name not in before:
            pointer = f"/{keyword}/{escaped(name)}"
            node.found(f"{aspect}-added", pointer, name=name)
            other = node.old.additional_properties
            if keyword == "patternProperties" and isinstance(other, Schema):  # which these names had until now
                node.compare_below(f"{keyword}[{name}]", other, schema, "/additionalProperties", pointer)


def _compare_dependent_required(node: Node) -> None:
    before, after = node.old.dependent_required or {}, node.new.dependent_required or {}
    for name in sorted(before.keys() | after.keys()):
        keyword = f"/dependentRequired/{escaped(name)}"
        left, right = sorted(before.get(name, ())), sorted(after.get(name, ()))
        if left == right:
            continue
        if not left:
            node.found("dependent-required-added", keyword, None, right, name=name)
        elif not right:
            node.found("dependent-required-removed", keyword, left, None, name=name)
        else:
            node.found("dependent-required-changed", keyword, left, right, name=name)
