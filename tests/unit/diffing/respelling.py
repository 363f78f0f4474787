"""Ways to write the same API otherwise. Each takes a document and a source of chance, and gives a new document."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Tree = dict[str, Any]
Respelling = Callable[[Tree, random.Random], Tree]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_CONTENT = {"content": ("map", "mediaType")}
STRUCTURE: dict[str, dict[str, tuple[str, str]]] = {
    "document": {
        "paths": ("map", "pathItem"),
        "webhooks": ("map", "pathItem"),
        "components": ("one", "components"),
    },
    "components": {
        "schemas": ("map", "schema"),
        "parameters": ("map", "parameter"),
        "headers": ("map", "header"),
        "responses": ("map", "response"),
        "requestBodies": ("map", "requestBody"),
    },
    "pathItem": dict.fromkeys(METHODS, ("one", "operation")) | {"parameters": ("list", "parameter")},
    "operation": {
        "parameters": ("list", "parameter"),
        "requestBody": ("one", "requestBody"),
        "responses": ("map", "response"),
    },
    "parameter": {"schema": ("one", "schema"), **_CONTENT},
    "header": {"schema": ("one", "schema"), **_CONTENT},
    "requestBody": _CONTENT,
    "response": {"headers": ("map", "header"), **_CONTENT},
    "mediaType": {"schema": ("one", "schema")},
    "schema": {
        **dict.fromkeys(("properties", "patternProperties", "dependentSchemas"), ("map", "schema")),
        **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), ("list", "schema")),
        **dict.fromkeys(
            ("items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"),
            ("one", "schema"),
        ),
    },
}
"""The objects of OpenAPI that hold others: by their kind, the field, whether it holds one, a list or a map, and of
which kind.
"""

Visitor = Callable[[str, Tree, Tree], Any]
"""Takes the kind of an object, the object with what is below it rewritten, and as it was."""


def rewritten(node: Any, visit: Visitor, kind: str = "document") -> Any:
    """``node`` with every object in it replaced by what ``visit`` gives for it, from the inside out."""
    if not isinstance(node, dict):
        return node
    fresh = dict(node)
    for field, (shape, below) in STRUCTURE[kind].items():
        value = node.get(field)
        if shape == "one":
            if field in node:
                fresh[field] = rewritten(value, visit, below)
        elif shape == "list" and isinstance(value, list):
            fresh[field] = [rewritten(item, visit, below) for item in value]
        elif shape == "map" and isinstance(value, dict):
            fresh[field] = {key: rewritten(item, visit, below) for key, item in value.items()}
    return visit(kind, fresh, node)


def reorder_keys(tree: Tree, chance: random.Random) -> Tree:
    def visit(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: visit(value[key]) for key in chance.sample(list(value), len(value))}
        return [visit(item) for item in value] if isinstance(value, list) else value

    shuffled: Tree = visit(tree)
    return shuffled


def reorder_sets(tree: Tree, chance: random.Random) -> Tree:
    """Lists whose order means nothing."""
    fields = {
        "schema": ("required", "enum", "type", "allOf", "anyOf", "oneOf"),
        "operation": ("parameters", "security"),
        "pathItem": ("parameters",),
    }

    def visit(kind: str, node: Tree, _: Tree) -> Any:
        for field in fields.get(kind, ()):
            if isinstance(node.get(field), list):
                node[field] = chance.sample(node[field], len(node[field]))
        return node

    return rewritten(tree, visit)  # type: ignore[no-any-return]


def rename_components(tree: Tree, chance: random.Random) -> Tree:
    """All references follow. Schemas whose names are the values of a discriminator keep them."""
    kept: set[str] = set()

    def collect(kind: str, node: Tree, _: Tree) -> Any:
        if kind == "schema" and "discriminator" in node:
            for alternative in [*node.get("oneOf", ()), *node.get("anyOf", ())]:
                kept.add(alternative.get("$ref", "") if isinstance(alternative, dict) else "")
            kept.update((node["discriminator"].get("mapping") or {}).values())
        if kind == "schema":
            for branch in node.get("allOf", ()):
                reference = branch.get("$ref", "") if isinstance(branch, dict) else ""
                if "discriminator" in (lookup(tree, reference) or {}):
                    kept.add("all")  # the names of the schemas that extend it are values, too
        return node

    rewritten(tree, collect)
    names: dict[str, str] = {}
    components = dict(tree.get("components", {}))
    for kind in ("schemas", "parameters", "headers", "responses", "requestBodies"):
        for name in components.get(kind, ()):
            reference = f"#/components/{kind}/{name}"
            if reference not in kept and not (kind == "schemas" and "all" in kept) and "~" not in name:
                names[reference] = f"{reference}X{chance.randrange(100)}"
        if kind in components:
            components[kind] = {
                names.get(f"#/components/{kind}/{name}", f"/{name}").rsplit("/", 1)[1]: value
                for name, value in components[kind].items()
            }

    def visit(_: str, node: Tree, __: Tree) -> Any:
        if isinstance(node.get("$ref"), str):
            node["$ref"] = names.get(node["$ref"], node["$ref"])
        return node

    return rewritten({**tree, "components": components}, visit)  # type: ignore[no-any-return]


def lookup(tree: Tree, reference: str) -> Any:
    """What a reference to a component points to; None where there is nothing."""
    place: Any = tree
    for token in reference.removeprefix("#/").split("/"):
        place = place.get(token.replace("~1", "/").replace("~0", "~")) if isinstance(place, dict) else None
    return place


def inline_references(tree: Tree, chance: random.Random) -> Tree:
    """A third of them, one level deep, so that there is no end to cycles. Names that a discriminator needs stay."""

    def visit(_: str, node: Tree, before: Tree) -> Any:
        if "discriminator" in node:
            return {**node, **{key: before[key] for key in ("oneOf", "anyOf") if key in before}}
        if set(node) == {"$ref"} and chance.random() < 0.33:
            target = lookup(tree, node["$ref"])
            is_named = isinstance(target, dict) and "discriminator" in target
            return node if target is None or is_named else target
        return node

    return rewritten(tree, visit)  # type: ignore[no-any-return]


_ROOMS = {
    "schema": "schemas",
    "parameter": "parameters",
    "header": "headers",
    "response": "responses",
    "requestBody": "requestBodies",
}


def extract_components(tree: Tree, chance: random.Random) -> Tree:
    added: dict[str, Tree] = {room: {} for room in _ROOMS.values()}

    def visit(kind: str, node: Tree, _: Tree) -> Any:
        room = _ROOMS.get(kind)
        if room is None or "$ref" in node or chance.random() > 0.1:
            return node
        name = f"Extracted{len(tree.get('components', {}).get(room, {})) + len(added[room])}"
        added[room][name] = node
        return {"$ref": f"#/components/{room}/{name}"}

    fresh: Tree = rewritten(tree, visit)
    components = dict(fresh.get("components", {}))
    for room, parts in added.items():
        if parts:
            components[room] = {**components.get(room, {}), **parts}
    return {**fresh, "components": components}


def move_parameters(tree: Tree, _: random.Random) -> Tree:
    """What all operations of a path take goes to the path; what stood there goes to the operations."""

    def visit(kind: str, item: Tree, _: Tree) -> Any:
        operations = [method for method in METHODS if method in item]
        if kind != "pathItem" or not operations:
            return item
        shared = item.pop("parameters", [])
        own = [item[method].get("parameters", []) for method in operations]
        common = [parameter for parameter in own[0] if all(parameter in other for other in own)]
        for method, parameters in zip(operations, own, strict=True):
            named = [parameter for parameter in parameters if "$ref" not in parameter]
            taken = {(parameter["in"], parameter["name"]) for parameter in named}
            pushed = [part for part in shared if "$ref" in part or (part["in"], part["name"]) not in taken]
            kept = [parameter for parameter in parameters if parameter not in common]
            item[method] = {**item[method], "parameters": [*pushed, *kept]}
        return {**item, "parameters": common} if common else item

    return rewritten(tree, visit)  # type: ignore[no-any-return]


def respell_nullable(tree: Tree, chance: random.Random) -> Tree:
    """From the one spelling of 3.0 to the two of 3.1, with bounds as they are written there."""

    def visit(kind: str, node: Tree, _: Tree) -> Any:
        if kind != "schema":
            return node
        for bound, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if node.get(strict) is True and bound in node:
                node[strict] = node.pop(bound)
            elif isinstance(node.get(strict), bool):
                del node[strict]
        if node.get("nullable") is not True or not isinstance(node.get("type"), str):
            return node
        del node["nullable"]
        if "enum" in node and None not in node["enum"]:
            node["enum"] = [*node["enum"], None]
        if chance.random() < 0.5 and "discriminator" not in node:
            outside = {key: node.pop(key) for key in ("readOnly", "writeOnly", "default", "deprecated") if key in node}
            return {"anyOf": [node, {"type": "null"}], **outside}
        return {**node, "type": [node["type"], "null"]}

    return rewritten({**tree, "openapi": "3.1.0"}, visit)  # type: ignore[no-any-return]


def wrap_in_all_of(tree: Tree, chance: random.Random) -> Tree:
    def visit(kind: str, node: Tree, before: Tree) -> Any:
        if kind == "schema" and "discriminator" in node:
            return {**node, **{key: before[key] for key in ("oneOf", "anyOf") if key in before}}
        return {"allOf": [node]} if kind == "schema" and chance.random() < 0.2 else node

    return rewritten(tree, visit)  # type: ignore[no-any-return]


_MEANT = ("x-sunset", "x-stability-level", "x-extensible-enum")


def reword(tree: Tree, chance: random.Random) -> Tree:
    """Descriptions, summaries, examples and vendor extensions."""
    texts = ("description", "summary", "example", "examples", "externalDocs")

    def visit(kind: str, node: Tree, _: Tree) -> Any:
        if "$ref" in node or kind == "components":
            return node
        kept = {
            key: value
            for key, value in node.items()
            if key not in texts and (not key.startswith("x-") or key in _MEANT)
        }
        kept["description"] = f"Other words {chance.randrange(1000)}"
        kept["x-words"] = {"any": [1, None]}
        if kind == "schema":
            kept["example"] = {"type": "string"}
        return kept

    fresh: Tree = rewritten(tree, visit)
    fresh["info"] = {"title": "Other", "version": tree["info"]["version"], "description": "Other words"}
    del fresh["description"]
    return {**fresh, "x-words": 1, "externalDocs": {"url": "https://example.com"}}


def retitle(tree: Tree, chance: random.Random) -> Tree:
    """The titles of schemas are texts, too."""

    def visit(kind: str, node: Tree, _: Tree) -> Any:
        return {**node, "title": f"Title {chance.randrange(9)}"} if kind == "schema" and "title" in node else node

    return rewritten(tree, visit)  # type: ignore[no-any-return]


def respell_numbers(tree: Tree, _: random.Random) -> Tree:
    """``5`` as ``5.0``."""
    fields = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "multipleOf")

    def visit(kind: str, node: Tree, _: Tree) -> Any:
        numbers = {key: node[key] for key in fields if type(node.get(key)) is int} if kind == "schema" else {}
        return {**node, **{key: float(value) for key, value in numbers.items()}}

    return rewritten(tree, visit)  # type: ignore[no-any-return]


def rename_path_parameters(tree: Tree, _: random.Random) -> Tree:
    """``/a/{id}`` as ``/a/{idX}``, with the parameters that are meant."""

    def visit(kind: str, node: Tree, _: Tree) -> Any:
        if kind == "parameter" and "$ref" in node:
            target = lookup(tree, node["$ref"])
            return {**target, "name": target["name"] + "X"} if target and target.get("in") == "path" else node
        return {**node, "name": node["name"] + "X"} if kind == "parameter" and node.get("in") == "path" else node

    paths = rewritten({"paths": tree["paths"]}, visit)["paths"]
    return {**tree, "paths": {path.replace("}", "X}"): item for path, item in paths.items()}}


def respell_header_names(tree: Tree, _: random.Random) -> Tree:
    def visit(kind: str, node: Tree, _: Tree) -> Any:
        if kind == "parameter" and node.get("in") == "header":
            return {**node, "name": node["name"].swapcase()}
        if kind == "response" and isinstance(node.get("headers"), dict):
            return {**node, "headers": {name.swapcase(): header for name, header in node["headers"].items()}}
        return node

    return rewritten(tree, visit)  # type: ignore[no-any-return]


RESPELLINGS: list[Respelling] = [
    reorder_keys,
    reorder_sets,
    rename_components,
    inline_references,
    extract_components,
    move_parameters,
    respell_nullable,
    wrap_in_all_of,
    reword,
    retitle,
    respell_numbers,
    rename_path_parameters,
    respell_header_names,
]
