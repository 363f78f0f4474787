"""Content in ConfigMaps that somebody deletes or replaces: found by a sync that looks at it, and stored anew."""

import base64
import secrets
from typing import Any

from specsync.blobs.configmap import blob_name
from tests.integration.crew import contract
from tests.integration.documents import Documents
from tests.integration.user import User, sync_job
from tests.waiting import eventually


def baseline(user: User, documents: Documents) -> Any:
    """A Dependency on a document that doesn't compress, so that its blob has chunks; its snapshot."""
    document = contract("Shop") | {"x-noise": secrets.token_hex(300_000)}
    user.depend_on("shop", documents.publish(f"/{user.namespace}/openapi.json", document))
    user.wait("dep/shop", "Ready")
    [snapshot] = user.all("snap")
    return snapshot


def verify(user: User, number: int = 1) -> list[tuple[str, str]]:
    """Asks for a sync that looks at what is stored; type and reason of the Events that are not about the baseline."""
    value = f"verify-{number}"
    user.kubectl("annotate", "--overwrite", "dep/shop", f"specsync.dev/requestedAt={value}")

    def handled(status: Any) -> bool:
        request = status.get("lastHandledRequest", {})
        return bool(request.get("value") == value and request.get("outcome") == "Unchanged")

    user.status_when("shop", handled, timeout=60)
    return [(type_, reason) for type_, reason, _ in user.events("shop") if reason != "BaselineCreated"]


def owners(user: User, name: str) -> set[str]:
    return {each["uid"] for each in user.get(f"cm/{name}")["metadata"]["ownerReferences"]}


def test_a_chunk_that_is_gone(user: User, documents: Documents) -> None:
    snapshot = baseline(user, documents)
    name = blob_name(snapshot["spec"]["blobs"]["raw"]["key"])
    assert verify(user) == []
    user.kubectl("delete", "cm", f"{name}-0")
    assert verify(user, 2) == [("Warning", "BlobMissing")]
    assert user.get(f"cm/{name}-0")["binaryData"]
    assert snapshot["metadata"]["uid"] in owners(user, name)
    assert verify(user, 3) == [("Warning", "BlobMissing")], "no second Event: all is well"
    assert user.names("snap") == {snapshot["metadata"]["name"]}


def test_all_of_it_gone_or_replaced(user: User, documents: Documents) -> None:
    snapshot = baseline(user, documents)
    blobs = snapshot["spec"]["blobs"]
    raw, canonical = blob_name(blobs["raw"]["key"]), blob_name(blobs["canonical"]["key"])
    replaced = user.get(f"cm/{canonical}")
    user.kubectl("delete", "cm", raw, canonical)
    eventually(lambda: f"{raw}-0" not in user.names("cm"), what="the chunks to follow their manifest")
    replaced["binaryData"] = {"content": base64.b64encode(b"something else").decode()}
    replaced["metadata"] = {key: replaced["metadata"][key] for key in ("name", "labels", "ownerReferences")}
    user.kubectl("create", "-f", "-", stdin=replaced)
    assert verify(user) == [("Warning", "BlobMissing")]
    for name in (raw, canonical):
        assert snapshot["metadata"]["uid"] in owners(user, name), "it lives as long as its snapshot"
    assert verify(user, 2) == [("Warning", "BlobMissing")]


def test_a_manifest_that_is_none(user: User, documents: Documents) -> None:
    snapshot = baseline(user, documents)
    name = blob_name(snapshot["spec"]["blobs"]["raw"]["key"])
    manifest = user.get(f"cm/{name}")
    user.kubectl("delete", "cm", name)
    manifest["metadata"] = {key: manifest["metadata"][key] for key in ("name", "labels", "ownerReferences")}
    manifest["data"]["chunks"] = "several"
    user.kubectl("create", "-f", "-", stdin=manifest)
    assert verify(user) == [("Warning", "BlobCorrupted")]
    assert user.get(f"cm/{name}")["data"]["chunks"] == "1"


def test_jobs_for_what_is_not_there_dont_pile_up(user: User) -> None:
    """They are no Dependency's, so no history bounds them."""
    user.apply(*(sync_job(f"stray-{number}", "nobody", ttlSecondsAfterFinished=0) for number in range(3)))
    eventually(lambda: user.names("sjob"), until=lambda names: not names, timeout=30, what="the stray jobs to go")
