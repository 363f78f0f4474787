"""One side of a comparison: a document whose references are followed, and where in it things stand."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET

from specsync.openapi.canonical import CanonicalDocument
from specsync.openapi.model import Schema
from specsync.openapi.references import component_name, is_external
from specsync.openapi.tolerant import escaped

ANYTHING = Schema()
"""``true``: accepts every value."""
NULL = Schema(type="null")
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


_below = attrgetter(*(attribute for attribute, _ in (*NAMED, *LISTED, *SINGLE)))
_NAMES = tuple(name for _, name in (*NAMED, *LISTED, *SINGLE))
_NOTHING_BELOW = _below(ANYTHING)


def children(schema: Schema) -> Iterator[tuple[str, Schema | bool]]:
    """Each schema directly below ``schema``, with the rest of its JSON pointer."""
    found = _below(schema)
    if found == _NOTHING_BELOW:
        return
    for name, value in zip(_NAMES, found, strict=True):
        if value is None:
            continue
        if value.__class__ is dict:
            for key, below in value.items():
                yield f"/{name}/{escaped(key)}", below
        elif value.__class__ is list:
            for index, below in enumerate(value):
                yield f"/{name}/{index}", below
        else:
            yield f"/{name}", value


_all_but_ref = attrgetter(*(name for name in Schema.__struct_fields__ if name not in ("ref", "title")))
_NOTHING_BESIDE = _all_but_ref(ANYTHING)

_ATTRIBUTES = dict(zip(Schema.__struct_encode_fields__, Schema.__struct_fields__, strict=True))


class Resolved(msgspec.Struct, frozen=True, gc=False):
    schema: Schema | None
    """The schema that counts; None where it is in another document and so unknown."""
    pointer: str
    digest: str | None
    """Of the component that it is, where it is one with nothing beside the reference."""
    name: str | None
    """Of that component, also where something stands beside the reference; the reference, where that is unknown."""
    via: frozenset[str] = frozenset()
    """The names of all components on the way, this one's included."""
    elsewhere: str | None = None
    """The reference into another document that an unknown schema is; None for one that refers to itself, or dangles."""


