"""One chaos run: an undisturbed pass over the contracts, the same under faults, and the oracle's judgement of both."""

import contextlib
import itertools
import json
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from devcluster import ControlPlane
from devcluster.deadline import wait_until
from devcluster.errors import DevclusterError
from devcluster.processes import Processes
from devcluster.statefolder import StateFolder
from tests.chaos.contracts import SERIES, dependency_name
from tests.chaos.faults import Storm, lanes_of, left_out, run_lanes
from tests.chaos.fleet import Fleet, Place
from tests.chaos.gate import GateLoop
from tests.chaos.guide import Guide
from tests.chaos.oracle import findings_of, flaws_of_model, judge, reclaims, unsettled
from tests.chaos.record import Record, objects_of, writes_of
from tests.chaos.storage import Storage, open_storage, unmount_leftover
from tests.chaos.vendor import Vendor

Store = Literal["configmap", "s3"]

_PROJECT = Path(__file__).parent.parent.parent
_SYSTEM = "specsync-system"
_CLUSTER = "cluster"
_LOOK = 0.3  # seconds between two looks at all Dependencies


@dataclass(frozen=True)
class Plan:
    """Times in seconds. The storm lasts at least until each fault was there once."""

    seed: int
    storm: float
    dependencies: int
    versions: int
    workers: int = 3
    controllers: int = 2
    heartbeat: float = 1.0
    lease: float = 3.0
    interval: str = "10s"
    settle: float = 180.0  # a deadline
    store: Store = "configmap"
    spare: bool = False  # one worker and one controller live through it all: what they hold in the end is to be seen
    alert_history: str = "720h"

    @property
    def names(self) -> list[str]:
        """Of the Dependencies."""
        return [dependency_name(number) for number in range(self.dependencies)]


@dataclass
class Verdict:
    complaints: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """What is to be printed: counts and times."""


def run(plan: Plan, folder: Path, say: Callable[[str], None] = lambda _: None) -> Verdict:
    """Runs in a folder of its own, where all logs and the record stay. Raises DevclusterError where it can't."""
    began = time.monotonic()

    def tell(text: str) -> None:
        say(f"{time.monotonic() - began:6.1f} s  {text}")

    verdict = Verdict()
    with prepared_cluster(folder, audit=True) as cluster:
        tell("the control plane is ready")
        with contextlib.ExitStack() as parts:
            storage = parts.enter_context(open_storage(cluster, folder)) if plan.store == "s3" else None
            fleet, vendor = parts.enter_context(open_operator(plan, cluster, folder, storage))
            undisturbed = _pass_undisturbed(plan, cluster, vendor, fleet)
            tell(f"undisturbed pass over {plan.versions} versions of {SERIES} contracts")
            storm = Storm(cluster, fleet, vendor, storage, plan.lease, tell)
            for reason in left_out(storm):
                tell(reason)
            record = _pass_disturbed(plan, cluster, storm, verdict)
            alerts = vendor.alerts()
        verdict.complaints += [*storm.problems, *fleet.problems]
        _save(record, undisturbed, storm, folder)
    log_may_lack = storm.done["kill the API server"] > 0
    verdict.complaints += judge(record, undisturbed, plan.names, log_may_lack=log_may_lack)
    verdict.lines += _figures(plan, record, storm)
    twice = sum(count > 1 for count in alerts.values())
    verdict.lines.append(f"alerts received: {len(alerts)}, of these more than once: {twice}")
    tell("done")
    return verdict


