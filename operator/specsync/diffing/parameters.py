"""Parameters: which came, went, or changed. Path-level ones count for each operation; header names have no case."""

from __future__ import annotations

import re
from typing import NamedTuple

from specsync.diffing.bodies import compare_carried
from specsync.diffing.components import follow, same
from specsync.diffing.lifecycle import compare_parameter_deprecation, sunset_date
from specsync.diffing.schemas.sides import SIBLINGS, copied, has_keywords
from specsync.diffing.schemas.types import covers
from specsync.diffing.serialization import compare_serialization, explodes, style_of
from specsync.diffing.session import Session, Target
from specsync.diffing.wording import Place
from specsync.openapi.canonical import CanonicalDocument
from specsync.openapi.model import Operation, Parameter, Schema

_NAMES = re.compile(r"\{([^{}]*)\}")


class Found(NamedTuple):
    written: Parameter
    """As it stands in the operation: perhaps a reference."""
    parameter: Parameter
    pointer: str
    is_shared: bool
    """It stands at the path, for all of its operations."""


_Key = tuple[str, str]


def compare_parameters(
    session: Session, target: Target, old: Operation, new: Operation, old_path: str, new_path: str
) -> None:
    both = (old.parameters, old.shared_parameters), (new.parameters, new.shared_parameters)
    if old_path == new_path and session.unchanged(*both):
        return
    renamed = dict(zip(_NAMES.findall(old_path), _NAMES.findall(new_path), strict=False))
    before = _effective(session.old, old, target.old_pointer, renamed)
    after = _effective(session.new, new, target.new_pointer, {})
    for key, left in before.items():
        right = after.get(key)
        if right is None:
            _removed(session, target, left)
        elif not same(session, left.written, right.written):
            _changed(session, target, left, right)
    for key, right in after.items():
        if key not in before:
            _added(session, target, right, all_shared=_was_added_to_path(old, new, right))


def _effective(
    document: CanonicalDocument, operation: Operation, pointer: str, renamed: dict[str, str]
) -> dict[_Key, Found]:
    """What an operation takes, by location and name; its own parameters replace those of its path."""
    found: dict[_Key, Found] = {}
    item_pointer = pointer.rsplit("/", 1)[0]
    for parameters, place, is_shared in (
        (operation.shared_parameters, item_pointer, True),
        (operation.parameters, pointer, False),
    ):
        for index, written in enumerate(parameters or ()):
            parameter, where = follow(document, written, f"{place}/parameters/{index}")
            if parameter is None or not parameter.name:
                continue
            name = parameter.name
            if parameter.location == "header":
                name = name.lower()
            elif parameter.location == "path":
                name = renamed.get(name, name)
            found[parameter.location, name] = Found(written, parameter, where, is_shared)
    return found


def _was_added_to_path(old: Operation, new: Operation, added: Found) -> bool:
    return added.is_shared and new.shared_parameters != old.shared_parameters


def _place(parameter: Parameter, other: Parameter | None = None) -> Place:
    required = parameter.required or (other is not None and other.required)
    return Place(
        scope="request-parameter",
        nested="request-parameter-property",
        location=parameter.location,
        parameter=parameter.name,
        has_default=not required,
    )


def _removed(session: Session, target: Target, gone: Found) -> None:
    parameter = gone.parameter
    aspect, before, after = "removed", None, None
    if parameter.deprecated:
        date = sunset_date(parameter.x_sunset)
        if parameter.x_sunset is None:
            aspect = "removed-with-deprecation"
        elif date is None:
            aspect, after = "sunset-parse", str(parameter.x_sunset)
        elif session.policy.today < date:
            aspect, before = "removed-before-sunset", date.isoformat()
        else:
            return
    session.report(target, aspect, gone.pointer, None, before, after, place=_place(parameter))


def _added(session: Session, target: Target, added: Found, *, all_shared: bool) -> None:
    parameter = added.parameter
    if parameter.location == "path":
        aspect = "new-request-path-parameter"
    else:
        need = "required" if parameter.required else "optional"
        aspect = (
            f"new-{need}-request-default-parameter-to-existing-path" if all_shared else f"new-{need}-request-parameter"
        )
    place = Place(scope="", location=parameter.location, parameter=parameter.name)
    session.report(target, aspect, None, added.pointer, place=place)


def _changed(session: Session, target: Target, left: Found, right: Found) -> None:
    old, new = left.parameter, right.parameter
    if old is new:
        return
    place = _place(new, old)
    pointers = (left.pointer, right.pointer)
    if old.location != "path" and old.required is not new.required:
        places = (f"{left.pointer}/required", f"{right.pointer}/required")
        aspect = "became-required" if new.required else "became-optional"
        session.report(target, aspect, *places, old.required, new.required, place=place)
    compare_serialization(session, target, old, new, pointers, place)
    compare_parameter_deprecation(session, target, old, new, pointers, place)
    if (
        old.schema is not None
        and new.schema is not None
        and _became_exploded_array(session, target, left, right, place)
    ):
        return
    compare_carried(session, target, old, new, pointers, place, request=True)


def _became_exploded_array(session: Session, target: Target, left: Found, right: Found, place: Place) -> bool:
    """``?a=1`` is also an array of one, where arrays are sent as ``?a=1&a=2``: the type became wider."""
    old_schema = session.graph.old.resolve(left.parameter.schema or True, f"{left.pointer}/schema").schema
    new_schema = session.graph.new.resolve(right.parameter.schema or True, f"{right.pointer}/schema").schema
    if old_schema is None or new_schema is None or not old_schema.types or new_schema.types != ("array",):
        return False
    if "array" in old_schema.types or not isinstance(new_schema.items, Schema) or not _explodes(right.parameter):
        return False
    if has_keywords(new_schema, "type", "items", *SIBLINGS):
        return False
    items = new_schema.items
    if items.types and not covers(items.types, old_schema.types) and items.types != ("string",):
        return False
    if items != _without_type(old_schema, items):
        return False
    session.report(
        target,
        "type-generalized",
        f"{left.pointer}/schema/type",
        f"{right.pointer}/schema/type",
        ", ".join(old_schema.types),
        f"array<{', '.join(items.types) or 'any'}>",
        name="type",
        place=place,
    )
    return True


def _explodes(parameter: Parameter) -> bool:
    return style_of(parameter) == "form" and explodes(parameter)


def _without_type(schema: Schema, other: Schema) -> Schema:
    """``schema`` with the type and nullability of ``other``."""
    changed = copied(schema)
    changed.type, changed.nullable = other.type, other.nullable
    changed.title, changed.default = other.title, other.default
    return changed
