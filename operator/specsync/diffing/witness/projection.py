"""A schema as JSON Schema draft 2020-12, as far as it has a say in given values.

What a schema says of properties that no value has, or of items of lists that are empty, decides nothing. Without it,
a body that reaches half of a document becomes a schema of a few lines, which costs microseconds to compile.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from specsync.openapi.canonical import CanonicalDocument
from specsync.openapi.model import Schema
from specsync.openapi.references import component_name

TYPES = frozenset(("array", "boolean", "integer", "null", "number", "object", "string"))
_NUMBERS = (
    ("maximum", "maximum"),
    ("minimum", "minimum"),
    ("exclusive_maximum", "exclusiveMaximum"),
    ("exclusive_minimum", "exclusiveMinimum"),
)
_COUNTS = (
    ("max_length", "maxLength"),
    ("min_length", "minLength"),
    ("max_items", "maxItems"),
    ("min_items", "minItems"),
    ("max_properties", "maxProperties"),
    ("min_properties", "minProperties"),
    ("max_contains", "maxContains"),
    ("min_contains", "minContains"),
)
_IN_PLACE = (("not_", "not"), ("if_", "if"), ("then", "then"), ("else_", "else"))
_RANGES = {"int32": 2**31, "int64": 2**63}


Scalars = dict[int, tuple[Schema, dict[str, Any]]]
"""What schemas say of values as a whole, by their ``id``; they are held, so that their ``id`` stays their own."""


class Undecidable(Exception):
    """The schema can't be judged: it stands in another document, refers to itself in place, or is too large."""


