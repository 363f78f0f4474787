"""What of a change set a preference asks for: causes by severity, kind and the part of the API they reach. Pure."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from specsync.alerting.message import Counts, Part
from specsync.diffing.comparison import OperationRef
from specsync.openapi.selection import domain_pattern, endpoint_pattern
from specsync.resources import ChangeSet, Dependency
from specsync.resources.alertpreference import (
    AlertPreferenceSpec,
    AlertScope,
    DependencySelection,
    LabelExpression,
)
from specsync.resources.changeset import ChangeCause, ChangeEvent, Severity

_RANK: dict[Severity, int] = {"breaking": 2, "risky": 1, "safe": 0}


class BlobEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the blob of a large change set has it, as far as it says who is told."""

    id: str
    kind: str
    severity: Severity
    cause: str
    domain: str = ""
    operation: OperationRef | None = None
    after: Any = None


class _Blob(msgspec.Struct):
    events: list[BlobEvent] = []


def blob_events(content: bytes) -> list[BlobEvent]:
    """All events of a change set whose object holds only the first ones: `content` is its blob."""
    return msgspec.json.decode(content, type=_Blob).events


class Causes:
    """The causes of a change set with their events, by the order in which they stand there."""

    def __init__(self, change_set: ChangeSet, whole: Sequence[BlobEvent] | None = None) -> None:
        """`whole`: all events, where the change set itself holds only the first ones."""
        self.change_set = change_set
        self.causes = change_set.spec.causes
        self._events: dict[str, list[ChangeEvent]] = defaultdict(list)
        for event in change_set.spec.events:
            self._events[event.cause].append(event)
        self._whole: dict[str, list[BlobEvent]] | None = None if whole is None else defaultdict(list)
        for each in whole or ():
            if self._whole is not None:
                self._whole[each.cause].append(each)

    def events(self, cause: ChangeCause) -> list[ChangeEvent]:
        """Those of its events that the ChangeSet itself holds, worst first."""
        return self._events.get(cause.fingerprint, [])

    def reach(self, cause: ChangeCause) -> Sequence[ChangeEvent | BlobEvent]:
        """All of its events, as far as they are known here."""
        return self.events(cause) if self._whole is None else self._whole.get(cause.fingerprint, [])

    def part(self, chosen: Iterable[int]) -> Part:
        """The part that these causes make."""
        indexes = sorted(set(chosen))
        found = [(self.causes[i], self.events(self.causes[i])) for i in indexes if i < len(self.causes)]
        spec = self.change_set.spec
        if len(found) == len(self.causes):
            whole = Counts(breaking=spec.summary.breaking, risky=spec.summary.risky, safe=spec.summary.safe)
            return Part(found, whole, whole=True)
        counted: Counter[str] = Counter()
        for cause, _ in found:
            # A cause whose events are nowhere to be found counts as one.
            counted.update([event.severity for event in self.reach(cause)] or [cause.severity])
        counts = Counts(breaking=counted["breaking"], risky=counted["risky"], safe=counted["safe"])
        return Part(found, counts, whole=False)

    def matching(self, spec: AlertPreferenceSpec) -> set[int]:
        """Those that a preference asks for by severity, kind and scope."""
        within = _scope(spec.scope)
        found = set()
        for index, cause in enumerate(self.causes):
            events = self.reach(cause)
            if not events:
                # They are in the blob alone, which is lost: better told once too often than not at all.
                fits = _RANK[cause.severity] >= _RANK[spec.min_severity] and _kind_fits(spec, cause.kind)
            else:
                fits = any(
                    _RANK[e.severity] >= _RANK[spec.min_severity] and _kind_fits(spec, e.kind) and within(e)
                    for e in events
                )
            if fits:
                found.add(index)
        return found

    def breaking(self) -> set[int]:
        return {index for index, cause in enumerate(self.causes) if cause.severity == "breaking"}

    def in_scope(self, scope: AlertScope | None) -> set[int]:
        within = _scope(scope)
        return {index for index, cause in enumerate(self.causes) if any(within(e) for e in self.reach(cause))}


def to_bits(indexes: Iterable[int]) -> str:
    """Indexes as a hexadecimal number with a bit for each."""
    return format(sum(1 << index for index in set(indexes)), "x")


def from_bits(bits: str) -> set[int]:
    number = int(bits or "0", 16)
    return {index for index in range(number.bit_length()) if number >> index & 1}


def selects(selection: DependencySelection | None, dependency: Dependency) -> bool:
    """Whether a preference is about the Dependency: by name, or by label; without a selection it is about all."""
    if selection is None or dependency.metadata.name in selection.names:
        return True
    if selection.selector is None:
        return False
    labels = dependency.metadata.labels
    wanted = selection.selector
    return all(labels.get(key) == value for key, value in wanted.match_labels.items()) and all(
        _holds(each, labels) for each in wanted.match_expressions
    )


def _holds(expression: LabelExpression, labels: dict[str, str]) -> bool:
    value = labels.get(expression.key)
    match expression.operator:
        case "In":
            return value in expression.values
        case "NotIn":
            return value not in expression.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None


def _kind_fits(spec: AlertPreferenceSpec, kind: str) -> bool:
    return not spec.kinds or kind in spec.kinds


class _Scope:
    """Whether an event is about a part of the API. What is about no operation in particular is about every part."""

    def __init__(self, scope: AlertScope | None) -> None:
        self._domains: list[re.Pattern[str]] = [domain_pattern(each) for each in scope.domains] if scope else []
        self._endpoints = [endpoint_pattern(each) for each in scope.endpoints] if scope else []

    def __call__(self, event: ChangeEvent | BlobEvent) -> bool:
        if not (self._domains or self._endpoints) or event.operation is None:
            return True
        if any(pattern.fullmatch(event.domain) for pattern in self._domains):
            return True
        method, path = event.operation.method.upper(), event.operation.path
        return any(wanted in ("*", method) and pattern.fullmatch(path) for wanted, pattern in self._endpoints)


_scope = _Scope
