"""Judges a chaos run by what the API server holds and has logged. Knows nothing of the operator's code.

Of the operator it knows what users see: the fields of the kinds, and that a process's User-Agent ends with its id,
after `specsync-worker/` or `specsync-controller/`.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.contracts import SERIES, number_of
from tests.chaos.fleet import Blow
from tests.chaos.record import Json, Record, Write

_FINISHED = ("Succeeded", "Failed", "Cancelled")
_DELIVERED = ("Sent", "Suppressed")
_WORKER = "specsync-worker/"
_CONTENTS = {"raw", "canonical", "operations"}
_TELLING = ("BreakingChange", "ContractChanged")


@dataclass(frozen=True)
class Findings:
    """What was found of one Dependency, in its order."""

    snapshots: tuple[str, ...]
    """Digests of the canonical forms."""
    change_sets: tuple[tuple[str, str, str, tuple[str, ...]], ...]
    """Digest before, digest after, counts, fingerprints of all events."""


def findings_of(record: Record, name: str) -> Findings:
    snapshots = sorted(_of_dependency(record, "specsnapshots", name), key=_created)
    change_sets = sorted(_of_dependency(record, "changesets", name), key=_created)
    return Findings(
        tuple(each["spec"]["digests"]["canonical"] for each in snapshots),
        tuple(
            (
                each["spec"]["from"]["digest"],
                each["spec"]["to"]["digest"],
                str(sorted(each["spec"]["summary"].items())),
                tuple(event.get("fingerprint", event["id"]) for event in each["spec"].get("events", [])),
            )
            for each in change_sets
        ),
    )


def judge(record: Record, undisturbed: Record, names: Sequence[str], *, log_may_lack: bool = False) -> list[str]:
    """What is wrong, as sentences; empty where a user can't tell the run from the undisturbed one.

    `names` are those of all Dependencies. `log_may_lack`: the API server was killed, so that a write may be missing in
    its audit log.
    """
    return [
        *_missing(record, names),
        *_unlogged(record),
        *_differences(record, undisturbed),
        *_doubled(record),
        *_stuck(record),
        *_lost_jobs(record),
        *_missed_syncs(record),
        *_orphans(record),
        *_dangling(record),
        *_unheard(record),
        *_stale_writes(record, log_may_lack=log_may_lack),
    ]


def flaws_of_model(undisturbed: Record, versions: int) -> list[str]:
    """Why an undisturbed pass is no model: where it finds nothing, a run that finds nothing is like it."""
    flaws = []
    for name in _names(undisturbed):
        found, sent = findings_of(undisturbed, name), _delivered(undisturbed, name)
        if len(found.snapshots) != versions:
            flaws.append(f"Undisturbed, {name} has {len(found.snapshots)} snapshots of {versions}.")
        if not found.change_sets or sent["Change"] != len(found.change_sets):
            told = sent["Change"]
            flaws.append(f"Undisturbed, {name} has {len(found.change_sets)} change sets and {told} deliveries.")
    return flaws


def unsettled(record: Record) -> list[str]:
    """What may still come right by itself, within a while: jobs that run, garbage that isn't collected yet."""
    return [*_stuck(record), *_orphans(record)]


def _missing(record: Record, names: Sequence[str]) -> Iterator[str]:
    for name in sorted(set(names) - set(_names(record))):
        yield f"{name}: the Dependency is gone"


def _unlogged(record: Record) -> Iterator[str]:
    """What isn't in the audit log can't be judged by it; of a job's three writes and more a kill loses one."""
    logged = {write.uid for write in _to_jobs(record)}
    for job in record.of("syncjobs"):
        if job["metadata"]["uid"] not in logged:
            yield f"the audit log knows nothing of job {job['metadata']['name']}"


