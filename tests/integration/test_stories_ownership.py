"""What belongs to whom: deletion, GitOps, shared and large blobs."""

import base64
import hashlib
import json
import lzma
import os
import random
from pathlib import Path

import pytest
import zstandard

from tests.conftest import PROJECT
from tests.integration.crew import contract
from tests.integration.documents import Documents
from tests.integration.processes import Operator
from tests.integration.user import User, dependency
from tests.waiting import eventually

CONFORMANCE = Path(os.environ.get("SPECSYNC_CONFORMANCE_DIR") or PROJECT.parent / "shared" / "conformance")
LARGE = CONFORMANCE / "real" / "github-23.0.2.json.xz"


def path_for(user: User, file: str = "openapi.json") -> str:
    return f"/{user.namespace}/{file}"


def with_a_change(user: User, documents: Documents, name: str) -> None:
    """A Dependency with a baseline, a change, and three jobs."""
    path = path_for(user, f"{name}.json")
    user.depend_on(name, documents.publish(path, contract(name, fields=3)))
    user.wait(f"dep/{name}", "Ready")
    documents.publish(path, contract(name, version="2", fields=2))
    user.sync(name, "Changed")
    user.wait(f"sjob/{user.create_job(name)}", "Complete")
    user.status_when(name, lambda s: "activeJob" not in s)


def read_blob(user: User, key: str) -> bytes:
    """A blob's content, put together as its layout says."""
    name = f"specsync-blob-{key.removeprefix('sha256:')[:40]}"
    manifest = user.get(f"cm/{name}")
    if "content" in manifest.get("binaryData", {}):
        packed = base64.b64decode(manifest["binaryData"]["content"])
    else:
        chunks = [user.get(f"cm/{name}-{index}") for index in range(int(manifest["data"]["chunks"]))]
        packed = b"".join(base64.b64decode(chunk["binaryData"]["chunk"]) for chunk in chunks)
    return zstandard.ZstdDecompressor().decompress(packed, max_output_size=int(manifest["data"]["size"]))


def test_a_deleted_dependency_takes_all_that_it_owned_along_and_nothing_else(user: User, documents: Documents) -> None:
    with_a_change(user, documents, "kept")
    kept = {kind: user.names(kind) for kind in ("dep", "sjob", "snap", "chg", "cm")}
    with_a_change(user, documents, "shop")
    assert len(user.all("sjob")) == 6
    user.kubectl("delete", "dep", "shop")
    for kind, names in kept.items():
        user.eventually_names(kind, names)
    user.sync("kept", "Unchanged")


def test_a_dependency_that_is_deleted_in_the_middle_of_a_sync_leaves_nothing(user: User, documents: Documents) -> None:
    path = path_for(user)
    others = user.names("cm")
    with documents.held(path):
        user.depend_on("shop", documents.publish(path, contract("Shop")))
        eventually(lambda: documents.asked(path))
        user.kubectl("delete", "dep", "shop")
        user.eventually_names("sjob", set())
    # The worker is done with it when it takes the next one.
    user.depend_on("next", documents.publish(path_for(user, "next.json"), contract("Next")))
    user.wait("dep/next", "Ready")
    user.kubectl("delete", "dep", "next")
    for kind, names in (("sjob", set()), ("snap", set()), ("cm", others)):
        user.eventually_names(kind, names)
    assert user.reasons("shop") == []


def test_a_dependency_made_anew_under_the_same_name_starts_anew(user: User, documents: Documents) -> None:
    path = path_for(user)
    user.depend_on("shop", documents.publish(path, contract("Shop", fields=3)))
    user.wait("dep/shop", "Ready")
    # A tool's request that is part of the manifest comes back with it.
    user.kubectl("annotate", "dep/shop", "specsync.dev/requestedAt=same")
    user.status_when("shop", lambda s: s["lastHandledRequest"]["outcome"] == "Unchanged")
    old = user.get("dep/shop")["metadata"]["uid"]
    documents.publish(path, contract("Shop", version="2", fields=2))
    manifest = dependency("shop", {"url": documents.url(path)})
    manifest["metadata"]["annotations"] = {"specsync.dev/requestedAt": "same"}
    user.kubectl("delete", "dep", "shop")
    user.apply(manifest)
    user.wait("dep/shop", "Ready")
    status = user.status_when("shop", lambda s: s["lastHandledRequest"]["outcome"] not in ("", "Requested"), 60)
    assert status["current"]["version"] == "2"
    assert status["baseline"] == status["current"]
    assert user.names("chg") == set()

    def settled() -> bool:
        jobs, snapshots = user.all("sjob"), user.all("snap")
        owners = {each["metadata"]["ownerReferences"][0]["uid"] for each in (*jobs, *snapshots)}
        return len(snapshots) == 1 and old not in owners

    eventually(settled, timeout=60, what="all that the old one owned to go")


