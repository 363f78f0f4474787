"""A part of an API: some of its domains and endpoints, with all that they reach, as a canonical form of its own.

What isn't selected leaves no trace in the form, so its digest changes only where the selected part does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from specsync.openapi.canonical import CanonicalDocument, ComponentPart, OperationPart
from specsync.openapi.model import Security
from specsync.openapi.references import component_name, references_in

T = TypeVar("T")

_ENDPOINT = re.compile(r"(?:([A-Za-z]+|\*)\s+)?(/\S*)")
_GLOB = re.compile(r"(\*\*|\*|\?|\{[^{}/]*\})")
_MAPPING = re.compile(rb'"mapping":(\{[^{}]*\})')
_OF_THE_WHOLE = ("version", "findings")
"""Fields of the form that change with every part of the document."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class Selection(msgspec.Struct, frozen=True):
    """What is watched: an operation that one of these names."""

    domains: list[str] = []
    """Names of domains or tags; ``*`` stands for any characters."""

    endpoints: list[str] = []
    """A path, or a method and a path. ``*`` stands for any characters but ``/``, ``**`` for any at all, ``?`` for one;
    ``{name}`` for a parameter of any name.
    """


class _Traits(msgspec.Struct, rename="camel"):
    """What of an operation counts here."""

    tags: list[str] = []
    security: Security | None = None
    servers: msgspec.Raw = msgspec.Raw()


_Components = dict[str, dict[str, ComponentPart]]


def select_part(document: CanonicalDocument, selection: Selection) -> tuple[CanonicalDocument, list[str]]:
    """The selected part of a document, and those of the selection's patterns that fit nothing in it."""
    form = msgspec.json.decode(document.to_bytes(), type=dict[str, msgspec.Raw])
    patterns: list[_Domain | _Endpoint] = [
        *(_Domain(each) for each in selection.domains),
        *(_Endpoint(each) for each in selection.endpoints),
    ]
    components = _part(form, "components", _Components, {})
    chosen: list[tuple[OperationPart, _Traits]] = []
    for room in ("operations", "webhooks"):
        kept = []
        for part in _part(form, room, list[OperationPart], []):
            traits = msgspec.json.decode(part.value, type=_Traits)
            # Every pattern is asked: each is to know whether it fits anything.
            if any([pattern.fits(part, traits, room) for pattern in patterns]):  # noqa: C419
                kept.append(part)
                chosen.append((part, traits))
        form[room] = msgspec.Raw(_encode(kept))
    schemes = _schemes(form, [traits for _, traits in chosen])
    if not any(bytes(traits.servers) in (b"", b"null") for _, traits in chosen):
        form.pop("servers", None)
    form["components"] = msgspec.Raw(_encode(_reached(components, [part for part, _ in chosen], schemes)))
    for name in _OF_THE_WHOLE:
        form.pop(name, None)
    form["version"] = msgspec.Raw(b'""')
    return CanonicalDocument.from_bytes(_encode(form)), [pattern.written for pattern in patterns if not pattern.fitted]


def domain_pattern(written: str) -> re.Pattern[str]:
    """What a domain's or tag's name must match in full; ``*`` stands for any characters."""
    return re.compile(".*".join(map(re.escape, written.split("*"))), re.DOTALL)


def endpoint_pattern(written: str) -> tuple[str, re.Pattern[str]]:
    """The method (``*``: any), in upper case, and what the path must match in full; as in `Selection.endpoints`."""
    found = _ENDPOINT.fullmatch(written.strip())
    method, path = (found[1] or "*", found[2]) if found else ("*", written)
    return method.upper(), re.compile("".join(map(_translated, _GLOB.split(path))), re.DOTALL)


class _Domain:
    def __init__(self, written: str) -> None:
        self.written = written
        self.fitted = False
        self._name = domain_pattern(written)

    def fits(self, operation: OperationPart, traits: _Traits, room: str) -> bool:
        del room
        fits = any(self._name.fullmatch(name) for name in (operation.domain, *traits.tags))
        self.fitted = self.fitted or fits
        return fits


class _Endpoint:
    def __init__(self, written: str) -> None:
        self.written = written
        self.fitted = False
        self._method, self._path = endpoint_pattern(written)

    def fits(self, operation: OperationPart, traits: _Traits, room: str) -> bool:
        del traits
        fits_method = self._method in ("*", operation.method.upper())
        fits = room == "operations" and fits_method and self._path.fullmatch(operation.path) is not None
        self.fitted = self.fitted or fits
        return fits


def _translated(part: str) -> str:
    match part:
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case _ if part.startswith("{") and part.endswith("}"):
            return r"\{[^{}/]*\}"
        case _:
            return re.escape(part)


def _part(form: dict[str, msgspec.Raw], name: str, type_: type[T], missing: T) -> T:
    return msgspec.json.decode(form[name], type=type_) if name in form else missing


def _schemes(form: dict[str, msgspec.Raw], chosen: list[_Traits]) -> set[str]:
    """The security schemes that the chosen operations ask for. What the root asks for goes where none relies on it."""
    asked = [traits.security for traits in chosen if traits.security is not None]
    if len(asked) < len(chosen):
        asked.append(_part(form, "security", Security, []))
    else:
        form.pop("security", None)
    return {name for security in asked for alternative in security for name in alternative}


def _reached(components: _Components, operations: Iterable[OperationPart], schemes: set[str]) -> _Components:
    """The components that the operations refer to, directly or through others, and the security schemes."""
    reached: set[tuple[str, str]] = set()
    waiting = [bytes(operation.value) for operation in operations]
    known = components.get("securitySchemes", {})
    for name in schemes & known.keys():
        reached.add(("securitySchemes", name))
        waiting.append(bytes(known[name].value))
    while waiting:
        for key in _targets(waiting.pop(), components):
            if key not in reached:
                reached.add(key)
                waiting.append(bytes(components[key[0]][key[1]].value))
    kept = {
        kind: {name: part for name, part in table.items() if (kind, name) in reached}
        for kind, table in components.items()
    }
    return {kind: table for kind, table in kept.items() if table}


def _targets(encoded: bytes, components: _Components) -> Iterable[tuple[str, str]]:
    references = set(references_in(encoded))
    for found in _MAPPING.findall(encoded):
        for value in msgspec.json.decode(found).values():
            if isinstance(value, str):  # a discriminator's mapping names schemas by reference or by name
                references.add(value if "/" in value else f"#/components/schemas/{value}")
    for reference in references:
        for kind, table in components.items():
            name = component_name(reference, kind)
            if name in table:
                yield kind, name
