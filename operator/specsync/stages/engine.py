"""What runs in a worker's child process: parse, validate, normalize, compare. No I/O, nothing of Kubernetes.

The child keeps what it made for the job that it works on, so that the next stage need not load and parse again.
"""

import msgspec

from specsync.diffing import compare
from specsync.diffing.swagger2 import with_own_pointers
from specsync.diffing.witness import attach_witnesses
from specsync.openapi.bundle import unpack
from specsync.openapi.canonical import CanonicalDocument, OperationSummary, normalize
from specsync.openapi.errors import DocumentError
from specsync.openapi.joining import Wanted, join
from specsync.openapi.load import DEFAULT_LIMITS, Loaded, load
from specsync.openapi.selection import Selection, select_part
from specsync.openapi.validation import judge
from specsync.resources.syncjob import MOST_FIRST_FINDINGS, MOST_UNMATCHED, ParseOutput

_WITNESS_SECONDS = 5.0  # for all of a comparison; each takes about a millisecond

# What fits the fields of a resource.
_TITLE, _VERSION, _DOMAIN, _DOMAINS, _FINDING = 256, 128, 128, 64, 512


class Validated(msgspec.Struct, frozen=True):
    errors: int
    warnings: int
    first: list[str]
    external: int
    external_first: list[str]
    report: bytes


class Normalized(msgspec.Struct, frozen=True):
    digest: str
    canonical: bytes
    operation_list: bytes
    operations: int
    domains: list[str]
    all_operations: int
    """Of the whole document; `operations` are the selected ones."""
    all_domains: list[str]
    unmatched: list[str]
    """The first entries of the selection that fit nothing."""


class Compared(msgspec.Struct, frozen=True):
    breaking: int
    risky: int
    safe: int
    changes: bytes


class MissingFiles(msgspec.Struct, frozen=True):
    files: list[Wanted]


class PartMissing(Exception):
    """The child lacks a content; the worker has to send it along."""

    def __init__(self, digest: str) -> None:
        super().__init__(digest)
        self.digest = digest


class DocumentEngine:
    """The operations that a worker may call, by name. Contents are known by their digests."""

    def __init__(self) -> None:
        self._loaded: dict[str, Loaded] = {}
        self._canonical: dict[str, CanonicalDocument] = {}
        self._parts: dict[str, bytes] = {}

    def forget(self) -> None:
        """Drops all that was kept for a job."""
        self._loaded.clear()
        self._canonical.clear()
        self._parts.clear()

    def add(self, digest: str, content: bytes) -> None:
        self._parts[digest] = content

    def missing_files(self, files: str) -> MissingFiles:
        """What a bundle's document refers to and the bundle lacks. Raises DocumentError, PartMissing."""
        return MissingFiles(join(unpack(self._take(files)), DEFAULT_LIMITS).missing)

    def parse(self, raw: str) -> ParseOutput:
        """Raises DocumentError, PartMissing."""
        loaded = self._load(raw)
        return ParseOutput(format=loaded.format, title=loaded.title[:_TITLE], version=loaded.version[:_VERSION])

    def validate(self, raw: str) -> Validated:
        """Raises DocumentError, PartMissing."""
        report = judge(self._load(raw))
        first = [f"{finding.place}: {finding.message}" for finding in report.findings[:MOST_FIRST_FINDINGS]]
        return Validated(
            errors=report.errors,
            warnings=report.warnings,
            first=[_cut(text) for text in first],
            external=report.external,
            external_first=[_cut(text) for text in report.external_first[:MOST_FIRST_FINDINGS]],
            report=msgspec.json.encode(report),
        )

    def normalize(self, raw: str, selection: str = "") -> Normalized:
        """`selection` is a Selection as JSON, empty for the whole. Raises DocumentError, PartMissing."""
        whole = normalize(self._load(raw), lenient=True)  # a Strict Dependency has refused it before
        self._loaded.clear()
        document, unmatched = _selected(whole, selection)
        self._canonical[document.digest] = document
        return Normalized(
            digest=document.digest,
            canonical=document.to_bytes(),
            operation_list=_operation_list(document),
            operations=len(document.operations),
            domains=_domains(document),
            all_operations=len(whole.operations),
            all_domains=_domains(whole),
            unmatched=unmatched[:MOST_UNMATCHED],
        )

    def renormalize(self, old: str, raw: str, selection: str = "") -> bool:
        """Makes the form that is known as `old` anew, from its document. Raises DocumentError, PartMissing."""
        self._canonical[old], _ = _selected(normalize(self._load(raw), lenient=True), selection)
        self._loaded.clear()
        return True

    def compare(self, old: str, new: str) -> Compared:
        """Raises PartMissing; DocumentError where `old` is a form of another version of specsync."""
        documents = self._document(old), self._document(new)
        comparison = compare(*documents)
        summary = comparison.summary
        if summary.breaking:
            attach_witnesses(*documents, comparison, seconds=_WITNESS_SECONDS)
        return Compared(
            breaking=summary.breaking,
            risky=summary.risky,
            safe=summary.safe,
            changes=msgspec.json.encode(with_own_pointers(comparison, *documents)),
        )

    def _load(self, raw: str) -> Loaded:
        if raw not in self._loaded:
            self._loaded[raw] = load(self._take(raw))
        return self._loaded[raw]

    def _document(self, digest: str) -> CanonicalDocument:
        if digest not in self._canonical:
            try:
                self._canonical[digest] = CanonicalDocument.from_bytes(self._take(digest))
            except ValueError as error:
                raise DocumentError("UnsupportedVersion", str(error)) from error
        return self._canonical[digest]

    def _take(self, digest: str) -> bytes:
        try:
            return self._parts.pop(digest)
        except KeyError:
            raise PartMissing(digest) from None


def _cut(text: str) -> str:
    return text if len(text) <= _FINDING else text[: _FINDING - 1] + "…"


def _selected(document: CanonicalDocument, selection: str) -> tuple[CanonicalDocument, list[str]]:
    return select_part(document, msgspec.json.decode(selection, type=Selection)) if selection else (document, [])


def _domains(document: CanonicalDocument) -> list[str]:
    return [domain[:_DOMAIN] for domain in document.domains[:_DOMAINS]]


def _operation_list(document: CanonicalDocument) -> bytes:
    # The document's own list holds the operations themselves too, which the canonical form has already.
    return msgspec.json.encode(msgspec.convert(document.operations, list[OperationSummary], from_attributes=True))


OPERATIONS = ("missing_files", "parse", "validate", "normalize", "renormalize", "compare")

__all__ = [
    "OPERATIONS",
    "Compared",
    "DocumentEngine",
    "DocumentError",
    "MissingFiles",
    "Normalized",
    "PartMissing",
    "Validated",
]