def test_gitops_finds_nothing_changed_and_changes_nothing(user: User, documents: Documents) -> None:
    def apply(manifest: object) -> None:
        user.kubectl("apply", "--server-side", "--field-manager=flux", "-f", "-", stdin=manifest)

    path = path_for(user)
    manifest = dependency("shop", {"url": documents.publish(path, contract("Shop"))}, interval="6h")
    manifest["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "flux"}
    apply(manifest)
    user.wait("dep/shop", "Ready")
    documents.publish(path, contract("Shop", version="2", fields=2))
    user.sync("shop", "Changed")

    before = user.get("dep/shop")
    apply(manifest)
    after = user.get("dep/shop")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert before["spec"] == after["spec"]
    assert before["metadata"]["generation"] == 1
    assert before["metadata"]["labels"] == manifest["metadata"]["labels"]
    assert before["metadata"].get("finalizers") is None
    # The operator owns the status, and nothing else.
    managers = {each["manager"]: each for each in before["metadata"]["managedFields"]}
    assert set(managers["specsync-controller"]["fieldsV1"]) == {"f:status"}
    assert managers["specsync-controller"]["subresource"] == "status"

    manifest["spec"]["interval"] = "1h"
    apply(manifest)
    user.status_when("shop", lambda s: s["observedGeneration"] == 2)
    # Children bear no labels of GitOps' that would make it prune them.
    for kind in ("sjob", "snap", "chg"):
        assert all("labels" not in each["metadata"] for each in user.all(kind))


def test_dependencies_on_the_same_document_share_its_blobs(user: User, documents: Documents) -> None:
    url = documents.publish(path_for(user), contract("Shop"))
    user.depend_on("one", url)
    user.wait("dep/one", "Ready")
    blobs = user.blobs()
    user.depend_on("two", url)
    user.wait("dep/two", "Ready")
    assert user.blobs() == blobs

    user.kubectl("delete", "dep", "one")
    eventually(lambda: {s["spec"]["dependency"] for s in user.all("snap")} == {"two"}, timeout=60)
    [snapshot] = user.all("snap")
    owner = snapshot["metadata"]["uid"]

    def only_by_two() -> bool:
        jobs = {each["metadata"]["uid"] for each in user.all("sjob")}
        manifests = [user.get(f"cm/{name}") for name in blobs]
        owners = {o["uid"] for each in manifests for o in each["metadata"]["ownerReferences"]}
        return owner in owners and owners <= {owner, *jobs}

    eventually(only_by_two, timeout=60, what="the garbage collector to drop the owners that are gone")
    for ref in snapshot["spec"]["blobs"].values():
        assert "sha256:" + hashlib.sha256(read_blob(user, ref["key"])).hexdigest() == ref["key"]
    documents.publish(path_for(user), contract("Shop", version="2", fields=2))
    user.sync("two", "Changed")


@pytest.mark.skipif(not LARGE.exists(), reason="needs the conformance documents: set SPECSYNC_CONFORMANCE_DIR")
def test_a_document_of_13_mb_goes_through_in_chunks(user: User, documents: Documents, operator: Operator) -> None:
    content = lzma.decompress(LARGE.read_bytes())
    path = path_for(user, "github.json")
    user.depend_on("github", documents.publish(path, content))
    user.wait("dep/github", "Ready", timeout=180)
    [snapshot] = user.all("snap")
    raw = snapshot["spec"]["blobs"]["raw"]
    assert raw["size"] == len(content)
    assert raw["key"] == "sha256:" + hashlib.sha256(content).hexdigest()
    assert read_blob(user, raw["key"]) == content
    manifest = user.get(f"cm/specsync-blob-{raw['key'][7:47]}")
    assert int(manifest["data"]["chunks"]) > 0
    assert snapshot["spec"]["operations"] > 900

    # A change, and 1 MB that no compression makes smaller: more than one ConfigMap holds.
    changed = {**json.loads(content), "x-noise": random.Random(1).randbytes(1_000_000).hex()}
    del changed["paths"][sorted(changed["paths"])[0]]
    documents.publish(path, changed)
    name = user.sync("github", "Changed", timeout=180)["metadata"]["name"]
    assert user.get(f"chg/{name}")["spec"]["summary"]["breaking"] >= 1
    raw = user.get(f"snap/{name}")["spec"]["blobs"]["raw"]
    assert int(user.get(f"cm/specsync-blob-{raw['key'][7:47]}")["data"]["chunks"]) > 1
    assert "sha256:" + hashlib.sha256(read_blob(user, raw["key"])).hexdigest() == raw["key"]
    log = operator.log()
    assert "lease has run out" not in log
    assert "lease not renewed" not in log
