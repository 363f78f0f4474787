"""A model of the claim protocol: two workers, the leader and a user at one job, in all orders that hypothesis finds.

The functions are the operator's own (`worker/claims.py`, `worker/runner.py`, `controller/admission.py`); the API server
is a model. Each request waits until the model decides what becomes of it: carried out and answered; carried out, the
answer lost; not carried out; or given up by its sender and carried out any time later. A worker whose requests are not
decided on is a frozen one. Who is dead may be judged wrongly at any time: what must hold doesn't hang on that.
"""

import asyncio
import contextlib
import copy
import datetime as dt
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from specsync.controller import admission
from specsync.kube.client import ApiError, KubeClient
from specsync.kube.leases import Roster
from specsync.resources import SyncJob
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import RETRY_REQUESTED_AT
from specsync.worker import claims, runner
from specsync.worker.claims import claim, is_free
from specsync.worker.runner import Workshop, cancel_job, hand_back, run_job
from tests.unit.claim_server import NO_ANSWER, Children, Client, Request, Server, dependency, stages

WORKERS = ("a", "b")
LEADER = "leader"
LATER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)  # every retry is due: waiting is none of this model's business
FINISHED = ("Succeeded", "Failed", "Cancelled")


class ClaimProtocol(RuleBasedStateMachine):
    """What may happen, and what must hold whatever happens."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.loop = asyncio.new_event_loop()
        self.clients = {name: cast(KubeClient, Client(self.server, name)) for name in (*WORKERS, LEADER)}
        self.tasks: dict[str, asyncio.Task[Any]] = {}
        self.held: dict[str, SyncJob] = {}
        self.believed_dead: set[str] = set()
        self.failing = False
        self.retries = 0
        self.patches = pytest.MonkeyPatch()
        self.patches.setattr(claims, "_FIRST_PAUSE", 0.0)
        self.patches.setattr(runner, "MAX_ATTEMPTS", 2)
        self.patches.setattr(runner, "PIPELINE", stages(lambda: self.failing))
        self.server.create("Scheduled")
        self.seen = dict.fromkeys((*WORKERS, LEADER), self.server.read())

    def teardown(self) -> None:
        try:
            self.finish()
            self.every_write_is_by_who_may()
        finally:
            self._close()

    def _close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        self._settle()
        self.loop.close()
        self.patches.undo()

    # What processes do

    @rule(name=st.sampled_from((*WORKERS, LEADER)))
    def look(self, name: str) -> None:
        """A watch brings what is stored; between two looks a process works with what it saw."""
        if self.server.job is not None:
            self.seen[name] = self.server.read()

    @precondition(lambda self: any(self._may_start(worker) for worker in WORKERS))
    @rule(data=st.data())
    def start_work(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from([worker for worker in WORKERS if self._may_start(worker)]))
        self._begin(worker, self._work(worker, self.seen[worker]))

    def _may_start(self, worker: str) -> bool:
        roster = cast(Roster, SimpleNamespace(dead=lambda other: other in self.believed_dead))
        return not self._busy(worker) and is_free(self.seen[worker], worker, roster, LATER)

    async def _work(self, worker: str, job: SyncJob) -> None:
        """As `worker/app.py` does it."""
        claimed = await claim(self.clients[worker], job, worker)
        if claimed is None:
            return
        self.held[worker] = claimed
        if claimed.spec.cancel or self.seen[worker].spec.cancel:
            await cancel_job(self._shop(worker), claimed)
        else:
            await run_job(self._shop(worker), claimed)

    async def hand_back(self, shop: Workshop, job: SyncJob) -> None:
        await hand_back(shop, job)

    @precondition(lambda self: any(self._busy(worker) for worker in WORKERS))
    @rule(data=st.data(), then=st.sampled_from(("nothing", "hand back", "cancel")))
    def stop_work(self, data: st.DataObject, then: str) -> None:
        """Its Lease runs out, or it is told to end, or the user's cancel reaches it."""
        worker = data.draw(st.sampled_from([worker for worker in WORKERS if self._busy(worker)]))
        self.tasks[worker].cancel()
        self._settle()
        if worker not in self.held or then == "nothing":
            return
        if then == "hand back":
            self._begin(worker, self._after_look(worker, self.hand_back))
        elif self.server.job is not None and self.server.job["spec"]["cancel"]:
            self._begin(worker, self._after_look(worker, cancel_job))

    async def _after_look(self, worker: str, end: Callable[[Workshop, SyncJob], Awaitable[Any]]) -> None:
        latest = await self.clients[worker].get(SyncJob, "ns", "job")
        held = latest.status.claim
        mine = held is not None and held.worker == worker and latest.status.phase == "Running"
        if mine and latest.metadata.uid == self.held[worker].metadata.uid:
            await end(self._shop(worker), latest)

    @precondition(lambda self: self._wants(self.seen[LEADER]) and not self._busy(LEADER))
    @rule()
    def lead(self) -> None:
        """The leader admits, ends what was cancelled, and lets failed jobs go on, by what it saw."""
        job, client = self.seen[LEADER], self.clients[LEADER]
        match self._wants(job):
            case "end":
                self._begin(LEADER, admission.end(client, job, "Cancelled", Reason.CANCELLED, "cancelled"))
            case "admit":
                self._begin(LEADER, admission.admit(client, dependency(), job))
            case "retry":
                request = job.metadata.annotations[RETRY_REQUESTED_AT]
                self._begin(LEADER, admission.retry(client, job, request, from_start=False))

    def _wants(self, job: SyncJob) -> str:
        request = job.metadata.annotations.get(RETRY_REQUESTED_AT, "")
        if job.status.phase == "Pending" and job.spec.cancel:
            return "end"
        if job.status.phase == "Pending" and job.spec.trigger == "Manual" and job.status.admitted_at is None:
            return "admit"
        return "retry" if job.status.phase == "Failed" and request not in ("", job.status.last_handled_retry) else ""

    # What the world does

    @precondition(lambda self: self.server.requests)
    @rule(data=st.data(), fate=st.sampled_from(("answered", "answered", "answered", "unheard", "lost", "late")))
    def decide(self, data: st.DataObject, fate: str) -> None:
        """What becomes of a request."""
        request = data.draw(st.sampled_from(self.server.requests))
        self._decide(request, fate)

    @precondition(lambda self: self.server.requests)
    @rule(data=st.data(), times=st.integers(1, 6))
    def go_well(self, data: st.DataObject, times: int) -> None:
        """For a while all that one process asks is carried out and answered."""
        sender = data.draw(st.sampled_from([request.sender for request in self.server.requests]))
        for _ in range(times):
            for request in [each for each in self.server.requests if each.sender == sender]:
                self._decide(request, "answered")

    @precondition(lambda self: self.server.late)
    @rule(data=st.data())
    def arrive_late(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.server.late))
        self.server.late.remove(request)
        self._arrive(request)

    @rule(dead=st.sets(st.sampled_from(WORKERS)), failing=st.booleans())
    def change(self, dead: set[str], failing: bool) -> None:
        """Who is believed to be dead, rightly or not, and whether stages fail."""
        self.believed_dead, self.failing = dead, failing

    # What a user does

    @precondition(lambda self: self.server.job is not None)
    @rule(what=st.sampled_from(["annotate"] * 3 + ["retry"] * 4 + ["cancel", "delete"]))
    def user(self, what: str) -> None:
        job = self.server.job
        assert job is not None
        if what == "delete":
            self.server.job = None
            return
        job = copy.deepcopy(job)
        if what == "cancel":
            job["spec"]["cancel"] = True
        elif what == "retry":
            self.retries += 1
            job["metadata"].setdefault("annotations", {})[RETRY_REQUESTED_AT] = str(self.retries)
        job["metadata"]["resourceVersion"] = str(int(job["metadata"]["resourceVersion"]) + 1)
        self.server.job = job

    @precondition(lambda self: self.server.job is None)
    @rule(trigger=st.sampled_from(("Manual", "Scheduled")))
    def create_again(self, trigger: str) -> None:
        """Under the same name, with another uid."""
        self.server.create(trigger)

    # What must hold

    @invariant()
    def every_write_is_by_who_may(self) -> None:
        for sender, before, after in self.server.history:
            check_write(sender, before, after)
        self.server.history.clear()

    def finish(self) -> None:
        """Without faults the job comes to its end."""
        self.failing = False
        for request in self.server.late:
            self._arrive(request)
        self.server.late.clear()
        for _ in range(100):
            while self.server.requests:
                self._decide(self.server.requests[0], "answered")
            if self.server.job is None or self.server.job["status"]["phase"] in FINISHED:
                return
            for name in (*WORKERS, LEADER):
                self.look(name)
            if self._wants(self.seen[LEADER]) and not self._busy(LEADER):
                self.lead()
            # Who works on nothing has dropped what it held, and isn't alive to those that look.
            self.believed_dead = {worker for worker in WORKERS if not self._busy(worker)}
            for worker in WORKERS:
                if self._may_start(worker):
                    self._begin(worker, self._work(worker, self.seen[worker]))
        raise AssertionError(f"the job doesn't end: {self.server.job}")

    # What it is made of

    def _arrive(self, request: Request) -> None:
        with contextlib.suppress(ApiError):
            self.server.carry_out(request)

    def _busy(self, name: str) -> bool:
        return name in self.tasks and not self.tasks[name].done()

    def _begin(self, name: str, work: Any) -> None:
        async def guarded() -> None:
            with contextlib.suppress(ApiError):
                await work

        self.tasks[name] = self.loop.create_task(guarded())
        self._settle()

    def _settle(self) -> None:
        """Lets all tasks go on until each waits for an answer."""

        async def turns() -> None:
            for _ in range(12):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())
        for task in self.tasks.values():
            if task.done() and not task.cancelled():
                task.result()  # an error that nobody expects

    def _decide(self, request: Request, fate: str) -> None:
        self.server.requests.remove(request)
        if fate == "lost":
            request.answer.set_exception(NO_ANSWER)
        elif fate == "late":
            if request.job is not None:
                self.server.late.append(request)
            request.answer.set_exception(NO_ANSWER)
        else:
            try:
                answer = self.server.carry_out(request)
            except ApiError as error:
                request.answer.set_exception(error)
            else:
                if fate == "answered":
                    request.answer.set_result(answer)
                else:
                    request.answer.set_exception(NO_ANSWER)
        self._settle()

    def _shop(self, worker: str) -> Workshop:
        parts: dict[str, Any] = dict.fromkeys(Workshop.__dataclass_fields__)
        parts |= {"client": self.clients[worker], "children": Children(), "pause": lambda _: None}
        return cast(Workshop, SimpleNamespace(**parts))


def check_write(sender: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    """One write of a job's status, against what the protocol promises."""
    if before["status"] == after["status"]:
        return  # of its metadata
    nobody: dict[str, Any] = {"worker": "", "epoch": 0}
    old, new = (job["status"].get("claim") or nobody for job in (before, after))
    phase = before["status"]["phase"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert new["epoch"] >= old["epoch"], "the epoch never decreases"
    if sender == LEADER:
        assert phase != "Running", "a worker holds it"
        assert new["epoch"] == old["epoch"]
    elif new["epoch"] == old["epoch"]:
        assert phase == "Running", "only who holds a running job writes to it"
        assert old["worker"] == sender, f"{sender} writes to a job that {old['worker']} holds"
    else:
        assert phase in ("Pending", "Running"), "what has ended is not claimed"
        assert (new["worker"], new["epoch"]) == (sender, old["epoch"] + 1), "a claim is one epoch more"
