"""References: which ones a document holds, and bringing all of them into one form.

The canonical form knows one kind of internal reference, ``#/components/<kind>/<name>``. A reference to anything
else inside the document (``#/paths/~1a/get/…``, ``#/definitions/…``) is given a component of its own, whose name is
the reference. References into other documents stay as they are and are compared by name: specsync doesn't fetch
them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from specsync.openapi.errors import DocumentError
from specsync.openapi.model import (
    Callback,
    Components,
    Header,
    Link,
    MediaType,
    Parameter,
    PathItem,
    RequestBody,
    Response,
    Schema,
    SecurityScheme,
)
from specsync.openapi.pointers import find, unescaped
from specsync.openapi.tolerant import Finding, convert, escaped

Target = Schema | Parameter | RequestBody | Response | Header | SecurityScheme | PathItem | MediaType | Link

KINDS: dict[type, tuple[str, str]] = {
    Schema: ("schemas", "schemas"),
    Parameter: ("parameters", "parameters"),
    RequestBody: ("requestBodies", "request_bodies"),
    Response: ("responses", "responses"),
    Header: ("headers", "headers"),
    SecurityScheme: ("securitySchemes", "security_schemes"),
    PathItem: ("pathItems", "path_items"),
    MediaType: ("mediaTypes", "media_types"),
    Link: ("links", "links"),
}
"""For each kind of component its name in a document, and its attribute of ``Components``."""

_INTERNAL = re.compile(rb'"\$ref":"#/[^"\\]*(?:\\.[^"\\]*)*"')
_REFERENCE = re.compile(rb'"\$ref":"([^"\\]*(?:\\.[^"\\]*)*)"')


def references_in(encoded: bytes) -> list[str]:
    """What ``encoded``, canonical JSON, refers to. May name values that only look like references, in an enum or a
    default.
    """
    return list(map(decoded_reference, references_written_in(encoded)))


def references_written_in(encoded: bytes) -> list[bytes]:
    """As ``references_in``, but as they are written in JSON."""
    return _REFERENCE.findall(encoded) if b'"$ref":"' in encoded else []


def decoded_reference(written: bytes) -> str:
    return written.decode() if b"\\" not in written else msgspec.json.decode(b'"' + written + b'"', type=str)


def without_names(encoded: bytes) -> bytes:
    """``encoded``, canonical JSON, without the names of what it refers to inside of its document."""
    return _INTERNAL.sub(b'"$ref":""', encoded) if b'"$ref":"#/' in encoded else encoded


def component_name(reference: str, kind: str) -> str:
    """The name of the component of ``kind`` that ``reference`` means."""
    prefix = f"#/components/{kind}/"
    if reference.startswith(prefix) and "/" not in reference[len(prefix) :]:
        return unescaped(reference[len(prefix) :])
    return reference


def shown_reference(reference: str) -> str:
    """A reference to a schema for people: its component's name, or where it leads, without user info and query."""
    name = component_name(reference, "schemas")
    return _QUERY.sub("", _USER_INFO.sub("//", name)) if is_external(reference) else name


_USER_INFO = re.compile(r"//[^/]*@")
_QUERY = re.compile(r"[?][^#]*")


def is_external(reference: str) -> bool:
    """Whether a reference leads where specsync doesn't follow: into another document, or to an anchor."""
    return not reference.startswith("#/")


