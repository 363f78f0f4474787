"""One operator lives through everything that an API server can do to it, and catches up by itself each time.

Its requests come by a server that misbehaves when told, and that counts them: in trouble they are few.
"""

import json
import os
import shutil
import signal
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from devcluster import Binaries, ControlPlane
from tests.conftest import OPERATOR_NAMESPACE, PROJECT
from tests.integration.crew import QUICK, Crew, Member, contract
from tests.integration.faulty_apiserver import FaultyApiServer, Request
from tests.integration.probing import Probed
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(180)

NAMES = [f"api-{number:02}" for number in range(24)]
# Requests a second of both processes. 24 Dependencies and 10 watches would make hundreds, were they not held back:
# Leases and the election make 6, watches that were just cut up to 20, and all else is what the client's throttle lets
# through: for each process two reads and two writes.
FEW, VERY_FEW = 40.0, 10.0
LONG_ENOUGH = 5.0  # seconds of trouble: longer than a Lease lasts here


class Trouble:
    """An operator, controller and worker, behind the server that misbehaves; and Dependencies that are soon due."""

    def __init__(self, plane: ControlPlane, logs: Path) -> None:
        self.plane = plane
        self.way = FaultyApiServer(plane)
        self.crew = Crew(plane, self._kubeconfig, plane.create_namespace(), logs)
        self.probes = {"controller": Probed(), "worker": Probed()}
        self._logs = logs
        self.members: dict[str, Member] = {}

    def _kubeconfig(self, role: Literal["controller", "worker"]) -> Path:
        return self.way.kubeconfig(self.plane.service_account_kubeconfig(OPERATOR_NAMESPACE, f"specsync-{role}"))

    def start(self) -> None:
        for role in ("controller", "worker"):
            command = [sys.executable, "-m", "specsync.cli.main", role, "--kubeconfig", str(self._kubeconfig(role))]
            command += ["--log-format", "json", "--min-interval", "10s", *QUICK, *self.probes[role].options]
            self.members[role] = Member(role, command, os.environ | {"POD_NAME": role}, self._logs / f"{role}.log")
        self.depend()
        for probed in self.probes.values():
            eventually(probed.is_ready, timeout=30, what="the operator to be ready")
        self.catches_up()

    def depend(self) -> None:
        for name in NAMES:
            self.crew.depend_on(name, contract(name), interval="10s")

    def is_alive(self) -> bool:
        assert all(member.running for member in self.members.values())
        return all(probed.is_alive() for probed in self.probes.values())

    def says(self, role: str, event: str, since: int) -> bool:
        return any(event in json.dumps(entry) for entry in self.members[role].log()[since:])

    def catches_up(self) -> None:
        """Waits till each Dependency was synced anew."""
        before = eventually(self._last_jobs, timeout=30, what="an answer of the API server")

        def all_anew() -> bool:
            last = self._last_jobs()
            return all(last[name] is not None and last[name] != before[name] for name in NAMES)

        eventually(all_anew, timeout=60, interval=0.5, what="a new sync of each Dependency")
        eventually(lambda: all(probed.is_ready() for probed in self.probes.values()), timeout=15, what="all ready")
        eventually(lambda: not self._in_trouble(), timeout=15, what="the metric that says that all is well")

    def _last_jobs(self) -> dict[str, Any]:
        last = {dep["metadata"]["name"]: dep["status"].get("lastSync", {}) for dep in self.crew.all("dependencies")}
        return {name: last[name].get("job") for name in NAMES}

    def _in_trouble(self) -> bool:
        return any(probed.metric("specsync_api_trouble") > 0 for probed in self.probes.values())

    @contextmanager
    def endured(self, heal: Callable[[], object], *, counted: bool = True) -> Iterator[int]:
        """What happens inside is the beginning of trouble, which `heal` ends a while later.

        All the while the operator is alive and asks little, and the metric says so where requests fail (`counted`);
        afterwards it catches up. Gives the length of the controller's log before.
        """
        try:
            yield len(self.members["controller"].log())
            mark, began = self.way.mark(), time.monotonic()
            eventually(
                lambda: self.is_alive() and time.monotonic() - began > LONG_ENOUGH,
                timeout=60,
                what="a while of trouble",
            )
            asked = self.way.requests[mark:]
            if counted:
                eventually(self._in_trouble, timeout=30, what="the metric to say so")
        finally:
            heal()
        self.catches_up()
        assert len(asked) < FEW * LONG_ENOUGH, described(asked)
        held_back = [request for request in asked if not request.watch and "/leases" not in request.path]
        assert len(held_back) < VERY_FEW * LONG_ENOUGH, described(held_back)


def described(requests: list[Request]) -> Counter[tuple[str, str]]:
    return Counter((request.method, request.path) for request in requests)


@pytest.fixture(scope="module")
def trouble(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trouble]:
    with ControlPlane(tmp_path_factory.mktemp("trouble"), binaries, crds=[PROJECT / "crds"]) as plane:
        plane.kubectl("apply", "--server-side", "--kustomize", PROJECT / "manifests" / "base")
        trouble = Trouble(plane, tmp_path_factory.mktemp("logs"))
        with trouble.way:
            try:
                trouble.start()
                yield trouble
                assert [member.stop() for member in trouble.members.values()] == [0, 0]
            finally:
                for member in trouble.members.values():
                    member.close()