def _differences(record: Record, undisturbed: Record) -> Iterator[str]:
    """Per Dependency the same snapshots and change sets in the same order, and each was told of once."""
    models = {number_of(name) % SERIES: name for name in _names(undisturbed)}
    for name in _names(record):
        model = models[number_of(name) % SERIES]
        found, wanted = findings_of(record, name), findings_of(undisturbed, model)
        if found.snapshots != wanted.snapshots:
            yield f"{name}: snapshots are {_short(found.snapshots)}, undisturbed {_short(wanted.snapshots)}"
        if found.change_sets != wanted.change_sets:
            pairs = [(before, after) for before, after, *_ in found.change_sets]
            others = [(before, after) for before, after, *_ in wanted.change_sets]
            what = f"{_steps(pairs)}, undisturbed {_steps(others)}" if pairs != others else "the same, their events not"
            yield f"{name}: change sets are {what}"
        told = [each for each in record.of("events") if _is_about(each, name) and each["reason"] in _TELLING]
        if len(told) != len(wanted.change_sets):
            yield f"{name}: {len(told)} Events tell of {len(wanted.change_sets)} change sets"
        sent, wanted_sent = _delivered(record, name), _delivered(undisturbed, model)
        if sent != wanted_sent:
            yield f"{name}: deliveries are {dict(sent)}, undisturbed {dict(wanted_sent)}"
        baselines = [each for each in record.of("events") if _is_about(each, name)]
        if sum(each["reason"] == "BaselineCreated" for each in baselines) != 1:
            yield f"{name}: not one Event tells of its baseline"


def _doubled(record: Record) -> Iterator[str]:
    """No two objects for one and the same finding, no Event written twice."""
    for plural in ("specsnapshots", "changesets"):
        jobs = Counter(each["spec"]["jobUID"] for each in record.of(plural))
        for job, count in jobs.items():
            if count > 1:
                yield f"{count} {plural} of one job ({job})"
    for name in _names(record):
        snapshots = sorted(_of_dependency(record, "specsnapshots", name), key=_created)
        for before, after in itertools.pairwise(snapshots):
            if before["spec"]["digests"]["canonical"] == after["spec"]["digests"]["canonical"]:
                yield f"{name}: snapshot {after['metadata']['name']} repeats {before['metadata']['name']}"
        steps = Counter((c["spec"]["from"]["snapshot"]) for c in _of_dependency(record, "changesets", name))
        for snapshot, count in steps.items():
            if count > 1:
                yield f"{name}: {count} change sets start at snapshot {snapshot}"
    for event in record.of("events"):
        if event["reason"] in _TELLING and event.get("count", 1) > 1:
            yield f"Event {event['metadata']['name']} was written {event['count']} times"
    # A change that is taken back has two messages: that it is there, and that it is gone.
    told = [(each["spec"], each["spec"]["message"]["kind"]) for each in _deliveries(record)]
    deliveries = Counter((spec.get("changeSet"), spec["channel"], kind) for spec, kind in told)
    for (change_set, channel, kind), count in deliveries.items():
        if count > 1:
            yield f"{count} deliveries of change set {change_set} to {channel} ({kind})"


def _stuck(record: Record) -> Iterator[str]:
    for job in record.of("syncjobs"):
        if job["status"]["phase"] not in _FINISHED:
            yield f"job {job['metadata']['name']} is {job['status']['phase']} at the end"
    for delivery in record.of("alertdeliveries"):
        if delivery["status"]["phase"] not in _DELIVERED:
            yield f"delivery {delivery['metadata']['name']} is {delivery['status']['phase']} at the end"
    for dependency in record.of("dependencies"):
        if "activeJob" in dependency["status"]:
            yield f"{dependency['metadata']['name']}: {dependency['status']['activeJob']} is still the active job"


def _lost_jobs(record: Record) -> Iterator[str]:
    """A job that is gone had ended, by its own last write or by what its Dependency says of it."""
    ended = {write.uid for write in _to_jobs(record) if write.object["status"]["phase"] in _FINISHED}
    for write in record.writes:
        if write.resource == "dependencies":
            ended.add(write.object.get("status", {}).get("lastSync", {}).get("jobUID", ""))
    there = {job["metadata"]["uid"] for job in record.of("syncjobs")}
    created = {write.uid: write for write in record.writes if (write.resource, write.verb) == ("syncjobs", "create")}
    for uid, write in created.items():
        if uid not in there | ended:
            yield f"job {write.object['metadata']['name']} is gone, and had not ended"


