"""`specsync snapshot` and `specsync changes`: what people read of the objects that the operator wrote."""

import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devcluster import ControlPlane
from specsync.blobs.configmap import ConfigMapBlobs, blob_name
from specsync.blobs.store import digest_of
from specsync.diffing import Comparison
from specsync.kube.client import KubeClient
from specsync.resources import ChangeSet, Dependency, SpecSnapshot
from specsync.resources.blobref import BlobRef
from specsync.resources.changeset import ChangeCause, ChangeEvent, ChangeSetSpec, ChangeSummary, SnapshotPointer
from specsync.resources.dependency import DependencySpec, DependencyStatus, LastChange, SnapshotInfo
from specsync.resources.meta import ObjectMeta, OwnerReference, owner_reference, to_wire
from specsync.resources.source import Source
from specsync.resources.specsnapshot import Digests, SnapshotBlobs, SpecSnapshotSpec
from specsync.stages.engine import DocumentEngine
from tests.waiting import eventually

AT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
BIN = Path(sys.executable).parent

# Line ends and order are the server's own: `raw` gives back exactly these bytes.
OLD = b"""openapi: 3.1.0\r
info: {version: '1.4', title: Pet shop}
paths:
  /pets:
    get:
      operationId: listPets
      tags: [pets]
      parameters: [{name: limit, in: query, schema: {type: integer, maximum: 100}}]
      responses: {'200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}}
  "/orders/{id}":
    delete:
      operationId: "drop\\e[2Jall"
      deprecated: true
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'204': {description: gone}}
components:
  schemas:
    Pet: {type: object, required: [name], properties: {name: {type: string}, age: {type: integer}}}
"""
NEW = (
    OLD.replace(b"'1.4'", b"'2.0'")
    .replace(b"maximum: 100", b"maximum: 50")
    .replace(b"required: [name], properties: {name: {type: string}, ", b"properties: {")
)


