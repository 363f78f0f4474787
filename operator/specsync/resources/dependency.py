"""Dependency: one API contract that a team depends on, where it is and how often to look."""

import hashlib
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta, field

from specsync.resources.meta import (
    API_VERSION,
    Column,
    Condition,
    Definition,
    Digest,
    Duration,
    FrozenStruct,
    ObjectMeta,
    ObjectName,
    Rule,
    Time,
    duration_rule,
    rules,
)
from specsync.resources.monitor import MONITOR_RULES, Monitor
from specsync.resources.source import Source

# Set by users (`kubectl annotate dep/x specsync.dev/requestedAt=…`): any new value asks for a sync now.
REQUESTED_AT = "specsync.dev/requestedAt"

HealthState = Literal["healthy", "degraded", "unhealthy", "paused"]


class History(FrozenStruct, frozen=True, kw_only=True):
    jobs: Annotated[
        int, Meta(ge=1, le=100, description="Finished SyncJobs to keep; at times up to twice as many. Default 10.")
    ] = 10
    snapshots: Annotated[int, Meta(ge=2, le=100, description="SpecSnapshots to keep. Default 10.")] = 10
    change_sets: Annotated[int, Meta(ge=1, le=500, description="ChangeSets to keep. Default 50.")] = 50
    max_age_days: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=3650,
                description="Older ones go, even if there are fewer: but never the baseline, the current snapshot, the"
                " latest change set and sync, and what a kept change set refers to.",
            ),
        ]
        | None
    ) = None


class HealthThresholds(FrozenStruct, frozen=True, kw_only=True):
    """What isn't given is as the operator's flags have it, and at least as much as the threshold before it."""

    degraded_after: (
        Annotated[
            int, Meta(ge=1, le=1000, description="Failed syncs in a row. Default: the operator's --degraded-after, 3.")
        ]
        | None
    ) = None
    unhealthy_after: (
        Annotated[
            int, Meta(ge=1, le=1000, description="Failed syncs in a row. Default: the operator's --unhealthy-after, 5.")
        ]
        | None
    ) = None
    paused_after: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=1000,
                description="Failed syncs in a row that end scheduling. Default: the operator's --paused-after, 10.",
            ),
        ]
        | None
    ) = None


class DependencySpec(FrozenStruct, frozen=True, kw_only=True):
    source: Annotated[
        Source,
        Meta(
            description="Where the contract is: exactly one of url, configMapRef and serviceRef.",
            extra_json_schema=rules(
                (
                    "[has(self.url), has(self.configMapRef), has(self.serviceRef)].exists_one(x, x)",
                    "set exactly one of source.url, source.configMapRef and source.serviceRef",
                ),
                (
                    "!has(self.configMapRef) || !(has(self.secretRef) || has(self.certSecretRef))",
                    "source.secretRef and source.certSecretRef don't go with source.configMapRef: leave them out",
                ),
            ),
        ),
    ]
    display_name: (
        Annotated[str, Meta(max_length=128, description="Name in messages; the resource's name by default.")] | None
    ) = None
    interval: Annotated[
        Duration,
        Meta(
            description="Time between scheduled syncs, at least 10s and the operator's --min-interval. Default 6h.",
            extra_json_schema=duration_rule(
                "10s", "interval must be a duration of at least 10s, for example 15m or 6h"
            ),
        ),
    ] = "6h"
    suspend: Annotated[bool, Meta(description="true stops scheduling; a manual sync still runs.")] = False
    validation: Annotated[
        Literal["Lenient", "Strict"],
        Meta(
            description="What a document that breaks the OpenAPI specification means: Lenient reports it in the"
            " condition SpecValid and carries on, Strict fails the sync with the reason Invalid."
        ),
    ] = "Lenient"
    monitor: Annotated[
        Monitor,
        Meta(
            description="What part of the contract counts: the whole, or some domains and endpoints with all that they"
            " reach. A change of it makes a new snapshot, and is no change of the contract.",
            extra_json_schema=MONITOR_RULES,
        ),
    ] = Monitor()
    alerts: Annotated[
        Literal["Enabled", "Disabled"],
        Meta(description="Disabled: nobody is alerted of this Dependency, whatever preferences say."),
    ] = "Enabled"
    history: Annotated[History, Meta(description="How much to keep.")] = History()
    health: Annotated[
        HealthThresholds,
        Meta(
            description="After how many failed syncs in a row the health changes.",
            extra_json_schema=rules(
                (
                    "(!has(self.degradedAfter) || !has(self.unhealthyAfter)"
                    " || self.degradedAfter <= self.unhealthyAfter)"
                    " && (!has(self.unhealthyAfter) || !has(self.pausedAfter)"
                    " || self.unhealthyAfter <= self.pausedAfter)"
                    " && (!has(self.degradedAfter) || !has(self.pausedAfter)"
                    " || self.degradedAfter <= self.pausedAfter)",
                    "health thresholds must not decrease: degradedAfter <= unhealthyAfter <= pausedAfter",
                )
            ),
        ),
    ] = HealthThresholds()

    def reading_digest(self) -> str:
        """Identifies the source and how its document is read: what was known of it counts only while both stay."""
        external_refs = () if self.source.external_refs == "Ignore" else (self.source.external_refs,)
        if self.validation == "Lenient" and self.monitor.mode == "Full" and not external_refs:
            return self.source.digest()
        settings = msgspec.json.encode((self.source.digest(), self.validation, self.monitor, *external_refs))
        return "sha256:" + hashlib.sha256(settings).hexdigest()