class Projector:
    """JSON Schemas for one document and direction.

    In requests readOnly properties aren't required, in responses writeOnly ones. The discriminator says nothing.
    """

    def __init__(
        self,
        document: CanonicalDocument,
        *,
        request: bool,
        strict: bool,
        formats: bool = False,
        most: int = 0,
        known: Scalars | None = None,
    ) -> None:
        """``strict``: oneOf is held to its word; else it is read as anyOf. ``formats`` are asserted, if asked for.
        ``most``: how many schemas are looked at before giving up. ``known``: what other projectors for the same
        document and formats know already.
        """
        self._document = document
        self._request = request
        self._is_strict = strict
        self._formats = formats
        self._scalars: Scalars = {} if known is None else known
        self.budget = most
        """How many more schemas may be looked at."""

    def schema(self, schema: Schema | bool, value: Any) -> Any:
        """What ``schema`` demands of ``value``. Raises ``Undecidable``."""
        return self._position(schema, [value])

    def _position(self, schema: Schema | bool, values: list[Any]) -> Any:
        """The schema of one place in a value; ``values`` are all that stand there."""
        if not values or schema.__class__ is bool:
            return schema if schema.__class__ is bool else True
        hidden: set[str] = set()
        if any(value.__class__ is dict for value in values):
            self._collect_hidden(schema, hidden, set())
        return self._in_place(schema, values, hidden, frozenset())

    def _collect_hidden(self, schema: Schema | bool, hidden: set[str], seen: set[str]) -> None:
        """Properties that aren't sent in this direction, of the schema and of all that applies in its place."""
        if not isinstance(schema, Schema):
            return
        if schema.ref is not None:
            name = component_name(schema.ref, "schemas")
            if name not in seen:
                seen.add(name)
                self._collect_hidden(self._document.component("schemas", name), hidden, seen)
        for name, below in (schema.properties or {}).items():
            if self.is_one_way(below):
                hidden.add(name)
        for part in (*(schema.all_of or ()), *(schema.one_of or ()), *(schema.any_of or ())):
            self._collect_hidden(part, hidden, seen)

    def is_one_way(self, schema: Schema | bool) -> bool:
        """Whether a property with this schema isn't sent in this direction."""
        seen: set[str] = set()
        while isinstance(schema, Schema):
            if schema.read_only if self._request else schema.write_only:
                return True
            name = component_name(schema.ref, "schemas") if schema.ref is not None else ""
            if not name or name in seen:
                return False
            seen.add(name)
            schema = self._document.component("schemas", name)
        return False

    def _in_place(self, schema: Schema | bool, values: list[Any], hidden: set[str], within: frozenset[str]) -> Any:
        if not isinstance(schema, Schema):
            return schema
        self.budget -= 1
        if self.budget < 0:
            raise Undecidable
        result = self._own(schema, values, hidden)
        for attribute, keyword in (
            ("all_of", "allOf"),
            ("any_of", "anyOf"),
            ("one_of", "oneOf" if self._is_strict else "anyOf"),
        ):
            parts = getattr(schema, attribute)
            if parts:
                projected = [self._in_place(part, values, hidden, within) for part in parts]
                group = {keyword: projected}
                result = group if not result else {"allOf": [result, group]} if keyword in result else result | group
        for attribute, keyword in _IN_PLACE:
            part = getattr(schema, attribute)
            if part is not None:
                turned = keyword in ("not", "if")
                self._is_strict ^= turned  # what is strict there is lenient here
                result[keyword] = self._in_place(part, values, hidden, within)
                self._is_strict ^= turned
        if schema.dependent_schemas:
            result["dependentSchemas"] = {
                name: self._in_place(part, values, hidden, within) for name, part in schema.dependent_schemas.items()
            }
        if schema.ref is not None:
            name = component_name(schema.ref, "schemas")
            target = self._document.component("schemas", name)
            if target is None or name in within:
                raise Undecidable
            meant = self._in_place(target, values, hidden, within | {name})
            result = {"allOf": [meant, result]} if result else meant
        if schema.nullable and None in values:
            if not _accepts_null_surely(schema):
                raise Undecidable
            return {"anyOf": [{"type": "null"}, result]}
        return result

    def _own(self, schema: Schema, values: list[Any], hidden: set[str]) -> dict[str, Any]:
        """What a schema says itself, with what it says of the parts of the values."""
        known = self._scalars.get(id(schema))
        if known is None:
            known = self._scalars[id(schema)] = (schema, self._scalar(schema))
        result = dict(known[1])
        objects = [value for value in values if value.__class__ is dict]
        lists = [value for value in values if value.__class__ is list]
        if objects:
            self._add_object(schema, objects, hidden, result)
        if lists:
            self._add_list(schema, lists, result)
        return result

    def _scalar(self, schema: Schema) -> dict[str, Any]:
        """What a schema says of a value as a whole."""
        result: dict[str, Any] = {}
        types = [name for name in schema.types if name in TYPES]
        if types and len(types) == len(schema.types):
            result["type"] = types
        if schema.enum is not None:
            result["enum"] = schema.enum
        if schema.const is not UNSET:
            result["const"] = schema.const
        for attribute, keyword in _NUMBERS:
            number = getattr(schema, attribute)
            if number is not None:
                result[keyword] = number
        for attribute, keyword in _COUNTS:
            count = getattr(schema, attribute)
            if count is not None and count >= 0 and int(count) == count:
                result[keyword] = int(count)
        if schema.multiple_of is not None and schema.multiple_of > 0:
            result["multipleOf"] = schema.multiple_of
        if schema.pattern is not None:
            result["pattern"] = schema.pattern
        if schema.unique_items:
            result["uniqueItems"] = True
        if self._formats and schema.format is not None:
            self._assert_format(schema.format, result)
        return result

    @staticmethod
    def _assert_format(name: str, result: dict[str, Any]) -> None:
        limit = _RANGES.get(name)
        if limit is None:
            result["format"] = {"url": "uri"}.get(name, name)
        else:
            result["allOf"] = [{"minimum": -limit, "maximum": limit - 1}]

    def _add_object(
        self, schema: Schema, objects: list[dict[str, Any]], hidden: set[str], result: dict[str, Any]
    ) -> None:
        if schema.required:
            result["required"] = [name for name in schema.required if name not in hidden]
        if schema.dependent_required:
            result["dependentRequired"] = schema.dependent_required
        if schema.properties:
            result["properties"] = {
                name: self._position(below, [value[name] for value in objects if name in value])
                for name, below in schema.properties.items()
                if any(name in value for value in objects)
            }
        inner = [item for value in objects for item in value.values()]
        if schema.pattern_properties:
            result["patternProperties"] = {
                pattern: self._position(below, inner) for pattern, below in schema.pattern_properties.items()
            }
        for attribute, keyword in (
            ("additional_properties", "additionalProperties"),
            ("unevaluated_properties", "unevaluatedProperties"),
        ):
            below = getattr(schema, attribute)
            if below is not None:
                result[keyword] = self._position(below, inner)
        if schema.property_names is not None:
            result["propertyNames"] = self._position(
                schema.property_names, [name for value in objects for name in value]
            )

    def _add_list(self, schema: Schema, lists: list[list[Any]], result: dict[str, Any]) -> None:
        inner = [item for value in lists for item in value]
        if schema.prefix_items:
            result["prefixItems"] = [
                self._position(below, [value[index] for value in lists if len(value) > index])
                for index, below in enumerate(schema.prefix_items)
            ]
        for attribute, keyword in (
            ("items", "items"),
            ("contains", "contains"),
            ("unevaluated_items", "unevaluatedItems"),
        ):
            below = getattr(schema, attribute)
            if below is not None:
                result[keyword] = self._position(below, inner)


def _accepts_null_surely(schema: Schema) -> bool:
    """Whether only one part of a nullable schema has a say in null: which of several had it isn't told any more."""
    parts = (schema.ref, schema.all_of, schema.any_of, schema.one_of, schema.not_, schema.if_)
    is_restricted = schema.type is not None or schema.enum is not None or schema.const is not UNSET
    return sum(part is not None for part in parts) + is_restricted < 2