def test_an_api_server_and_etcd_that_are_killed(trouble: Trouble) -> None:
    def restart() -> None:
        trouble.plane.start_component("etcd")
        trouble.plane.start_component("kube-apiserver")

    with trouble.endured(restart):
        trouble.plane.kill("kube-apiserver")
        trouble.plane.kill("etcd")


def test_an_etcd_that_was_restored_from_a_backup(trouble: Trouble) -> None:
    """The versions of all objects begin anew at a number that was passed long ago."""
    data, backup = trouble.plane.state.etcd_data, trouble.plane.state.etcd_data.with_name("backup")

    def started() -> None:
        trouble.plane.start_component("etcd")
        trouble.plane.start_component("kube-apiserver")

    def stopped() -> None:
        trouble.plane.kill("kube-apiserver")
        trouble.plane.kill("etcd")

    stopped()
    shutil.copytree(data, backup)
    started()
    trouble.catches_up()
    trouble.crew.depend_on("made-since", contract("made-since"))
    trouble.crew.wait_for_result("made-since", "Baseline")
    marks = {role: len(member.log()) for role, member in trouble.members.items()}
    stopped()
    shutil.rmtree(data)
    backup.rename(data)
    started()
    trouble.catches_up()
    for role, mark in marks.items():
        assert trouble.says(role, "put back to an earlier state", mark)
    trouble.crew.depend_on("made-since", contract("made-since"))
    trouble.crew.wait_for_result("made-since", "Baseline")


def test_an_api_server_that_hangs(trouble: Trouble) -> None:
    with trouble.endured(lambda: trouble.plane.signal("kube-apiserver", signal.SIGCONT)):
        trouble.plane.signal("kube-apiserver", signal.SIGSTOP)


def test_an_api_server_that_is_slow(trouble: Trouble) -> None:
    """Slower than a Lease can be renewed: no leader, no jobs; but all of it by itself again."""
    with trouble.endured(trouble.way.heal):
        trouble.way.delay(2.5)


@pytest.mark.parametrize(("status", "retry_after"), [(429, 1), (503, 2)])
def test_an_api_server_that_refuses(trouble: Trouble, status: int, retry_after: int) -> None:
    with trouble.endured(trouble.way.heal) as log:
        trouble.way.answer(status, retry_after)
        eventually(lambda: trouble.says("controller", str(status), log), what="the status in the log")


@pytest.mark.parametrize("gone", [False, True], ids=["cut", "410"])
def test_watches_that_end(trouble: Trouble, gone: bool) -> None:
    for _ in range(3):
        eventually(lambda: trouble.way.cut_watches(gone=gone), until=lambda count: count > 0, what="some watches")
    trouble.crew.request_sync(NAMES[0], f"after-cut-{gone}")

    def handled() -> bool:
        request = trouble.crew.get("dependencies", NAMES[0])["status"]["lastHandledRequest"]
        return bool(request["value"] == f"after-cut-{gone}" and request["outcome"] == "Unchanged")

    eventually(handled, timeout=30, what="the request after the cut to be seen")
    assert trouble.is_alive()


def test_rights_that_are_taken_away_and_given_back(trouble: Trouble) -> None:
    bindings = ("clusterrolebinding/specsync-controller", "clusterrolebinding/specsync-worker")
    kept = json.loads(trouble.plane.kubectl("get", *bindings, "--output", "json"))["items"]
    again = [item | {"metadata": {"name": item["metadata"]["name"]}} for item in kept]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": again})
    with trouble.endured(lambda: trouble.plane.kubectl("apply", "-f", "-", stdin=text)) as log:
        trouble.plane.kubectl("delete", *bindings)
        # The watches go on: rights are judged when one begins.
        trouble.way.cut_watches()
        eventually(lambda: trouble.says("controller", "forbidden", log), timeout=30, what="the refusal in the log")
        assert "can't be watched: 403 Forbidden" in trouble.probes["controller"].get("/readyz")[1]


def test_an_etcd_that_is_full(trouble: Trouble) -> None:
    with trouble.endured(lambda: alarm(trouble.plane, "DEACTIVATE")) as log:
        alarm(trouble.plane, "ACTIVATE")
        eventually(lambda: trouble.says("controller", "space exceeded", log), timeout=30, what="the cause in the log")


def alarm(plane: ControlPlane, action: Literal["ACTIVATE", "DEACTIVATE"]) -> None:
    """Raises or disarms the alarm that etcd raises when its space is over: then it takes no writes."""
    ask_etcd(plane, "maintenance/alarm", {"action": action, "memberID": member(plane), "alarm": "NOSPACE"})


def member(plane: ControlPlane) -> str:
    return str(ask_etcd(plane, "cluster/member/list", {})["members"][0]["ID"])


def ask_etcd(plane: ControlPlane, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{plane.ports.etcd}/v3/{path}", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_kinds_that_are_removed_and_put_back(trouble: Trouble) -> None:
    """The last one: with the kinds go all objects, and they are made anew here."""

    def install() -> None:
        trouble.plane.install_crds(PROJECT / "crds")
        trouble.depend()

    with trouble.endured(install, counted=False) as log:
        trouble.plane.kubectl("delete", "--filename", PROJECT / "crds", timeout=120)
        trouble.way.cut_watches()
        eventually(lambda: trouble.says("controller", "404", log), timeout=30, what="the missing kind in the log")
