"""Content in a real S3 server: what a user sees of it, and of its trouble. None of it is the Dependency's fault."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster import ControlPlane, ObjectServer
from tests.conftest import PROJECT, OperatorKubeconfig
from tests.integration import objectstore
from tests.integration.crew import contract
from tests.integration.documents import Documents
from tests.integration.processes import Operator
from tests.integration.user import User
from tests.waiting import eventually

BIN = PROJECT / ".venv" / "bin"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """The S3 server's own small disk, or None."""
    folder = tmp_path_factory.mktemp("disk")
    with objectstore.small_disk(folder) as mounted:
        yield folder if mounted else None


@pytest.fixture(scope="module")
def server(disk: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    with ObjectServer(tmp_path_factory.mktemp("s3"), disk) as server:
        yield server


@pytest.fixture(scope="module")
def operator_options(
    cluster: ControlPlane, operator_kubeconfig: OperatorKubeconfig, server: ObjectServer
) -> Iterator[tuple[str, ...]]:
    operator_kubeconfig("worker")  # the namespace of the Secret is there then
    with objectstore.granted(cluster, server):
        yield objectstore.options(server)


def publish(documents: Documents, user: User, version: str, *, fields: int = 3) -> str:
    return documents.publish(f"/{user.namespace}/openapi.json", contract("Shop", version=version, fields=fields))


def baseline(user: User, documents: Documents, name: str = "shop") -> None:
    user.depend_on(name, publish(documents, user, "1"))
    user.wait(f"dep/{name}", "Ready")


def objects(server: ObjectServer, user: User) -> list[Path]:
    return [path for path in server.folder.rglob("*.zst") if user.namespace in path.parts]


def object_of(server: ObjectServer, user: User, ref: dict[str, Any]) -> Path:
    [path] = [path for path in objects(server, user) if path.stem == ref["key"].removeprefix("sha256:")]
    return path


def specsync(cluster: ControlPlane, user: User, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [BIN / "specsync", *words, "-n", user.namespace]
    settings = os.environ | cluster.environment() | environment
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)


def test_content_goes_to_the_bucket_and_a_reader_uses_their_own_credentials(
    user: User, documents: Documents, cluster: ControlPlane, server: ObjectServer, operator: Operator
) -> None:
    baseline(user, documents)
    [snapshot] = user.all("snap")
    blobs = snapshot["spec"]["blobs"]
    assert {ref["backend"] for ref in blobs.values()} == {"s3"}
    assert {path.stem for path in objects(server, user)} >= {r["key"].removeprefix("sha256:") for r in blobs.values()}
    assert user.blobs() == set(), "nothing of it is in the cluster"
    publish(documents, user, "2", fields=2)
    assert user.sync("shop", "Changed")

    refused = specsync(cluster, user, "snapshot", "raw", snapshot["metadata"]["name"])
    assert refused.returncode == 1
    assert "--blob-store" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    words = ("snapshot", "raw", snapshot["metadata"]["name"], "--blob-store", f"s3://{server.bucket}/a-cluster")
    assert '"version": "1"' in specsync(cluster, user, *words, **server.settings).stdout

    seen = operator.log() + user.kubectl("get", "dep,sjob,snap,chg,events", "-o", "json")
    assert server.secret_key not in seen
    assert server.access_key not in seen


def retrying(user: User, name: str, reason: str) -> Any:
    """Waits till the Dependency says that its sync failed for this reason, and that another attempt follows."""
    message = eventually(
        lambda: user.condition(f"dep/{name}", "Reconciling"),
        until=lambda found: found["reason"] == "Retrying" and reason in str(job_errors(user, name)),
        timeout=30,
        what=f"{name} to be retrying for {reason}",
    )["message"]
    assert "s3://specsync/a-cluster" in message
    return message


def job_errors(user: User, name: str) -> list[str]:
    jobs = [job["status"] for job in user.all("sjob") if job["spec"]["target"]["name"] == name]
    return [status["error"]["reason"] for status in jobs if "error" in status]


def changed(user: User, name: str) -> Any:
    status = user.status_when(name, lambda s: s["lastSync"]["result"] == "Changed" and "activeJob" not in s, timeout=60)
    assert (status["health"]["state"], status["health"].get("consecutiveFailures", 0)) == ("healthy", 0)
    return status


def test_a_server_that_is_killed_delays_a_sync_and_is_not_the_dependencys_fault(
    user: User, documents: Documents, server: ObjectServer
) -> None:
    baseline(user, documents)
    server.kill()
    try:
        publish(documents, user, "2", fields=2)
        user.request_sync("shop")
        assert "can't be reached" in retrying(user, "shop", "BlobStoreUnavailable")
    finally:
        server.start()
    changed(user, "shop")
    [change_set] = user.all("chg")
    assert change_set["spec"]["summary"]["breaking"] >= 1


def test_a_server_that_answers_nothing_holds_up_nobody_else(
    user: User, documents: Documents, server: ObjectServer
) -> None:
    baseline(user, documents)
    user.depend_on("other", documents.publish(f"/{user.namespace}/other.json", contract("Other")))
    user.wait("dep/other", "Ready")
    server.freeze()
    try:
        publish(documents, user, "2", fields=2)
        user.request_sync("shop")
        user.sync("other", "Unchanged")
        assert "didn't answer in time" in retrying(user, "shop", "BlobStoreUnavailable")
    finally:
        server.thaw()
    changed(user, "shop")


def test_a_full_disk(user: User, documents: Documents, server: ObjectServer, disk: Path | None) -> None:
    if disk is None:
        pytest.skip("needs the right to mount a small file system")
    baseline(user, documents)
    with objectstore.full(disk):
        publish(documents, user, "2", fields=2)
        user.request_sync("shop")
        assert "is full" in retrying(user, "shop", "BlobStoreFull")
    changed(user, "shop")


def test_credentials_are_rotated_without_a_restart(
    user: User, documents: Documents, server: ObjectServer, cluster: ControlPlane
) -> None:
    baseline(user, documents)
    server.kill()
    server.secret_key = secrets.token_hex(16)
    server.start()
    publish(documents, user, "2", fields=2)
    user.request_sync("shop")
    assert "refuses the operator" in retrying(user, "shop", "BlobStoreRefused")
    objectstore.write_secret(cluster, server.settings)
    changed(user, "shop")


def test_a_flipped_byte_is_found_and_stored_anew(
    user: User, documents: Documents, server: ObjectServer, cluster: ControlPlane
) -> None:
    baseline(user, documents)
    [snapshot] = user.all("snap")
    damaged = object_of(server, user, snapshot["spec"]["blobs"]["raw"])
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])

    words = ("snapshot", "raw", "dep/shop", "--blob-store", f"s3://{server.bucket}/a-cluster")
    refused = specsync(cluster, user, *words, **server.settings)
    assert refused.returncode == 1
    assert "requestedAt=verify-" in refused.stderr
    repair(user, "shop", "BlobCorrupted")
    assert '"version": "1"' in specsync(cluster, user, *words, **server.settings).stdout
    assert user.names("snap") == {snapshot["metadata"]["name"]}


