"""ChangeSet: what changed between two snapshots of a contract."""

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

Severity = Literal["breaking", "risky", "safe"]
Text = Annotated[str, Meta(max_length=1024, description="What changed, in a sentence.")]
MAX_POINTER = 2048  # characters
Pointer = Annotated[str, Meta(max_length=MAX_POINTER, description="JSON pointer, RFC 6901.")]

# What a ChangeSet holds itself; the rest is in the blob that it refers to.
MAX_CAUSES = 200
MAX_EVENTS = 500
MAX_EVENTS_BYTES = 256 * 1024


class SnapshotPointer(FrozenStruct, frozen=True, kw_only=True):
    snapshot: Annotated[ObjectName, Meta(description="Name of the SpecSnapshot.")]
    version: Annotated[str, Meta(max_length=128, description="The contract's info.version.")] = ""
    digest: Annotated[Digest, Meta(description="Digest of the canonical form.")]


class ChangeSummary(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    breaking: Annotated[int, Meta(description="Breaking changes.")]
    risky: Annotated[int, Meta(description="Risky changes.")]
    safe: Annotated[int, Meta(description="Safe changes.")]
    kinds: Annotated[dict[str, int], Meta(max_length=256, description="Number of events by kind.")] = {}


class ChangeCause(FrozenStruct, frozen=True, kw_only=True):
    """One edit of the document, with how many operations it reaches."""

    scope: Annotated[str, Meta(max_length=32, description="schema, parameter, callback, endpoint, global …")]
    id: Annotated[str, Meta(max_length=1024, description="What was edited.")]
    severity: Annotated[Severity, Meta(description="The worst of its events.")]
    kind: Annotated[str, Meta(max_length=64, description="The kind of its events.")]
    summary: Text
    operations: Annotated[int, Meta(description="How many operations it reaches.")] = 0
    fingerprint: Annotated[str, Meta(max_length=64, description="The same for the same change, always.")]


class OperationRef(FrozenStruct, frozen=True, kw_only=True):
    method: Annotated[str, Meta(max_length=16, description="HTTP method, upper case.")]
    path: Annotated[str, Meta(max_length=2048, description="Path template, as in the document.")]


class EventLocation(FrozenStruct, frozen=True, kw_only=True):
    old: Annotated[Pointer, Meta(description="JSON pointer into the older document (RFC 6901).")] | None = None
    new: Annotated[Pointer, Meta(description="JSON pointer into the newer document (RFC 6901).")] | None = None


class ChangeWitness(FrozenStruct, frozen=True, kw_only=True):
    """A value that shows a break: one document accepts it and the other refuses it, as a JSON Schema validator says."""

    place: Annotated[str, Meta(max_length=256, description="Where it is sent: request body, response 200, …")]
    media_type: Annotated[str, Meta(max_length=256, description="The body's media type.")] = ""
    accepted_by: Annotated[
        Literal["old", "new"],
        Meta(description="old: what clients send today is refused now; new: what they may get was not allowed before."),
    ]
    value: Annotated[str, Meta(max_length=1024, description="The value, as JSON.")]
    at: Annotated[
        str, Meta(max_length=MAX_POINTER, description="JSON pointer to the value in the body; empty: all of it.")
    ] = ""
    refused_at: Annotated[str, Meta(max_length=MAX_POINTER, description="JSON pointer to what is refused of it.")] = ""
    reason: Annotated[str, Meta(max_length=256, description="Why it is refused, in the validator's words.")]


class ChangeEvent(FrozenStruct, frozen=True, kw_only=True):
    id: Annotated[str, Meta(max_length=128, description="The rule, see `specsync rules`.")]
    kind: Annotated[str, Meta(max_length=64, description="The part of the contract that it is about.")]
    severity: Annotated[Severity, Meta(description="What it means to the contract's users.")]
    operation: Annotated[OperationRef, Meta(description="Absent when it is about the whole document.")] | None = None
    location: Annotated[EventLocation, Meta(description="Where it stands in the documents.")] = EventLocation()
    summary: Text
    before: Annotated[Text, Meta(description="The older value.")] | None = None
    after: Annotated[Text, Meta(description="The newer value.")] | None = None
    cause: Annotated[str, Meta(max_length=64, description="Fingerprint of its cause.")] = ""
    domain: Annotated[str, Meta(max_length=128, description="The operation's domain.")] = ""
    fingerprint: Annotated[str, Meta(max_length=64, description="The same for the same change, always.")]
    witness: Annotated[ChangeWitness, Meta(description="A value that shows the break, where one was found.")] | None = (
        None
    )


class Triage(FrozenStruct, frozen=True, kw_only=True):
    """A user's word on the change set."""

    by: Annotated[str, Meta(min_length=1, max_length=128, description="Who says so.")]
    at: Annotated[Time, Meta(description="When.")] | None = None
    note: Annotated[str, Meta(max_length=1024, description="What there is to say.")] = ""


class ChangeSetSpec(FrozenStruct, frozen=True, kw_only=True):
    dependency: Annotated[str, Meta(max_length=63, description="Name of the Dependency.")]
    job_uid: Annotated[
        str, Meta(max_length=64, description="UID of the SyncJob that found it; they bear the same name.")
    ] = field(name="jobUID")
    from_: Annotated[SnapshotPointer, Meta(description="The older snapshot.")] = field(name="from")
    to: Annotated[SnapshotPointer, Meta(description="The newer snapshot.")]
    summary: Annotated[ChangeSummary, Meta(description="Number of events by severity and kind.")]
    causes: Annotated[list[ChangeCause], Meta(max_length=MAX_CAUSES, description="Worst first.")] = []
    events: Annotated[list[ChangeEvent], Meta(max_length=MAX_EVENTS, description="Worst first.")] = []
    truncated: Annotated[bool, Meta(description="true: the blob holds more causes or events than stand here.")] = False
    blob: Annotated[BlobRef, Meta(description="All causes and events.")] | None = None
    acknowledged: (
        Annotated[Triage, Meta(description="Somebody knows: no reminder, no second alert of the same changes.")] | None
    ) = None
    resolved: Annotated[Triage, Meta(description="It is dealt with.")] | None = None


# All of the content but its triage. Optional fields are compared only where both have them: CEL knows no absent values.
_UNCHANGED = " && ".join(
    [f"self.{name} == oldSelf.{name}" for name in ("dependency", "jobUID", "from", "to", "summary")]
    + [
        f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})"
        for name in ("causes", "events", "truncated", "blob")
    ]
)


