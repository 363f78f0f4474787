"""Finding a witness: a value that proves that a change breaks."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import Any, NamedTuple

import jsonschema_rs
import msgspec

from specsync.diffing.comparison import Comparison, Event, Witness
from specsync.diffing.rules import RULES
from specsync.diffing.witness.bending import Side, candidates, shows_in_values
from specsync.diffing.witness.embedding import Path, embedded, schemas_at
from specsync.diffing.witness.instances import Builder, Schemas, Unbuildable, common_types, is_of_type
from specsync.diffing.witness.places import Places, Root
from specsync.diffing.witness.projection import Projector, Scalars, Undecidable
from specsync.diffing.witness.routes import Found, Map, Route
from specsync.openapi.canonical import CanonicalDocument
from specsync.openapi.model import Schema
from specsync.openapi.tolerant import escaped

_MOST_CANDIDATES = 48
_MOST_LEAVES = 4
_MOST_SCHEMAS = 2_500
"""On each side, for one event."""
_LARGEST_SHOWN = 600
"""Bytes of JSON that are shown: of a larger body, only the part that matters."""
_LARGEST = 4_000
"""Bytes of JSON of the innermost part; where that is larger, there is no witness."""
_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000)
_WHOLE = frozenset(("anyOf", "oneOf", "oneOfNotValid", "not"))
_LIMITS = ("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties", "uniqueItems")
_NUMBERS = frozenset(("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "multipleOf"))
_SHOWN_BY: dict[str, frozenset[str]] = {
    **{keyword: frozenset((keyword,)) for keyword in (*_LIMITS, "required", "pattern")},
    **dict.fromkeys(_NUMBERS, _NUMBERS),
    "enum": frozenset(("enum", "const", "constant", "type")),
    "const": frozenset(("enum", "const", "constant", "type")),
    "format": frozenset(("format", "maximum", "minimum")),
}
"""By the keyword that an event is about: the errors that may show it; all, for the others."""
_LONGEST_REASON = 200
_WORDS = re.compile(r"[^\s`:,]+")
_GIVE_UP = (Unbuildable, Undecidable, OverflowError, RecursionError, ValueError, ZeroDivisionError)
_encode = msgspec.json.Encoder().encode


def witness_for(old: CanonicalDocument, new: CanonicalDocument, event: Event) -> Witness | None:
    """A witness for one event of ``compare(old, new)``; None where none is found. For several events,
    ``Witnesses`` is faster.
    """
    return Witnesses(old, new).of(event)


def witnesses_for(
    old: CanonicalDocument,
    new: CanonicalDocument,
    comparison: Comparison,
    *,
    seconds: float = 1.0,
    most: int = 500,
    severities: tuple[str, ...] = ("breaking",),
) -> dict[str, Witness]:
    """Witnesses for the events of ``compare(old, new)`` with one of ``severities``, by the events' fingerprints.

    Looks at no more than ``most`` events, in their order, and begins no search after ``seconds``.
    """
    found: dict[str, Witness] = {}
    witnesses = Witnesses(old, new)
    deadline = time.monotonic() + seconds
    wanted = [event for event in comparison.events if event.severity in severities and witnesses.may_have(event)]
    for event in wanted[:most]:
        if time.monotonic() > deadline:
            break
        witness = witnesses.of(event)
        if witness is not None:
            found[event.fingerprint] = witness
    return found


class Witnesses:
    """Finds witnesses for events between two documents. Deterministic; raises nothing."""

    def __init__(self, old: CanonicalDocument, new: CanonicalDocument) -> None:
        self._old = old
        self._new = new
        self._places = Places(old, new)
        self._maps = (Map(old), Map(new))
        self._known = Known({}, {})

    @staticmethod
    def may_have(event: Event) -> bool:
        """Whether an event is about values at all."""
        rule = RULES.get(event.id)
        if event.operation is None or rule is None or rule.scope in ("", "response"):
            return False
        if event.summary.startswith("callback "):  # its operation's own bodies would be searched
            return False
        return shows_in_values(aspect_of(event))

    def of(self, event: Event) -> Witness | None:
        """A witness for ``event``, or None."""
        if not self.may_have(event) or event.operation is None:
            return None
        request = RULES[event.id].direction == "request"
        roots = [r for r in self._places.of(event.operation.method, event.operation.path) if r.request is request]
        said = set(_WORDS.findall(event.summary))
        roots.sort(key=lambda root: not said.issuperset(_WORDS.findall(root.words)))  # stable: the place that is named
        for root in roots:
            try:
                witness = self._in_root(event, root)
            except _GIVE_UP:
                continue
            if witness is not None:
                return witness
        return None

    def _in_root(self, event: Event, root: Root) -> Witness | None:
        for located in self._locate(event, root):
            route, name = located.route, ""
            if located.rest == () and route and route[-1].keyword == "properties" and _is_about_child(event):
                route, name = route[:-1], route[-1].name
            keyword = located.rest[0] if located.rest else "required" if name else ""
            search = _Search(self._old, self._new, root, self._known, formats=_is_about_format(event))
            witness = search.run(event, route, name, keyword)
            if witness is not None:
                return witness
        return None

    def _locate(self, event: Event, root: Root) -> list[Found]:
        """The ways to the event: as the newer document and as the older one has it, where these differ."""
        found: list[Found] = []
        for pointer, placed, paths in (
            (event.location.new, root.new, self._maps[1]),
            (event.location.old, root.old, self._maps[0]),
        ):
            way = paths.find(placed.schema, placed.pointer, pointer) if pointer is not None else None
            if way is not None and all(way.route != other.route for other in found):
                found.append(way)
        return found


def aspect_of(event: Event) -> str:
    """What an event says happened, as in ``rules.tsv``."""
    return RULES[event.id].aspect.rpartition(":")[2]


def _is_about_child(event: Event) -> bool:
    return event.location.old is None or event.location.new is None


def _is_about_format(event: Event) -> bool:
    return any((pointer or "").endswith("/format") for pointer in (event.location.old, event.location.new)) or (
        "format" in event.summary
    )


def _required_name(event: Event, keyword: str) -> str:
    """The property that an event about ``required`` is about: the last in its sentence's path."""
    path = re.search(r"`([^`]*)`", event.summary) if keyword == "required" else None
    return path[1].rpartition("/")[2] if path is not None else ""


