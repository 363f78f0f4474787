"""The chaos oracle objects to each kind of damage, and to nothing in a record that is as it should be."""

import copy
import dataclasses
from collections.abc import Callable

import pytest

from tests.chaos.fleet import Blow
from tests.chaos.oracle import flaws_of_model, judge, reclaims
from tests.chaos.record import Json, Record, Write

NAME = "api-000"
ONE, TWO = "sha256:1", "sha256:2"


def meta(name: str, version: int, owner: str = "") -> Json:
    owners = [{"uid": owner}] if owner else []
    return {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version), "ownerReferences": owners}


def snapshot(name: str, version: int, digest: str) -> Json:
    refs = {what: {"backend": "configmap", "key": digest} for what in ("raw", "canonical", "operations")}
    spec = {"dependency": NAME, "jobUID": f"uid-{name}", "digests": {"canonical": digest}, "blobs": refs}
    return {"metadata": meta(name, version, f"uid-{NAME}"), "spec": spec}


def change_set(name: str, version: int, before: str, after: str, start: str = "j1") -> Json:
    spec = {
        "dependency": NAME,
        "jobUID": f"uid-{name}",
        "from": {"snapshot": start, "digest": before},
        "to": {"snapshot": name, "digest": after},
        "summary": {"breaking": 1},
        "events": [{"id": "e1", "fingerprint": "f1"}],
    }
    return {"metadata": meta(name, version, f"uid-{NAME}"), "spec": spec}


def blob(digest: str, version: int, owner: str, chunks: int = 0) -> Json:
    name = f"blob-{digest[-1]}"
    labels = {"specsync.dev/blob": "true"}
    return {
        "metadata": meta(name, version, f"uid-{owner}") | {"labels": labels},
        "data": {"digest": digest, "chunks": str(chunks)},
    }


def event(name: str, reason: str) -> Json:
    return {"metadata": meta(name, 1), "reason": reason, "involvedObject": {"kind": "Dependency", "name": NAME}}


def delivery(name: str, version: int) -> Json:
    spec = {"changeSet": "j2", "channel": "hook", "dependency": NAME, "message": {"kind": "Change"}}
    return {"metadata": meta(name, version, "uid-j2"), "spec": spec, "status": {"phase": "Sent"}}


def status_write(version: int, agent: str, phase: str, worker: str, epoch: int, job: str = "j2") -> Write:
    claim = {"worker": worker, "epoch": epoch}
    body = {"metadata": meta(job, version), "status": {"phase": phase, "claim": claim}}
    return Write(float(version), agent, "patch", "syncjobs", "status", job, body)


def dependency_write(version: int, due: str, last: str) -> Write:
    status = {"nextSyncTime": due, "observedGeneration": 1, "lastSync": {"job": last, "jobUID": f"uid-{last}"}}
    body = {"metadata": meta(NAME, version), "status": status}
    return Write(float(version), "specsync-controller/c", "patch", "dependencies", "status", NAME, body)


def job_created(version: int, name: str) -> Write:
    body = {"metadata": meta(name, version), "spec": {"trigger": "Scheduled"}}
    return Write(float(version), "specsync-controller/c", "create", "syncjobs", "", name, body)


A, B, LEADER = "specsync-worker/a", "specsync-worker/b", "specsync-controller/c"


def good() -> Record:
    """One Dependency: a baseline by j1, a change by j2, which worker a began and worker b took over."""
    owner = f"uid-{NAME}"
    jobs = [{"metadata": meta(name, 5, owner), "status": {"phase": "Succeeded"}} for name in ("j1", "j2")]
    return Record(
        objects={
            "dependencies": [{"metadata": meta(NAME, 1), "status": {}}],
            "syncjobs": jobs,
            "specsnapshots": [snapshot("j1", 10, ONE), snapshot("j2", 20, TWO)],
            "changesets": [change_set("j2", 21, ONE, TWO)],
            "configmaps": [blob(ONE, 9, "j1"), blob(TWO, 19, "j2")],
            "alertdeliveries": [delivery("d1", 25)],
            "events": [event("e1", "BaselineCreated"), event("e2", "BreakingChange")],
        },
        writes=[
            job_created(4, "j1"),
            status_write(5, A, "Running", "a", 1, "j1"),
            status_write(6, A, "Succeeded", "a", 1, "j1"),
            dependency_write(7, "12:00", "j1"),
            job_created(11, "j2"),
            status_write(12, A, "Running", "a", 1),
            status_write(13, A, "Running", "a", 1),
            status_write(14, B, "Running", "b", 2),
            status_write(15, B, "Pending", "", 2),
            status_write(16, A, "Running", "a", 3),
            status_write(17, A, "Failed", "a", 3),
            status_write(18, LEADER, "Pending", "", 3),
            status_write(19, B, "Running", "b", 4),
            status_write(20, B, "Succeeded", "b", 4),
            dependency_write(22, "13:00", "j2"),
        ],
        heard={"j2"},
    )


