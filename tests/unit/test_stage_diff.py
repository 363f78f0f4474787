"""The diff stage where the snapshot to compare with is gone, or has lost its content."""

import asyncio
import datetime as dt
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from specsync.blobs.store import BlobCorrupted, BlobMissing, BlobStoreError, digest_of
from specsync.kube.client import NotFound
from specsync.resources.blobref import BlobRef
from specsync.resources.meta import ObjectMeta
from specsync.resources.monitor import Monitor
from specsync.resources.reasons import Reason
from specsync.resources.specsnapshot import Digests, SnapshotBlobs, SpecSnapshotSpec
from specsync.resources.syncjob import Base, Damage, FetchOutput, NormalizeOutput, SyncJob, SyncJobSpec, Target
from specsync.stages import diff
from specsync.stages.contract import StageContext, StageError
from specsync.stages.engine import DocumentEngine, DocumentError, PartMissing
from specsync.stages.normalize import selection_of


def document(*paths: str) -> bytes:
    operation = {"get": {"responses": {"200": {"description": "ok"}}}}
    found = {"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "paths": dict.fromkeys(paths, operation)}
    return msgspec.json.encode(found)


def canonical(raw: bytes, monitor: Monitor | None = None) -> bytes:
    engine = DocumentEngine()
    engine.add("raw", raw)
    return engine.normalize("raw", selection_of(monitor)).canonical


OLD_RAW, NEW_RAW = document("/old"), document("/new")
OLD, NEW = canonical(OLD_RAW), canonical(NEW_RAW)
# What another version of specsync wrote.
OLDER_FORM = OLD.replace(b'"form":', b'"form":9')


def ref(content: bytes) -> BlobRef:
    return BlobRef(backend="configmap", key=digest_of(content), size=len(content))


class Blobs:
    """Holds what it is given; what was lost answers with its error."""

    def __init__(self, *contents: bytes, lost: Exception | None = None) -> None:
        self._contents = {digest_of(content): content for content in contents}
        self._lost = lost or BlobMissing("gone")

    async def get(self, namespace: str, ref: BlobRef) -> bytes:
        if ref.key not in self._contents:
            raise self._lost
        return self._contents[ref.key]

    async def put(self, namespace: str, content: bytes, owner: Any) -> BlobRef:
        return ref(content)


class Engine:
    """The real engine, asked as a worker asks its child process."""

    def __init__(self) -> None:
        self._engine = DocumentEngine()

    async def call(self, operation: str, reply: Any, parts: dict[str, Any], **arguments: str) -> Any:
        while True:
            try:
                return getattr(self._engine, operation)(**arguments)
            except PartMissing as missing:
                if missing.digest not in parts:
                    text = f"the child process lacks {missing.digest}"
                    raise StageError(Reason.INTERNAL_ERROR, text, retryable=True) from None
                self._engine.add(missing.digest, await parts[missing.digest]())
            except DocumentError as error:
                raise StageError(Reason(error.reason), error.message) from error


class DyingEngine(Engine):
    """Its child dies when it has made the base's form anew; the one that follows knows nothing of that."""

    async def call(self, operation: str, reply: Any, parts: dict[str, Any], **arguments: str) -> Any:
        answer = await super().call(operation, reply, parts, **arguments)
        if operation == "renormalize":
            self._engine.forget()
        return answer


class Client:
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def get(self, kind: Any, namespace: str, name: str) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def snapshot(form: bytes, raw: bytes = OLD_RAW) -> Any:
    blobs = SnapshotBlobs(raw=ref(raw), canonical=ref(form), operations=ref(b"[]"))
    spec = SpecSnapshotSpec(
        dependency="shop",
        job_uid="u",
        title="Shop",
        version="1",
        format="openapi-3.1",
        operations=1,
        digests=Digests(raw=digest_of(raw), canonical=digest_of(form), short="0" * 12),
        blobs=blobs,
        fetched_at=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    )
    return SimpleNamespace(spec=spec)


def run(
    blobs: Blobs,
    answer: Any = None,
    form: bytes = OLD,
    new: bytes = NEW,
    monitor: Monitor | None = None,
    engine: Engine | None = None,
    **fetched: Any,
) -> Any:
    job = SyncJob(metadata=ObjectMeta(name="shop-2", uid="u"), spec=SyncJobSpec(target=Target(name="shop")))
    status = msgspec.structs.replace(job.status, base=Base(snapshot="shop-1", digest=digest_of(form)))
    outputs = {
        "fetch": FetchOutput(source_digest=digest_of(b""), raw_digest=digest_of(NEW_RAW), **fetched),
        "normalize": NormalizeOutput(canonical_digest=digest_of(new), canonical=ref(new), monitor=monitor),
    }
    context = SimpleNamespace(
        client=Client(answer or snapshot(form)),
        blobs=blobs,
        engine=engine or Engine(),
        namespace="team",
        job=msgspec.structs.replace(job, status=status),
        output=lambda stage, type_: outputs[stage],
    )
    return asyncio.run(diff.run(cast(StageContext, context)))


def assert_found(result: Any) -> None:
    assert result.ends is None
    assert (result.output.breaking, result.output.safe) == (1, 1)


def test_two_forms_are_compared() -> None:
    assert_found(run(Blobs(OLD, NEW)))


def test_other_references_that_are_followed_are_no_change_of_the_contract() -> None:
    result = run(Blobs(OLD, NEW), external_refs="SameOrigin", files=3)
    assert result.ends == "Baseline"
    assert "spec.source.externalRefs was changed" in result.message
    # With one file it makes no difference.
    assert_found(run(Blobs(OLD, NEW), external_refs="SameOrigin", files=1))


@pytest.mark.parametrize(
    ("error", "reason"), [(BlobMissing("gone"), "BlobMissing"), (BlobCorrupted("damaged"), "BlobCorrupted")]
)
def test_a_lost_form_is_made_anew_from_its_document(error: Exception, reason: str) -> None:
    result = run(Blobs(OLD_RAW, NEW, lost=error))
    assert_found(result)
    assert result.output.damage.reason == reason


def test_a_store_that_does_not_answer_is_no_lost_base() -> None:
    failure = BlobStoreError(Reason.BLOB_STORE_UNAVAILABLE, "the object store didn't answer in time")
    with pytest.raises(BlobStoreError):
        run(Blobs(NEW, lost=failure))


def test_a_form_of_another_version_is_made_anew_from_its_document() -> None:
    assert_found(run(Blobs(OLDER_FORM, OLD_RAW, NEW), form=OLDER_FORM))


def test_a_child_that_dies_leads_to_no_comparison_with_what_was_not_selected() -> None:
    """The base's stored form is of the whole contract: what is not monitored would look as if it had been removed."""
    monitor = Monitor(mode="Partial", endpoints=["/new"])
    old = document("/new", "/elsewhere")
    form, new = canonical(old), canonical(old, monitor)
    before = snapshot(form, old)
    unchanged = run(Blobs(form, old, new), before, form, new, monitor)
    assert (unchanged.ends, "spec.monitor was changed" in unchanged.message) == ("Baseline", True)
    with pytest.raises(StageError) as failed:
        run(Blobs(form, old, new), before, form, new, monitor, DyingEngine())
    assert failed.value.retryable


def test_a_child_that_dies_makes_no_new_baseline_of_a_form_that_is_lost() -> None:
    with pytest.raises(StageError) as failed:
        run(Blobs(OLD_RAW, NEW), engine=DyingEngine())
    assert failed.value.retryable


@pytest.mark.parametrize(
    ("blobs", "answer", "why"),
    [
        (Blobs(OLD, NEW), NotFound(404, "NotFound", "not found"), "SpecSnapshot shop-1 was deleted"),
        (Blobs(NEW), None, "the content of SpecSnapshot shop-1 is gone or damaged"),
    ],
)
def test_with_nothing_left_to_compare_with_there_is_a_new_baseline(blobs: Blobs, answer: Any, why: str) -> None:
    result = run(blobs, answer)
    assert (result.ends, result.message) == ("Baseline", f"a new baseline: {why}")
    assert (result.output.breaking, result.output.risky, result.output.safe) == (0, 0, 0)
    lost = Damage(snapshot="shop-1", reason="BlobMissing", message="content of SpecSnapshot shop-1: gone")
    assert result.output.damage == (None if answer else lost)


def test_the_jobs_own_content_that_is_lost_fails_the_job() -> None:
    with pytest.raises(StageError) as failure:
        run(Blobs(OLD, OLD_RAW))
    assert failure.value.reason == Reason.BLOB_MISSING
