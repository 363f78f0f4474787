"""For each rule, the smallest pair of documents that it is found in."""

from __future__ import annotations

import datetime
from typing import Any

from specsync.diffing import Policy
from specsync.diffing.rules import Rule
from tests.unit.diffing.documents import (
    TODAY,
    Tree,
    with_header,
    with_parameter,
    with_request,
    with_response,
)

Pair = tuple[Any, Any]

PAST, SOON, LATER = "2026-01-01", "2026-06-20", "2027-01-01"
TEXT: Tree = {"type": "string"}
NUMBER: Tree = {"type": "number"}
LIST: Tree = {"type": "array", "items": {"type": "string"}}
OBJECT: Tree = {"type": "object"}


def _toggled(base: Tree, keyword: str, value: Any) -> dict[str, Pair]:
    """The pairs for a keyword that comes and goes."""
    return {"added": (base, {**base, keyword: value}), "removed": ({**base, keyword: value}, base)}


def _tuple(*positions: Tree) -> Tree:
    """An array that has just these positions."""
    return {"prefixItems": list(positions), "items": False}


def _schemas() -> dict[str, Pair]:
    """By aspect: two schemas that differ in it."""
    pairs: dict[str, Pair] = {
        "enum-value-added": ({**TEXT, "enum": ["a"]}, {**TEXT, "enum": ["a", "b"]}),
        "enum-value-removed": ({**TEXT, "enum": ["a", "b"]}, {**TEXT, "enum": ["a"]}),
        "became-enum": (TEXT, {**TEXT, "enum": ["a"]}),
        "became-not-enum": ({**TEXT, "enum": ["a"]}, TEXT),
        "x-extensible-enum-value-removed": (
            {**TEXT, "x-extensible-enum": ["a", "b"]},
            {**TEXT, "x-extensible-enum": ["a"]},
        ),
        "became-nullable": (TEXT, {"type": ["string", "null"]}),
        "became-not-nullable": ({"type": ["string", "null"]}, TEXT),
        "const-changed": ({"const": 1}, {"const": 2}),
        "default-value-changed": ({**TEXT, "default": "a"}, {**TEXT, "default": "b"}),
        "pattern-changed": ({**TEXT, "pattern": "^a"}, {**TEXT, "pattern": "^b"}),
        "pattern-generalized": ({**TEXT, "pattern": "^a"}, {**TEXT, "pattern": ".*"}),
        "reference-changed": ({"$ref": "other.yaml#/A"}, {"$ref": "other.yaml#/B"}),
        "type-changed": (TEXT, {"type": "boolean"}),
        "type-generalized": ({"type": "integer"}, NUMBER),
        "type-specialized": (NUMBER, {"type": "integer"}),
        "type-compatible": ({"type": "integer"}, TEXT),
        "list-of-types-widened": (TEXT, {"oneOf": [TEXT, {"type": "integer"}]}),
        "list-of-types-narrowed": ({"oneOf": [TEXT, {"type": "integer"}]}, TEXT),
        "wrapped-in-one-of": (
            {**OBJECT, "properties": {"a": TEXT}},
            {"oneOf": [{**OBJECT, "properties": {"a": TEXT, "b": TEXT}}, {**OBJECT, "properties": {"c": TEXT}}]},
        ),
        "deprecated": (TEXT, {**TEXT, "deprecated": True}),
        "deprecated-with-sunset": (TEXT, {**TEXT, "deprecated": True, "x-sunset": LATER}),
        "deprecated-sunset-missing": (TEXT, {**TEXT, "deprecated": True}),
        "deprecated-sunset-invalid": (TEXT, {**TEXT, "deprecated": True, "x-sunset": "soon"}),
        "sunset-date-too-small": (TEXT, {**TEXT, "deprecated": True, "x-sunset": SOON}),
        "reactivated": ({**TEXT, "deprecated": True}, TEXT),
        "stability-decreased": (TEXT, {**TEXT, "x-stability-level": "beta"}),
        "stability-increased": ({**TEXT, "x-stability-level": "beta"}, TEXT),
        "discriminator-property-name-changed": (
            {**OBJECT, "discriminator": {"propertyName": "a"}},
            {**OBJECT, "discriminator": {"propertyName": "b"}},
        ),
        "dependent-required-changed": (
            {**OBJECT, "dependentRequired": {"a": ["b"]}},
            {**OBJECT, "dependentRequired": {"a": ["b", "c"]}},
        ),
        "content-media-type-changed": (
            {**TEXT, "contentMediaType": "text/csv"},
            {**TEXT, "contentMediaType": "text/html"},
        ),
        "content-encoding-changed": (
            {**TEXT, "contentEncoding": "base64"},
            {**TEXT, "contentEncoding": "base32"},
        ),
        "prefix-items-added": ({**LIST, **_tuple(TEXT)}, {**LIST, **_tuple(TEXT, NUMBER)}),
        "prefix-items-removed": ({**LIST, **_tuple(TEXT, NUMBER)}, {**LIST, **_tuple(TEXT)}),
        "property-added": (OBJECT, {**OBJECT, "properties": {"a": TEXT}}),
    }
    pairs["schema-became-false"], pairs["schema-became-not-false"] = (TEXT, False), (False, TEXT)
    pairs["multiple-of-changed"] = ({**NUMBER, "multipleOf": 2}, {**NUMBER, "multipleOf": 3})
    pairs["exclusion-changed"] = ({"not": {**OBJECT, "maxProperties": 3}}, {"not": OBJECT})
    for action in ("added", "removed"):
        many = [{"title": "C", **LIST}]
        for keyword, name in (("oneOf", "one-of"), ("anyOf", "any-of")):
            deep = [{"title": "A", **OBJECT, "properties": {"a": TEXT}}, {"title": "B", **OBJECT}]
            change = ({keyword: deep}, {keyword: [*deep, *many]})
            pairs[f"{name}-{action}"] = change if action == "added" else change[::-1]
        one = {"allOf": [{**OBJECT, "required": ["x"]}, {"minProperties": 1}]}
        two = {"allOf": [*one["allOf"], {**OBJECT, "properties": {"y": TEXT}, "required": ["y"]}]}
        note = {**OBJECT, "allOf": [{"title": "a note", "description": "only"}]}
        pairs[f"all-of-{action}"] = (one, two) if action == "added" else (two, one)
        pairs[f"all-of-{action}-annotation-only"] = (OBJECT, note) if action == "added" else (note, OBJECT)
    for name, base, keyword, value in (
        ("default-value", TEXT, "default", "a"),
        ("const", {}, "const", 1),
        ("pattern", TEXT, "pattern", "^a"),
        ("discriminator", OBJECT, "discriminator", {"propertyName": "kind"}),
        ("if", OBJECT, "if", {"required": ["a"]}),
        ("then", OBJECT, "then", {"required": ["a"]}),
        ("else", OBJECT, "else", {"required": ["a"]}),
        ("contains", LIST, "contains", {"minLength": 2}),
        ("property-names", OBJECT, "propertyNames", {"minLength": 2}),
        ("unevaluated-items", LIST, "unevaluatedItems", TEXT),
        ("unevaluated-properties", OBJECT, "unevaluatedProperties", TEXT),
        ("content-schema", TEXT, "contentSchema", OBJECT),
        ("dependent-required", OBJECT, "dependentRequired", {"a": ["b"]}),
        ("dependent-schema", OBJECT, "dependentSchemas", {"a": {"required": ["b"]}}),
        ("pattern-property", OBJECT, "patternProperties", {"^x": TEXT}),
        ("items", {"type": "array"}, "items", TEXT),
        ("additional-properties", OBJECT, "additionalProperties", TEXT),
        ("not", OBJECT, "not", {"required": ["a"]}),
    ):
        for action, pair in _toggled(base, keyword, value).items():
            pairs[f"{name}-{action}"] = pair
    for keyword, name in (
        ("additionalProperties", "additional-properties"),
        ("unevaluatedProperties", "unevaluated-properties"),
    ):
        pairs[f"{name}-opened"] = ({**OBJECT, keyword: False}, OBJECT)
    alternatives = [{"title": "A", **OBJECT, "properties": {"a": TEXT}}, {"title": "B", **LIST}]
    for keyword, name in (("oneOf", "one-of"), ("anyOf", "any-of")):
        pairs[f"{name}-introduced"], pairs[f"{name}-dropped"] = (
            ({}, {keyword: alternatives}),
            ({keyword: alternatives}, {}),
        )
    mapped = {**OBJECT, "discriminator": {"propertyName": "k", "mapping": {"a": "A"}}}
    remapped = {**OBJECT, "discriminator": {"propertyName": "k", "mapping": {"a": "B"}}}
    unmapped = {**OBJECT, "discriminator": {"propertyName": "k"}}
    pairs["discriminator-mapping-added"] = (unmapped, mapped)
    pairs["discriminator-mapping-deleted"] = (mapped, unmapped)
    pairs["discriminator-mapping-changed"] = (mapped, remapped)
    for name, base, keyword in (
        ("max", NUMBER, "maximum"),
        ("min", NUMBER, "minimum"),
        ("exclusive-max", NUMBER, "exclusiveMaximum"),
        ("exclusive-min", NUMBER, "exclusiveMinimum"),
        ("max-length", TEXT, "maxLength"),
        ("min-length", TEXT, "minLength"),
        ("max-items", LIST, "maxItems"),
        ("min-items", LIST, "minItems"),
        ("max-contains", {**LIST, "contains": TEXT}, "maxContains"),
        ("min-contains", {**LIST, "contains": TEXT}, "minContains"),
        ("max-properties", OBJECT, "maxProperties"),
        ("min-properties", OBJECT, "minProperties"),
        ("multiple-of", NUMBER, "multipleOf"),
        ("unique-items", LIST, "uniqueItems"),
    ):
        if keyword == "uniqueItems":
            pairs[f"{name}-set"], pairs[f"{name}-unset"] = (
                (base, {**base, keyword: True}),
                ({**base, keyword: True}, base),
            )
            continue
        if keyword == "multipleOf":
            low, high = {**base, keyword: 3}, {**base, keyword: 6}
        else:
            low, high = {**base, keyword: 3}, {**base, keyword: 5}
        pairs[f"{name}-set"], pairs[f"{name}-unset"] = (base, low), (low, base)
        pairs[f"{name}-increased"], pairs[f"{name}-decreased"] = (low, high), (high, low)
    return pairs


