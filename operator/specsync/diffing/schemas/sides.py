"""One side of a comparison: a document whose references are followed, and where in it things stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from specsync.openapi.canonical import CanonicalDocument
from specsync.openapi.model import Schema
from specsync.openapi.references import component_name
from specsync.openapi.tolerant import escaped

ANYTHING = Schema()
"""``true``: accepts every value."""
NOTHING = Schema(not_=Schema())
"""``false``: accepts none."""

SIBLINGS = ("nullable", "default", "read_only", "write_only", "deprecated", "x_sunset", "x_stability", "title")
"""What may stand beside a ``$ref`` and replaces what the referenced schema says."""

SINGLE = (
    ("items", "items"),
    ("additional_properties", "additionalProperties"),
    ("contains", "contains"),
    ("property_names", "propertyNames"),
    ("unevaluated_items", "unevaluatedItems"),
    ("unevaluated_properties", "unevaluatedProperties"),
    ("if_", "if"),
    ("then", "then"),
    ("else_", "else"),
    ("not_", "not"),
    ("content_schema", "contentSchema"),
)
"""Keywords that hold one schema: the attribute and the name."""
NAMED = (
    ("properties", "properties"),
    ("pattern_properties", "patternProperties"),
    ("dependent_schemas", "dependentSchemas"),
)
"""Keywords that hold schemas by name."""
LISTED = (("all_of", "allOf"), ("one_of", "oneOf"), ("any_of", "anyOf"), ("prefix_items", "prefixItems"))
"""Keywords that hold a list of schemas."""


def children(schema: Schema) -> Iterator[tuple[str, Schema | bool]]:
    """Each schema directly below ``schema``, with the rest of its JSON pointer."""
    for attribute, name in SINGLE:
        below = getattr(schema, attribute)
        if below is not None:
            yield f"/{name}", below
    for attribute, name in NAMED:
        for key, below in (getattr(schema, attribute) or {}).items():
            yield f"/{name}/{escaped(key)}", below
    for attribute, name in LISTED:
        for index, below in enumerate(getattr(schema, attribute) or ()):
            yield f"/{name}/{index}", below


_ATTRIBUTES = {field.encode_name: field.name for field in msgspec.structs.fields(Schema)}


class Resolved(NamedTuple):
    schema: Schema | None
    """The schema that counts; None where it is in another document and so unknown."""
    pointer: str
    digest: str | None
    """Of the component that it is, where it is one with nothing beside the reference."""
    name: str | None
    """Of that component, also where something stands beside the reference."""


class Side:
    """``side.resolve`` for the schemas of one document. What it returns for the same schema is the same object each
    time.
    """

    def __init__(self, document: CanonicalDocument) -> None:
        self.document = document
        self._resolved: dict[int, Resolved] = {}
        self._pointers: dict[int, str] = {}
        self._kept: list[object] = []
        self.merged: dict[int, Schema | None] = {}
        """What the branches of allOf mean together, by the ``id`` of the schema that has them (``merging.py``)."""
        self.parts: dict[int, list[tuple[Schema, str]]] = {}
        """What a schema was put together from, and where those parts stand, by its ``id``."""
        self.used: dict[str, list[Any]] = {}
        """For each component that was compared with something else than its namesake: the nodes; None for no
        difference.
        """

    def keep(self, schema: Schema) -> Schema:
        """Holds a schema that was made during the comparison, so that its ``id`` stays its own."""
        self._kept.append(schema)
        return schema

    def place(self, schema: Schema | bool, pointer: str) -> None:
        """Remember where ``schema`` stands: schemas that are merged from several places keep their parts' pointers."""
        if schema.__class__ is Schema:
            self._pointers.setdefault(id(schema), pointer)

    def place_children(self, schema: Schema, pointer: str) -> None:
        for suffix, below in children(schema):
            self.place(below, pointer + suffix)

    def pointer_of(self, schema: Schema | bool, pointer: str) -> str:
        """Where ``schema`` stands; ``pointer`` unless it was placed elsewhere."""
        return self._pointers.get(id(schema), pointer)

    def keyword_pointer(self, schema: Schema, keyword: str, pointer: str) -> str:
        """Where the ``keyword`` of a schema at ``pointer`` stands: in the part that has it, for one put together
        from parts.
        """
        parts = self.parts.get(id(schema))
        if parts is not None:
            attribute = _ATTRIBUTES.get(keyword.split("/", 2)[1]) if keyword else None
            for part, place in parts:
                if attribute is not None and _is_set(getattr(part, attribute)):
                    return place + keyword
        return pointer + keyword

    def resolve(self, schema: Schema | bool, pointer: str) -> Resolved:
        """What ``schema``, which stands at ``pointer``, means."""
        if schema.__class__ is bool:
            return Resolved(ANYTHING if schema else NOTHING, pointer, None, None)
        assert isinstance(schema, Schema)
        found = self._resolved.get(id(schema))
        if found is None:
            pointer = self._pointers.get(id(schema), pointer)
            found = self._resolved[id(schema)] = (
                Resolved(schema, pointer, None, None) if schema.ref is None else self._follow(schema, pointer)
            )
        return found

    def _follow(self, schema: Schema, pointer: str) -> Resolved:
        beside: list[Schema] = []
        seen: set[str] = set()
        current: Schema | bool = schema
        name, digest = None, None
        while current.__class__ is Schema and current.ref is not None:
            assert isinstance(current, Schema) and current.ref is not None
            if has_keywords(current, "ref", "title"):
                beside.append(current)
            name = component_name(current.ref, "schemas")
            target = self.document.component("schemas", name)
            if target is None or name in seen:
                return Resolved(None, pointer, None, name)
            seen.add(name)
            digest = self.document.component_digest("schemas", name)
            current = target
        place = f"/components/schemas/{escaped(name or '')}" if name and not name.startswith("#") else (name or "#")[1:]
        target_schema = current if isinstance(current, Schema) else (ANYTHING if current else NOTHING)
        if not beside:
            return Resolved(target_schema, place, digest, name)
        merged = target_schema
        for referrer in reversed(beside):
            merged = self._with_siblings(merged, referrer, place, pointer)
        return Resolved(merged, pointer, None, name)

    def _with_siblings(self, target: Schema, referrer: Schema, target_pointer: str, pointer: str) -> Schema:
        self.place_children(target, target_pointer)
        if has_keywords(referrer, "ref", *SIBLINGS):
            own = copied(referrer, without="ref")
            self.place(target, target_pointer)
            self.place(own, pointer)
            return self.keep(Schema(all_of=[target, self.keep(own)]))
        merged = copied(target)
        for name in SIBLINGS:
            value = getattr(referrer, name)
            if _is_set(value):
                setattr(merged, name, value)
        parts = self.parts.get(id(target)) or [(target, target_pointer)]
        self.parts[id(merged)] = [(referrer, pointer), *parts]
        return self.keep(merged)


def copied(schema: Schema, without: str = "") -> Schema:
    """A shallow copy of ``schema``, without one of its attributes."""
    return Schema(**{name: getattr(schema, name) for name in Schema.__struct_fields__ if name != without})


def has_keywords(schema: Schema, *ignored: str) -> bool:
    """Whether ``schema`` says anything beside the attributes that are ``ignored``."""
    return any(_is_set(getattr(schema, name)) for name in Schema.__struct_fields__ if name not in ignored)


def _is_set(value: object) -> bool:
    return value is not None and value is not False and value is not UNSET