def holders(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    """Each struct under ``value`` that has a ``$ref``, with its JSON pointer."""
    if isinstance(value, msgspec.Struct):
        if getattr(value, "ref", None) is not None:
            yield pointer, value
        # Not by msgspec.structs.fields(), which reads the class's annotations anew: half a millisecond each time.
        for name, written in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
            below = getattr(value, name)
            if below.__class__ in (dict, list) or isinstance(below, msgspec.Struct):
                yield from holders(below, f"{pointer}/{written}")
    elif value.__class__ is dict:
        for key, item in value.items():
            yield from holders(item, f"{pointer}/{escaped(key)}")
    elif value.__class__ is list:
        for index, item in enumerate(value):
            yield from holders(item, f"{pointer}/{index}")


_NOWHERE = object()


class Hoister:
    """Gives every internal reference a component to point to.

    One that points to nothing raises ``DocumentError``. With ``lenient`` it stays as it is, and then is as opaque as
    one into another document; but never a path item's: without it nobody can tell which operations there are.
    """

    def __init__(
        self,
        components: Components,
        tree: Callable[[], dict[str, Any]],
        findings: list[Finding],
        *,
        lenient: bool = False,
    ) -> None:
        self._components = components
        self._decode_tree = tree
        self._tree: dict[str, Any] | None = None
        self._findings = findings
        self._lenient = lenient

    def settle(self, value: Any, pointer: str) -> None:
        """Check all references under ``value``, which stands at ``pointer``, and hoist what isn't a component yet."""
        waiting = [(pointer, value)]
        while waiting:
            base, part = waiting.pop()
            for place, holder in holders(part, base):
                hoisted = self._settle_one(holder, place)
                if hoisted is not None:
                    waiting.append((holder.ref[1:], hoisted))

    def _settle_one(self, holder: Any, pointer: str) -> Any:
        reference = holder.ref
        if is_external(reference):
            return None
        kind, attribute = KINDS[type(holder)]
        table: dict[str, Any] | None = getattr(self._components, attribute)
        if table is not None and component_name(reference, kind) in table:
            return None
        target = self._find(reference)
        if isinstance(target, bool) and type(holder) is Schema:
            target = {} if target else {"not": {}}
        if not isinstance(target, dict):
            if self._lenient and type(holder) is not PathItem:
                return None
            why = f"where there is no {type(holder).__name__.lower()}; correct the reference in the document"
            if target is _NOWHERE:
                why = "which isn't in the document; add the missing component or correct the reference"
            raise _unresolvable(pointer, reference, why)
        hoisted = convert(target, type(holder), self._findings)
        if table is None:
            table = {}
            setattr(self._components, attribute, table)
        table[component_name(reference, kind)] = hoisted
        return hoisted

    def callback(self, written: Callback, pointer: str) -> Callback:
        """The callback that ``written``, at ``pointer``, refers to, beside the reference that finds it; the reference
        alone where it leads out of the document; ``written`` itself where it isn't one.
        """
        found = written
        seen: set[str] = set()
        while isinstance(reference := found.get("$ref"), str):
            target = None if is_external(reference) or reference in seen else self._callback_at(reference)
            if target is None:
                if self._lenient or is_external(reference):
                    return {"$ref": reference}
                why = "which leads back to itself or to no callback; correct the reference in the document"
                raise _unresolvable(pointer, reference, why)
            if not isinstance(target.get("$ref"), str):
                return {**target, "$ref": reference}
            seen.add(reference)
            found = target
        return found

    def _callback_at(self, reference: str) -> Callback | None:
        name = component_name(reference, "callbacks")
        table = self._components.callbacks = self._components.callbacks or {}
        if name not in table:
            target = self._find(reference)
            if not isinstance(target, dict):
                return None
            table[name] = convert(target, Callback, self._findings)
        return table[name]

    def _find(self, reference: str) -> Any:
        if self._tree is None:
            self._tree = self._decode_tree()
        return find(self._tree, reference[1:], _NOWHERE)


def resolve_path_item(item: PathItem, components: Components, pointer: str) -> PathItem:
    """The path item that ``item`` refers to, with its own operations on top. Raises ``DocumentError`` on a circle."""
    seen: set[str] = set()
    while item.ref is not None:
        target = (components.path_items or {}).get(component_name(item.ref, "pathItems"))
        if target is None or item.ref in seen:
            if is_external(item.ref):
                return item
            why = "which leads back to itself or to nothing; correct the reference in the document"
            raise _unresolvable(pointer, item.ref, why)
        seen.add(item.ref)
        merged = PathItem()
        for name in PathItem.__struct_fields__:
            value = getattr(item, name) if name != "ref" else None
            setattr(merged, name, value if value is not None else getattr(target, name))
        item = merged
    return item


def _unresolvable(pointer: str, reference: str, why: str) -> DocumentError:
    text = f"The $ref at {pointer} points to {reference!r}, {why}."
    return DocumentError("UnresolvableReference", text, pointer=pointer)
