"""What kubectl shows of the kinds, once the operator has written what it found with its own models."""

import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from devcluster import ControlPlane
from specsync.resources import ChangeSet, Dependency, SpecSnapshot, SyncJob
from specsync.resources.blobref import BlobRef
from specsync.resources.changeset import (
    ChangeCause,
    ChangeEvent,
    ChangeSetSpec,
    ChangeSummary,
    EventLocation,
    OperationRef,
    SnapshotPointer,
)
from specsync.resources.conditions import condition
from specsync.resources.dependency import (
    DependencyStatus,
    HandledRequest,
    Health,
    LastChange,
    LastSync,
    SnapshotInfo,
    SourceState,
    SyncError,
)
from specsync.resources.meta import API_VERSION, ObjectMeta, Resource, to_wire
from specsync.resources.reasons import Reason
from specsync.resources.specsnapshot import Digests, SnapshotBlobs, SpecSnapshotSpec
from specsync.resources.syncjob import (
    AlertOutput,
    Base,
    Claim,
    DiffOutput,
    FetchOutput,
    NormalizeOutput,
    ParseOutput,
    PersistOutput,
    SnapshotOutput,
    StageRecord,
    SyncJobStatus,
)

AT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
DIGEST = "sha256:" + "ab" * 32
BLOB = BlobRef(backend="configmap", key=DIGEST, size=1234)
MESSAGE = "The server answered 404. Check the path in spec.source.url."
JOB = "shop-1700000000"

DEPENDENCY_STATUS = DependencyStatus(
    observed_generation=1,
    conditions=[condition("Ready", False, Reason.SYNC_FAILED, MESSAGE, AT, 1)],
    source=SourceState(url_digest=DIGEST, raw_digest=DIGEST, etag='"1"', last_modified="Fri, 02 Jan 2026 03:04:05 GMT"),
    health=Health(consecutive_failures=1, since=AT),
    current=SnapshotInfo(snapshot=JOB, digest=DIGEST, title="Shop", version="2.1", operations=3),
    baseline=SnapshotInfo(snapshot="shop-1600000000", digest=DIGEST, title="Shop", version="1.0", operations=2),
    last_sync=LastSync(
        job=JOB,
        job_uid="u",
        phase="Failed",
        result="Failed",
        started_at=AT,
        time=AT,
        error=SyncError(stage="fetch", reason=Reason.NOT_FOUND, message=MESSAGE),
    ),
    last_change=LastChange(change_set=JOB, risky=2, time=AT),
    next_sync_time=AT,
    last_handled_request=HandledRequest(value="1", job="shop-r1", outcome="Succeeded"),
)
JOB_STATUS = SyncJobStatus(
    phase="Failed",
    stage="alert",
    result="Changed",
    admitted_at=AT,
    started_at=AT,
    finished_at=AT,
    attempts=5,
    retry_at=AT,
    claim=Claim(worker="worker-1", epoch=2, claimed_at=AT),
    base=Base(snapshot="shop-1600000000", digest=DIGEST),
    stages=[
        StageRecord(
            name="fetch",
            state="Succeeded",
            started=AT,
            finished=AT,
            fetch=FetchOutput(source_digest=DIGEST, raw=BLOB, raw_digest=DIGEST, etag='"1"', fetched_at=AT),
        ),
        StageRecord(
            name="parse", state="Succeeded", parse=ParseOutput(format="openapi-3.1", title="Shop", version="2")
        ),
        StageRecord(
            name="normalize",
            state="Succeeded",
            normalize=NormalizeOutput(
                canonical_digest=DIGEST, canonical=BLOB, operation_list=BLOB, operations=3, domains=["orders"]
            ),
        ),
        StageRecord(name="snapshot", state="Succeeded", snapshot=SnapshotOutput(name=JOB, uid="u")),
        StageRecord(name="diff", state="Succeeded", diff=DiffOutput(breaking=0, risky=2, safe=0, changes=BLOB)),
        StageRecord(name="persist", state="Succeeded", persist=PersistOutput(change_set=JOB)),
        StageRecord(name="alert", state="Failed", message=MESSAGE, alert=AlertOutput(event="shop.1")),
    ],
    error=SyncError(stage="alert", reason=Reason.API_ERROR, message=MESSAGE),
    last_handled_retry="1",
    conditions=[
        condition("Failed", True, Reason.API_ERROR, MESSAGE, AT),
        condition("Finished", True, Reason.API_ERROR, MESSAGE, AT),
    ],
)
SNAPSHOT = SpecSnapshot(
    metadata=ObjectMeta(name=JOB),
    spec=SpecSnapshotSpec(
        dependency="shop",
        job_uid="u",
        previous="shop-1600000000",
        title="Shop",
        version="2.1",
        format="openapi-3.1",
        operations=3,
        domains=["orders"],
        digests=Digests(raw=DIGEST, canonical=DIGEST, short="abababababab"),
        blobs=SnapshotBlobs(raw=BLOB, canonical=BLOB, operations=BLOB),
        fetched_at=AT,
    ),
)
CHANGE_SET = ChangeSet(
    metadata=ObjectMeta(name=JOB),
    spec=ChangeSetSpec(
        dependency="shop",
        job_uid="u",
        from_=SnapshotPointer(snapshot="shop-1600000000", version="1.0", digest=DIGEST),
        to=SnapshotPointer(snapshot=JOB, version="2.1", digest=DIGEST),
        summary=ChangeSummary(breaking=0, risky=2, safe=0, kinds={"response": 2}),
        causes=[
            ChangeCause(
                scope="schema",
                id="Order",
                severity="risky",
                kind="response",
                summary="s",
                operations=2,
                fingerprint="f",
            )
        ],
        events=[
            ChangeEvent(
                id="response-property-removed",
                kind="response",
                severity="risky",
                operation=OperationRef(method="GET", path="/orders"),
                location=EventLocation(old="/paths/~1orders/get"),
                summary="s",
                before="a",
                after="b",
                cause="f",
                domain="orders",
                fingerprint="g",
            )
        ],
        truncated=True,
        blob=BLOB,
    ),
)


