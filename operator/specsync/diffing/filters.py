"""Which operations a report is about: by path, method and path, operationId or tag."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from specsync.diffing.comparison import Event, OperationRef
from specsync.openapi.canonical import CanonicalDocument

SYNTAX = (
    "A PATTERN is a path (/pets/*), a method and a path ('GET /pets/**'), operation:NAME for an operationId, or "
    "tag:NAME. * stands for any characters but /, ** for any characters at all, ? for one character."
)
_METHOD_AND_PATH = re.compile(r"([A-Za-z*]+)\s+(/.*|\*\*)")


class Pattern(msgspec.Struct, frozen=True):
    """One pattern of ``--only`` or ``--exclude``."""

    field: str
    """path, operation or tag."""
    text: re.Pattern[str]
    method: str = ""
    """In capitals; empty for any."""


def read_pattern(written: str) -> Pattern:
    """Raises ``ValueError`` that says how to write it."""
    text = written.strip()
    for field in ("operation", "tag"):
        name = text.removeprefix(f"{field}:")
        if name != text and name.strip():
            return Pattern(field, _glob(name.strip(), segments=False))
    if text.startswith(("/", "**")):
        return Pattern("path", _glob(text))
    found = _METHOD_AND_PATH.fullmatch(text)
    if found is None:
        raise ValueError(f"{written!r} is no pattern. {SYNTAX}")
    method = found[1].upper()
    return Pattern("path", _glob(found[2]), "" if method == "*" else method)


def _glob(text: str, *, segments: bool = True) -> re.Pattern[str]:
    one = "[^/]" if segments else "."
    parts = {"**": ".*", "*": f"{one}*", "?": one}
    return re.compile(
        "".join(parts.get(part) or re.escape(part) for part in re.split(r"(\*\*|\*|\?)", text)), re.DOTALL
    )


class Filters:
    """Keeps the events of some operations: of those that ``only`` names (all without it), less ``exclude``'s.

    What concerns no operation is kept unless there is an ``only``.
    """

    def __init__(
        self,
        old: CanonicalDocument,
        new: CanonicalDocument,
        only: Iterable[Pattern] = (),
        exclude: Iterable[Pattern] = (),
    ) -> None:
        self._only, self._exclude = list(only), list(exclude)
        self._documents = [
            (document, {(summary.method, summary.path): summary for summary in document.operations})
            for document in (new, old)
        ]
        self._known: dict[OperationRef, bool] = {}

    def keeps(self, event: Event) -> bool:
        if event.operation is None:
            return not self._only
        known = self._known.get(event.operation)
        if known is None:
            known = self._known[event.operation] = self._judge(event.operation)
        return known

    def _judge(self, operation: OperationRef) -> bool:
        names, tags = self._names(operation)

        def fits(pattern: Pattern) -> bool:
            if pattern.field == "path":
                fits_method = not pattern.method or pattern.method == operation.method.upper()
                return fits_method and pattern.text.fullmatch(operation.path) is not None
            return any(pattern.text.fullmatch(name) for name in (names if pattern.field == "operation" else tags))

        return (not self._only or any(map(fits, self._only))) and not any(map(fits, self._exclude))

    def _names(self, operation: OperationRef) -> tuple[list[str], list[str]]:
        """The operationIds and tags that it has in either version."""
        names, tags = [], []
        for document, summaries in self._documents:
            summary = summaries.get((operation.method, operation.path))
            if summary is not None:
                names += [summary.operation_id] if summary.operation_id else []
                tags += document.operation(summary).tags or []
        return names, tags
