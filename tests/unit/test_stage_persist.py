"""The persist stage: whatever a document's names and values are like, its change set fits the resource."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from specsync.alerting.selecting import blob_events
from specsync.blobs.store import BlobMissing, digest_of
from specsync.resources import ChangeSet, Dependency
from specsync.resources.blobref import BlobRef
from specsync.resources.dependency import LastSync
from specsync.resources.meta import ObjectMeta
from specsync.resources.syncjob import (
    Base,
    DiffOutput,
    NormalizeOutput,
    ParseOutput,
    PersistOutput,
    SnapshotOutput,
    SyncJob,
    SyncJobSpec,
    Target,
)
from specsync.stages import persist
from specsync.stages.contract import StageContext
from specsync.stages.engine import DocumentEngine
from tests.unit.objects import dependency

ETCD_TAKES = 1.5 * 1024 * 1024  # bytes of a request, where nobody has set --max-request-bytes

# A tag that is a whole sentence, a path that is longer than any, names in a script of four bytes a character.
SENTENCE = (
    "Operations of the shop, for the team that sells things, and for everybody else who wants to read of them " * 2
)
LONG_PATH = "/" + "/".join(["segment"] * 400)
WIDE = "\U0001f6d2" * 1000
WIDE_PATHS = [f"/{WIDE}{number}" for number in range(300)]


def document(paths: list[str], *, tag: str = "shop", names: list[str] | None = None) -> bytes:
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names or ["id"]}}
    answer = {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}}
    operation = {"get": {"tags": [tag], "responses": answer}}
    return msgspec.json.encode(
        {"openapi": "3.0.3", "info": {"title": "Shop", "version": "1"}, "paths": dict.fromkeys(paths, operation)}
    )


def changes(old: bytes, new: bytes) -> bytes:
    """What the diff stage stores."""
    engine = DocumentEngine()
    digests = {}
    for name, content in (("old", old), ("new", new)):
        engine.add(name, content)
        digests[name] = engine.normalize(name).digest
    return engine.compare(**digests).changes


class Blobs:
    """Holds one content."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def get(self, namespace: str, ref: BlobRef) -> bytes:
        return self._content

    async def link(self, namespace: str, ref: BlobRef, owner: Any) -> None:
        if ref.key != digest_of(self._content):
            raise BlobMissing("gone")


class Client:
    """An API server with a Dependency and what an earlier job left."""

    def __init__(self, found: Dependency, left: ChangeSet | None) -> None:
        self._dependency, self._left = found, left
        self.created: ChangeSet | None = None

    async def get(self, kind: Any, namespace: str, name: str) -> Any:
        return self._dependency if kind is Dependency else self._left

    async def list(self, kind: Any, namespace: str, **options: Any) -> list[Any]:
        return [] if self._left is None else [msgspec.json.decode(msgspec.json.encode(self._left), type=kind)]

    async def create(self, change_set: ChangeSet) -> ChangeSet:
        self.created = change_set
        return change_set


def run(content: bytes, left: ChangeSet | None = None, last: str = "Failed") -> tuple[PersistOutput, ChangeSet | None]:
    """What the stage hands on, and the change set that it made. `last` is how the sync before ended."""
    job = SyncJob(metadata=ObjectMeta(name="shop-2", uid="u"), spec=SyncJobSpec(target=Target(name="shop")))
    status = msgspec.structs.replace(job.status, base=Base(snapshot="shop-1", digest=digest_of(b"")))
    before = dependency()
    ended = msgspec.structs.replace(before.status, last_sync=LastSync(job="shop-1", phase=last))
    before = msgspec.structs.replace(before, status=ended)
    ref = BlobRef(backend="configmap", key=digest_of(content), size=len(content))
    outputs = {
        "parse": ParseOutput(format="openapi-3.0", title="Shop", version="1"),
        "normalize": NormalizeOutput(canonical_digest=digest_of(b"new")),
        "snapshot": SnapshotOutput(name="shop-2", uid="s"),
        "diff": DiffOutput(breaking=1, risky=0, safe=0, changes=ref),
    }
    client = Client(before, left)
    context = SimpleNamespace(
        client=client,
        blobs=Blobs(content),
        namespace="team",
        dependency=before,
        job=msgspec.structs.replace(job, status=status),
        output=lambda stage, type_: outputs[stage],
    )
    result = asyncio.run(persist.run(cast(StageContext, context)))
    return cast(PersistOutput, result.output), client.created


def persisted(content: bytes) -> ChangeSet:
    _, created = run(content)
    assert created is not None
    return created


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (document(["/a", "/b"], tag=SENTENCE), document(["/a"], tag=SENTENCE)),
        (document(["/a", LONG_PATH]), document(["/a"])),
        (document([LONG_PATH], names=["id", "x" * 3000]), document([LONG_PATH])),
        (document(WIDE_PATHS, names=["id", WIDE]), document(WIDE_PATHS)),
    ],
    ids=["long tag", "long path", "long name", "much of it wide"],
)
def test_long_names_are_cut_where_the_resource_has_no_room(old: bytes, new: bytes) -> None:
    content = changes(old, new)
    encoded = msgspec.json.encode(persisted(content))
    assert len(encoded) < ETCD_TAKES
    found = msgspec.json.decode(encoded, type=ChangeSet)  # by the types, as the API server by the schema made of them
    assert found.spec.causes
    assert found.spec.events
    total = len(blob_events(content))
    assert sum(found.spec.summary.kinds.values()) == total
    assert (found.spec.blob is not None) == found.spec.truncated == (len(found.spec.events) < total)


def renamed(change_set: ChangeSet, **spec: Any) -> ChangeSet:
    """As another job has left it."""
    meta = msgspec.structs.replace(change_set.metadata, name="shop-0")
    return msgspec.structs.replace(
        change_set, metadata=meta, spec=msgspec.structs.replace(change_set.spec, job_uid="other", **spec)
    )


def test_what_a_job_that_failed_has_left_is_taken_over_if_it_is_the_same_and_whole() -> None:
    small = changes(document(["/a", "/b"]), document(["/a"]))
    left = renamed(persisted(small))
    assert run(small, left) == (PersistOutput(change_set="shop-0"), None)
    assert run(small, left, last="Cancelled") == (PersistOutput(change_set="shop-0"), None)

    def is_made(content: bytes, left: ChangeSet, last: str = "Failed") -> bool:
        output, created = run(content, left, last)
        return created is not None and output.change_set == "shop-2"

    assert is_made(small, left, "Succeeded"), "it was taken back in between"
    to = msgspec.structs.replace(left.spec.to, digest=digest_of(b"older"))
    assert is_made(small, renamed(left, to=to)), "the contract has changed again"
    large = changes(document(WIDE_PATHS, names=["id", WIDE]), document(WIDE_PATHS))
    whole = renamed(persisted(large))
    assert run(large, whole) == (PersistOutput(change_set="shop-0"), None)
    lost = BlobRef(backend="configmap", key=digest_of(b"lost"), size=4)
    assert is_made(large, renamed(whole, blob=lost)), "its blob went with its job"
