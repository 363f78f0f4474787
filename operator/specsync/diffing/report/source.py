"""What a report says of the two documents themselves."""

from __future__ import annotations

import msgspec

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

    @property
    def name(self) -> str:
        """Title and version, or where it is from in their absence."""
        return f"{self.title} {self.version}".strip() or self.source


def names(old: Source, new: Source) -> str:
    """``Pets 1.0 → 1.1``, or both titles where they differ."""
    if old.title == new.title and old.title and old.version and new.version:
        return f"{old.name} → {new.version}" if old.version != new.version else old.name
    return f"{old.name} → {new.name}" if old.name != new.name else old.name