def test_it_has_nothing_to_say_of_a_good_record() -> None:
    assert judge(good(), good(), [NAME]) == []


def _lost_dependency(record: Record) -> None:
    record.objects["dependencies"].clear()


def _nothing_at_all(record: Record) -> None:
    record.objects.clear()
    record.writes.clear()


def _nothing_logged(record: Record) -> None:
    record.writes.clear()


def _nothing_in_the_log_but_names(record: Record) -> None:
    record.writes = [dataclasses.replace(write, object={}) for write in record.writes]


def _doubled_snapshot(record: Record) -> None:
    record.objects["specsnapshots"].append(snapshot("j3", 30, TWO))


def _second_snapshot_of_a_job(record: Record) -> None:
    extra = snapshot("j2-again", 30, "sha256:3")
    extra["spec"]["jobUID"] = "uid-j2"
    record.objects["specsnapshots"].append(extra)


def _lost_snapshot(record: Record) -> None:
    del record.objects["specsnapshots"][1]


def _lost_change_set(record: Record) -> None:
    record.objects["changesets"].clear()


def _doubled_change_set(record: Record) -> None:
    record.objects["changesets"].append(change_set("j3", 30, ONE, TWO))


def _other_events(record: Record) -> None:
    record.objects["changesets"][0]["spec"]["events"][0]["fingerprint"] = "f2"


def _untold_change(record: Record) -> None:
    del record.objects["events"][1]


def _untold_baseline(record: Record) -> None:
    del record.objects["events"][0]


def _told_twice(record: Record) -> None:
    record.objects["events"][1]["count"] = 2


def _doubled_delivery(record: Record) -> None:
    record.objects["alertdeliveries"].append(delivery("d2", 31))


def _deleted_double_of_a_delivery(record: Record) -> None:
    body = delivery("d2", 31)
    record.writes.append(Write(31.0, A, "create", "alertdeliveries", "", "d2", body))


def _lost_delivery(record: Record) -> None:
    record.objects["alertdeliveries"].clear()


def _unheard_delivery(record: Record) -> None:
    record.heard.clear()


def _orphaned_delivery(record: Record) -> None:
    record.objects["alertdeliveries"][0]["metadata"]["ownerReferences"] = [{"uid": "gone"}]


def _second_change_set_of_a_job(record: Record) -> None:
    extra = change_set("j2-again", 30, TWO, ONE, start="j2")
    extra["spec"]["jobUID"] = "uid-j2"
    record.objects["changesets"].append(extra)


def _stuck_delivery(record: Record) -> None:
    record.objects["alertdeliveries"][0]["status"]["phase"] = "Sending"


def _stuck_job(record: Record) -> None:
    record.objects["syncjobs"][1]["status"]["phase"] = "Running"


def _lost_job(record: Record) -> None:
    record.writes.append(job_created(40, "j9"))


def _active_job(record: Record) -> None:
    record.objects["dependencies"][0]["status"]["activeJob"] = {"name": "j2"}


def _missed_sync(record: Record) -> None:
    record.writes.append(dependency_write(41, "14:00", "j2"))


def _orphaned_blob(record: Record) -> None:
    record.objects["configmaps"].append(blob("sha256:4", 30, "gone"))


def _orphaned_job(record: Record) -> None:
    record.objects["syncjobs"][0]["metadata"]["ownerReferences"] = [{"uid": "gone"}]


def _lost_blob(record: Record) -> None:
    del record.objects["configmaps"][1]


def _in_an_object_store_that_lost_it(record: Record) -> None:
    for ref in record.objects["specsnapshots"][1]["spec"]["blobs"].values():
        ref["backend"] = "s3"
    record.stored = {ONE.removeprefix("sha256:")}


