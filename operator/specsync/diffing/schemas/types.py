"""type, format and nullability."""

from __future__ import annotations

from msgspec import UNSET

from specsync.diffing.schemas.graph import Finding, Node
from specsync.diffing.schemas.sides import Side, copied
from specsync.openapi.model import Schema

_WIDENING_FORMATS = {
    "number": {("float", "double")},
    "integer": {("int32", "int64"), ("int32", "bigint"), ("int64", "bigint")},
}
"""From and to, by type."""


class _TypeFinding(Finding, kw_only=True):
    pair: tuple[Schema, Schema]
    request: bool


def compare_types(node: Node) -> None:
    if node.old.format != node.new.format:
        _settle_encodings(node)
    old, new = node.old, node.new
    if old.nullable is not new.nullable:
        _compare_nullability(node)
    if old.type != new.type or old.multiple_of != new.multiple_of:
        old, new = typed(old), typed(new)
    if (old.type != new.type or old.format != new.format) and not node.claims_type:
        dimension = "type" if old.format == new.format else "format" if old.type == new.type else "type/format"
        keyword = "/format" if dimension == "format" else "/type"
        before, after = type_text(old, dimension), type_text(new, dimension)
        node.findings.append(
            _TypeFinding(
                "?type",
                node.graph.old.keyword_pointer(node.old, keyword, node.old_pointer),
                node.graph.new.keyword_pointer(node.new, keyword, node.new_pointer),
                before,
                after,
                dimension,
                pair=(old, new),
                request=node.request,
            )
        )


def _settle_encodings(node: Node) -> None:
    """``format: byte`` (3.0) is ``contentEncoding: base64`` (3.1), and ``format: binary`` a ``contentMediaType``."""
    node.old = _by_content(node.graph.old, node.old, node.new, node.old_pointer)
    node.new = _by_content(node.graph.new, node.new, node.old, node.new_pointer)


def _by_content(side: Side, schema: Schema, other: Schema, pointer: str) -> Schema:
    """``schema`` in the spelling of ``other``, where that is the newer one."""
    is_base64 = schema.format == "byte" and schema.content_encoding is None and other.content_encoding is not None
    is_binary = schema.format == "binary" and schema.content_media_type is None and other.content_media_type is not None
    if not is_base64 and not is_binary:
        return schema
    changed = side.keep(copied(schema))
    changed.format = None
    if is_base64:
        changed.content_encoding = "base64"
    else:
        changed.content_media_type = "application/octet-stream"
    side.parts[id(changed)] = side.parts.get(id(schema)) or [(schema, pointer)]
    return changed


def typed(schema: Schema) -> Schema:
    """The schema with the types that it has without saying so: those of its enum; integer for whole numbers only."""
    kept: str | list[str] | None = None
    if schema.type is None and (schema.enum or schema.const is not UNSET):
        values = schema.enum if schema.const is UNSET else [schema.const]
        names = sorted({_JSON_TYPES.get(type(value), "number") for value in values or () if value is not None})
        kept = names[0] if len(names) == 1 else names
    elif "number" in schema.types and schema.multiple_of == 1:
        names = sorted({"integer" if name == "number" else name for name in schema.types})
        kept = names[0] if len(names) == 1 else names
    if not kept:
        return schema
    changed = copied(schema)
    changed.type = kept
    return changed


_JSON_TYPES: dict[type, str] = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object"}


def _compare_nullability(node: Node) -> None:
    if node.new.nullable and not accepts_null_anyway(node.old):
        node.found("became-nullable", "/nullable", False, True)
    elif node.old.nullable and not accepts_null_anyway(node.new):
        node.found("became-not-nullable", "/nullable", True, False)


def accepts_null_anyway(schema: Schema) -> bool:
    """A schema without any type accepts null without saying so."""
    return (
        schema.type is None
        and not schema.enum
        and schema.const is UNSET
        and not (schema.one_of or schema.any_of or schema.all_of)
    )


def type_text(schema: Schema, dimension: str = "type") -> str:
    """The type and format in words: ``string/date-time``, ``array<integer>``, ``any``."""
    if dimension == "format":
        return schema.format or "none"
    names = [
        f"array<{type_text(schema.items)}>" if name == "array" and isinstance(schema.items, Schema) else name
        for name in schema.types
    ]
    text = ", ".join(names) or "any"
    return f"{text}/{schema.format or 'none'}" if dimension == "type/format" else text


def type_aspect(finding: Finding, *, strong: bool, parameter: str) -> str:
    """What a change of type or format is in one place.

    ``strong``: the media type tells ``1`` from ``"1"``. ``parameter``: "" outside of parameters, "value" for a
    parameter itself, "property" below it.
    """
    assert isinstance(finding, _TypeFinding)
    old, new = finding.pair
    if not finding.request:
        return _response_aspect(old, new, strong)
    if parameter == "property":
        # Whether an object in a parameter is sent as JSON isn't known: where that decides, it is a risk.
        strict, loose = _breaks_requests(old, new, True), _breaks_requests(old, new, False)
        return "type-changed" if strict != loose else "type-specialized" if strict else "type-generalized"
    if _breaks_requests(old, new, strong):
        return "type-changed"
    if not parameter and old.types and new.types and old.type != new.type and not covers(new.types, old.types):
        return "type-compatible"
    return "type-generalized"


def _response_aspect(old: Schema, new: Schema, strong: bool) -> str:
    if _breaks_responses(old, new, strong):
        return "type-generalized" if old.type != new.type and covers(new.types, old.types) else "type-changed"
    if old.types and new.types and old.type != new.type and not covers(old.types, new.types):
        return "type-compatible"
    return "type-specialized"


def covers(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    """Whether each of the types in ``narrow``, which must not be empty, is one of ``wide`` (an integer is a number)."""
    return bool(narrow) and all(name in wide or (name == "integer" and "number" in wide) for name in narrow)


def _breaks_requests(old: Schema, new: Schema, strong: bool) -> bool:
    return _narrows(old, new, strong)


def _breaks_responses(old: Schema, new: Schema, strong: bool) -> bool:
    return _narrows(new, old, strong)


def _limits_strings(schema: Schema) -> bool:
    return bool(schema.max_length or schema.min_length or schema.pattern or schema.format or schema.enum)


def _narrows(source: Schema, target: Schema, strong: bool) -> bool:
    """Whether ``target`` refuses, by type or format, something that ``source`` accepts."""
    is_covered = source.type == target.type or not target.types or covers(target.types, source.types)
    if not is_covered:
        if strong or "string" not in target.types:  # in text, everything is a string
            return True
        if not source.types and _limits_strings(target):
            return True
        if len(target.types) > 1 and any(name in ("array", "object") for name in source.types):
            return True  # a list is no text among others
    if source.format == target.format or not target.format:
        return False
    if source.type != target.type and not target.types:
        return False
    pair = (source.format, target.format)
    return len(target.types) != 1 or pair not in _WIDENING_FORMATS.get(target.types[0], ())