class Expected(NamedTuple):
    """What a validator has to find wrong with a value, for it to be about the event."""

    keyword: str
    name: str
    """Of the property that has to be there, or empty."""

    def is_shown_by(self, error: jsonschema_rs.ValidationError, path: Path) -> bool:
        """Whether an error in a body is the one. ``path``: where in the body the event is."""
        place = [str(key) for key in error.instance_path]
        wanted = [str(key) for key in path]
        if place != wanted[: len(place)] and place[: len(wanted)] != wanted:
            return False
        if len(place) < len(wanted):  # the alternatives above it are refused as a whole
            return str(error.kind.name) in _WHOLE
        if self.name and error.kind.name == "required":
            return bool(error.kind.as_dict().get("property") == self.name)
        own = _SHOWN_BY.get(self.keyword)
        return own is None or error.kind.name in own or error.kind.name in _WHOLE


class Leaves:
    """Values that are made when they are first asked for."""

    def __init__(self, values: Iterator[Any]) -> None:
        self._values = values
        self._made: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        for index in count():
            if index == len(self._made):
                try:
                    self._made.append(next(self._values))
                except (StopIteration, *_GIVE_UP):
                    return
            yield self._made[index]


class Known(NamedTuple):
    """What the searches between two documents have in common."""

    leaves: dict[tuple[Any, ...], Leaves]
    scalars: dict[tuple[int, bool], Scalars]
    """By the ``id`` of the document, and whether formats are asserted."""