class ChangeSet(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What changed between two snapshots."""

    definition: ClassVar[Definition] = Definition(
        kind="ChangeSet",
        plural="changesets",
        short_name="chg",
        description="What changed between two snapshots of a contract, grouped by cause.",
        columns=[
            Column(name="DEPENDENCY", json_path=".spec.dependency"),
            Column(name="FROM", json_path=".spec.from.version"),
            Column(name="TO", json_path=".spec.to.version"),
            Column(name="BREAKING", json_path=".spec.summary.breaking", type="integer"),
            Column(name="RISKY", json_path=".spec.summary.risky", type="integer"),
            Column(name="SAFE", json_path=".spec.summary.safe", type="integer"),
            Column(name="ACKED", json_path=".spec.acknowledged.by"),
            Column(name="AGE", json_path=".metadata.creationTimestamp", type="date"),
        ],
        selectable_fields=[".spec.dependency"],
        schema_defaults=False,
    )

    api_version: str = API_VERSION
    kind: str = "ChangeSet"
    metadata: ObjectMeta
    spec: Annotated[
        ChangeSetSpec,
        Meta(
            description="The whole content; immutable, but for acknowledged and resolved.",
            extra_json_schema=rules((_UNCHANGED, "a ChangeSet is immutable, but for acknowledged and resolved")),
        ),
    ]