def _snapshot_without_content(record: Record) -> None:
    del record.objects["specsnapshots"][1]["spec"]["blobs"]["raw"]


def _lost_chunk(record: Record) -> None:
    record.objects["configmaps"][1]["data"]["chunks"] = "1"


def _stale_write(record: Record) -> None:
    record.writes.insert(8, status_write(14, A, "Running", "a", 1))


def _stale_write_in_the_new_epoch(record: Record) -> None:
    record.writes.append(status_write(14, A, "Running", "b", 2))


def _write_after_the_end(record: Record) -> None:
    record.writes.append(status_write(21, B, "Running", "b", 4))


def _epoch_that_nobody_claimed(record: Record) -> None:
    record.writes.append(status_write(23, LEADER, "Pending", "", 4))
    record.writes.append(status_write(24, A, "Running", "a", 6))


def _claim_for_another(record: Record) -> None:
    record.writes.append(status_write(23, LEADER, "Pending", "", 4))
    record.writes.append(status_write(24, A, "Running", "b", 5))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_lost_dependency, "the Dependency is gone"),
        (_nothing_at_all, "the Dependency is gone"),
        (_nothing_logged, "knows nothing of job j2"),
        (_nothing_in_the_log_but_names, "knows nothing of job j2"),
        (_doubled_snapshot, "repeats"),
        (_second_snapshot_of_a_job, "2 specsnapshots of one job"),
        (_lost_snapshot, "snapshots are"),
        (_second_change_set_of_a_job, "2 changesets of one job"),
        (_lost_change_set, "change sets are"),
        (_doubled_change_set, "2 change sets start at"),
        (_other_events, "their events not"),
        (_untold_change, "0 Events tell of 1"),
        (_untold_baseline, "not one Event tells of its baseline"),
        (_told_twice, "was written 2 times"),
        (_doubled_delivery, "2 deliveries of change set j2"),
        (_deleted_double_of_a_delivery, "2 deliveries of change set j2"),
        (_lost_delivery, "deliveries are {}"),
        (_unheard_delivery, "nobody has heard of j2"),
        (_orphaned_delivery, "alertdeliveries d1 belongs to nothing"),
        (_stuck_delivery, "is Sending at the end"),
        (_stuck_job, "is Running at the end"),
        (_lost_job, "j9 is gone, and had not ended"),
        (_active_job, "still the active job"),
        (_missed_sync, "due at 13:00 didn't happen"),
        (_orphaned_blob, "belongs to nothing"),
        (_orphaned_job, "belongs to nothing"),
        (_lost_blob, "has lost its canonical content"),
        (_in_an_object_store_that_lost_it, "has lost its canonical content"),
        (_snapshot_without_content, "says nothing of its raw content"),
        (_lost_chunk, "has lost its canonical content"),
        (_stale_write, "after epoch 2 had been claimed"),
        (_stale_write_in_the_new_epoch, "wrote epoch 2, which"),
        (_write_after_the_end, "after the job had ended"),
        (_epoch_that_nobody_claimed, "was never claimed"),
        (_claim_for_another, "for b"),
    ],
)
def test_it_objects_to_damage(damage: Callable[[Record], None], words: str) -> None:
    record = copy.deepcopy(good())
    damage(record)
    complaints = judge(record, good(), [NAME])
    assert any(words in complaint for complaint in complaints), complaints


def test_a_pass_that_finds_or_tells_nothing_is_no_model() -> None:
    assert flaws_of_model(good(), 2) == []
    assert flaws_of_model(good(), 3) == [f"Undisturbed, {NAME} has 2 snapshots of 3."]
    for damage, words in ((_lost_change_set, "0 change sets"), (_lost_delivery, "1 change sets and 0 deliveries")):
        record = good()
        damage(record)
        assert words in flaws_of_model(record, 2)[0]


def test_a_killed_api_server_may_have_lost_the_entry_of_a_claim() -> None:
    record = good()
    _epoch_that_nobody_claimed(record)
    assert judge(record, good(), [NAME], log_may_lack=True) == []


def test_the_time_of_a_takeover_counts_from_the_blow_to_the_newer_claim() -> None:
    blow = Blow(at=13.5, kind="kill a worker", worker="a")
    assert reclaims(good(), [blow, Blow(at=13.5, kind="kill a worker", worker="b")]) == [(blow, 0.5)]