@pytest.fixture(scope="module")
def space(cluster: ControlPlane, crds: list[str]) -> Iterator[str]:
    """A namespace with one object of each kind, all fields set, and one job that waits."""
    name = cluster.create_namespace()
    create(cluster, name, "Dependency", {"name": "shop"}, {"source": {"url": "https://api.example.com/"}})
    create(cluster, name, "SyncJob", {"name": JOB}, {"target": {"name": "shop"}, "trigger": "Scheduled"})
    create(cluster, name, "SyncJob", {"name": "shop-waits"}, {"target": {"name": "shop"}})
    for found in (SNAPSHOT, CHANGE_SET):
        wire = to_wire(found)
        create(cluster, name, found.definition.kind, wire["metadata"], wire["spec"])
    set_status(cluster, name, Dependency, "shop", DEPENDENCY_STATUS)
    set_status(cluster, name, SyncJob, JOB, JOB_STATUS)
    yield name
    cluster.api.request("DELETE", f"/api/v1/namespaces/{name}")


def path(kind: type[Resource], namespace: str, name: str) -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{kind.definition.plural}/{name}"


def create(cluster: ControlPlane, namespace: str, kind: str, metadata: dict[str, Any], spec: dict[str, Any]) -> None:
    body = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
    words = ("create", "--validate=strict", "-f", "-")
    cluster.kubectl(*words, namespace=namespace, stdin=json.dumps(body))


def set_status(cluster: ControlPlane, namespace: str, kind: type[Resource], name: str, status: Any) -> None:
    target = path(kind, namespace, name) + "/status?fieldValidation=Strict"
    patch = [{"op": "replace", "path": "/status", "value": to_wire(status)}]
    cluster.api.request("PATCH", target, patch, content_type="application/json-patch+json")


def columns(cluster: ControlPlane, space: str, *words: str) -> dict[str, str]:
    """The one row that kubectl prints, by column; columns are told apart by where their headers begin."""
    header, row, *more = cluster.kubectl("get", *words, namespace=space).splitlines()
    assert not more
    titles = list(re.finditer(r"\S+(?: \S+)*", header))
    ends = [title.start() for title in titles[1:]] + [None]
    return {title[0]: row[title.start() : end].strip() for title, end in zip(titles, ends, strict=True)}