class Shop:
    """A namespace with two snapshots, `pets-1` and `pets-2`, and what changed between them, whole and cut short."""

    def __init__(self, cluster: ControlPlane, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        asyncio.run(self._fill())

    async def _fill(self) -> None:
        client = await KubeClient.connect("test", "test", str(self.cluster.kubeconfig))
        try:
            blobs = ConfigMapBlobs(client)
            await client.create(self._dependency("new"))
            dependency = await client.create(self._dependency("pets"))
            owner = owner_reference(dependency)
            engine = DocumentEngine()
            first, second = [await self._snapshot(client, blobs, engine, owner, n) for n in (1, 2)]
            compared = engine.compare(first.spec.digests.canonical, second.spec.digests.canonical)
            blob = await blobs.put(self.namespace, compared.changes, owner)
            await client.create(self._change_set("pets-2", compared.changes, first, second, None))
            await client.create(self._change_set("pets-cut", compared.changes, first, second, blob))
            lost = BlobRef(backend="configmap", key=digest_of(b"lost"), size=4)
            await client.create(self._change_set("pets-lost", compared.changes, first, second, lost))
            info = SnapshotInfo(snapshot="pets-2", digest=second.spec.digests.canonical)
            status = DependencyStatus(current=info, last_change=LastChange(change_set="pets-cut"))
            patch = [{"op": "add", "path": "/status", "value": to_wire(status)}]
            await client.patch(Dependency, self.namespace, "pets", patch, subresource="status")
        finally:
            await client.close()

    def _dependency(self, name: str) -> Dependency:
        spec = DependencySpec(source=Source(url="https://api.example.com/openapi.json"))
        return Dependency(metadata=ObjectMeta(name=name, namespace=self.namespace), spec=spec)

    async def _snapshot(
        self, client: KubeClient, blobs: ConfigMapBlobs, engine: DocumentEngine, owner: OwnerReference, number: int
    ) -> SpecSnapshot:
        raw = (OLD, NEW)[number - 1]
        engine.add(digest_of(raw), raw)
        parsed = engine.parse(digest_of(raw))
        normalized = engine.normalize(digest_of(raw))
        refs = [
            await blobs.put(self.namespace, content, owner)
            for content in (raw, normalized.canonical, normalized.operation_list)
        ]
        return await client.create(
            SpecSnapshot(
                metadata=ObjectMeta(name=f"pets-{number}", namespace=self.namespace),
                spec=SpecSnapshotSpec(
                    dependency="pets",
                    job_uid="u",
                    previous="pets-1" if number == 2 else None,
                    title=parsed.title,
                    version=parsed.version,
                    format=parsed.format,
                    operations=normalized.operations,
                    domains=normalized.domains,
                    digests=Digests(raw=digest_of(raw), canonical=normalized.digest, short=normalized.digest[7:19]),
                    blobs=SnapshotBlobs(raw=refs[0], canonical=refs[1], operations=refs[2]),
                    fetched_at=AT,
                ),
            )
        )

    def _change_set(
        self, name: str, changes: bytes, old: SpecSnapshot, new: SpecSnapshot, blob: BlobRef | None
    ) -> ChangeSet:
        """With a blob, only the first event stands in the resource."""
        found = msgspec.json.decode(changes, type=Comparison)
        events = [{**msgspec.to_builtins(e), "before": None, "after": None} for e in found.events]
        for event in events:
            if "witness" in event:  # as the persist stage writes it
                event["witness"]["value"] = msgspec.json.encode(event["witness"]["value"]).decode()
        pointers = [
            SnapshotPointer(snapshot=s.metadata.name, version=s.spec.version, digest=s.spec.digests.canonical)
            for s in (old, new)
        ]
        return ChangeSet(
            metadata=ObjectMeta(name=name, namespace=self.namespace),
            spec=ChangeSetSpec(
                dependency="pets",
                job_uid="u",
                from_=pointers[0],
                to=pointers[1],
                summary=msgspec.convert(msgspec.to_builtins(found.summary), ChangeSummary),
                causes=msgspec.convert(msgspec.to_builtins(found.causes), list[ChangeCause])[: 1 if blob else None],
                events=msgspec.convert(events, list[ChangeEvent])[: 1 if blob else None],
                truncated=blob is not None,
                blob=blob,
            ),
        )

    def specsync(self, *words: str | Path, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        environment = os.environ | self.cluster.environment(kubeconfig)
        return subprocess.run([BIN / "specsync", *words], env=environment, capture_output=True, timeout=60, check=False)

    def reads(self, *words: str) -> str:
        outcome = self.specsync(*words, "-n", self.namespace)
        assert (outcome.returncode, outcome.stderr) == (0, b"")
        return outcome.stdout.decode()

    def refuses(self, *words: str | Path, code: int = 1, kubeconfig: Path | None = None) -> str:
        """The one line that says why."""
        outcome = self.specsync(*words, kubeconfig=kubeconfig)
        assert (outcome.returncode, outcome.stdout) == (code, b""), outcome.stderr
        [line] = outcome.stderr.decode().splitlines()
        return line


@pytest.fixture(scope="module")
def shop(cluster: ControlPlane, crds: list[str]) -> Iterator[Shop]:
    name = cluster.create_namespace()
    yield Shop(cluster, name)
    cluster.api.request("DELETE", f"/api/v1/namespaces/{name}")


def test_a_snapshot_in_words(shop: Shop) -> None:
    lines = shop.reads("snapshot", "show", "pets-2").splitlines()
    assert lines[:7] == [
        "Pet shop 2.0",
        "Snapshot    pets-2 of Dependency pets",
        "Previous    pets-1",
        "Fetched     2026-01-02 03:04:05 UTC",
        "Format      openapi-3.1",
        "Operations  2",
        "Domains     orders, pets",
    ]
    assert f"            raw       {digest_of(NEW)}" in lines
    assert f"Blobs       raw        {len(NEW):>6} B  ConfigMap {blob_name(digest_of(NEW))}" in lines


def test_a_snapshot_of_a_first_sync(shop: Shop) -> None:
    assert "Previous    none: this was a first sync\n" in shop.reads("snapshot", "show", "pets-1")


def test_a_snapshot_as_json(shop: Shop) -> None:
    found = json.loads(shop.reads("snapshot", "show", "pets-2", "-o", "json"))
    assert (found["name"], found["namespace"], found["format"]) == ("pets-2", shop.namespace, "openapi-3.1")
    assert found["blobs"]["raw"] == {"backend": "configmap", "key": digest_of(NEW), "size": len(NEW)}


def test_the_operations_as_a_table(shop: Shop) -> None:
    assert shop.reads("snapshot", "operations", "pets-1").splitlines() == [
        "METHOD  PATH          DOMAIN  OPERATION",
        # The operationId holds an escape sequence, which no terminal gets to see.
        "DELETE  /orders/{id}  orders  dropall (deprecated)",
        "GET     /pets         pets    listPets",
    ]


def test_the_operations_as_json(shop: Shop) -> None:
    found = json.loads(shop.reads("snapshot", "operations", "pets-1", "-o", "json"))
    assert [operation["path"] for operation in found] == ["/orders/{id}", "/pets"]
    assert set(found[1]) == {"method", "path", "operationId", "domain", "digest"}


@pytest.mark.parametrize(("name", "document"), [("pets-1", OLD), ("pets-2", NEW)])
def test_the_document_byte_by_byte(shop: Shop, name: str, document: bytes) -> None:
    outcome = shop.specsync("snapshot", "raw", name, "-n", shop.namespace)
    assert (outcome.returncode, outcome.stdout) == (0, document)


def test_the_latest_of_a_dependency(shop: Shop) -> None:
    for spelling in ("dep/pets", "dependency/pets", "dependencies/pets"):
        assert "pets-2 of Dependency pets" in shop.reads("snapshot", "show", spelling)
    assert shop.reads("changes", "dep/pets") == shop.reads("changes", "pets-cut")


def test_changes_worst_first_with_operations(shop: Shop) -> None:
    text = shop.reads("changes", "pets-2")
    lines = text.splitlines()
    assert lines[0] == "Dependency pets: 1.4 (pets-1) → 2.0 (pets-2)"
    assert lines[1].startswith("2 breaking")
    assert text.index("Breaking (2)") < text.index("name") < len(text)
    assert "required property removed" in text
    assert "from 100 to 50" in text
    assert "GET /pets" in text


def test_changes_that_stand_in_the_blob_only_are_the_same(shop: Shop) -> None:
    whole, cut = (shop.reads("changes", name).splitlines() for name in ("pets-2", "pets-cut"))
    assert whole == cut


def test_changes_as_json_have_all_events(shop: Shop) -> None:
    found: dict[str, Any] = json.loads(shop.reads("changes", "pets-cut", "-o", "json"))
    assert (found["dependency"], found["from"]["snapshot"], found["to"]["snapshot"]) == ("pets", "pets-1", "pets-2")
    assert len(found["events"]) == sum(found["summary"][severity] for severity in ("breaking", "risky", "safe"))
    assert {cause["fingerprint"] for cause in found["causes"]} == {event["cause"] for event in found["events"]}


def test_changes_whose_blob_is_lost_are_shown_as_far_as_they_are_there(shop: Shop) -> None:
    outcome = shop.specsync("changes", "pets-lost", "-n", shop.namespace)
    assert outcome.returncode == 0
    assert "Breaking (1)" in outcome.stdout.decode()
    assert "1 causes and 1 events that the ChangeSet itself holds" in outcome.stderr.decode()


def test_as_a_kubectl_plugin(shop: Shop) -> None:
    environment = os.environ | shop.cluster.environment()
    environment["PATH"] = f"{BIN}{os.pathsep}{environment['PATH']}"
    outcome = subprocess.run(
        ["kubectl", "specsync", "snapshot", "operations", "pets-1", "--namespace", shop.namespace],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout == shop.reads("snapshot", "operations", "pets-1")


def test_the_namespace_is_that_of_the_context(shop: Shop, tmp_path: Path) -> None:
    configuration = json.loads(shop.cluster.kubeconfig.read_text())
    other = {"name": "shop", "context": {**configuration["contexts"][0]["context"], "namespace": shop.namespace}}
    configuration["contexts"].append(other)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(configuration))
    words = ("snapshot", "raw", "pets-1", "--kubeconfig", kubeconfig)
    assert shop.specsync(*words, "--context", "shop").stdout == OLD
    assert "doesn't exist in namespace default" in shop.refuses(*words)


def test_a_reader_that_has_seen_enough(shop: Shop) -> None:
    command = f"{BIN / 'specsync'} snapshot operations pets-1 -n {shop.namespace} | head -n 1"
    environment = os.environ | shop.cluster.environment()
    outcome = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], env=environment, capture_output=True, text=True, check=False
    )
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith("METHOD")