def _objects() -> dict[str, Pair]:
    """By aspect of a property: two objects that differ in their property ``a``."""

    def holding(schema: Any, *, required: bool = False) -> Tree:
        return {**OBJECT, "properties": {"a": schema}, **({"required": ["a"]} if required else {})}

    without = {**OBJECT, "properties": {}}
    hidden, write = {**TEXT, "readOnly": True}, {**TEXT, "writeOnly": True}
    default = {**TEXT, "default": "x"}
    pairs: dict[str, Pair] = {
        "removed": (holding(TEXT), without),
        "added-required": (without, holding(TEXT, required=True)),
        "added-required-with-default": (without, holding(default, required=True)),
        "added-optional": (without, holding(TEXT)),
        "became-required": (holding(TEXT), holding(TEXT, required=True)),
        "became-required-with-default": (holding(default), holding(default, required=True)),
        "became-optional": (holding(TEXT, required=True), holding(TEXT)),
        "write-only:became-required": (holding(write), holding(write, required=True)),
        "write-only:became-optional": (holding(write, required=True), holding(write)),
    }
    for need in ("optional", "required"):
        required = need == "required"
        pairs[f"{need}-added"] = (without, holding(TEXT, required=required))
        pairs[f"{need}-removed"] = (holding(TEXT, required=required), without)
        pairs[f"write-only:{need}-added"] = (without, holding(write, required=required))
        pairs[f"write-only:{need}-removed"] = (holding(write, required=required), without)
        for label, flagged in (("read-only", hidden), ("write-only", write)):
            change = (holding(TEXT, required=required), holding(flagged, required=required))
            pairs[f"{need}-became-{label}"] = change
            pairs[f"{need}-became-not-{label}"] = change[::-1]
    return pairs