def _missed_syncs(record: Record) -> Iterator[str]:
    """A due time gives way to a later one only when a sync has ended, or the spec was changed."""
    writes: dict[str, list[Write]] = defaultdict(list)
    for write in record.writes:
        if write.resource == "dependencies" and write.uid and write.verb != "delete":
            writes[write.uid].append(write)
    for of_one in writes.values():
        of_one.sort(key=lambda write: write.version)
        for before, after in itertools.pairwise(of_one):
            old, new = before.object.get("status", {}), after.object.get("status", {})
            # Put earlier, it is no sync that is missed.
            put_off = old.get("nextSyncTime", "") and new.get("nextSyncTime", "9") > old["nextSyncTime"]
            if put_off and all(old.get(each) == new.get(each) for each in ("observedGeneration", "lastSync")):
                yield f"{before.name}: the sync that was due at {old['nextSyncTime']} didn't happen"


def _orphans(record: Record) -> Iterator[str]:
    """Nothing is left whose owner is gone: no blob, job, snapshot, change set or delivery."""
    plurals = ("dependencies", "syncjobs", "specsnapshots", "changesets", "configmaps", "alertdeliveries")
    living = {each["metadata"]["uid"] for plural in plurals for each in record.of(plural)}
    for plural in plurals[1:]:
        for each in record.of(plural):
            if plural == "configmaps" and not _is_blob(each):
                continue
            owners = {owner["uid"] for owner in each["metadata"].get("ownerReferences", [])}
            if not owners & living:
                yield f"{plural} {each['metadata']['name']} belongs to nothing that is there"


def _dangling(record: Record) -> Iterator[str]:
    """Each snapshot has all of its content."""
    for snapshot in record.of("specsnapshots"):
        for what in _CONTENTS - snapshot["spec"]["blobs"].keys():
            yield f"snapshot {snapshot['metadata']['name']} says nothing of its {what} content"
    names = {each["metadata"]["name"] for each in record.of("configmaps")}
    blobs = {each["data"]["digest"]: each for each in record.of("configmaps") if "digest" in each.get("data", {})}
    for snapshot in record.of("specsnapshots"):
        for what, ref in snapshot["spec"]["blobs"].items():
            if ref["backend"] == "configmap":
                manifest = blobs.get(ref["key"])
                chunks = int(manifest["data"].get("chunks", 0)) if manifest else 0
                parts = {f"{manifest['metadata']['name']}-{index}" for index in range(chunks)} if manifest else set()
                there = manifest is not None and parts <= names
            else:
                there = ref["key"].removeprefix("sha256:") in record.stored
            if not there:
                yield f"snapshot {snapshot['metadata']['name']} has lost its {what} content {ref['key']}"


def _unheard(record: Record) -> Iterator[str]:
    """What a channel has taken was sent to it."""
    for delivery in record.of("alertdeliveries"):
        change_set = delivery["spec"].get("changeSet", "")
        if delivery["status"]["phase"] == "Sent" and change_set not in record.heard:
            yield f"delivery {delivery['metadata']['name']} is Sent, and nobody has heard of {change_set}"


def _stale_writes(record: Record, *, log_may_lack: bool) -> Iterator[str]:
    """Nobody writes a job's status but the worker of its newest claim; and nobody but the leader after its end."""
    by_job: dict[str, list[Write]] = defaultdict(list)
    for write in _to_jobs(record):
        by_job[write.uid].append(write)
    for writes in by_job.values():
        writes.sort(key=lambda write: write.version)
        yield from _stale_in(writes, log_may_lack=log_may_lack)