def test_what_is_not_there(shop: Shop) -> None:
    space = ("-n", shop.namespace)
    assert shop.refuses("snapshot", "show", "pets-9", *space) == (
        f"specsync snapshot: SpecSnapshot pets-9 doesn't exist in namespace {shop.namespace}; "
        f"list what is there with: kubectl get snap -n {shop.namespace}"
    )
    assert f"kubectl get chg -n {shop.namespace}" in shop.refuses("changes", "pets-9", *space)
    assert f"kubectl get dep -n {shop.namespace}" in shop.refuses("changes", "dep/cats", *space)
    assert shop.refuses("snapshot", "raw", "dep/new", *space) == (
        f"specsync snapshot: Dependency new has no SpecSnapshot yet; see: kubectl describe dep new -n {shop.namespace}"
    )


def test_a_damaged_blob(shop: Shop) -> None:
    name = blob_name(digest_of(OLD))
    shop.cluster.kubectl("delete", "configmap", name, namespace=shop.namespace)
    try:
        line = shop.refuses("snapshot", "raw", "pets-1", "-n", shop.namespace)
    finally:
        asyncio.run(_put(shop, OLD))
    assert f"ConfigMap {name} is gone" in line
    assert "Ask for another sync" in line


async def _put(shop: Shop, content: bytes) -> None:
    client = await KubeClient.connect("test", "test", str(shop.cluster.kubeconfig))
    try:
        dependency = await client.get(Dependency, shop.namespace, "pets")
        await ConfigMapBlobs(client).put(shop.namespace, content, owner_reference(dependency))
    finally:
        await client.close()