class Side:
    """``side.resolve`` for the schemas of one document. What it returns for the same schema is the same object each
    time.
    """

    def __init__(self, document: CanonicalDocument) -> None:
        self.document = document
        self._resolved: dict[int, Resolved] = {}
        self._by_reference: dict[str, Resolved] = {}
        """What a reference with nothing beside it leads to."""
        self._pointers: dict[int, str] = {}
        self._kept: list[object] = []
        self.merged: dict[int, Schema | None] = {}
        """What the branches of allOf mean together, by the ``id`` of the schema that has them (``merging.py``)."""
        self.joined: dict[int, list[Schema | bool]] = {}
        """The branches of each allOf that was made of several schemas of one part, by its ``id``."""
        self.parts: dict[int, list[tuple[Schema, str]]] = {}
        """What a schema was put together from, and where those parts stand, by its ``id``."""
        self.used: dict[str, list[tuple[Any, Any]]] = {}
        """For each component that was compared with something else than its namesake: the nodes; None for no
        difference.
        """

    def keep(self, schema: Schema) -> Schema:
        """Holds a schema that was made during the comparison, so that its ``id`` stays its own."""
        self._kept.append(schema)
        return schema

    def place(self, schema: Schema | bool, pointer: str) -> None:
        """Remember where ``schema`` stands: schemas that are merged from several places keep their parts' pointers."""
        if schema.__class__ is Schema and id(schema) not in self._pointers:
            self._pointers[id(schema)] = pointer
            self._kept.append(schema)

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
        if schema is ANYTHING or schema is NOTHING:
            return pointer  # where something else says, or leaves open, that it is so
        parts = self.parts.get(id(schema))
        if parts is not None:
            attribute = _ATTRIBUTES.get(keyword.split("/", 2)[1]) if keyword else None
            for part, place in parts:
                if attribute is not None and is_set(attribute, getattr(part, attribute)):
                    return place + keyword
        return pointer + keyword

    def required_pointer(self, schema: Schema, name: str, pointer: str) -> str:
        """Where a schema at ``pointer`` requires a property: in the part that does, for one put together from parts."""
        for part, place in self.parts.get(id(schema), ()):
            if name in (part.required or ()):
                return f"{place}/required"
        return self.keyword_pointer(schema, "/required", pointer)

    def resolve(self, schema: Schema | bool, pointer: str) -> Resolved:
        """What ``schema``, which stands at ``pointer``, means."""
        found = self._resolved.get(id(schema))
        if found is not None:
            return found
        if schema.__class__ is bool:
            return Resolved(ANYTHING if schema else NOTHING, pointer, None, None)
        assert isinstance(schema, Schema)
        self._kept.append(schema)  # no other schema may get its id
        pointer = self._pointers.get(id(schema), pointer)
        if schema.ref is not None:
            found = self._referred(schema, pointer)
        elif schema.not_ is not None and is_nothing(schema):
            found = Resolved(NOTHING, pointer, None, None)
        elif schema.one_of is None and schema.any_of is None:
            found = Resolved(schema, pointer, None, None)
        else:
            found = self._without_null(schema, pointer)
        self._resolved[id(schema)] = found
        return found

    def _without_null(self, schema: Schema, pointer: str) -> Resolved:
        """Alternatives that are null by reference are nullability too."""
        changed: dict[str, list[Schema | bool]] = {}
        for name in ("one_of", "any_of"):
            alternatives: list[Schema | bool] = getattr(schema, name) or []
            settled = [NULL if self._refers_to_null(alternative) else alternative for alternative in alternatives]
            if any(alternative is NULL for alternative in settled):
                changed[name] = settled
        if not changed:
            return Resolved(schema, pointer, None, None)
        self.place_children(schema, pointer)
        values = {name: getattr(schema, name) for name in Schema.__struct_fields__}
        return self.resolve(self.keep(Schema(**{**values, **changed})), pointer)

    def _refers_to_null(self, alternative: Schema | bool) -> bool:
        if not isinstance(alternative, Schema) or alternative.ref is None:
            return False
        target: Schema | bool | None = alternative
        seen: set[str] = set()
        while isinstance(target, Schema) and target.ref is not None and target.ref not in seen:
            seen.add(target.ref)
            target = self.document.component("schemas", component_name(target.ref, "schemas"))
        return isinstance(target, Schema) and target.type == "null" and not has_keywords(target, "type", *SIBLINGS)

    def _referred(self, schema: Schema, pointer: str) -> Resolved:
        if _all_but_ref(schema) != _NOTHING_BESIDE:
            return self._follow(schema, pointer)
        assert schema.ref is not None
        found = self._by_reference.get(schema.ref)
        if found is None:
            found = self._follow(schema, pointer)
            if found.schema is not None:  # else it is where it stands
                self._by_reference[schema.ref] = found
        return found

    def _follow(self, schema: Schema, pointer: str) -> Resolved:
        beside: list[Schema] = []
        seen: set[str] = set()
        current: Schema | bool = schema
        name, digest = None, None
        while current.__class__ is Schema and current.ref is not None:
            assert isinstance(current, Schema) and current.ref is not None
            if _all_but_ref(current) != _NOTHING_BESIDE and has_keywords(current, "ref", "title"):
                beside.append(current)
            name = component_name(current.ref, "schemas")
            target = self.document.component("schemas", name)
            if target is None or name in seen:
                elsewhere = current.ref if is_external(current.ref) else None
                return Resolved(None, pointer, None, name, frozenset(seen), elsewhere)
            seen.add(name)
            digest = self.document.component_digest("schemas", name)
            current = target
        place = f"/components/schemas/{escaped(name or '')}" if name and not name.startswith("#") else (name or "#")[1:]
        target_schema = current if isinstance(current, Schema) else (ANYTHING if current else NOTHING)
        settled = self.resolve(target_schema, place)
        if settled.schema is None:
            return Resolved(None, pointer, None, name, frozenset(seen))
        target_schema = settled.schema
        if not beside:
            return Resolved(target_schema, place, digest, name, frozenset(seen))
        return Resolved(
            self._with_siblings(target_schema, beside, place, pointer), pointer, None, name, frozenset(seen)
        )

    def _with_siblings(self, target: Schema, beside: list[Schema], target_pointer: str, pointer: str) -> Schema:
        """``target`` with what stands beside the references that led to it, the outermost first."""
        self.place_children(target, target_pointer)
        constraining = [referrer for referrer in beside if has_keywords(referrer, "ref", *SIBLINGS)]
        if constraining:
            self.place(target, target_pointer)
            owns = [self.keep(copied(referrer, without="ref")) for referrer in constraining]
            for own in owns:
                self.place(own, pointer)
            merged = Schema(all_of=[target, *owns])
        else:
            merged = copied(target)
        for name in SIBLINGS:
            for referrer in beside:
                if is_set(name, getattr(referrer, name)):
                    setattr(merged, name, getattr(referrer, name))
                    break
        parts = self.parts.get(id(target)) or [(target, target_pointer)]
        self.parts[id(merged)] = [*((referrer, pointer) for referrer in beside), *parts]
        return self.keep(merged)


def is_nothing(schema: Schema) -> bool:
    """Whether a schema accepts no value in so many words: it excludes everything."""
    excluded = schema.not_
    return excluded is True or (isinstance(excluded, Schema) and not has_keywords(excluded, *SIBLINGS))


def copied(schema: Schema, without: str = "") -> Schema:
    """A shallow copy of ``schema``, without one of its attributes."""
    made = copy(schema)
    if without:
        setattr(made, without, getattr(ANYTHING, without))
        made.__post_init__()  # what is left may have a simpler spelling
    return made


def has_keywords(schema: Schema, *ignored: str) -> bool:
    """Whether ``schema`` says anything beside the attributes that are ``ignored``."""
    return any(is_set(name, getattr(schema, name)) for name in Schema.__struct_fields__ if name not in ignored)


def is_set(name: str, value: object) -> bool:
    """Whether an attribute of a schema says anything."""
    if name in ("default", "const"):
        return value is not UNSET
    return value is not None and value is not False