def _stale_in(writes: list[Write], *, log_may_lack: bool) -> Iterator[str]:
    epoch, holder, ended = 0, "", False
    for write in writes:
        status = write.object["status"]
        claim = status.get("claim", {"worker": "", "epoch": 0})
        worker = write.agent.removeprefix(_WORKER) if write.agent.startswith(_WORKER) else None
        what = f"job {write.name}: {write.agent} wrote epoch {claim['epoch']}"
        if claim["epoch"] < epoch:
            yield f"{what} after epoch {epoch} had been claimed by {holder}"
        elif worker is not None and claim["epoch"] == epoch and worker != holder:
            yield f"{what}, which {holder or 'nobody'} had claimed"
        elif worker is not None and ended:
            yield f"{what} after the job had ended"
        elif claim["epoch"] > epoch and claim["worker"] not in (worker, ""):
            yield f"{what} for {claim['worker']}"
        elif claim["epoch"] > epoch + 1 and not log_may_lack:
            yield f"{what}, though epoch {epoch + 1} was never claimed"
        if claim["epoch"] > epoch and worker is not None:
            epoch, holder = claim["epoch"], worker
        ended = status["phase"] in _FINISHED


def reclaims(record: Record, blows: list[Blow]) -> list[tuple[Blow, float]]:
    """How long each job of a worker that was hurt waited for a newer claim: seconds from the blow."""
    by_job: dict[str, list[Write]] = defaultdict(list)
    for write in _to_jobs(record):
        by_job[write.uid].append(write)
    found = []
    for blow in blows:
        for writes in by_job.values():
            before = [write for write in writes if write.at <= blow.at]
            if not before:
                continue
            last = max(before, key=lambda write: write.version)
            claim = last.object["status"].get("claim", {})
            held = last.object["status"]["phase"] == "Running" and claim.get("worker", "").startswith(blow.worker)
            if not held:
                continue
            newer = [w.at for w in writes if w.object["status"].get("claim", {}).get("epoch", 0) > claim["epoch"]]
            # An attempt that failed before its worker was gone is no takeover: the job waits for its next one.
            waits = [w for w in writes if w.version > last.version and "retryAt" in w.object["status"]]
            if newer and not any(w.at < min(newer) for w in waits):
                found.append((blow, min(newer) - blow.at))
    return found


def _names(record: Record) -> list[str]:
    return sorted(each["metadata"]["name"] for each in record.of("dependencies"))


def _of_dependency(record: Record, plural: str, name: str) -> list[Json]:
    return [each for each in record.of(plural) if each["spec"]["dependency"] == name]


def _to_jobs(record: Record) -> Iterator[Write]:
    """Writes of the status of jobs, as far as the server's answer tells what it was then."""
    for write in record.writes:
        if (write.resource, write.subresource) == ("syncjobs", "status") and "status" in write.object and write.uid:
            yield write


def _created(obj: Json) -> int:
    # Both kinds are written once, so the version is that of their creation.
    return int(obj["metadata"]["resourceVersion"])


def _deliveries(record: Record) -> list[Json]:
    """Those that are there and those that were, as far as the log knows."""
    found = {each["metadata"]["uid"]: each for each in record.of("alertdeliveries")}
    for write in record.writes:
        if (write.resource, write.verb) == ("alertdeliveries", "create"):
            found.setdefault(write.uid, write.object)
    return list(found.values())


def _delivered(record: Record, name: str) -> Counter[str]:
    """How many messages there are of each kind: that something has changed, and that it was taken back."""
    return Counter(each["spec"]["message"]["kind"] for each in _of_dependency(record, "alertdeliveries", name))


def _is_about(event: Json, name: str) -> bool:
    return bool(event["involvedObject"]["kind"] == "Dependency" and event["involvedObject"]["name"] == name)


def _is_blob(config_map: Json) -> bool:
    return bool(config_map["metadata"].get("labels", {}).get("specsync.dev/blob") == "true")


def _short(digests: tuple[str, ...]) -> str:
    return "[" + " ".join(digest.removeprefix("sha256:")[:8] for digest in digests) + "]"


def _steps(pairs: list[tuple[str, str]]) -> str:
    return "[" + " ".join(f"{b.removeprefix('sha256:')[:8]}→{a.removeprefix('sha256:')[:8]}" for b, a in pairs) + "]"
