"""SyncJob: one durable run of the pipeline for one Dependency."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from specsync.resources.blobref import BlobRef
from specsync.resources.dependency import ETag, LastModified, SyncError, ValidatorsOf
from specsync.resources.meta import (
    API_VERSION,
    Column,
    Condition,
    Definition,
    Digest,
    FrozenStruct,
    ObjectMeta,
    ObjectName,
    Rule,
    Time,
    name_rule,
    rules,
)
from specsync.resources.monitor import Monitor

# Set by users on a failed job: any new value makes it go on at the stage that failed.
RETRY_REQUESTED_AT = "specsync.dev/retryRequestedAt"

StageName = Literal["fetch", "parse", "normalize", "snapshot", "diff", "persist", "alert"]
STAGES: tuple[StageName, ...] = ("fetch", "parse", "normalize", "snapshot", "diff", "persist", "alert")

Phase = Literal["Pending", "Running", "Succeeded", "Failed", "Cancelled"]
FINISHED_PHASES: frozenset[str] = frozenset({"Succeeded", "Failed", "Cancelled"})

Trigger = Literal["Scheduled", "Requested", "Manual"]
Result = Literal["Baseline", "Unchanged", "Changed"]

MAX_ROUTES = 40
MAX_REVERTED = 8
MOST_FIRST_FINDINGS = 3
MOST_UNMATCHED = 8


class Target(FrozenStruct, frozen=True, kw_only=True):
    kind: Annotated[Literal["Dependency"], Meta(description="Kind of the object to sync.")] = "Dependency"
    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=52,
            description="Name of the Dependency, same namespace.",
            extra_json_schema=name_rule("a Dependency"),
        ),
    ]


class SyncJobSpec(FrozenStruct, frozen=True, kw_only=True):
    target: Annotated[Target, Meta(description="What to sync.")]
    trigger: Annotated[
        Trigger,
        Meta(description="Who asked: the schedule, an annotation of the Dependency, or a user's own job (Manual)."),
    ] = "Manual"
    active_deadline_seconds: Annotated[
        int,
        Meta(
            ge=10,
            le=86400,
            description="Time from the first claim, retries included, after which the job fails. Default 1800.",
        ),
    ] = 1800
    ttl_seconds_after_finished: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=31536000,
                description="Time after which the finished job is deleted; else by spec.history.",
            ),
        ]
        | None
    ) = None
    cancel: Annotated[bool, Meta(description="true stops the job; it can't be taken back.")] = False


class Claim(FrozenStruct, frozen=True, kw_only=True):
    worker: Annotated[str, Meta(max_length=253, description="Id of the worker process, empty when handed back.")]
    epoch: Annotated[int, Meta(description="Number of claims so far; a write of an older epoch fails.")]
    claimed_at: Annotated[Time, Meta(description="When it was claimed.")] | None = None
    takeovers: Annotated[
        int, Meta(description="How many workers in a row died with this job before it completed another stage.")
    ] = 0


class Base(FrozenStruct, frozen=True, kw_only=True):
    snapshot: Annotated[ObjectName, Meta(description="Name of the SpecSnapshot that this job compares with.")]
    digest: Annotated[Digest, Meta(description="Digest of its canonical form.")]


class Damage(FrozenStruct, frozen=True, kw_only=True):
    """Stored content that is gone, or isn't what was stored."""

    snapshot: Annotated[ObjectName, Meta(description="The SpecSnapshot whose content it is.")]
    reason: Annotated[str, Meta(max_length=64, description="BlobMissing or BlobCorrupted.")]
    message: Annotated[str, Meta(max_length=1024, description="What is wrong with it.")]


