"""Schemas, edits of schemas, and values that tell two schemas apart: for tests that generate their cases."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from itertools import islice
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

THOROUGH = os.environ.get("SPECSYNC_TEST_PROFILE") == "thorough"
"""Twenty times the examples, others at each run: for a long run by hand. By default a run is short and repeatable."""


def effort(examples: int) -> settings:
    """Settings of a generated test: how many examples it gets."""
    return settings(
        max_examples=examples * 20 if THOROUGH else examples,
        deadline=None,
        derandomize=not THOROUGH,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


TEXT: dict[str, Any] = {"type": "string"}
INTEGER: dict[str, Any] = {"type": "integer"}
NUMBER: dict[str, Any] = {"type": "number"}
_A: dict[str, Any] = {"type": "object", "properties": {"a": INTEGER}}
_AB: dict[str, Any] = {"type": "object", "properties": {"a": INTEGER, "b": INTEGER}}
_LIST: dict[str, Any] = {"type": "array"}

SMALL_SCHEMAS: list[Any] = [
    True,
    False,
    {},
    TEXT,
    INTEGER,
    NUMBER,
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["string", "null"]},
    {"type": ["integer", "string"]},
    {"type": ["integer", "null"]},
    {"type": ["number", "string"]},
    {"enum": ["a"]},
    {"enum": ["a", "b"]},
    {"enum": [1, 2]},
    {"enum": [1, "a"]},
    {"enum": ["a", None]},
    {"const": "a"},
    {"const": 1},
    {"const": None},
    {**TEXT, "enum": ["a"]},
    {**TEXT, "enum": ["a", "b"]},
    {**TEXT, "minLength": 2},
    {**TEXT, "maxLength": 2},
    {**TEXT, "maxLength": 3},
    {"maxLength": 2},
    {"minLength": 1},
    {**TEXT, "pattern": "^a"},
    {**TEXT, "pattern": "^b"},
    {**TEXT, "pattern": ".*"},
    {**TEXT, "minLength": 1, "maxLength": 3},
    {**NUMBER, "minimum": 0},
    {**NUMBER, "minimum": 2},
    {**NUMBER, "maximum": 2},
    {**NUMBER, "exclusiveMinimum": 0},
    {**NUMBER, "exclusiveMaximum": 2},
    {**NUMBER, "exclusiveMinimum": 2},
    {**INTEGER, "minimum": 1},
    {**INTEGER, "maximum": 2},
    {**INTEGER, "maximum": 0},
    {"minimum": 1},
    {**INTEGER, "multipleOf": 2},
    {**NUMBER, "multipleOf": 1},
    {**NUMBER, "multipleOf": 3},
    {**INTEGER, "minimum": 1, "maximum": 2},
    {**NUMBER, "multipleOf": 0.5},
    {**NUMBER, "multipleOf": 1, "minimum": 1},
    {"type": ["number", "string"], "multipleOf": 1},
    {"multipleOf": 1},
    {"type": ["integer", "string"], "maxLength": 2, "minimum": 1},
    {"oneOf": [{**TEXT, "maxLength": 2}, {**INTEGER, "minimum": 1}]},
    {"oneOf": [{"const": "a"}, {"const": 1}]},
    {"anyOf": [{"const": "a", "title": "A"}, {**TEXT, "enum": ["b"]}]},
    {"enum": ["a", "abcd"], "maxLength": 2},
    {"enum": [1, 2], "maximum": 1},
    {"type": ["string", "null"], "anyOf": [False, False]},
    {"type": "object", "oneOf": [{"type": "object", "required": ["a"]}, {"type": "object", "required": ["b"]}]},
    {**_LIST, "prefixItems": [INTEGER], "items": NUMBER},
    {**_LIST, "contains": TEXT, "minContains": 0, "maxContains": 1},
    _LIST,
    {**_LIST, "items": TEXT},
    {**_LIST, "items": INTEGER},
    {"items": INTEGER},
    {**_LIST, "items": False},
    {**_LIST, "minItems": 1},
    {**_LIST, "maxItems": 1},
    {**_LIST, "minItems": 2, "items": INTEGER},
    {**_LIST, "uniqueItems": True},
    {**_LIST, "prefixItems": [TEXT]},
    {**_LIST, "prefixItems": [INTEGER, TEXT]},
    {**_LIST, "prefixItems": [INTEGER], "items": False},
    {**_LIST, "prefixItems": [INTEGER], "items": TEXT},
    {**_LIST, "prefixItems": [INTEGER], "unevaluatedItems": False},
    {**_LIST, "contains": INTEGER},
    {**_LIST, "contains": TEXT},
    {**_LIST, "contains": INTEGER, "minContains": 2},
    {**_LIST, "contains": INTEGER, "maxContains": 1},
    {**_LIST, "contains": INTEGER, "minContains": 0},
    {"type": "object"},
    _A,
    _AB,
    {"type": "object", "properties": {"a": TEXT}},
    {"properties": {"a": INTEGER}},
    {**_A, "required": ["a"]},
    {"type": "object", "required": ["a"]},
    {"type": "object", "required": ["a", "b"]},
    {"required": ["a"]},
    {**_A, "additionalProperties": False},
    {**_A, "additionalProperties": INTEGER},
    {"type": "object", "additionalProperties": TEXT},
    {"type": "object", "additionalProperties": False},
    {"type": "object", "properties": {"a": False}},
    {"type": "object", "minProperties": 1},
    {"type": "object", "maxProperties": 1},
    {"type": "object", "properties": {"a": INTEGER, "b": TEXT}, "maxProperties": 1},
    {"type": "object", "patternProperties": {"^a": INTEGER}},
    {"type": "object", "patternProperties": {"^a": TEXT}},
    {"type": "object", "propertyNames": {"maxLength": 1}},
    {"type": "object", "propertyNames": {"enum": ["a"]}},
    {"type": "object", "dependentRequired": {"a": ["b"]}},
    {"type": "object", "dependentSchemas": {"a": {"required": ["b"]}}},
    {**_A, "unevaluatedProperties": False},
    {"oneOf": [TEXT, INTEGER]},
    {"oneOf": [TEXT, INTEGER, {"type": "boolean"}]},
    {"oneOf": [{**_A, "required": ["a"]}, {"type": "object", "properties": {"b": INTEGER}, "required": ["b"]}]},
    {"oneOf": [{**NUMBER, "minimum": 1}, {**NUMBER, "maximum": 0}]},
    {"anyOf": [TEXT, INTEGER]},
    {"anyOf": [INTEGER, NUMBER]},
    {"anyOf": [{**TEXT, "maxLength": 2}, INTEGER]},
    {"anyOf": [{**NUMBER, "minimum": 2}, {**NUMBER, "maximum": 0}]},
    {"anyOf": [TEXT, {"type": "null"}]},
    {**_AB, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
    {"allOf": [TEXT, {"maxLength": 2}]},
    {"allOf": [_A, {"required": ["a"]}]},
    {"allOf": [_A, {"properties": {"b": INTEGER}, "additionalProperties": False}]},
    {"allOf": [{**NUMBER, "minimum": 1}, {**NUMBER, "maximum": 2}]},
    {"allOf": [TEXT, INTEGER]},
    {"allOf": [{"pattern": "^a"}, {"pattern": "b$"}]},
    {"allOf": [{**_LIST, "items": INTEGER}, {"items": {"minimum": 1}}]},
    {"allOf": [{"anyOf": [TEXT, INTEGER]}, {"anyOf": [INTEGER, {"type": "boolean"}]}]},
    {"not": TEXT},
    {"not": INTEGER},
    {"not": {"enum": ["a"]}},
    {"not": {"enum": ["a", "b"]}},
    {**TEXT, "not": {"maxLength": 2}},
    {"type": "object", "not": {"required": ["a"]}},
    {"not": {"not": TEXT}},
    {"if": TEXT, "then": {"maxLength": 2}},
    {"if": TEXT, "then": {"maxLength": 2}, "else": INTEGER},
    {"if": INTEGER, "else": TEXT},
    {**_AB, "if": {"required": ["a"]}, "then": {"required": ["b"]}},
]
"""One for each keyword and for each way in which keywords act together. OpenAPI 3.1."""

_NAMED = ("properties", "patternProperties", "dependentSchemas")
_LISTED = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = ("items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else")
_IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
"""Keywords whose schemas are about the same value."""


def _with_part(part: Any) -> st.SearchStrategy[Any]:
    """Schemas in which ``part`` is about a part of the value, or about the value itself beside others."""
    other = st.sampled_from(SMALL_SCHEMAS)
    return st.one_of(
        st.just({"type": "object", "properties": {"p": part}}),
        st.just({"type": "object", "properties": {"p": part, "a": INTEGER}, "required": ["p"]}),
        st.just({"type": "array", "items": part}),
        st.just({"type": "array", "prefixItems": [part, TEXT]}),
        st.just({"type": "array", "contains": part}),
        st.just({"type": "object", "additionalProperties": part}),
        st.just({"type": "object", "patternProperties": {"^p": part}}),
        st.just({"type": "object", "dependentSchemas": {"p": {"properties": {"p": part}}}}),
        st.just({"not": part}),
        st.just({"if": {"type": ["string", "object", "array"]}, "then": part}),
        st.just({"if": part, "then": {"maxLength": 1}, "else": {"maxLength": 3}}),
        other.map(lambda beside: {"allOf": [part, beside]}),
        other.map(lambda beside: {"anyOf": [part, beside]}),
        st.just({"allOf": [{"properties": {"p": part}}, {"properties": {"p": {"maxLength": 4}}, "required": ["p"]}]}),
        st.just({"allOf": [{"items": part}, {"items": {"maxLength": 4}}, {"type": "array"}]}),
    )


SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(SMALL_SCHEMAS), lambda inner: inner.flatmap(_with_part), max_leaves=4
)


def _places(schema: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where there are schemas in ``schema``, itself among them."""
    yield path
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        below = value.items() if keyword in _NAMED else enumerate(value) if keyword in _LISTED else ()
        for key, part in below:
            yield from _places(part, (*path, keyword, key))
        if keyword in _SINGLE:
            yield from _places(value, (*path, keyword))


