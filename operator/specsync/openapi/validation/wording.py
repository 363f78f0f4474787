"""What a meta-schema's error means, in words for the person who wrote the document.

An error of ``oneOf`` or ``anyOf`` holds the errors of each alternative. Those of the alternative that the author most
likely meant are told, at their places, and nothing of the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonschema_rs

from specsync.openapi.tolerant import escaped
from specsync.openapi.validation.findings import Finding, shown

Error = jsonschema_rs.ValidationError

_MOST_NAMES = 8
_DEEPEST = 100  # alternatives inside each other
_WORDS = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "null": "null",
}
_LIMITS = {
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
    "minProperties": "must have at least {} entries",
    "maxProperties": "must have at most {} entries",
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
}


def findings_of(error: Error, tree: Any) -> Iterator[Finding]:
    """The findings that one error of the whole document's validation stands for."""
    for each in _meant(error, 0):
        pointer = "".join(f"/{escaped(str(token))}" for token in each.instance_path)
        for rule, place, message in _told(each, pointer, _at(tree, each.instance_path)):
            yield Finding(place, message, f"schema-{rule}", "error")


class _Distance(NamedTuple):
    """How far an alternative is from what was written, the nearest first."""

    reference: bool
    """It is a Reference Object, and no $ref was written."""
    type: bool
    """It is of another type."""
    choice: bool
    """A field that tells alternatives apart (``in``, ``type``) has a value of none or of another."""
    errors: int
    shallow: int


def _meant(error: Error, depth: int) -> list[Error]:
    """The error itself, or those of the alternative that was meant."""
    kind: Any = error.kind
    if kind.name not in ("oneOf", "anyOf") or depth > _DEEPEST:
        return [error]
    branches: list[list[Error]] = kind.context
    if not branches or not all(branches):
        return [error]  # several of oneOf's alternatives fit
    here = len(error.instance_path)
    ranked = sorted(((_distance(branch, here), number) for number, branch in enumerate(branches)))
    (nearest, number), others = ranked[0], ranked[1:]
    if nearest.type or (nearest.choice and any(other[:4] == nearest[:4] for other, _ in others)):
        return [error]  # any of them may have been meant
    return [found for each in branches[number] for found in _meant(each, depth + 1)]


def _distance(branch: list[Error], here: int) -> _Distance:
    depths = [len(each.instance_path) - here for each in branch]
    pairs = list(zip(branch, depths, strict=True))
    return _Distance(
        reference=any(getattr(each.kind, "property", None) == "$ref" and depth == 0 for each, depth in pairs),
        type=any(each.kind.name in ("type", "enum", "const") and depth == 0 for each, depth in pairs),
        choice=any(each.kind.name in ("enum", "const") and depth == 1 for each, depth in pairs),
        errors=len(branch),
        shallow=-max(depths),
    )


def _told(error: Error, pointer: str, value: Any) -> Iterator[tuple[str, str, str]]:
    """Rule, place and message; several for an error that is about several fields."""
    kind: Any = error.kind
    match kind.name:
        case "required":
            yield "required", pointer, f'"{kind.property}" is missing'
        case "additionalProperties" | "unevaluatedProperties":
            for name in kind.unexpected[:_MOST_NAMES]:
                yield "unknown-field", f"{pointer}/{escaped(name)}", _unknown_field(pointer, name)
        case "type":
            yield "type", pointer, _wrong_type(list(kind.types), value)
        case "enum":
            yield "enum", pointer, f"is {shown(value)}; it must be {_one_of(list(kind.options))}"
        case "const":
            yield "enum", pointer, f"is {shown(value)}; it must be {shown(kind.expected_value)}"
        case "pattern":
            yield "pattern", pointer, f"is {shown(value)}, which doesn't match {kind.pattern}"
        case "not":
            yield "exclusive", pointer, _forbidden(kind.schema)
        case "propertyNames":
            yield from (("name", place, message) for place, message in _bad_names(kind.error, pointer, value))
        case "uniqueItems":
            yield "unique-items", pointer, "has an item twice"
        case "oneOf" | "anyOf":
            yield _alternatives(kind.context, pointer, value)
        case name if name in _LIMITS:
            limit = getattr(kind, "multiple_of" if name == "multipleOf" else "limit")
            yield "limit", pointer, _LIMITS[name].format(limit)
        case name:
            yield "other", pointer, f"isn't allowed here by the OpenAPI schema ({name})"