class FetchOutput(FrozenStruct, frozen=True, kw_only=True):
    source_digest: Annotated[Digest, Meta(description="Digest of the source that was fetched, and of how it is read.")]
    not_modified: Annotated[bool, Meta(description="The source has not changed since the last success.")] = False
    raw: Annotated[BlobRef, Meta(description="The document as it was served.")] | None = None
    raw_digest: Annotated[Digest, Meta(description="Digest of the document as it was served.")] = ""
    files: Annotated[int, Meta(description="How many files it is made of; several are a tar archive.")] = 1
    external_refs: Annotated[
        Literal["Ignore", "SameOrigin"], Meta(description="What spec.source.externalRefs was.")
    ] = "Ignore"
    etag: ETag | None = None
    last_modified: LastModified | None = None
    validators_of: ValidatorsOf | None = None
    fetched_at: Annotated[Time, Meta(description="When it was fetched.")] | None = None
    damage: (
        Annotated[Damage, Meta(description="What was found wrong with the current snapshot's content, if checked.")]
        | None
    ) = None


class Judgement(FrozenStruct, frozen=True, kw_only=True):
    """What validation found in a document."""

    judged: Annotated[bool, Meta(description="false where judging took too much memory or time.")] = True
    errors: Annotated[int, Meta(description="What breaks the OpenAPI specification.")] = 0
    warnings: Annotated[int, Meta(description="What is doubtful.")] = 0
    first: Annotated[
        list[Annotated[str, Meta(max_length=512)]],
        Meta(max_length=MOST_FIRST_FINDINGS, description="The first findings, each with its JSON pointer."),
    ] = []
    findings: Annotated[BlobRef, Meta(description="All findings.")] | None = None
    external: Annotated[int, Meta(description="References to other files that were not followed.")] = 0
    first_external: Annotated[
        list[Annotated[str, Meta(max_length=512)]],
        Meta(max_length=MOST_FIRST_FINDINGS, description="The first of them, each with its JSON pointer."),
    ] = []

    @property
    def counted(self) -> str:
        parts = [
            f"{number:,} {word}{'' if number == 1 else 's'}"
            for number, word in ((self.errors, "error"), (self.warnings, "warning"))
            if number
        ]
        return " and ".join(parts)


class ParseOutput(FrozenStruct, frozen=True, kw_only=True):
    format: Annotated[str, Meta(max_length=32, description="swagger-2.0, openapi-3.0, openapi-3.1 or openapi-3.2.")]
    title: Annotated[str, Meta(max_length=256, description="The contract's info.title.")]
    version: Annotated[str, Meta(max_length=128, description="The contract's info.version.")]
    validation: Annotated[Judgement, Meta(description="What validation found.")] | None = None


class NormalizeOutput(FrozenStruct, frozen=True, kw_only=True):
    canonical_digest: Annotated[Digest, Meta(description="Digest of the canonical form.")]
    unchanged: Annotated[bool, Meta(description="Only the spelling differs from the base.")] = False
    canonical: Annotated[BlobRef, Meta(description="The canonical form.")] | None = None
    operation_list: Annotated[BlobRef, Meta(description="The list of operations.")] | None = None
    operations: Annotated[int, Meta(description="Number of operations.")] = 0
    domains: Annotated[
        list[Annotated[str, Meta(max_length=128)]],
        Meta(max_length=64, description="From tags and path structure, the first 64."),
    ] = []
    monitor: Annotated[Monitor, Meta(description="The part that was selected; absent for the whole.")] | None = None
    unmatched: Annotated[
        list[Annotated[str, Meta(max_length=256)]],
        Meta(max_length=MOST_UNMATCHED, description="Entries of spec.monitor that fit no operation, the first ones."),
    ] = []


class SnapshotOutput(FrozenStruct, frozen=True, kw_only=True):
    name: Annotated[ObjectName, Meta(description="The SpecSnapshot.")]
    uid: Annotated[str, Meta(max_length=64, description="Its UID.")]


class DiffOutput(FrozenStruct, frozen=True, kw_only=True):
    breaking: Annotated[int, Meta(description="Breaking changes.")]
    risky: Annotated[int, Meta(description="Risky changes.")]
    safe: Annotated[int, Meta(description="Safe changes.")]
    changes: Annotated[BlobRef, Meta(description="All causes and events.")] | None = None
    damage: Annotated[Damage, Meta(description="What was found wrong with the base's content.")] | None = None


class PersistOutput(FrozenStruct, frozen=True, kw_only=True):
    change_set: Annotated[str, Meta(max_length=253, description="The ChangeSet, empty when nothing changed.")] = ""