ETag = Annotated[str, Meta(max_length=1024, description="The server's ETag header.")]
LastModified = Annotated[str, Meta(max_length=128, description="The server's Last-Modified header.")]
ValidatorsOf = Annotated[
    Digest,
    Meta(
        description="Digest of the URL and of the Secrets' versions that etag and lastModified are of, where"
        " redirects led there or there are Secrets."
    ),
]


class SourceState(FrozenStruct, frozen=True, kw_only=True):
    """What the last successful fetch said, for conditional requests; dropped when the source changes."""

    url_digest: Annotated[
        Digest,
        Meta(
            description="Digest of the source (URL, Service or ConfigMap key) that it is about, and of how it is read"
            " (spec.validation, spec.monitor, spec.source.externalRefs)."
        ),
    ]
    raw_digest: Annotated[Digest, Meta(description="Digest of the document as it was served.")]
    etag: ETag | None = None
    last_modified: LastModified | None = None
    validators_of: ValidatorsOf | None = None


class Health(FrozenStruct, frozen=True, kw_only=True):
    state: Annotated[
        HealthState,
        Meta(
            description="How syncs went lately, by the thresholds of spec.health.",
            # Left out on the wire while it is healthy; the default keeps the HEALTH column filled.
            extra_json_schema={"default": "healthy"},
        ),
    ] = "healthy"
    consecutive_failures: Annotated[int, Meta(description="Failed syncs since the last success.")] = 0
    since: Annotated[Time, Meta(description="When the state last changed.")] | None = None


class SnapshotInfo(FrozenStruct, frozen=True, kw_only=True):
    snapshot: Annotated[ObjectName, Meta(description="Name of the SpecSnapshot.")]
    digest: Annotated[Digest, Meta(description="Digest of the canonical form.")]
    title: Annotated[str, Meta(max_length=256, description="The contract's info.title.")] = ""
    version: Annotated[str, Meta(max_length=128, description="The contract's info.version.")] = ""
    operations: Annotated[int, Meta(description="Number of operations.")] = 0


class SyncError(FrozenStruct, frozen=True, kw_only=True):
    stage: Annotated[
        str, Meta(max_length=32, description="The stage that failed; admission where the job never started.")
    ]
    reason: Annotated[str, Meta(max_length=64, description="Why, from the closed list in the docs.")]
    message: Annotated[str, Meta(max_length=2048, description="Why, in a sentence, with the next step.")]


class LastSync(FrozenStruct, frozen=True, kw_only=True):
    job: Annotated[ObjectName, Meta(description="Name of the SyncJob.")]
    job_uid: Annotated[str, Meta(max_length=64, description="UID of the SyncJob.")] = field(default="", name="jobUID")
    phase: Annotated[str, Meta(max_length=32, description="The job's last phase.")] = ""
    result: Annotated[str, Meta(max_length=32, description="Baseline, Unchanged, Changed, or Failed.")] = ""
    started_at: Annotated[Time, Meta(description="When it began; the next due time counts from here.")] | None = None
    time: Annotated[Time, Meta(description="When it ended.")] | None = None
    error: Annotated[SyncError, Meta(description="Why it failed; absent when it did not.")] | None = None


