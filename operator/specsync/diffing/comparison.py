"""The result of a comparison, as it is stored, printed and sent: plain structs that encode to JSON in camelCase."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Severity = Literal["breaking", "risky", "safe"]

SEVERITIES: tuple[Severity, ...] = ("breaking", "risky", "safe")
"""Worst first."""


class Summary(msgspec.Struct, rename="camel", kw_only=True):
    """How many events there are, by severity and by kind."""

    breaking: int = 0
    risky: int = 0
    safe: int = 0
    kinds: dict[str, int] = {}


class OperationRef(msgspec.Struct, frozen=True, gc=False):
    method: str
    path: str
    """As in the newer document, unless the operation is gone from it."""


class Location(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """JSON pointers (RFC 6901) to what changed: where it is defined, which may be a component. None: it isn't there.

    They point into the OpenAPI 3.x shape of a document; ``swagger2.with_own_pointers`` turns them into those that the
    author of a Swagger 2.0 document knows.
    """

    old: str | None = None
    new: str | None = None


class Witness(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True, kw_only=True):
    """A value that one of the documents accepts and the other refuses, checked with a JSON Schema validator."""

    place: str
    """Where it is sent: ``request body``, ``response 200``, ``query parameter limit``, …"""
    media_type: str = ""
    accepted_by: Literal["old", "new"]
    """old for requests: what clients send today; new for responses: what they may be sent tomorrow."""
    value: Any
    at: str = ""
    """Where in the body ``value`` stands, as a JSON pointer: "" where it is the whole body, which is shown if small."""
    refused_at: str = ""
    """JSON pointer to the part of ``value`` that is refused."""
    reason: str
    """Why it is refused, in the validator's words: one line of at most 200 characters."""


class Event(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True, gc=False):
    """One change as seen by one operation (or by none: ``operation`` is None for what concerns the whole API)."""

    id: str
    """The rule, as in ``rules.tsv``."""
    kind: str
    severity: Severity
    operation: OperationRef | None = None
    location: Location
    summary: str
    """One plain line, fit for a chat. It does not name the operation."""
    before: Any = None
    after: Any = None
    cause: str
    """The fingerprint of the cause that it belongs to."""
    domain: str = ""
    fingerprint: str
    """16 hex digits. The same for the same change, whatever the texts say and wherever it is computed."""
    witness: Witness | None = None
    """A value that shows the break, where one was looked for and found; ``compare`` alone doesn't."""


class Cause(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True, gc=False):
    """One edit of the document, with all that it does."""

    scope: str
    """What was edited: schema, parameter, response, requestBody, header, endpoint or global."""
    id: str
    """Which one: a component's name, ``METHOD /path``, or the part of the document."""
    severity: Severity
    """The worst among its events."""
    kind: str
    summary: str
    operations: int
    """How many operations it reaches; 0 where it concerns none in particular."""
    events: int
    location: Location
    fingerprint: str


class Comparison(msgspec.Struct, rename="camel", kw_only=True):
    """All differences between two versions. ``causes`` and ``events`` are sorted, worst first."""

    summary: Summary
    causes: list[Cause]
    events: list[Event]
