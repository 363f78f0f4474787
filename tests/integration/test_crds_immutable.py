"""What can't be changed any more once the API server has it, and how it is found."""

import copy
import json

import pytest

from devcluster.controlplane import ControlPlane
from devcluster.errors import KubectlError
from tests.integration.applying import Patch, apply, patch_spec, sync_job

IMMUTABLE = "a SyncJob's spec can't be changed, but for cancel: create another one"
CHANGES: dict[str, tuple[Patch, str]] = {
    "target": ({"target": {"name": "other"}}, IMMUTABLE),
    "trigger": ({"trigger": "Manual"}, IMMUTABLE),
    "trigger removed": ({"trigger": None}, IMMUTABLE),
    "activeDeadlineSeconds": ({"activeDeadlineSeconds": 70}, IMMUTABLE),
    "activeDeadlineSeconds removed": ({"activeDeadlineSeconds": None}, IMMUTABLE),
    "ttlSecondsAfterFinished": ({"ttlSecondsAfterFinished": 70}, IMMUTABLE),
    "ttlSecondsAfterFinished removed": ({"ttlSecondsAfterFinished": None}, IMMUTABLE),
    "cancel taken back": ({"cancel": False}, "cancel can't be taken back: create another SyncJob"),
    "cancel removed": ({"cancel": None}, "cancel can't be taken back: create another SyncJob"),
}


@pytest.fixture(scope="module")
def cancelled_job(cluster: ControlPlane, space: str) -> str:
    """A job with each field set to something else than its default, then cancelled."""
    body = sync_job("shop-1700000001", trigger="Scheduled", activeDeadlineSeconds=60, ttlSecondsAfterFinished=60)
    apply(cluster, space, body)
    patch_spec(cluster, space, "syncjob", "shop-1700000001", {"cancel": True})
    return "shop-1700000001"


@pytest.mark.parametrize("case", CHANGES)
def test_a_sync_job_cannot_be_changed(cluster: ControlPlane, space: str, cancelled_job: str, case: str) -> None:
    change, message = CHANGES[case]
    with pytest.raises(KubectlError) as caught:
        patch_spec(cluster, space, "syncjob", cancelled_job, change)
    assert message in caught.value.stderr


def test_an_optional_field_cannot_be_added_to_a_sync_job(cluster: ControlPlane, space: str) -> None:
    apply(cluster, space, sync_job("plain"))
    with pytest.raises(KubectlError) as caught:
        patch_spec(cluster, space, "syncjob", "plain", {"ttlSecondsAfterFinished": 5})
    assert IMMUTABLE in caught.value.stderr


def test_metadata_of_a_sync_job_can_be_changed(cluster: ControlPlane, space: str, cancelled_job: str) -> None:
    cluster.kubectl("annotate", "syncjob", cancelled_job, "specsync.dev/retryRequestedAt=1", namespace=space)
    note = cluster.kubectl("get", "sjob", cancelled_job, "-o", "jsonpath={.metadata.annotations}", namespace=space)
    assert json.loads(note)["specsync.dev/retryRequestedAt"] == "1"


DIGEST = "sha256:" + "0" * 64
BLOB = {"backend": "configmap", "key": DIGEST, "size": 1}
SNAPSHOT: Patch = {
    "apiVersion": "specsync.dev/v1alpha1",
    "kind": "SpecSnapshot",
    "metadata": {"name": "shop-1700000000"},
    "spec": {
        "dependency": "shop",
        "jobUID": "u",
        "previous": "shop-1600000000",
        "title": "Shop",
        "version": "1",
        "format": "openapi-3.1",
        "operations": 3,
        "domains": ["orders"],
        "digests": {"raw": DIGEST, "canonical": DIGEST, "short": "000000000000"},
        "blobs": {"raw": BLOB, "canonical": BLOB, "operations": BLOB},
        "fetchedAt": "2026-01-02T03:04:05Z",
    },
}
POINTER = {"snapshot": "shop-1", "version": "1", "digest": DIGEST}
CHANGE_SET: Patch = {
    "apiVersion": "specsync.dev/v1alpha1",
    "kind": "ChangeSet",
    "metadata": {"name": "shop-1700000000"},
    "spec": {
        "dependency": "shop",
        "jobUID": "u",
        "from": POINTER,
        "to": {**POINTER, "version": "2"},
        "summary": {"breaking": 1, "risky": 0, "safe": 0, "kinds": {"response": 1}},
        "truncated": True,
        "blob": BLOB,
    },
}


@pytest.mark.parametrize(
    ("body", "change"),
    [
        (SNAPSHOT, {"title": "Other"}),
        (SNAPSHOT, {"previous": None}),
        (SNAPSHOT, {"blobs": {"raw": {"size": 2}}}),
        (SNAPSHOT, {"domains": []}),
        (CHANGE_SET, {"to": {"version": "3"}}),
        (CHANGE_SET, {"summary": {"breaking": 0}}),
        (CHANGE_SET, {"blob": None}),
        (CHANGE_SET, {"causes": []}),
    ],
    ids=lambda value: value.get("kind") or json.dumps(value),
)
def test_what_a_stage_found_cannot_be_changed(cluster: ControlPlane, space: str, body: Patch, change: Patch) -> None:
    apply(cluster, space, body)
    with pytest.raises(KubectlError) as caught:
        patch_spec(cluster, space, body["kind"], body["metadata"]["name"], change)
    assert f"a {body['kind']} is immutable" in caught.value.stderr


def test_snapshots_and_change_sets_can_be_selected_by_dependency(cluster: ControlPlane, space: str) -> None:
    for body in (SNAPSHOT, CHANGE_SET):
        apply(cluster, space, body)
        other = copy.deepcopy(body)
        other["metadata"]["name"] = "other-1700000000"
        other["spec"]["dependency"] = "other"
        apply(cluster, space, other)
    words = ("get", "snap,chg", "--field-selector", "spec.dependency=other", "-o", "name")
    assert cluster.kubectl(*words, namespace=space).split() == [
        "specsnapshot.specsync.dev/other-1700000000",
        "changeset.specsync.dev/other-1700000000",
    ]