def test_all_that_the_models_write_is_kept_and_read_back(cluster: ControlPlane, space: str) -> None:
    dependency = msgspec.convert(cluster.api.get(path(Dependency, space, "shop")), Dependency)
    assert dependency.status == DEPENDENCY_STATUS
    job = msgspec.convert(cluster.api.get(path(SyncJob, space, JOB)), SyncJob)
    assert job.status == JOB_STATUS
    snapshot = msgspec.convert(cluster.api.get(path(SpecSnapshot, space, JOB)), SpecSnapshot)
    assert snapshot.spec == SNAPSHOT.spec
    change_set = msgspec.convert(cluster.api.get(path(ChangeSet, space, JOB)), ChangeSet)
    assert change_set.spec == CHANGE_SET.spec


def test_a_dependency_in_one_line(cluster: ControlPlane, space: str) -> None:
    row = columns(cluster, space, "dep", "-o", "wide")
    assert row.pop("AGE")
    assert row.pop("LAST SYNC").endswith("d")
    assert row == {
        "NAME": "shop",
        "API": "Shop",
        "VERSION": "2.1",
        "HEALTH": "healthy",
        "READY": "False",
        "RESULT": "Failed",
        "BREAKING": "0",
        "URL": "https://api.example.com/",
        "NEXT SYNC": "2026-01-02T03:04:05Z",
        "MESSAGE": MESSAGE,
    }


def test_a_failed_job_in_one_line(cluster: ControlPlane, space: str) -> None:
    row = columns(cluster, space, "sjob", "--field-selector", "status.phase=Failed", "-o", "wide")
    assert row.pop("AGE")
    assert row == {
        "NAME": JOB,
        "TARGET": "shop",
        "TRIGGER": "Scheduled",
        "PHASE": "Failed",
        "STAGE": "alert",
        "RESULT": "Changed",
        "ATTEMPTS": "5",
        "WORKER": "worker-1",
        "REASON": "APIError",
        "MESSAGE": MESSAGE,
    }


def test_a_job_that_nobody_has_touched_is_pending(cluster: ControlPlane, space: str) -> None:
    words = ("sjob", "--field-selector", "status.phase!=Failed,spec.target.name=shop")
    row = columns(cluster, space, *words)
    assert (row["NAME"], row["PHASE"]) == ("shop-waits", "Pending")
    assert "MESSAGE" not in row


def test_a_snapshot_in_one_line(cluster: ControlPlane, space: str) -> None:
    row = columns(cluster, space, "snap", "-o", "wide")
    assert row.pop("AGE")
    assert row == {
        "NAME": JOB,
        "DEPENDENCY": "shop",
        "TITLE": "Shop",
        "VERSION": "2.1",
        "FORMAT": "openapi-3.1",
        "OPERATIONS": "3",
        "DIGEST": "abababababab",
    }


def test_a_change_set_in_one_line(cluster: ControlPlane, space: str) -> None:
    row = columns(cluster, space, "chg", "-o", "wide")
    assert row.pop("AGE")
    assert row == {
        "NAME": JOB,
        "DEPENDENCY": "shop",
        "FROM": "1.0",
        "TO": "2.1",
        "BREAKING": "0",
        "RISKY": "2",
        "SAFE": "0",
        "ACKED": "",
    }


def test_the_category_lists_all_kinds(cluster: ControlPlane, space: str) -> None:
    listed = cluster.kubectl("get", "specsync", "-o", "name", namespace=space).split()
    assert sorted(listed) == sorted(
        [
            "dependency.specsync.dev/shop",
            f"syncjob.specsync.dev/{JOB}",
            "syncjob.specsync.dev/shop-waits",
            f"specsnapshot.specsync.dev/{JOB}",
            f"changeset.specsync.dev/{JOB}",
        ]
    )


def test_kubectl_can_wait_for_a_condition(cluster: ControlPlane, space: str) -> None:
    output = cluster.kubectl("wait", "--for=condition=Finished", f"sjob/{JOB}", "--timeout=5s", namespace=space)
    assert output.strip() == f"syncjob.specsync.dev/{JOB} condition met"


def test_kubectl_describes_a_dependency(cluster: ControlPlane, space: str) -> None:
    text = cluster.kubectl("describe", "dep", "shop", namespace=space)
    assert MESSAGE in text
    assert "Last Sync:" in text