def fresh(folder: Path) -> Path:
    """An empty folder, without what an earlier run left there. Raises DevclusterError while one goes on there."""
    if owner := StateFolder(folder / _CLUSTER).owner():
        raise DevclusterError(f"A run goes on in {folder}: wait for its end, or end process {owner}.")
    unmount_leftover(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@contextlib.contextmanager
def prepared_cluster(folder: Path, *, audit: bool) -> Iterator[ControlPlane]:
    """A control plane that syncs to its disk, with the kinds and the operator's rights."""
    folder.mkdir(parents=True, exist_ok=True)
    with ControlPlane(folder / _CLUSTER, audit=audit, fsync=True) as cluster:
        cluster.install_crds(_PROJECT / "crds")
        cluster.kubectl("apply", "--server-side", "--kustomize", _PROJECT / "manifests" / "base")
        yield cluster


@contextlib.contextmanager
def open_operator(
    plan: Plan, cluster: ControlPlane, folder: Path, storage: Storage | None
) -> Iterator[tuple[Fleet, Vendor]]:
    """The vendors' server and the operator's processes; all end with the block, or with this process."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    processes = Processes(logs)
    with GateLoop() as loop, contextlib.closing(processes):  # while gates are closed nobody connects any more
        port_file = folder / "vendor.port"
        processes.start("vendor", [sys.executable, "-m", "tests.chaos.vendor", port_file])
        wait_until(port_file.exists, what="the vendors' server", timeout=20)
        vendor = Vendor(int(port_file.read_text()))
        options = ["--heartbeat", f"{plan.heartbeat:g}s", "--lease-duration", f"{plan.lease:g}s"]
        options += ["--min-interval", plan.interval, "--allow-host", vendor.address]
        options += ["--host-rate", "0", "--host-concurrency", "0"]
        options += ["--alert-window", "2s", "--alert-retry", "1s", "--alert-history", plan.alert_history]
        options += ["--log-format", "json", *(storage.options if storage else ())]
        # A copy, so that all processes of a long run are of the same code, whatever is edited meanwhile.
        code = shutil.copytree(_PROJECT / "operator", folder / "operator", ignore=shutil.ignore_patterns("__pycache__"))
        places = []
        for role, count in (("controller", plan.controllers), ("worker", plan.workers)):
            kubeconfig = cluster.service_account_kubeconfig(_SYSTEM, f"specsync-{role}")
            for number in range(count):
                gate = loop.gate(lambda: cluster.ports.api)
                spared = plan.spare and number == 0
                places.append(Place(processes, role, number, kubeconfig, gate, code, folder, spared=spared))  # type: ignore[arg-type]
        fleet = Fleet(places, options, leader=lambda: _leader(cluster))
        fleet.start_all()
        yield fleet, vendor
        fleet.stop_all()


def _leader(cluster: ControlPlane) -> str | None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{_SYSTEM}/leases/specsync-leader"
    try:
        return str(cluster.api.request("GET", path, timeout=2)["spec"].get("holderIdentity", ""))
    except DevclusterError:
        return None


def _pass_undisturbed(plan: Plan, cluster: ControlPlane, vendor: Vendor, fleet: Fleet) -> Record:
    """One Dependency of each series sees all versions, as fast as it goes."""
    namespace = cluster.create_namespace("undisturbed")
    guide = Guide(cluster, namespace, vendor, plan.names[:SERIES], plan.versions)
    guide.create_all("6h")
    guide.hurry()
    try:
        _until(lambda: guide.has_seen_all(guide.look()), "all versions to be seen, undisturbed", plan.settle)
    except DevclusterError as error:
        fleet.check()
        raise DevclusterError(" ".join([str(error), *fleet.problems])) from None
    record = Record(objects_of(cluster.api, namespace))
    if flaws := flaws_of_model(record, plan.versions):
        raise DevclusterError("\n".join(flaws))
    cluster.api.request("DELETE", f"/api/v1/namespaces/{namespace}")
    return record


def _pass_disturbed(plan: Plan, cluster: ControlPlane, storm: Storm, verdict: Verdict) -> Record:
    """Faults while all Dependencies go through their versions; then peace, until all is as it should be."""
    namespace = cluster.create_namespace("storm")
    storm.vendor.tell(delay=1.0)
    guide = Guide(cluster, namespace, storm.vendor, plan.names, plan.versions)
    guide.create_all(plan.interval)
    over = threading.Event()
    looking = threading.Thread(target=_keep_looking, args=(guide, over), name="guide")
    looking.start()
    try:
        run_lanes(storm, plan.seed, plan.storm)
    finally:
        over.set()
        looking.join()
    storm.fleet.make_whole()
    storm.vendor.tell(delay=0, fault="")
    storm.say(f"{storm.done.total()} faults are over")
    try:
        _settle(plan, cluster, namespace, guide)
    except DevclusterError as error:
        verdict.complaints.append(str(error))
    storm.fleet.check()
    storm.say("all is quiet")
    return Record(
        objects_of(cluster.api, namespace),
        writes_of(cluster.state.audit_log, namespace),
        stored=storm.storage.contents(namespace) if storm.storage else set(),
        heard=storm.vendor.heard(namespace),
    )


def _keep_looking(guide: Guide, over: threading.Event) -> None:
    while not over.wait(_LOOK):
        with contextlib.suppress(DevclusterError):  # the API server is away
            guide.look()


def _settle(plan: Plan, cluster: ControlPlane, namespace: str, guide: Guide) -> None:
    """Waits till all versions are seen, one sync more of each has ended, and garbage is collected."""
    guide.hurry()
    _until(lambda: guide.has_seen_all(guide.look()), "all Dependencies to have seen all versions", plan.settle)
    guide.finish()
    _until(lambda: guide.has_finished(guide.look()), "one sync more of each Dependency to end", plan.settle)
    # What is wrong for good is not waited for: the oracle says what it is.
    with contextlib.suppress(DevclusterError):
        _until(lambda: not unsettled(Record(objects_of(cluster.api, namespace))), "garbage to be collected", 60)


def _until(check: Callable[[], object], what: str, timeout: float) -> None:
    def patient() -> object:
        try:
            return check()
        except DevclusterError:
            return None

    wait_until(patient, what=what, timeout=timeout, interval=_LOOK)


def _save(record: Record, undisturbed: Record, storm: Storm, folder: Path) -> None:
    content = {
        "objects": record.objects,
        "undisturbed": undisturbed.objects,
        "blows": [vars(blow) for blow in storm.fleet.blows],
    }
    (folder / "record.json").write_text(json.dumps(content))


def _figures(plan: Plan, record: Record, storm: Storm) -> list[str]:
    jobs = {write.uid for write in record.writes if write.resource == "syncjobs" and write.verb == "create"}
    versions = sum(len(findings_of(record, each["metadata"]["name"]).snapshots) for each in record.of("dependencies"))
    lines = [
        f"seed {plan.seed}: {plan.dependencies} Dependencies, {len(jobs)} jobs, {versions} snapshots, "
        f"{storm.done.total()} faults survived:",
        *(f"  {count:3} × {kind}" for kind, count in sorted(storm.done.items())),
    ]
    never = {kind for lane in lanes_of(storm).values() for kind in lane} - storm.done.keys()
    lines += [f"never, for nothing was there to hurt: {kind}" for kind in sorted(never)]
    found = sorted(reclaims(record, storm.fleet.blows), key=lambda each: each[0].kind)
    undelayed = [(blow, seconds) for blow, seconds in found if not _hurt(storm, blow.at, blow.at + seconds)]
    for kind, group in itertools.groupby(undelayed, key=lambda each: each[0].kind):
        lines.append(f"jobs reclaimed after “{kind}”: {_spread([seconds for _, seconds in group])}")
    if undelayed:
        times = [seconds for _, seconds in undelayed]
        lines.append(f"jobs reclaimed, in all (lease {plan.lease:g} s): {_spread(times)}")
    if not found:
        lines.append("no job had to be reclaimed")
    if delayed := [seconds for blow, seconds in found if (blow, seconds) not in undelayed]:
        lines.append(f"jobs reclaimed while API server or etcd were hurt too: {_spread(delayed)}")
    return lines


def _hurt(storm: Storm, start: float, end: float) -> bool:
    """Whether the control plane was, in that time or just before it."""
    return any(began < end and start < ended + storm.lease for began, ended in storm.outages)


def _spread(times: list[float]) -> str:
    times = sorted(times)
    p99 = times[min(len(times) - 1, round(0.99 * len(times)))]
    return f"{len(times)}, median {statistics.median(times):.1f} s, p99 {p99:.1f} s, longest {times[-1]:.1f} s"