class AlertRoute(FrozenStruct, frozen=True, kw_only=True):
    """One decision of routing: what of the change set goes to a channel, and when."""

    channel: Annotated[str, Meta(max_length=63, description="The AlertChannel.")]
    preference: Annotated[str, Meta(max_length=63, description="The AlertPreference; empty: none asked.")] = ""
    topic: Annotated[Literal["Change", "Deprecation"], Meta(description="What it is about.")] = "Change"
    causes: Annotated[
        str, Meta(max_length=64, description="Which of the change set's causes: a bit for each, the first one lowest.")
    ]
    not_before: Annotated[Time, Meta(description="When it is due; absent: at once.")] | None = None
    digest: Annotated[bool, Meta(description="Part of the preference's digest.")] = False
    remind_at: Annotated[Time, Meta(description="When it is told again unless acknowledged.")] | None = None
    remind_after: Annotated[str, Meta(max_length=32, description="The preference's remindAfter.")] = ""


class AlertOutput(FrozenStruct, frozen=True, kw_only=True):
    routed_at: Annotated[Time, Meta(description="When it was decided who is told.")] | None = None
    routes: Annotated[
        list[AlertRoute],
        Meta(max_length=MAX_ROUTES, description="Who is told; recorded before the first AlertDelivery is created."),
    ] = []
    reverted: Annotated[
        list[Annotated[str, Meta(max_length=253)]],
        Meta(max_length=MAX_REVERTED, description="Earlier ChangeSets that this change takes back."),
    ] = []
    event: Annotated[str, Meta(max_length=253, description="The Kubernetes Event that was written.")] = ""


class StageRecord(FrozenStruct, frozen=True, kw_only=True):
    """One stage's checkpoint: what it handed on, under a field named after the stage."""

    name: Annotated[StageName, Meta(description="The stage.")]
    state: Annotated[
        Literal["Started", "Succeeded", "Skipped", "Failed"],
        Meta(description="How it ended; Started: it has decided what to do, and does it."),
    ]
    started: Annotated[Time, Meta(description="When it began.")] | None = None
    finished: Annotated[Time, Meta(description="When it ended.")] | None = None
    message: Annotated[str, Meta(max_length=1024, description="What it has to say, in a sentence.")] | None = None
    fetch: Annotated[FetchOutput, Meta(description="Of stage fetch: the document.")] | None = None
    parse: Annotated[ParseOutput, Meta(description="Of stage parse: what kind of document it is.")] | None = None
    normalize: Annotated[NormalizeOutput, Meta(description="Of stage normalize: the canonical form.")] | None = None
    snapshot: Annotated[SnapshotOutput, Meta(description="Of stage snapshot: the SpecSnapshot.")] | None = None
    diff: Annotated[DiffOutput, Meta(description="Of stage diff: what changed.")] | None = None
    persist: Annotated[PersistOutput, Meta(description="Of stage persist: the ChangeSet.")] | None = None
    alert: Annotated[AlertOutput, Meta(description="Of stage alert: who was told.")] | None = None