def repair(user: User, name: str, reason: str) -> None:
    """Asks for a sync that looks at what is stored, as the messages say."""
    user.kubectl("annotate", "--overwrite", f"dep/{name}", "specsync.dev/requestedAt=verify-1")
    user.status_when(name, lambda s: s.get("lastHandledRequest", {}).get("outcome") == "Unchanged")
    events = [(type_, message) for type_, each, message in user.events(name) if each == reason]
    assert [type_ for type_, _ in events] == ["Warning"]
    assert events[0][1].endswith("; it is stored anew")


def test_lost_content_is_a_condition_until_the_vendor_answers_again(
    user: User, documents: Documents, server: ObjectServer
) -> None:
    baseline(user, documents)
    path = f"/{user.namespace}/openapi.json"
    [snapshot] = user.all("snap")
    for ref in snapshot["spec"]["blobs"].values():
        object_of(server, user, ref).unlink()
    documents.publish(path, b"gone", status=404)
    user.kubectl("annotate", "--overwrite", "dep/shop", "specsync.dev/requestedAt=verify-1")
    condition = eventually(lambda: user.condition("dep/shop", "ContentDamaged"), timeout=30)
    assert (condition["status"], condition["reason"]) == ("True", "BlobMissing")

    publish(documents, user, "1")
    user.sync("shop", "Unchanged")
    assert {each["type"] for each in user.get("dep/shop")["status"]["conditions"]} == {"Ready", "SpecValid"}
    for ref in snapshot["spec"]["blobs"].values():
        assert object_of(server, user, ref).exists()


def test_lost_content_of_a_document_that_has_changed_since_is_a_new_start(
    user: User, documents: Documents, server: ObjectServer
) -> None:
    baseline(user, documents)
    [snapshot] = user.all("snap")
    for name in ("raw", "canonical"):
        object_of(server, user, snapshot["spec"]["blobs"][name]).unlink()
    publish(documents, user, "2", fields=2)
    job = user.sync("shop", "Baseline")
    [complete] = [each for each in job["status"]["conditions"] if each["type"] == "Complete"]
    assert "a new baseline: the content of SpecSnapshot" in complete["message"]
    assert "BlobMissing" in user.reasons("shop")
    publish(documents, user, "3", fields=1)
    user.sync("shop", "Changed")
