"""A comparison as one JSON object, for programs."""

from __future__ import annotations

import msgspec

from specsync.diffing.comparison import Cause, Comparison, Event, Summary
from specsync.openapi.canonical import CanonicalDocument


class Source(msgspec.Struct, rename="camel", kw_only=True):
    """One of the two documents of a comparison."""

    source: str
    """A file name, a URL without user and query, or ``-``."""
    title: str
    version: str
    format: str
    digest: str

    @classmethod
    def of(cls, document: CanonicalDocument, source: str) -> Source:
        return cls(
            source=source,
            title=document.title,
            version=document.version,
            format=document.format,
            digest=document.digest,
        )


class _Report(msgspec.Struct, rename="camel", kw_only=True):
    old: Source
    new: Source
    summary: Summary
    causes: list[Cause]
    events: list[Event]


def json_report(comparison: Comparison, old: Source, new: Source) -> bytes:
    """The comparison as UTF-8 JSON, indented by two spaces, with a newline at its end."""
    report = _Report(
        old=old,
        new=new,
        summary=comparison.summary,
        causes=comparison.causes,
        events=comparison.events,
    )
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