@st.composite
def edits(draw: st.DrawFn, schema: Any) -> Any:
    """``schema`` after one edit: a part of it replaced, a keyword gone, or keywords added."""
    edited = {"whole": copy.deepcopy(schema)}
    path = ("whole", *draw(st.sampled_from(list(_places(schema)))))
    holder: Any = edited
    for key in path[:-1]:
        holder = holder[key]
    target, other = holder[path[-1]], draw(st.sampled_from(SMALL_SCHEMAS))
    kinds = ["replace"] + (["drop"] if isinstance(target, dict) and target else [])
    kinds += ["add"] if isinstance(target, dict) and isinstance(other, dict) else []
    match draw(st.sampled_from(kinds)):
        case "drop":
            del target[draw(st.sampled_from(sorted(target)))]
        case "add":
            holder[path[-1]] = {**target, **copy.deepcopy(other)}
        case _:
            holder[path[-1]] = copy.deepcopy(other)
    return edited["whole"]


SCHEMA_PAIRS: st.SearchStrategy[tuple[Any, Any]] = st.one_of(
    SCHEMAS.flatmap(lambda old: st.tuples(st.just(old), edits(old))), st.tuples(SCHEMAS, SCHEMAS)
)
"""An older and a newer schema: mostly one edit apart, or unrelated."""

