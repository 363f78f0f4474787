"""Ignore files: changes that a team has agreed to, one a line, in the form that oasdiff's users have.

A line is free text, such as an entry of a Markdown list. It has to name *where* (``GET /pets/{id}``; for what
concerns no operation the part of the document: ``components``, ``security``, ``info``, …) and *what*: the sentence
that specsync or oasdiff prints, or the rule's id. A fingerprint alone is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from specsync.diffing.comparison import Event
from specsync.diffing.wording import worded

_FINGERPRINT = re.compile(r"(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])")
_QUOTED = re.compile(r"`([^`]*)`|(?<!\w)'([^']*)'(?!\w)|\"([^\"]*)\"")
_WORD = re.compile(r"[a-z]+|[A-Z][a-z]*|\d+")
_ALTERNATIVE = re.compile(r"\[(?:#/components/schemas/|subschema #\d+(?:: )?)?([^\]]*)\]")
_TOKEN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")

_SAME = {
    "added": "add",
    "new": "add",
    "deleted": "remove",
    "removed": "remove",
    "changed": "change",
    "updated": "change",
    "narrowed": "specialized",
    "widened": "generalized",
    "mediatype": "media",
    "successful": "success",
    "tags": "tag",
    "deprecation": "deprecated",
    "endpoint": "api",
}
_TELLING = (
    frozenset(("add", "remove", "change", "became", "increased", "decreased", "set", "generalized", "specialized")),
    frozenset(("request", "response")),
    frozenset(("annotation", "deprecated", "enum", "pattern")),
)
"""Words that are in a sentence exactly if they are in the rule's id."""
_UNSAID = frozenset(("api", "path", "global", "to", "from", "component", "type", "values", "value", "body", "existing"))
"""Words of rule ids that the sentences don't always have."""
_ALL_OPERATIONS = frozenset(("add", "request", "parameter", "all", "operations"))
_SAID_OTHERWISE = {
    "api-version-not-bumped": frozenset(("version", "still")),
    "new-required-request-default-parameter-to-existing-path": _ALL_OPERATIONS | {"required"},
    "new-optional-request-default-parameter-to-existing-path": _ALL_OPERATIONS | {"optional"},
    "request-parameter-became-enum": frozenset(("request", "parameter", "restricted", "enum")),
    "request-body-became-enum": frozenset(("request", "body", "restricted", "enum")),
    "request-property-became-enum": frozenset(("request", "property", "restricted", "enum")),
}


class Line(msgspec.Struct, frozen=True):
    """One line of an ignore file that may say something."""

    text: str
    """In lower case, with single spaces."""
    ids: frozenset[str]
    """Words with hyphens, among them the ids of rules."""
    words: frozenset[str]
    values: tuple[str, ...]
    """What stands in quotes or backticks: names and values, in lower case."""


class Ignores:
    """The lines of ignore files. ``covers`` says whether a change is among them."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._by_place: dict[str, list[Line]] = {}
        self._elsewhere: list[Line] = []
        self._fingerprints: set[str] = set()
        for line in lines:
            self._add(line)

    def covers(self, event: Event) -> bool:
        if event.fingerprint in self._fingerprints or event.cause in self._fingerprints:
            return True
        lines = list(self._at(event))
        return bool(lines) and any(map(_Said(event).by, lines))

    def _add(self, line: str) -> None:
        text = " ".join(line.split())
        if not text or text.startswith(("#", "//", "<!--")):
            return
        self._fingerprints.update(_FINGERPRINT.findall(text))
        tokens = text.lower().split(" ")
        where = next((index for index, token in enumerate(tokens) if token.startswith("/")), None)
        rest = text if where is None else text.replace(text.split(" ")[where], " ")
        read = Line(
            text=text.lower(),
            ids=frozenset(_TOKEN.findall(text.lower())),
            words=frozenset(_words(rest)),
            values=tuple(_quoted(text)),
        )
        if where:
            self._by_place.setdefault(f"{tokens[where - 1]} {tokens[where]}", []).append(read)
        self._elsewhere.append(read)

    def _at(self, event: Event) -> Iterator[Line]:
        """The lines that name the event's place."""
        if event.operation is not None:
            yield from self._by_place.get(f"{event.operation.method} {event.operation.path}".lower(), ())
            return
        pointer = event.location.new or event.location.old or ""
        parts = [part.lower() for part in pointer.split("/")[1:3]]
        for line in self._elsewhere:
            if any(part in line.text for part in parts[:1]) or ("securityschemes" in parts and "security" in line.text):
                yield line


class _Said:
    """What may be said of an event."""

    def __init__(self, event: Event) -> None:
        self.id = event.id
        self.summary = " ".join(event.summary.lower().split())
        self.words = _SAID_OTHERWISE.get(event.id) or frozenset(_words(event.id)) - _UNSAID
        texts = [event.summary, *(worded(value) for value in (event.before, event.after) if value is not None)]
        self.values = {
            *(part for text in texts for part in _parts(text)),
            *(value for text in texts for value in _quoted(text)),
            *event.id.split("-"),
        }

    def by(self, line: Line) -> bool:
        if self.summary in line.text:
            return True
        if self.id not in line.ids:
            if not self.words <= line.words:
                return False
            if self.id not in _SAID_OTHERWISE and any(line.words & few != self.words & few for few in _TELLING):
                return False
        return all(map(self._has, line.values))

    def _has(self, value: str) -> bool:
        if value in self.values or value.startswith("subschema #"):  # which one is said in another way
            return True
        return all(part in self.values for part in _parts(value))


def _quoted(text: str) -> Iterator[str]:
    """Names and values in quotes or backticks, in the form in which they are compared."""
    for found in _QUOTED.findall(text):
        value = _folded("".join(found))
        if value:
            yield value


def _folded(value: str) -> str:
    """``10.00`` is 10, and a property is the same in whichever branch of an allOf it stands."""
    value = re.sub(r"(?<=\d)\.0+$", "", value.strip().lower().removeprefix("#/components/schemas/"))
    if "/" in value:
        value = re.sub(r"(?:(?<=/)|^)allof\[[^\]]*\](?:/|$)", "", value)
        value = _ALTERNATIVE.sub(lambda found: f"[{re.sub(r'[^a-z0-9]', '', found[1])}]", value).rstrip("/")
    return value


def _parts(text: str) -> list[str]:
    return [_folded(part.strip(" `:()")) for part in re.split(r",? and |, | ", text) if part]


def _words(text: str) -> Iterator[str]:
    for found in _WORD.findall(text):
        word = found.lower()
        yield _SAME.get(word, word)
