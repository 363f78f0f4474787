"""What is checked at every object of a document: where its references lead, and whether defaults fit."""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from typing import Any

from specsync.openapi.pointers import find
from specsync.openapi.tolerant import escaped
from specsync.openapi.validation.findings import Collector, shown

_OF_NAMES = frozenset(
    (
        "properties", "patternProperties", "dependentSchemas", "$defs", "definitions", "schemas", "responses",
        "parameters", "examples", "requestBodies", "headers", "securitySchemes", "securityDefinitions", "links",
        "callbacks", "pathItems", "mediaTypes", "paths", "webhooks", "content", "encoding", "variables",
        "additionalOperations",
    )
)  # fmt: skip
"""Fields that hold things by name: their keys mean nothing."""

_OF_VALUES = frozenset(("default", "example", "examples", "enum", "const", "value", "mapping", "scopes"))
"""Fields that hold what looks like a document and is none."""

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}

_Trail = tuple["_Trail | None", str]


def check_nodes(tree: Any, found: Collector, dangling: Container[str] = ()) -> None:
    """References that lead to nothing (errors), or to where nobody looks, and defaults of another type (warnings).

    ``dangling``: those into other files that are known to lead to nothing there.
    """
    # In Swagger 2.0 examples are values, by media type; later they are objects by name, with the value in a field.
    of_names = _OF_NAMES - {"examples"} if "swagger" in tree else _OF_NAMES
    checked: dict[str, bool] = {}
    waiting: deque[tuple[Any, bool, _Trail | None]] = deque([(tree, False, None)])
    while waiting:
        node, by_name, trail = waiting.popleft()
        if type(node) is list:
            for index, item in enumerate(node):
                if type(item) is dict or type(item) is list:
                    waiting.append((item, False, (trail, str(index))))
            continue
        if not by_name:
            reference = node.get("$ref")
            if type(reference) is str:
                if reference not in checked:
                    checked[reference] = reference not in dangling and _leads_somewhere(reference, tree)
                    if checked[reference] and not reference.startswith("#"):
                        found.external(reference, _pointer(trail))
                if not checked[reference]:
                    room = "that file" if reference in dangling else "the document"
                    message = f"{shown(reference)} isn't in {room}; add what is missing, or correct the reference"
                    found.error("reference-unresolvable", f"{_pointer(trail)}/$ref", message)
                elif reference.startswith("#") and not reference.startswith("#/"):
                    found.warning("reference-not-followed", f"{_pointer(trail)}/$ref", _not_followed(reference))
            dynamic = node.get("$dynamicRef")
            if type(dynamic) is str:
                found.warning("reference-not-followed", f"{_pointer(trail)}/$dynamicRef", _not_followed(dynamic))
            if node.get("default") is not None and "type" in node:
                _check_default(node, trail, found)
            if found.full:
                return
        for key, value in node.items():
            kind = type(value)
            if kind is dict:
                if by_name:
                    waiting.append((value, False, (trail, key)))
                elif key in of_names:
                    waiting.append((value, True, (trail, key)))
                elif key not in _OF_VALUES and not key.startswith("x-"):
                    waiting.append((value, False, (trail, key)))
            elif kind is list and (by_name or (key not in _OF_VALUES and not key.startswith("x-"))):
                waiting.append((value, False, (trail, key)))


def _not_followed(reference: str) -> str:
    return (
        f"{shown(reference)} isn't followed, so no change behind it is seen; refer to a place (#/…) with a plain $ref"
    )


def _leads_somewhere(reference: str, tree: Any) -> bool:
    """References out of the document count as good: nobody looks there. So do anchors."""
    if not reference.startswith("#/"):
        return True
    return isinstance(find(tree, reference[1:]), dict | bool)


def _check_default(node: dict[str, Any], trail: _Trail | None, found: Collector) -> None:
    types, default, values = node["type"], node["default"], node.get("enum")
    named = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    wanted = [_TYPES[each] for each in named if isinstance(each, str) and each in _TYPES]
    fits = any(isinstance(default, kinds) and (bool in kinds or type(default) is not bool) for kinds in wanted)
    if wanted and not fits and not (type(default) is float and default.is_integer() and "integer" in named):
        message = f"is {shown(default)}, which is not of type {' or '.join(map(str, named))}"
        found.warning("default-type", f"{_pointer(trail)}/default", message)
    elif isinstance(values, list) and values and default not in values and not isinstance(default, list):
        found.warning("default-enum", f"{_pointer(trail)}/default", f"is {shown(default)}, which isn't in the enum")


def _pointer(trail: _Trail | None) -> str:
    tokens = []
    while trail is not None:
        trail, token = trail
        tokens.append(escaped(token))
    return "".join(f"/{token}" for token in reversed(tokens))