SCHEMAS, OBJECTS = _schemas(), _objects()


def example(rule: Rule) -> tuple[Tree, Tree, Policy]:
    """The smallest pair that the rule is found in, and the policy that it is found under."""
    policy = Policy(today=TODAY)
    if rule.aspect in ("deprecated-sunset-missing", "sunset-date-too-small") or rule.id in (
        "api-deprecated-sunset-missing",
        "api-sunset-date-too-small",
        "api-sunset-date-changed-too-small",
        "request-parameter-sunset-date-changed-too-small",
    ):
        policy = Policy(today=TODAY, sunset_days_stable=90)
    old, new = _pair(rule)
    return old, new, policy


def _pair(rule: Rule) -> tuple[Tree, Tree]:
    from tests.unit.diffing.operation_examples import WHOLE

    if rule.id in WHOLE:
        return WHOLE[rule.id]
    aspect, guard = rule.aspect, ""
    if ":" in aspect and aspect not in OBJECTS:
        guard, aspect = aspect.split(":")
    is_property = rule.scope.endswith("-property")
    if is_property and aspect in OBJECTS:
        old, new = OBJECTS[aspect]
    else:
        old, new = SCHEMAS[aspect]
        if guard:
            flag = "readOnly" if guard == "read-only" else "writeOnly"
            old, new = {**old, flag: True}, {**new, flag: True}
        if is_property:
            old, new = ({**OBJECT, "properties": {"a": schema}} for schema in (old, new))
    if rule.scope == "request-parameter-property" and rule.aspect == "type-changed":
        old, new = ({**OBJECT, "properties": {"a": {"type": kind}}} for kind in ("integer", "string"))
    if rule.scope == "request-parameter-property" and rule.aspect == "type-specialized":
        old, new = ({**OBJECT, "properties": {"a": {"type": kind}}} for kind in ("string", "boolean"))
    media_type = "text/plain" if rule.aspect == "type-compatible" else "application/json"
    if rule.scope.startswith("request-body") or rule.scope == "request-property":
        return with_request(old, media_type=media_type), with_request(new, media_type=media_type)
    if rule.direction == "response" and rule.aspect in ("type-compatible", "exclusion-changed"):
        old, new = new, old
    if rule.scope in ("response-body", "response-property"):
        return with_response(old, media_type=media_type), with_response(new, media_type=media_type)
    if rule.scope == "response-header" and rule.aspect.startswith("all-of-"):
        patterns = [{"pattern": pattern} for pattern in ("^a", "b$", "c")]  # can't be merged into one schema
        old, new = ({"allOf": patterns[:2]}, {"allOf": patterns})[:: 1 if rule.aspect.endswith("added") else -1]
    if rule.scope == "response-header":
        if rule.aspect == "type-changed":
            old, new = {"type": "boolean"}, TEXT
        return with_header(old), with_header(new)
    location = "header" if rule.scope == "request-header-property" else "query"
    return with_parameter(old, location=location), with_parameter(new, location=location)


def dated(sunset: str | None) -> Tree:
    """What makes an operation or a parameter deprecated."""
    return {"deprecated": True, **({"x-sunset": sunset} if sunset is not None else {})}


assert datetime.date.fromisoformat(SOON) > TODAY
