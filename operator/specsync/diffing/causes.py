"""Which events come from one and the same edit of the document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import xxhash

from specsync.diffing.comparison import SEVERITIES, Cause, Location, Severity
from specsync.diffing.plain import plain
from specsync.diffing.rules import Rule
from specsync.diffing.schemas.graph import Finding
from specsync.diffing.wording import Phrases, Place

if TYPE_CHECKING:
    from specsync.diffing.session import Target

_COMPONENT = re.compile(r"/components/(\w+)/([^/]+)(.*)")
_SCOPES = {
    "schemas": "schema",
    "parameters": "parameter",
    "responses": "response",
    "requestBodies": "requestBody",
    "headers": "header",
    "securitySchemes": "security",
    "mediaTypes": "mediaType",
    "callbacks": "callback",
}
_SILENT = frozenset(
    (
        *("type", "format", "enum", "const", "nullable", "required", "deprecated", "default", "schema", "pattern"),
        *("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "multipleOf", "maxLength", "minLength"),
        *("maxItems", "minItems", "maxProperties", "minProperties", "maxContains", "minContains", "uniqueItems"),
        *("readOnly", "writeOnly", "discriminator", "propertyName"),
    )
)
"""Keywords that the sentence tells of."""
_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}


class OpenCause:
    """A cause whose events are still being counted."""

    __slots__ = (
        "events",
        "fingerprint",
        "id",
        "kind",
        "label",
        "location",
        "operations",
        "phrases",
        "scope",
        "severity",
    )

    def __init__(self, scope: str, name: str, label: str, location: Location, fingerprint: str) -> None:
        self.scope = scope
        self.id = name
        self.label = label
        self.location = location
        self.fingerprint = fingerprint
        self.severity: Severity = "safe"
        self.kind = ""
        self.events = 0
        self.operations: set[str] = set()
        self.phrases = Phrases()

    def close(self) -> Cause:
        told = self.phrases.told(with_subject=not self.label)
        summary = f"{self.label}: {told}" if self.label else told
        return Cause(
            scope=self.scope,
            id=self.id,
            severity=self.severity,
            kind=self.kind,
            summary=summary,
            operations=len(self.operations),
            events=self.events,
            location=self.location,
            fingerprint=self.fingerprint,
        )


class Causes:
    def __init__(self) -> None:
        self._by_edit: dict[tuple[str | None, str | None, str], OpenCause] = {}

    def of(self, finding: Finding, target: Target | None) -> OpenCause:
        """The cause of a finding: the place in the documents that was edited."""
        key = (finding.old, finding.new, finding.child)
        cause = self._by_edit.get(key)
        if cause is None:
            scope, name, label = _scope(finding, target)
            fingerprint = xxhash.xxh3_64_hexdigest("\n".join(part or "" for part in key).encode())
            cause = self._by_edit[key] = OpenCause(scope, name, label, Location(finding.old, finding.new), fingerprint)
        return cause

    def count(
        self,
        cause: OpenCause,
        rule: Rule,
        severity: Severity,
        place: Place,
        at: str,
        values: tuple[str, str, str],
        target: Target | None,
    ) -> None:
        """One more event of a cause. ``values``: before, after and name, in words."""
        cause.events += 1
        if target is not None and target.ref is not None:
            cause.operations.add(target.key)
        is_worse = not cause.kind or _RANK[severity] < _RANK[cause.severity]
        if is_worse:
            cause.severity, cause.kind = severity, rule.kind
        cause.phrases.add(rule, place, at, values, first=is_worse)

    def closed(self) -> list[Cause]:
        """All causes, worst and widest first."""
        causes = [cause.close() for cause in self._by_edit.values() if cause.events]
        causes.sort(key=lambda cause: (_RANK[cause.severity], -cause.operations, cause.scope, cause.summary))
        return causes


def _scope(finding: Finding, target: Target | None) -> tuple[str, str, str]:
    """The scope and name of what was edited, and how to call it; no name for it where events name it themselves."""
    pointer = finding.new if finding.new is not None else finding.old or ""
    component = _COMPONENT.match(pointer)
    if component is not None:
        kind, name, rest = component.groups()
        name = _read(name)
        inner = _inner(rest)
        if finding.child and inner[-1:] != [finding.child]:
            inner.append(finding.child)
        scope = _SCOPES.get(kind, kind)
        label = plain(f"{scope} {name}" + (f", {'.'.join(inner)}" if inner else ""))
        return scope, name, label if rest or finding.child else ""
    if target is not None and target.ref is not None:
        return "endpoint", f"{target.ref.method} {target.ref.path}", ""
    return "global", pointer.strip("/").split("/")[0], ""


def _inner(pointer: str) -> list[str]:
    """A place within a component as people call it: the names of properties, and what else leads there."""
    found: list[str] = []
    steps = iter([_read(step) for step in pointer.split("/")[1:]])
    for step in steps:
        if step == "properties":
            found.append(next(steps, step))
        elif step in ("allOf", "content"):
            next(steps, None)  # which of the branches, or media types
        elif step in ("oneOf", "anyOf", "prefixItems"):
            index = next(steps, "")
            if index.isdigit():
                found.append(f"{step}[#{int(index) + 1}]")
        elif step not in _SILENT:
            found.append(step)
    return found


def _read(step: str) -> str:
    """A step of a JSON pointer, as it is in the document."""
    return step.replace("~1", "/").replace("~0", "~")