class LastChange(FrozenStruct, frozen=True, kw_only=True):
    change_set: Annotated[ObjectName, Meta(description="Name of the latest ChangeSet.")]
    # 0 is left out on the wire; the defaults keep the column BREAKING filled.
    breaking: Annotated[int, Meta(description="Breaking changes.", extra_json_schema={"default": 0})] = 0
    risky: Annotated[int, Meta(description="Risky changes.", extra_json_schema={"default": 0})] = 0
    safe: Annotated[int, Meta(description="Safe changes.", extra_json_schema={"default": 0})] = 0
    time: Annotated[Time, Meta(description="When it was found.")] | None = None


class HandledRequest(FrozenStruct, frozen=True, kw_only=True):
    value: Annotated[str, Meta(max_length=256, description="The annotation's value that was handled.")]
    job: Annotated[str, Meta(max_length=253, description="The SyncJob that it led to.")] = ""
    outcome: Annotated[str, Meta(max_length=64, description="How the job ended.")] = ""


class ActiveJob(FrozenStruct, frozen=True, kw_only=True):
    """The one job that may run for a Dependency now, or that has run and isn't in the status yet."""

    name: Annotated[ObjectName, Meta(description="Name of the SyncJob.")]
    uid: Annotated[str, Meta(max_length=64, description="UID of the SyncJob.")] = ""


class DependencyStatus(FrozenStruct, frozen=True, kw_only=True):
    observed_generation: Annotated[
        int,
        Meta(
            description="The generation that the operator last acted on; -1 before it did.",
            extra_json_schema={"default": -1},
        ),
    ] = -1
    conditions: Annotated[
        list[Condition],
        Meta(
            max_length=16,
            description="Ready, SpecValid, Reconciling, Stalled, IntervalClamped, MonitorUnmatched,"
            " ExternalRefsIgnored, ContentDamaged.",
            extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = []
    source: SourceState | None = None
    health: Annotated[Health, Meta(description="How syncs went lately.")] = Health()
    current: Annotated[SnapshotInfo, Meta(description="The latest snapshot.")] | None = None
    baseline: Annotated[SnapshotInfo, Meta(description="The first snapshot.")] | None = None
    last_sync: Annotated[LastSync, Meta(description="The latest finished SyncJob.")] | None = None
    last_change: Annotated[LastChange, Meta(description="The latest ChangeSet.")] | None = None
    active_job: (
        Annotated[
            ActiveJob, Meta(description="A user's SyncJob, or a retried one, whose end is not in this status yet.")
        ]
        | None
    ) = None
    next_sync_time: Annotated[Time, Meta(description="When the next scheduled sync is due.")] | None = None
    last_handled_request: (
        Annotated[HandledRequest, Meta(description=f"The latest {REQUESTED_AT} annotation that was handled.")] | None
    ) = None


class Dependency(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """One API contract that a team depends on."""

    definition: ClassVar[Definition] = Definition(
        kind="Dependency",
        plural="dependencies",
        short_name="dep",
        description="One API contract that a team depends on: where it is and how often to look.",
        columns=[
            Column(name="API", json_path=".status.current.title"),
            Column(name="VERSION", json_path=".status.current.version"),
            Column(name="HEALTH", json_path=".status.health.state"),
            Column(name="READY", json_path='.status.conditions[?(@.type=="Ready")].status'),
            Column(name="LAST SYNC", json_path=".status.lastSync.time", type="date"),
            Column(name="RESULT", json_path=".status.lastSync.result"),
            Column(name="BREAKING", json_path=".status.lastChange.breaking", type="integer"),
            Column(name="AGE", json_path=".metadata.creationTimestamp", type="date"),
            Column(name="URL", json_path=".spec.source.url", wide=True),
            Column(name="NEXT SYNC", json_path=".status.nextSyncTime", wide=True),
            Column(name="MESSAGE", json_path='.status.conditions[?(@.type=="Ready")].message', wide=True),
        ],
        rules=[
            Rule(
                rule="self.metadata.name.size() <= 52",
                message="metadata.name must have at most 52 characters: names of jobs are made from it",
            )
        ],
    )

    api_version: str = API_VERSION
    kind: str = "Dependency"
    metadata: ObjectMeta
    spec: Annotated[DependencySpec, Meta(description="What the user wants.")]
    status: Annotated[
        DependencyStatus,
        Meta(
            description="What the operator found.",
            # kstatus: a fresh object must not look settled before the operator has seen it.
            extra_json_schema={"default": {"observedGeneration": -1}},
        ),
    ] = DependencyStatus()
