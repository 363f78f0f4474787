"""The way from a body or parameter to a schema inside of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from specsync.openapi.canonical import CanonicalDocument
from specsync.openapi.model import Schema
from specsync.openapi.references import component_name
from specsync.openapi.tolerant import escaped


class Step(NamedTuple):
    """One step down: into a property, an item, or one of the alternatives of the same value."""

    keyword: str
    """properties, items, prefixItems, additionalProperties, patternProperties, oneOf or anyOf."""
    name: str = ""
    """Of the property; the pattern; the component that the alternative is."""
    position: int = 0


Route = tuple[Step, ...]

_IN_PLACE = frozenset(("not", "if", "then", "else", "contains", "propertyNames", "dependentSchemas"))


class Found(NamedTuple):
    route: Route
    schema: Schema | bool
    """The schema that the pointer leads to: the innermost one that it names."""
    rest: tuple[str, ...]
    """What of the pointer is left: the keyword, and what is below it."""


def inside(schema: Schema | bool, tokens: list[str]) -> Found | None:
    """Follow the tokens of a JSON pointer from ``schema``, not through references. None where it leads elsewhere."""
    route: list[Step] = []
    place = 0
    while isinstance(schema, Schema) and place < len(tokens):
        keyword, following = tokens[place], tokens[place + 1 : place + 2]
        below: Schema | bool | None = None
        used = 2
        match keyword:
            case "properties" | "patternProperties" if following:
                named = schema.properties if keyword == "properties" else schema.pattern_properties
                below = (named or {}).get(following[0])
                step = Step(keyword, following[0])
            case "oneOf" | "anyOf" | "allOf" | "prefixItems" if following and following[0].isdigit():
                attribute = {"oneOf": "one_of", "anyOf": "any_of", "allOf": "all_of", "prefixItems": "prefix_items"}
                listed, index = getattr(schema, attribute[keyword]) or [], int(following[0])
                below = listed[index] if index < len(listed) else None
                reference = below.ref if isinstance(below, Schema) else None
                step = Step(keyword, component_name(reference, "schemas") if reference else "", index)
            case "items" | "additionalProperties":
                below, used = schema.items if keyword == "items" else schema.additional_properties, 1
                step = Step(keyword)
            case _:
                if keyword in _IN_PLACE and place + 1 < len(tokens):
                    return None
                break
        if below is None:
            break
        if step.keyword != "allOf":
            route.append(step)
        schema, place = below, place + used
    return Found(tuple(route), schema, tuple(tokens[place:]))


class References(NamedTuple):
    route: Route
    component: str


class Map:
    """Which components of a document lead to which, and how."""

    def __init__(self, document: CanonicalDocument) -> None:
        self._document = document
        self._leaving: dict[str, list[References]] = {}

    def find(self, root: Schema | bool, root_pointer: str, pointer: str) -> Found | None:
        """The shortest way from ``root``, which stands at ``root_pointer``, to what ``pointer`` names."""
        if pointer == root_pointer or pointer.startswith(f"{root_pointer}/"):
            return inside(root, tokens_of(pointer[len(root_pointer) :]))
        name, rest = self._component_of(pointer)
        if name is None:
            return None
        target = self._document.component("schemas", name)
        route = self._route_to(root, name)
        found = inside(target, rest) if route is not None and target is not None else None
        return None if found is None or route is None else Found((*route, *found.route), found.schema, found.rest)

    def _component_of(self, pointer: str) -> tuple[str | None, list[str]]:
        tokens = tokens_of(pointer)
        is_component = tokens[:2] == ["components", "schemas"] and len(tokens) > 2
        if is_component and self._document.component_digest("schemas", tokens[2]) is not None:
            return tokens[2], tokens[3:]
        for length in range(len(tokens), 0, -1):  # hoisted from a place of its own
            name = "#" + "".join(f"/{escaped(token)}" for token in tokens[:length])
            if self._document.component_digest("schemas", name) is not None:
                return name, tokens[length:]
        return None, []

    def _route_to(self, root: Schema | bool, name: str) -> Route | None:
        waiting = deque(references_in(root))
        seen: set[str] = set()
        while waiting:
            route, component = waiting.popleft()
            if component == name:
                return route
            if component in seen:
                continue
            seen.add(component)
            for below in self._leaving_from(component):
                waiting.append(References((*route, *below.route), below.component))
        return None

    def _leaving_from(self, name: str) -> list[References]:
        found = self._leaving.get(name)
        if found is None:
            target = self._document.component("schemas", name)
            found = self._leaving[name] = list(references_in(target)) if target is not None else []
        return found


def references_in(schema: Schema | bool, route: Route = ()) -> Iterator[References]:
    """The references to components in a schema, with the way to each; what a value can't be built through is left
    out.
    """
    if not isinstance(schema, Schema):
        return
    if schema.ref is not None:
        yield References(route, component_name(schema.ref, "schemas"))
    for branch in schema.all_of or ():
        yield from references_in(branch, route)
    for keyword, listed in (("oneOf", schema.one_of), ("anyOf", schema.any_of), ("prefixItems", schema.prefix_items)):
        for index, below in enumerate(listed or ()):
            reference = below.ref if isinstance(below, Schema) else None
            name = component_name(reference, "schemas") if reference else ""
            yield from references_in(below, (*route, Step(keyword, name, index)))
    for name, below in (schema.properties or {}).items():
        yield from references_in(below, (*route, Step("properties", name)))
    for pattern, below in (schema.pattern_properties or {}).items():
        yield from references_in(below, (*route, Step("patternProperties", pattern)))
    if schema.items is not None:
        yield from references_in(schema.items, (*route, Step("items")))
    if schema.additional_properties is not None:
        yield from references_in(schema.additional_properties, (*route, Step("additionalProperties")))


def tokens_of(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
