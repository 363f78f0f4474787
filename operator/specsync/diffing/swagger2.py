"""JSON pointers of Swagger 2.0 documents as their authors wrote them.

Documents of that version are compared in the shape of OpenAPI 3.x, and pointers are into that shape until here.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from specsync.diffing.comparison import Comparison, Location
from specsync.openapi.canonical import CanonicalDocument
from specsync.openapi.tolerant import escaped

_SWAGGER2 = "swagger-2.0"
_COMPONENTS = {
    "schemas": "/definitions",
    "securitySchemes": "/securityDefinitions",
    "parameters": "/parameters",
    "requestBodies": "/parameters",
    "responses": "/responses",
}
_Steps = list[str]


def with_own_pointers(comparison: Comparison, old: CanonicalDocument, new: CanonicalDocument) -> Comparison:
    """The comparison with pointers into what was written, where ``old`` or ``new`` is Swagger 2.0; events and causes
    that were given are left as they are.

    A parameter is named by its list alone where the lift may have moved it, as a body or form parameter stood there.
    """
    if _SWAGGER2 not in (old.format, new.format):
        return comparison
    before, after = _mapping(old), _mapping(new)

    def mapped(location: Location) -> Location:
        return Location(
            before(location.old) if location.old is not None else None,
            after(location.new) if location.new is not None else None,
        )

    return msgspec.structs.replace(
        comparison,
        causes=[msgspec.structs.replace(cause, location=mapped(cause.location)) for cause in comparison.causes],
        events=[msgspec.structs.replace(event, location=mapped(event.location)) for event in comparison.events],
    )


def _mapping(document: CanonicalDocument) -> Callable[[str], str]:
    if document.format != _SWAGGER2:
        return lambda pointer: pointer
    with_body = {
        f"/paths/{escaped(summary.path)}/{summary.method.lower()}"
        for summary in document.operations
        if document.operation(summary).request_body is not None
    }
    return lambda pointer: _written(pointer, with_body)


def _written(pointer: str, with_body: set[str]) -> str:
    """``with_body``: the pointers of the operations that have body or form parameters."""
    steps = pointer.split("/")[1:]
    match steps:
        case ["components", kind, name, *rest] if kind in _COMPONENTS:
            return _joined(f"{_COMPONENTS[kind]}/{name}", _below(kind, rest))
        case ["servers", *_]:
            return "/host"
        case ["paths", path, "parameters", *rest]:
            is_sure = not any(place.startswith(f"/paths/{path}/") for place in with_body)
            return _parameter(f"/paths/{path}", rest, is_sure=is_sure)
        case ["paths", path, method, "parameters", *rest]:
            place = f"/paths/{path}/{method}"
            return _parameter(place, rest, is_sure=place not in with_body)
        case ["paths", path, method, "requestBody", *_]:
            return f"/paths/{path}/{method}/parameters"
        case ["paths", path, method, "responses", status, *rest]:
            return _joined(f"/paths/{path}/{method}/responses/{status}", _below("responses", rest))
    return pointer


def _parameter(place: str, steps: _Steps, *, is_sure: bool) -> str:
    if not is_sure or not steps:
        return f"{place}/parameters"
    return _joined(f"{place}/parameters/{steps[0]}", _below("parameters", steps[1:]))


def _below(kind: str, steps: _Steps) -> _Steps:
    """Where something within a component, parameter or response stands. What 2.0 has elsewhere is left out."""
    match kind, steps:
        case (("responses" | "requestBodies"), ["content", _, "schema", *rest]):
            return ["schema", *rest]
        case (("responses" | "requestBodies"), ["content", *_]):
            return []
        case "responses", ["headers", name, "schema", *rest]:
            return ["headers", name, *rest]
        case "parameters", ["schema", *rest]:
            return rest
        case "parameters", [("style" | "explode"), *_]:
            return ["collectionFormat"]
    return steps


def _joined(place: str, steps: _Steps) -> str:
    return "/".join([place, *steps])
