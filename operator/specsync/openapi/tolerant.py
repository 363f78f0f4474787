"""Decode a document some of whose fields have the wrong type: report each such field, leave it out, and carry on.

One wrong field fails a whole typed decode, and real vendors publish such documents. This is the slow path: it is
taken only after the fast one has failed.
"""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")


class Finding(msgspec.Struct, frozen=True):
    """A defect of the document that specsync could work around."""

    pointer: str
    message: str


def convert(value: Any, target: type[T], findings: list[Finding]) -> T:
    """``value``, a plain tree, as a ``target`` struct. Wrongly typed fields are left out and added to ``findings``."""
    return cast("T", _convert(value, target, "", findings))


class _Unusable(Exception):
    """The value can't be made into the wanted type, not even in part."""


def _convert(value: Any, target: Any, pointer: str, findings: list[Finding]) -> Any:
    try:
        return msgspec.convert(value, target)
    except msgspec.ValidationError as error:
        reason = str(error)
    origin, arguments = typing.get_origin(target), typing.get_args(target)
    if origin in (typing.Union, types.UnionType):
        for argument in arguments:
            if _could_hold(value, argument):
                return _convert(value, argument, pointer, findings)
        raise _Unusable(reason)
    if origin is dict and isinstance(value, dict):
        return {
            key: converted
            for key, item in value.items()
            for converted in _kept(item, arguments[1], f"{pointer}/{escaped(key)}", key, findings)
        }
    if origin is list and isinstance(value, list):
        return [
            converted
            for index, item in enumerate(value)
            for converted in _kept(item, arguments[0], f"{pointer}/{index}", "", findings)
        ]
    if isinstance(target, type) and issubclass(target, msgspec.Struct) and isinstance(value, dict):
        return _struct(value, target, pointer, findings)
    raise _Unusable(reason)


def _struct(value: dict[str, Any], target: type[msgspec.Struct], pointer: str, findings: list[Finding]) -> Any:
    known: dict[str, Any] = {}
    for name, written, hint in _fields(target):
        if written in value:
            for converted in _kept(value[written], hint, f"{pointer}/{escaped(written)}", written, findings):
                known[name] = converted
    return target(**known)


@cache
def _fields(target: type[msgspec.Struct]) -> list[tuple[str, str, Any]]:
    """Name, name as it is written, and type of each field. It takes half a millisecond to find out."""
    hints = typing.get_type_hints(target)
    return [(field.name, field.encode_name, hints[field.name]) for field in msgspec.structs.fields(target)]


def _kept(value: Any, target: Any, pointer: str, key: str, findings: list[Finding]) -> list[Any]:
    """The converted value in a list; an empty list, and a finding, where there is no use for it."""
    try:
        return [_convert(value, target, pointer, findings)]
    except _Unusable as error:
        if key.startswith("x-") and not isinstance(value, dict):
            return []  # a vendor extension among named things, as in `paths: {x-owner: me}`
        findings.append(Finding(pointer=pointer, message=f"This has the wrong type and is left out: {error}."))
        return []


def _could_hold(value: Any, target: Any) -> bool:
    origin = typing.get_origin(target) or target
    if isinstance(value, dict):
        return origin is dict or (isinstance(origin, type) and issubclass(origin, msgspec.Struct))
    return isinstance(value, list) and origin is list


def escaped(token: str) -> str:
    """A reference token of a JSON pointer (RFC 6901)."""
    if "~" in token:
        token = token.replace("~", "~0")
    return token.replace("/", "~1") if "/" in token else token