class _Search:
    """The search in one place of one operation."""

    def __init__(
        self,
        old: CanonicalDocument,
        new: CanonicalDocument,
        root: Root,
        known: Known,
        *,
        formats: bool,
    ) -> None:
        self._root = root
        self._documents = (old, new) if root.request else (new, old)
        self._sent, self._received = (root.old, root.new) if root.request else (root.new, root.old)
        self._formats = formats
        self._known = known
        self._sender, self._receiver = self._projectors()

    def run(self, event: Event, route: Route, name: str, keyword: str) -> Witness | None:
        builder, expected = self._builder(0), Expected(keyword, name or _required_name(event, keyword))
        is_alternative = any(step.keyword in ("oneOf", "anyOf") for step in route)
        for leaf in islice(self._promising(event, route, name), _MOST_LEAVES):
            for tagged in (False, True) if is_alternative else (False,):
                builder.is_tagging = tagged
                try:
                    value, path = embedded(builder, [self._sent.schema], route, leaf)
                except Unbuildable:
                    continue
                witness = self._checked(value, path, expected)
                if witness is not None:
                    return witness
        return None

    def _projectors(self) -> tuple[Projector, Projector]:
        """For the one who sends and the one who receives. Who sends must mean what he says of oneOf."""
        first, second = (
            Projector(
                document,
                request=self._root.request,
                strict=strict,
                formats=self._formats,
                most=_MOST_SCHEMAS,
                known=self._known.scalars.setdefault((id(document), self._formats), {}),
            )
            for document, strict in zip(self._documents, (True, False), strict=True)
        )
        return first, second

    def _builder(self, side: int) -> Builder:
        return Builder(self._documents[side], request=self._root.request)

    def _promising(self, event: Event, route: Route, name: str) -> Leaves:
        """The values that the schemas at the place itself tell apart: the same wherever the place is met."""
        aspect = aspect_of(event)
        sent = schemas_at(self._builder(0), [self._sent.schema], route)
        received = schemas_at(self._builder(1), [self._received.schema], route)
        hint = event.summary if aspect.startswith("became-") else ""
        schemas = (tuple(map(id, sent)), tuple(map(id, received)))
        key = (aspect, self._root.request, self._formats, name, hint, str(event.before), str(event.after), *schemas)
        if key not in self._known.leaves:
            sides = Side(self._builder(0), sent), Side(self._builder(1), received)
            types = common_types(sides[0].base())
            fitting = (leaf for leaf in candidates(aspect, event, name, *sides) if _fits(leaf, types))
            several = islice(_distinct(fitting), _MOST_CANDIDATES)
            pair = self._projectors()  # of its own, so that it doesn't matter which event comes first
            self._known.leaves[key] = Leaves(leaf for leaf in several if self._tells_apart(pair, sent, received, leaf))
        return self._known.leaves[key]

    def _tells_apart(self, pair: tuple[Projector, Projector], sent: Schemas, received: Schemas, leaf: Any) -> bool:
        sender, receiver = pair
        try:
            is_sent = self._accepts(sender, _together(sent), leaf)
            return is_sent and not self._accepts(receiver, _together(received), leaf)
        except _GIVE_UP:
            return False

    def _accepts(self, projector: Projector, schema: Schema | bool, value: Any) -> bool:
        return self._validator(projector.schema(schema, value)).is_valid(value)

    def _validator(self, schema: Any) -> jsonschema_rs.Draft202012Validator:
        whole = schema if schema.__class__ is dict else {} if schema else {"not": {}}
        return jsonschema_rs.Draft202012Validator(
            whole, validate_formats=self._formats, mask="value", offline=True, pattern_options=_PATTERNS
        )

    def _checked(self, value: Any, path: Path, expected: Expected) -> Witness | None:
        """The witness, if the whole body is accepted by the one document and refused by the other for this reason."""
        if not self._accepts(self._sender, self._sent.schema, value):
            return None
        validator = self._validator(self._receiver.schema(self._received.schema, value))
        reason = next((error for error in validator.iter_errors(value) if expected.is_shown_by(error, path)), None)
        if reason is None or any(
            self._accepts(self._receiver, self._received.schema, reading)
            for reading in _other_readings(value, is_typed=self._root.is_typed)
        ):
            return None
        refused = list(reason.instance_path)
        shown, shown_at = _part(value, path)
        if shown_at is None:
            return None
        return Witness(
            place=self._root.words,
            media_type=self._root.media_type,
            accepted_by="old" if self._root.request else "new",
            value=shown,
            at=_pointer(shown_at),
            refused_at=_pointer(refused[len(shown_at) :]),
            reason=" ".join(reason.message.split())[:_LONGEST_REASON],
        )


def _distinct(values: Iterable[Any]) -> Iterator[Any]:
    seen: set[bytes] = set()
    for value in values:
        key = _encode(value)
        if key not in seen:
            seen.add(key)
            yield value


def _together(schemas: Schemas) -> Schema | bool:
    if not schemas:
        return True
    return schemas[0] if len(schemas) == 1 else Schema(all_of=list(schemas))


def _other_readings(value: Any, *, is_typed: bool) -> list[Any]:
    """What else a value may be taken for where representations have no types: it is refused only if these are, too."""
    if is_typed:
        return []
    if isinstance(value, list):
        return [[_text(item) for item in value], ",".join(map(_text, value))]
    return [_text(value), [value], [_text(value)]]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _encode(value).decode()


def _fits(value: Any, types: set[str] | None) -> bool:
    return types is None or value is None or any(is_of_type(value, name) for name in types)


def _part(value: Any, path: Path) -> tuple[Any, Path | None]:
    """The largest part around the end of ``path`` that is small enough to be shown, and where it stands."""
    for depth in range(len(path) + 1):
        limit = _LARGEST_SHOWN if depth < len(path) else _LARGEST
        if len(_encode(value)) <= limit:
            return value, path[:depth]
        if depth < len(path):
            value = value[path[depth]]
    return None, None


def _pointer(path: Iterable[Any]) -> str:
    return "".join(f"/{escaped(str(key))}" for key in path)
