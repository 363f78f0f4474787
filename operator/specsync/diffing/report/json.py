"""A comparison as one JSON object, for programs. ``docs/diff.schema.json`` describes it."""

from __future__ import annotations

from typing import Any

import msgspec

from specsync.diffing.comparison import Cause, Comparison, Event, Summary
from specsync.diffing.report.source import Source


class Report(msgspec.Struct, rename="camel", kw_only=True):
    old: Source
    new: Source
    summary: Summary
    causes: list[Cause]
    events: list[Event | dict[str, Any]]


def report(comparison: Comparison, old: Source, new: Source) -> Report:
    return Report(
        old=old,
        new=new,
        summary=comparison.summary,
        causes=comparison.causes,
        events=[_whole(event) for event in comparison.events],
    )


def _whole(event: Event) -> Event | dict[str, Any]:
    """An event with its ``operation`` in any case: null where there is none. Elsewhere it is left out then."""
    if event.operation is not None:
        return event
    fields: dict[str, Any] = msgspec.to_builtins(event)
    head = ("id", "kind", "severity")
    return {**{name: fields[name] for name in head}, "operation": None, **fields}


def json_report(comparison: Comparison, old: Source, new: Source) -> bytes:
    """The comparison as UTF-8 JSON, indented by two spaces, with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(report(comparison, old, new)), indent=2) + b"\n"