def test_without_the_right_to_read(shop: Shop) -> None:
    shop.cluster.kubectl("create", "serviceaccount", "nobody", namespace=shop.namespace)
    kubeconfig = shop.cluster.service_account_kubeconfig(shop.namespace, "nobody")
    line = shop.refuses("snapshot", "show", "pets-1", kubeconfig=kubeconfig)
    assert "cannot get resource" in line
    assert "Ask for the role view" in line


def test_without_a_cluster(shop: Shop, tmp_path: Path) -> None:
    missing = shop.refuses("changes", "x", "--kubeconfig", tmp_path / "none", code=2)
    assert f"({tmp_path / 'none'} doesn't exist). Set KUBECONFIG" in missing
    configuration = json.loads(shop.cluster.kubeconfig.read_text())
    configuration["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    nobody = tmp_path / "nobody"
    nobody.write_text(json.dumps(configuration))
    assert "Is the cluster up?" in shop.refuses("changes", "x", "--kubeconfig", nobody)


def test_without_the_kinds(new_cluster: Any, shop: Shop) -> None:
    plane = new_cluster()
    line = eventually(lambda: shop.refuses("changes", "x", kubeconfig=plane.kubeconfig))
    assert "doesn't know specsync's kinds" in line


def test_a_wrong_call(shop: Shop) -> None:
    for words in (("snapshot",), ("snapshot", "paint", "x"), ("changes",), ("changes", "x", "-o", "xml")):
        outcome = shop.specsync(*words)
        assert outcome.returncode == 2
        assert b"usage: specsync" in outcome.stderr
        assert b"Traceback" not in outcome.stderr