_PLAIN: list[Any] = [None, True, 0, 1, 2, 3, 4, -1, 1.5, 2.5, "", "a", "b", "ab", "abc", "bcd", "abcde"]


def values_for(schemas: tuple[Any, ...], depth: int = 3) -> list[Any]:
    """Values of all types, with the properties and items that ``schemas`` speak of, up to a few hundred."""
    names, parts, items, positions = set[str](), dict[str, list[Any]](), list[Any](), list[list[Any]]()
    for schema in _about_same_value(schemas):
        names.update(schema.get("required", ()))
        for name, others in schema.get("dependentRequired", {}).items():
            names.update((name, *others))
        for name, part in schema.get("properties", {}).items():
            parts.setdefault(name, []).append(part)
        for pattern, part in schema.get("patternProperties", {}).items():
            parts.setdefault(pattern.strip("^") + "z", []).append(part)
        if isinstance(schema.get("additionalProperties"), dict):
            parts.setdefault("z", []).append(schema["additionalProperties"])
        items.extend(schema[keyword] for keyword in ("items", "contains") if isinstance(schema.get(keyword), dict))
        for index, part in enumerate(schema.get("prefixItems", ())):
            positions.extend([] for _ in range(index + 1 - len(positions)))
            positions[index].append(part)
    names.update(parts)
    values = [*_PLAIN, [], {}]
    if depth == 0:
        return values
    chosen = _spread(values_for(tuple(items), depth - 1), 40) if items else [1, "a", None]
    values += [[item] for item in chosen] + [[one, other] for one in chosen[:7] for other in chosen[:7]]
    for index, below in enumerate(positions):
        for value in _spread(values_for(tuple(below), depth - 1), 20):
            values.append([*([1, "a", 1][:index]), value])
    values += [[1, "a", True], [1, 1, "a"], ["a", 1]]
    for name in sorted(names | {"a", "b"}):
        chosen = _spread(values_for(tuple(parts.get(name, ())), depth - 1), 40) if name in parts else [1, "a", None]
        others = [{other: 1 for other in names if other != name}, {other: "a" for other in names if other != name}]
        values += [{name: value} for value in chosen] + [{**other, name: value} for other in others for value in chosen]
    return values


def _about_same_value(schemas: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    for schema in schemas:
        if not isinstance(schema, dict):
            continue
        yield schema
        for keyword in _IN_PLACE:
            below = schema.get(keyword, ())
            yield from _about_same_value(tuple(below) if isinstance(below, list) else (below,))
        yield from _about_same_value(tuple(schema.get("dependentSchemas", {}).values()))


def _spread(values: list[Any], limit: int) -> list[Any]:
    """At most ``limit`` of ``values``, from everywhere in the list."""
    step = -(-len(values) // limit) if limit < len(values) else 1
    return list(islice(values, 0, None, step))
