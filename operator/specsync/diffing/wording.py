"""Sentences for people: what a rule says of a finding in its place."""

from __future__ import annotations

from typing import Any

import msgspec

from specsync.diffing.plain import plain
from specsync.diffing.rules import Rule

_LONGEST = 118
"""Characters of a value in a sentence; what is longer is cut."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class Place(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The part of an operation that a schema stands in."""

    scope: str
    """The scope of the rules for the schema itself."""
    nested: str = ""
    """The scope of the rules for what is below it; empty where there are none."""
    status: str = ""
    media_type: str = ""
    strong: bool = False
    """The representation tells ``1`` from ``"1"``, as JSON does."""
    location: str = ""
    parameter: str = ""
    header: str = ""
    has_default: bool = True
    """Whether a default means anything: not for a parameter that must be sent."""
    called: str = ""
    """The callback or webhook that it belongs to, and its method. There the provider sends the request."""


def sentence(rule: Rule, place: Place, at: str, before: str, after: str, name: str) -> str:
    """What ``rule`` says, on one line. ``at``: the property, where it is about one."""
    text = _turned(rule) if place.called else rule.text
    if at and rule.scope and "{at}" not in text:
        subject, _, phrase = text.partition(": ")
        text = f"{subject}, at `{{at}}`: {phrase}"
    told = text.format(
        at=at,
        before=before,
        after=after,
        name=name,
        status=place.status,
        parameter=place.parameter,
        location=place.location,
        header=place.header,
    )
    return plain(f"{place.called}: {told}" if place.called else told)


def _turned(rule: Rule) -> str:
    """What ``rule`` says where the provider sends the request: the consumer receives it, and sends the response."""
    if rule.scope == "response-header":
        return rule.text.replace("response {status} header `{header}`", "{location} parameter `{header}`", 1)
    if rule.scope.startswith("request-parameter"):  # a header of the answer
        return rule.text.replace("{location} parameter `{parameter}`", "response {status} header `{header}`", 1)
    if rule.direction == "response":
        return rule.text.replace("response {status}", "request", 1)
    return rule.text.replace("request ", "response {status} ", 1) if rule.scope else rule.text


def worded(value: Any) -> str:
    """A value for a sentence: short, and on one line."""
    if value.__class__ is str:
        text = value
    elif value.__class__ is list:
        text = ", ".join(worded(item) for item in value)
    else:
        text = _encode(value).decode()
    if "\n" in text or "\t" in text or "  " in text:
        text = " ".join(text.split())
    return f"{text[: _LONGEST - 1]}…" if len(text) > _LONGEST else text


class Phrases:
    """What is said of one edit: findings that differ in one value only are told in one breath."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Rule, Place, str, dict[tuple[str, str, str], None]]] = {}

    def add(self, rule: Rule, place: Place, at: str, values: tuple[str, str, str], *, first: bool) -> None:
        """``values``: before, after and name, worded. ``first``: it is worse than all that was said so far."""
        key = rule.text.rpartition(": ")[2]
        row = self._rows.get(key)
        if row is None or first:
            row = (rule, place, at, row[3] if row is not None else {})
            self._rows.pop(key, None)
            self._rows = {key: row, **self._rows} if first else {**self._rows, key: row}
        row[3].setdefault(values)

    def told(self, *, with_subject: bool) -> str:
        """The worst, and how much more there is to say."""
        rows = list(self._rows.values())
        rule, place, at, values = rows[0]
        columns = [list(dict.fromkeys(column)) for column in zip(*values, strict=True)]
        more = len(rows) - 1
        if sum(len(column) > 1 for column in columns) > 1:
            before, after, name = next(iter(values))
            more += len(values) - 1
        else:
            before, after, name = (_joined(column) for column in columns)
        if not with_subject and place.called:
            place = msgspec.structs.replace(place, called="")
        text = sentence(rule, place, at, before, after, name)
        if len(values) > 1 and "enum value " in text:
            text = text.replace("enum value ", "enum values ", 1)
        if not with_subject and ": " in rule.text:
            text = text.partition(": ")[2]
        return f"{text} (and {more} more)" if more else text


def _joined(values: list[str]) -> str:
    shown = values if len(values) <= 6 else [*values[:5], f"… ({len(values) - 5} more)"]
    return ", ".join(shown)
