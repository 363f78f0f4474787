"""Pairs of schemas that were judged wrongly once, each with the number of its defect."""

from __future__ import annotations

from typing import Any

from tests.unit.diffing.documents import Tree
from tests.unit.diffing.strategies import INTEGER, TEXT

OBJECT: Tree = {"type": "object", "properties": {"a": INTEGER}}

COUNTEREXAMPLES: list[tuple[str, str, Any, Any, Any]] = [
    ("D1", "request", TEXT, {"anyOf": [{**TEXT, "maxLength": 2}, INTEGER]}, "abc"),
    ("D1", "response", {"anyOf": [{**TEXT, "maxLength": 2}, INTEGER]}, TEXT, "abc"),
    ("D2", "request", {"type": "array"}, {"type": "array", "prefixItems": [TEXT]}, [1]),
    ("D2", "response", {"type": "array", "prefixItems": [TEXT]}, {"type": "array"}, [1]),
    (
        "D31",
        "request",
        {"type": "array", "prefixItems": [INTEGER], "unevaluatedItems": False},
        {"type": "array", "unevaluatedItems": False},
        [1],
    ),
    ("D3", "request", {"required": ["a"]}, {"properties": {"a": TEXT}}, {"a": 1}),
    ("D3", "request", {"additionalProperties": TEXT}, {"properties": {"a": INTEGER}}, {"a": "x"}),
    ("D3", "request", {"patternProperties": {"^a": INTEGER}}, {"properties": {"a": TEXT}}, {"a": 1}),
    ("D3", "response", {"type": "object", "required": ["a"]}, {"type": "object", "properties": {"a": TEXT}}, {}),
    (
        "D3",
        "response",
        {"additionalProperties": TEXT},
        {"properties": {"a": INTEGER}, "additionalProperties": TEXT},
        {"a": 1},
    ),
    (
        "D4",
        "request",
        {"type": "array", "contains": INTEGER, "minContains": 0},
        {"type": "array", "contains": INTEGER},
        [],
    ),
    ("D5", "response", {"enum": ["a"]}, {"not": {"enum": ["a"]}}, 1),
    ("D5", "response", {"enum": ["a"]}, {"anyOf": [TEXT, INTEGER]}, 0),
    ("D6", "response", {**TEXT, "pattern": "^a"}, TEXT, ""),
    ("D6", "response", {"items": {**TEXT, "pattern": "^a"}}, {"items": TEXT}, [""]),
    ("D7", "response", {"anyOf": [{"minimum": 2}]}, {"anyOf": [{"minimum": 2}, {"maximum": 0}]}, 0),
    ("D8", "response", {"allOf": [{"pattern": "^a"}, {"pattern": "b$"}]}, {"pattern": "^a"}, "a"),
    ("D10", "request", {"allOf": [{"type": "array"}, {"maxLength": 4}]}, {"allOf": [False, {"maxLength": 4}]}, []),
    (
        "D10",
        "response",
        {"allOf": [{"properties": {"p": False}}, {"properties": {"p": {"maxLength": 4}}}]},
        {"properties": {"p": {"maxLength": 4}}},
        {"p": 1},
    ),
    ("D11", "response", {"not": True}, {}, None),
    ("D11", "request", {"type": ["string", "null"]}, {"not": True}, None),
    (
        "D12",
        "request",
        {"type": "array", "contains": INTEGER, "maxContains": 1},
        {"type": "array", "contains": {}, "maxContains": 1},
        [None, 0],
    ),
    ("D13", "request", {"const": "a"}, {"const": "a", "enum": [1, 2]}, "a"),
    (
        "D14",
        "request",
        {"properties": {"p": {**TEXT, "readOnly": True}}, "required": ["p"]},
        {"properties": {"p": TEXT}, "required": ["p"]},
        {},
    ),
    ("D14", "request", {"properties": {"p": {**TEXT, "readOnly": True}}, "required": ["p"]}, {"required": ["p"]}, {}),
    (
        "D15",
        "response",
        {"properties": {"p": TEXT}, "required": ["p"]},
        {"properties": {"p": {**TEXT, "writeOnly": True}}, "required": ["p"]},
        {},
    ),
    (
        "D15",
        "response",
        {"required": ["p"]},
        {"properties": {"p": {**TEXT, "writeOnly": True}}, "required": ["p"]},
        {},
    ),
    ("D16", "header", {"enum": ["a"]}, {"not": {"enum": ["a"]}}, "b"),
    ("D16", "parameter", {"type": "array"}, {"type": "array", "prefixItems": [INTEGER]}, ["x"]),
    ("D17", "parameter", {"type": ["integer", "string"]}, INTEGER, "abc"),
    ("D17", "header", INTEGER, {"type": ["integer", "string"]}, "abc"),
    ("D18", "parameter", INTEGER, {**TEXT, "minLength": 2}, 0),
    ("D18", "header", {**TEXT, "minLength": 2}, INTEGER, 0),
    ("D20", "header", {"type": "array", "items": {**TEXT, "maxLength": 2}}, {"type": "array", "items": TEXT}, ["abc"]),
    (
        "D19",
        "parameter",
        {"properties": {"a": INTEGER}},
        {"oneOf": [{**OBJECT, "required": ["a"]}, {**OBJECT, "required": ["b"]}]},
        {},
    ),
    (
        "D26",
        "response",
        {"additionalProperties": {"type": "object"}},
        {"additionalProperties": {"type": "object"}, "patternProperties": {"^a": TEXT}},
        {"a": "a"},
    ),
    (
        "D34",
        "request",
        {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {**OBJECT, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"a": "x"},
    ),
    ("D27", "request", {"type": "boolean"}, {"type": "boolean", "enum": [1, "a"]}, True),
    (
        "D35",
        "response",
        {"type": "number", "multipleOf": 3},
        {"anyOf": [{**INTEGER, "minimum": 1}, {"type": "number", "multipleOf": 3}]},
        1,
    ),
    (
        "D35",
        "request",
        {"oneOf": [{**INTEGER, "minimum": 1}, {"type": "number", "maximum": 3}, TEXT]},
        {"oneOf": [{"type": "number", "maximum": 3}, TEXT, {"type": "boolean"}]},
        5,
    ),
]
"""Place, older and newer schema, and a value that is refused from then on."""
SAME: list[tuple[str, Any, Any]] = [
    ("D29", {"type": ["integer", "string"]}, {"oneOf": [TEXT, INTEGER]}),
    ("D29", {"type": ["integer", "string"], "maxLength": 3}, {"anyOf": [{**TEXT, "maxLength": 3}, INTEGER]}),
    ("D29", {"type": ["integer", "string"], "maximum": 3}, {"anyOf": [TEXT, {**INTEGER, "maximum": 3}]}),
    ("D29", {"type": ["integer", "string", "null"]}, {"oneOf": [TEXT, INTEGER, {"type": "null"}]}),
    ("D30", {**TEXT, "enum": ["a"]}, {"enum": ["a"]}),
    ("D30", {**INTEGER, "enum": [1, 2]}, {"enum": [1, 2]}),
    ("D31", {"type": "array", "items": TEXT}, {"type": "array", "items": TEXT, "prefixItems": [TEXT]}),
    ("D32", TEXT, {**TEXT, "pattern": ".*"}),
    ("D32", INTEGER, {**INTEGER, "multipleOf": 1}),
    ("D32", INTEGER, {"type": "number", "multipleOf": 1}),
    ("D32", {"type": "array"}, {"type": "array", "contains": TEXT, "minContains": 0}),
]
"""Two spellings of one thing."""
HARMLESS: list[tuple[str, str, Any, Any]] = [
    ("D30", "request", {"const": 1}, INTEGER),
    ("D30", "request", {"enum": ["a"]}, TEXT),
    ("D30", "request", {**TEXT, "enum": ["a"]}, {**TEXT, "minLength": 1}),
    ("D31", "request", {"type": "array", "prefixItems": [TEXT]}, {"type": "array"}),
    ("D31", "response", {"type": "array"}, {"type": "array", "prefixItems": [TEXT]}),
    ("D31", "request", {"items": {"type": "number"}, "prefixItems": [INTEGER]}, {"items": {"type": "number"}}),
    ("D33", "response", {"type": "object", "additionalProperties": False}, {"type": "object"}),
    ("D33", "response", {"type": "object", "unevaluatedProperties": False}, {"type": "object"}),
]
"""Changes by which nothing is refused that was accepted."""
