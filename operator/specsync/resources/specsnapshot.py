"""SpecSnapshot: one immutable copy of a contract, as it was at one time."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from specsync.resources.blobref import BlobRef
from specsync.resources.meta import (
    API_VERSION,
    Column,
    Definition,
    Digest,
    FrozenStruct,
    ObjectMeta,
    ObjectName,
    Time,
    rules,
)
from specsync.resources.monitor import Monitor


class Digests(FrozenStruct, frozen=True, kw_only=True):
    raw: Annotated[Digest, Meta(description="Of the document as it was served.")]
    canonical: Annotated[Digest, Meta(description="Of the canonical form: equal means nothing changed.")]
    short: Annotated[str, Meta(max_length=12, description="The first 12 hex digits of canonical.")]


class SnapshotBlobs(FrozenStruct, frozen=True, kw_only=True):
    raw: Annotated[BlobRef, Meta(description="The document as it was served.")]
    canonical: Annotated[BlobRef, Meta(description="The canonical form.")]
    operations: Annotated[BlobRef, Meta(description="The list of operations.")]
    findings: Annotated[BlobRef, Meta(description="What validation found; absent where it found nothing.")] | None = (
        None
    )

    @property
    def refs(self) -> list[BlobRef]:
        """All of them."""
        return [ref for ref in (self.raw, self.canonical, self.operations, self.findings) if ref is not None]


class SpecSnapshotSpec(FrozenStruct, frozen=True, kw_only=True):
    dependency: Annotated[str, Meta(max_length=63, description="Name of the Dependency.")]
    job_uid: Annotated[
        str, Meta(max_length=64, description="UID of the SyncJob that made it; they bear the same name.")
    ] = field(name="jobUID")
    previous: Annotated[ObjectName, Meta(description="The snapshot before; absent for the baseline.")] | None = None
    title: Annotated[str, Meta(max_length=256, description="The contract's info.title.")]
    version: Annotated[str, Meta(max_length=128, description="The contract's info.version.")]
    format: Annotated[str, Meta(max_length=32, description="swagger-2.0, openapi-3.0, openapi-3.1 or openapi-3.2.")]
    operations: Annotated[int, Meta(description="Number of operations.")]
    domains: Annotated[
        list[Annotated[str, Meta(max_length=128)]],
        Meta(max_length=64, description="From tags and path structure, the first 64."),
    ] = []
    findings: Annotated[int, Meta(description="Number of defects that validation found.")] = 0
    monitor: (
        Annotated[Monitor, Meta(description="The part of the contract that it holds, by spec.monitor; absent: all.")]
        | None
    ) = None
    files: Annotated[
        int, Meta(description="How many files it was joined from; the raw blob of several is a tar archive.")
    ] = 1
    external_refs: Annotated[
        Literal["Ignore", "SameOrigin"], Meta(description="What spec.source.externalRefs was.")
    ] = "Ignore"
    digests: Annotated[Digests, Meta(description="What the content is told apart by.")]
    blobs: Annotated[SnapshotBlobs, Meta(description="Where the content is.")]
    fetched_at: Annotated[Time, Meta(description="When the document was fetched.")]


class SpecSnapshot(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """One immutable, normalized copy of a contract."""

    definition: ClassVar[Definition] = Definition(
        kind="SpecSnapshot",
        plural="specsnapshots",
        short_name="snap",
        description="One immutable, normalized copy of a contract; its content is in the blobs that it points at.",
        columns=[
            Column(name="DEPENDENCY", json_path=".spec.dependency"),
            Column(name="TITLE", json_path=".spec.title"),
            Column(name="VERSION", json_path=".spec.version"),
            Column(name="FORMAT", json_path=".spec.format"),
            Column(name="OPERATIONS", json_path=".spec.operations", type="integer"),
            Column(name="DIGEST", json_path=".spec.digests.short"),
            Column(name="AGE", json_path=".metadata.creationTimestamp", type="date"),
        ],
        selectable_fields=[".spec.dependency"],
        schema_defaults=False,
    )

    api_version: str = API_VERSION
    kind: str = "SpecSnapshot"
    metadata: ObjectMeta
    spec: Annotated[
        SpecSnapshotSpec,
        Meta(
            description="The whole content; immutable.",
            extra_json_schema=rules(("self == oldSelf", "a SpecSnapshot is immutable")),
        ),
    ]