def _alternatives(branches: list[list[Error]], pointer: str, value: Any) -> tuple[str, str, str]:
    """Where it can't be told which one was meant: all that would do; or too many of them do."""
    if not branches or not all(branches):
        fields = [name for name in ("schema", "content") if isinstance(value, dict) and name in value]
        return "exclusive", pointer, _exclude_each_other(fields)
    here = pointer.count("/")
    choices: list[Error] = [
        min(wrong, key=lambda each: len(each.instance_path))
        for branch in branches
        if (wrong := [each for each in branch if each.kind.name in ("enum", "const")])
    ]
    places = {tuple(each.instance_path[here:]) for each in choices}
    if len(places) == 1 and (len(choices) > 1 or () in places):
        below = list(places.pop())
        place = pointer + "".join(f"/{escaped(str(token))}" for token in below)
        options = [option for each in choices for option in _options(each)]
        return "enum", place, f"is {shown(_at(value, below))}; it must be {_one_of(options)}"
    kinds: list[Any] = [branch[0].kind for branch in branches]
    if all(kind.name == "type" for kind in kinds):
        types = dict.fromkeys(name for kind in kinds for name in kind.types)
        return "type", pointer, _wrong_type(list(types), value)
    return "alternatives", pointer, "is none of what may stand here; check its fields"


def _options(error: Error) -> list[Any]:
    kind: Any = error.kind
    return list(kind.options) if kind.name == "enum" else [kind.expected_value]


def _exclude_each_other(fields: list[Any]) -> str:
    if len(fields) < 2:
        return "has fields that exclude each other"
    return f"has {' and '.join(shown(field) for field in fields)}, which exclude each other"


def _bad_names(error: Error, pointer: str, value: Any) -> Iterator[tuple[str, str]]:
    pattern = getattr(error.kind, "pattern", None)
    names = [name for name in value if not re.search(pattern, name)] if pattern and isinstance(value, dict) else []
    for name in names[:_MOST_NAMES]:
        yield f"{pointer}/{escaped(name)}", f"is a name that isn't allowed here: it must match {pattern}"
    if not names:
        yield pointer, "has a name that isn't allowed here"


def _one_of(options: list[Any]) -> str:
    unique = list(dict.fromkeys(shown(option) for option in options))
    more = f" or {len(unique) - _MOST_NAMES} more" if len(unique) > _MOST_NAMES else ""
    return ("one of " if len(unique) > 1 else "") + ", ".join(unique[:_MOST_NAMES]) + more


def _unknown_field(pointer: str, name: str) -> str:
    if pointer == "/paths":
        return 'is no path: it must begin with "/"'
    if pointer.endswith("/responses") and not pointer.startswith(("/components", "/responses")):
        return "is no status code: it must be three digits, such as 404 or 4XX, or default"
    if pointer.startswith("/components/") and pointer.count("/") == 2:
        return "is a name that isn't allowed here: letters, digits, '.', '-' and '_' only"
    if name.startswith(("X-", "x_")):
        return "isn't a field of this object; extensions begin with x-"
    return "isn't a field of this object; correct its name, or begin it with x-"


def _wrong_type(types: list[str], value: Any) -> str:
    wanted = " or ".join(_WORDS.get(each, each) for each in types)
    if "string" in types and isinstance(value, int | float) and not isinstance(value, bool):
        return f"is the number {shown(value)}, but must be {wanted}: write it in quotes"
    if "string" in types and isinstance(value, bool):
        return f"is {shown(value)}, but must be {wanted}: write it in quotes"
    return f"is {_kind(value)}, but must be {wanted}"


def _kind(value: Any) -> str:
    if value is None:
        return "null (empty)"
    if isinstance(value, bool | int | float | str):
        return shown(value)
    return "a list" if isinstance(value, list) else "an object"


def _forbidden(schema: Any) -> str:
    names = schema.get("required") if isinstance(schema, dict) else None
    if isinstance(names, list) and len(names) == 1:
        return f"must not have {shown(names[0])}"
    return _exclude_each_other(names if isinstance(names, list) else [])


def _at(tree: Any, path: list[Any]) -> Any:
    for token in path:
        if isinstance(tree, dict):
            tree = tree.get(str(token))
        elif isinstance(tree, list) and isinstance(token, int) and token < len(tree):
            tree = tree[token]
        else:
            return None
    return tree
