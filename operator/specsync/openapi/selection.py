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
_MAPPING = re.compile(rb'"mapping":(\{(?:"[^"\\]*(?:\\.[^"\\]*)*"[:,]?)+\})')
"""Of strings to strings: a property may have the name too."""
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
    return re.compile(_in_turn(".*", [re.escape(part) for part in written.split("*")]), re.DOTALL)


def endpoint_pattern(written: str) -> tuple[str, re.Pattern[str]]:
    """The method (``*``: any), in upper case, and what the path must match in full; as in `Selection.endpoints`."""
    found = _ENDPOINT.fullmatch(written.strip())
    method, path = (found[1] or "*", found[2]) if found else ("*", written)
    stretches = [[""]]  # between ** and **; each a list of the parts between * and *
    for piece in _GLOB.split(path):
        if piece == "**":
            stretches.append([""])
        elif piece == "*":
            stretches[-1].append("")
        else:
            stretches[-1][-1] += _translated(piece)
    return method.upper(), re.compile(_in_turn(".*", [_in_turn("[^/]*", parts) for parts in stretches]), re.DOTALL)


def _in_turn(gap: str, parts: list[str]) -> str:
    """A pattern for ``parts`` in their order, with a ``gap`` from each to the next.

    All but the last are taken where they stand first, for good. That loses no match, and without it a pattern with many
    stars could run for ever.
    """
    *others, last = [parts[0], *(f"{gap}?{part}" for part in parts[1:])]
    return "".join(f"(?>{each})" for each in others) + last


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


def _translated(piece: str) -> str:
    """A pattern for a piece without stars, which fits in at most one way from a place on."""
    if piece == "?":
        return "[^/]"
    return r"\{[^{}/]*+\}" if piece.startswith("{") and piece.endswith("}") else re.escape(piece)


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
        for value in msgspec.json.decode(found, type=dict[str, str]).values():
            # A discriminator's mapping names schemas by reference or by name.
            references.add(value if "/" in value else f"#/components/schemas/{value}")
    for reference in references:
        for kind, table in components.items():
            name = component_name(reference, kind)
            if name in table:
                yield kind, name