class SyncJobStatus(FrozenStruct, frozen=True, kw_only=True):
    phase: Annotated[Phase, Meta(description="Where the job stands.", extra_json_schema={"default": "Pending"})] = (
        "Pending"
    )
    stage: Annotated[str, Meta(max_length=32, description="The stage that runs, or ran last.")] | None = None
    result: Annotated[Result, Meta(description="What a successful job found.")] | None = None
    admitted_at: Annotated[Time, Meta(description="When the operator let a user's job start.")] | None = None
    started_at: Annotated[Time, Meta(description="When it was claimed first.")] | None = None
    finished_at: Annotated[Time, Meta(description="When it ended.")] | None = None
    attempts: Annotated[int, Meta(description="Attempts that failed so far.", extra_json_schema={"default": 0})] = 0
    retry_at: Annotated[Time, Meta(description="Not before this time is it tried again.")] | None = None
    claim: Annotated[Claim, Meta(description="Who works on it.")] | None = None
    base: Annotated[Base, Meta(description="What it compares with; absent for a first sync.")] | None = None
    stages: Annotated[
        list[StageRecord],
        Meta(
            max_length=8,
            description="The finished stages and what each handed on.",
        ),
    ] = []
    error: Annotated[SyncError, Meta(description="The latest failure.")] | None = None
    last_handled_retry: (
        Annotated[str, Meta(max_length=256, description=f"The latest handled {RETRY_REQUESTED_AT} annotation.")] | None
    ) = None
    conditions: Annotated[
        list[Condition],
        Meta(
            max_length=8,
            description="Complete, Failed, Finished (true in every terminal phase).",
            extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = []

    @property
    def damage(self) -> Damage | None:
        """What was found wrong with stored content."""
        outputs = [output for r in self.stages for output in (r.fetch, r.diff) if output is not None]
        return next((output.damage for output in outputs if output.damage is not None), None)

    def record(self, stage: StageName) -> StageRecord | None:
        """The record of a stage that is done (Succeeded or Skipped), else None."""
        return next((r for r in self.stages if r.name == stage and r.state in ("Succeeded", "Skipped")), None)


class SyncJob(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """One durable run of the pipeline for one Dependency."""

    definition: ClassVar[Definition] = Definition(
        kind="SyncJob",
        plural="syncjobs",
        short_name="sjob",
        description="One durable run of the pipeline for one Dependency; create one to sync now.",
        columns=[
            Column(name="TARGET", json_path=".spec.target.name"),
            Column(name="TRIGGER", json_path=".spec.trigger"),
            Column(name="PHASE", json_path=".status.phase"),
            Column(name="STAGE", json_path=".status.stage"),
            Column(name="RESULT", json_path=".status.result"),
            Column(name="ATTEMPTS", json_path=".status.attempts", type="integer"),
            Column(name="WORKER", json_path=".status.claim.worker"),
            Column(name="AGE", json_path=".metadata.creationTimestamp", type="date"),
            Column(name="REASON", json_path=".status.error.reason", wide=True),
            Column(name="MESSAGE", json_path=".status.error.message", wide=True),
        ],
        selectable_fields=[".status.phase", ".spec.target.name"],
        rules=[
            Rule(
                rule="self.spec.trigger == 'Manual' || (self.metadata.name.startsWith(self.spec.target.name + '-')"
                " && self.metadata.name.substring(size(self.spec.target.name) + 1).matches('^[0-9]{10}$'))",
                message="Scheduled and Requested are the operator's own: write trigger: Manual, or leave it out",
                field_path=".spec.trigger",
            ),
            Rule(
                rule="self.spec.cancel == oldSelf.spec.cancel || !has(oldSelf.status)"
                " || !(oldSelf.status.phase in ['Succeeded', 'Failed', 'Cancelled'])",
                message="the job has ended already: there is nothing to cancel",
                field_path=".spec.cancel",
            ),
        ],
    )

    api_version: str = API_VERSION
    kind: str = "SyncJob"
    metadata: ObjectMeta
    spec: Annotated[
        SyncJobSpec,
        Meta(
            description="What to run; immutable, but for cancel.",
            extra_json_schema=rules(
                (
                    "self.target == oldSelf.target && self.trigger == oldSelf.trigger"
                    " && self.activeDeadlineSeconds == oldSelf.activeDeadlineSeconds"
                    " && has(self.ttlSecondsAfterFinished) == has(oldSelf.ttlSecondsAfterFinished)"
                    " && (!has(self.ttlSecondsAfterFinished)"
                    " || self.ttlSecondsAfterFinished == oldSelf.ttlSecondsAfterFinished)",
                    "a SyncJob's spec can't be changed, but for cancel: create another one",
                ),
                (
                    "self.cancel || !oldSelf.cancel",
                    "cancel can't be taken back: create another SyncJob",
                ),
            ),
        ),
    ]
    status: Annotated[
        SyncJobStatus,
        Meta(
            description="How it goes.",
            # Columns and field selectors work from the first instant, without a write.
            extra_json_schema={"default": {"phase": "Pending"}},
        ),
    ] = SyncJobStatus()

    @property
    def finished(self) -> bool:
        return self.status.phase in FINISHED_PHASES
