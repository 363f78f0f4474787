"""Who says what a schema accepts in one place of a document: another program, ``jsonschema-rs``, under four conventions
that ``docs/divergences.md`` argues:

- Nobody sends a property that the schema, by which he sends, doesn't speak of, though most schemas would accept it.
- Who receives a response ignores properties that he doesn't know, also where ``additionalProperties`` is false.
- ``oneOf`` is read as ``anyOf``: that a value fits only one of the alternatives is a promise which few keep.
- A ``format`` is not asserted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import jsonschema_rs

from tests.unit.diffing.documents import Tree, with_header, with_parameter, with_request, with_response

PLACES = {"request": with_request, "response": with_response, "parameter": with_parameter, "header": with_header}
NO_SCHEMAS = ("enum", "const", "default", "required", "type", "dependentRequired")
"""Keywords below which there are no schemas."""


def read(schema: Any, *, request: bool) -> Any:
    """The schema that is asserted in one direction."""
    if isinstance(schema, list):
        return [read(item, request=request) for item in schema]
    if not isinstance(schema, dict):
        return schema
    asserted = {("anyOf" if key == "oneOf" else key): read(value, request=request) for key, value in schema.items()}
    for name in unsent_here(asserted, request=request):
        asserted["properties"][name] = True
        asserted["required"] = [other for other in asserted.get("required", ()) if other != name]
    return asserted


def opened(schema: Any) -> Any:
    """The schema with nothing said of properties that it doesn't name."""
    if isinstance(schema, list):
        return [opened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closing = ("additionalProperties", "unevaluatedProperties")
    return {
        key: value if key in ("not", "if") else opened(value)
        for key, value in schema.items()
        if not (key in closing and value is False)
    }


def unsent_here(schema: Tree, *, request: bool) -> list[str]:
    """The properties that aren't sent in this direction."""
    flag = "readOnly" if request else "writeOnly"
    properties = schema.get("properties", {})
    return [name for name, part in properties.items() if isinstance(part, dict) and part.get(flag) is True]


def unsent_names(schema: Any, *, request: bool) -> set[str]:
    if isinstance(schema, list):
        return {name for item in schema for name in unsent_names(item, request=request)}
    if not isinstance(schema, dict):
        return set()
    below = {name for value in schema.values() for name in unsent_names(value, request=request)}
    return below | set(unsent_here(schema, request=request))


def spoken_names(schema: Any) -> set[str] | None:
    """The properties that a schema speaks of; None where it speaks of any."""
    if isinstance(schema, list):
        parts = [spoken_names(item) for item in schema]
        return None if None in parts else set[str]().union(*(part for part in parts if part is not None))
    if not isinstance(schema, dict):
        return set()
    if "patternProperties" in schema or "propertyNames" in schema:
        return None
    for keyword in ("additionalProperties", "unevaluatedProperties"):
        if isinstance(schema.get(keyword), dict) and schema[keyword]:
            return None
    found = {*schema.get("required", ()), *schema.get("properties", ()), *schema.get("dependentSchemas", ())}
    for name, others in schema.get("dependentRequired", {}).items():
        found |= {name, *others}
    for keyword, value in schema.items():
        below = list(value.values()) if keyword in ("properties", "dependentSchemas") else value
        inner = set() if keyword in (*NO_SCHEMAS, "not", "if") else spoken_names(below)
        if inner is None:
            return None
        found |= inner
    return found


def names_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for item in value.values() for name in names_in(item)}
    return {name for item in value for name in names_in(item)} if isinstance(value, list) else set()


class Judge:
    """Which values a schema accepts in one place."""

    def __init__(self, schema: Any, place: str) -> None:
        request = place in ("request", "parameter")
        self._is_text = place in ("parameter", "header")
        asserted = read(schema, request=request)
        self._sending = _validator(asserted)
        self._receiving = self._sending if request else _validator(opened(asserted))
        self._names = spoken_names(schema)
        self._unsent = unsent_names(schema, request=request)

    def may_send(self, value: Any) -> bool:
        names = names_in(value)
        is_spoken = self._names is None or names <= self._names
        return is_spoken and not names & self._unsent and self._is_valid(self._sending, value)

    def accepts(self, value: Any) -> bool:
        return self._is_valid(self._sending, value)

    def refuses(self, value: Any) -> bool:
        return not self._is_valid(self._receiving, value)

    def refuses_strictly(self, value: Any) -> bool:
        """Also a property that the schema doesn't know, where it says so."""
        return not self._is_valid(self._sending, value)

    def _is_valid(self, validator: jsonschema_rs.Draft202012Validator, value: Any) -> bool:
        return any(validator.is_valid(reading) for reading in self._readings(value))

    def _readings(self, value: Any) -> list[Any]:
        """In parameters and headers ``1``, ``"1"`` and ``[1]`` look the same, as do ``["a", "b"]`` and ``"a,b"``."""
        if not self._is_text:
            return [value]
        if isinstance(value, list):
            texts = [item if isinstance(item, str) else json.dumps(item) for item in value]
            return [",".join(texts), texts, value]
        text = value if isinstance(value, str) else json.dumps(value)
        return [text, value, [text], [value]]


def _validator(schema: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema if isinstance(schema, dict) else {} if schema else {"not": {}})


def surprises(place: str, old: Any, new: Any, values: Iterable[Any]) -> list[Any]:
    """Those of ``values`` that may be sent by one schema and are refused by the other."""
    sender, receiver = (old, new) if place in ("request", "parameter") else (new, old)
    sending, receiving = Judge(sender, place), Judge(receiver, place)
    return [value for value in values if sending.may_send(value) and receiving.refuses(value)]
