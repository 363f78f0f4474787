"""Dependencies and SyncJobs to test pure functions with."""

import datetime as dt
from typing import Any

from specsync.resources import Dependency, SyncJob
from specsync.resources.dependency import (
    DependencySpec,
    DependencyStatus,
    Health,
    SnapshotInfo,
    SyncError,
)
from specsync.resources.meta import ObjectMeta
from specsync.resources.reasons import Reason
from specsync.resources.source import ConfigMapKeyReference, Source
from specsync.resources.syncjob import (
    Claim,
    DiffOutput,
    FetchOutput,
    NormalizeOutput,
    ParseOutput,
    PersistOutput,
    SnapshotOutput,
    StageRecord,
    SyncJobSpec,
    SyncJobStatus,
    Target,
)

NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)
SOURCE = Source(config_map_ref=ConfigMapKeyReference(name="documents", key="shop.json"))


def at(minutes: float) -> dt.datetime:
    """So many minutes after noon."""
    return NOON + dt.timedelta(minutes=minutes)


def dependency(*, status: DependencyStatus | None = None, health: Health | None = None, **spec: Any) -> Dependency:
    status = status or DependencyStatus(health=health or Health())
    return Dependency(
        metadata=ObjectMeta(name="shop", namespace="ns", uid="dep", resource_version="1", generation=1),
        spec=DependencySpec(source=SOURCE, **spec),
        status=status,
    )


def job(name: str = "shop-1", phase: Any = "Succeeded", *, ended: float = 1, **status: Any) -> SyncJob:
    """A job that was claimed at noon and ended so many minutes later."""
    return SyncJob(
        metadata=ObjectMeta(name=name, namespace="ns", uid=f"uid-{name}"),
        spec=SyncJobSpec(target=Target(name="shop")),
        status=SyncJobStatus(
            phase=phase,
            claim=Claim(worker="w", epoch=1),
            started_at=NOON,
            finished_at=at(ended) if phase in ("Succeeded", "Failed", "Cancelled") else None,
            **status,
        ),
    )


def failed(reason: Reason = Reason.SERVER_ERROR, name: str = "shop-1") -> SyncJob:
    return job(name, "Failed", error=SyncError(stage="fetch", reason=reason, message="the server answered 500"))


def _record(stage: Any, output: Any) -> StageRecord:
    return StageRecord(name=stage, state="Succeeded", started=NOON, finished=NOON, **{stage: output})


def _found(name: str, version: str) -> list[StageRecord]:
    return [
        _record("fetch", FetchOutput(source_digest=SOURCE.digest(), raw_digest=f"sha256:raw-{version}", etag="e1")),
        _record("parse", ParseOutput(format="openapi-3.0", title="Shop", version=version)),
        _record("normalize", NormalizeOutput(canonical_digest=f"sha256:{version}", operations=3)),
        _record("snapshot", SnapshotOutput(name=name, uid="snapshot")),
    ]


def baseline_job(name: str = "shop-1") -> SyncJob:
    return job(name, result="Baseline", stages=_found(name, "1"))


def unchanged_job(name: str = "shop-2") -> SyncJob:
    fetched = FetchOutput(source_digest=SOURCE.digest(), not_modified=True, raw_digest="sha256:raw-1")
    return job(name, result="Unchanged", stages=[_record("fetch", fetched)])


def changed_job(name: str = "shop-3") -> SyncJob:
    change = [
        _record("diff", DiffOutput(breaking=2, risky=1, safe=0)),
        _record("persist", PersistOutput(change_set=name)),
    ]
    return job(name, result="Changed", stages=_found(name, "2") + change)


def snapshot_info(name: str = "shop-1") -> SnapshotInfo:
    return SnapshotInfo(snapshot=name, digest="sha256:1", title="Shop", version="1", operations=3)
