"""The runner: stages that hang, and jobs that take one worker after the other along."""

import asyncio
from typing import Any, cast

import pytest
from msgspec.structs import replace

from specsync.kube.client import ApiError, KubeClient
from specsync.resources import Dependency, SyncJob
from specsync.resources.meta import now
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import Claim, FetchOutput, ParseOutput, SyncJobStatus
from specsync.stages.contract import Stage, StageContext, StageResult
from specsync.worker import runner
from specsync.worker.children import ChildPool
from specsync.worker.runner import MAX_ATTEMPTS, MAX_TAKEOVERS, Workshop, run_job
from tests.unit.objects import dependency, job


class Server:
    """Takes each status as it is."""

    def __init__(self, found: SyncJob) -> None:
        self.job = found
        self.written: list[SyncJobStatus] = []

    async def get(self, kind: type[Any], namespace: str, name: str) -> Any:
        return dependency() if kind is Dependency else self.job

    async def update_status(self, found: SyncJob) -> SyncJob:
        self.written.append(found.status)
        self.job = found
        return self.job


async def hang(context: StageContext) -> StageResult:
    await asyncio.sleep(60)
    raise AssertionError("unreachable")


async def fetch(context: StageContext) -> StageResult:
    return StageResult(FetchOutput(source_digest="sha256:s"))


async def parse(context: StageContext) -> StageResult:
    return StageResult(ParseOutput(format="openapi-3.0", title="Shop", version="1"), ends="Unchanged")


async def refused(context: StageContext) -> StageResult:
    raise ApiError(403, "Forbidden", "no rights yet")


def run(found: SyncJob, *stages: Stage, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(runner, "PIPELINE", stages)
    server = Server(found)
    nothing: Any = None

    async def main() -> None:
        workshop = Workshop(
            client=cast(KubeClient, server),
            blobs=nothing,
            fetcher=nothing,
            children=ChildPool(1, 2**30),
            events=nothing,
            user_agent="",
            max_document_bytes=0,
            pause=lambda _: None,
        )
        async with asyncio.timeout(20):
            await run_job(workshop, found)

    asyncio.run(main())
    return server


def running(*, attempts: int = 0, takeovers: int = 0) -> SyncJob:
    found = job(phase="Running", attempts=attempts)
    claim = Claim(worker="me", epoch=9, takeovers=takeovers)
    return replace(found, status=replace(found.status, claim=claim, started_at=now()))


def test_a_stage_that_hangs_is_cancelled_at_its_deadline_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    status = run(running(), Stage("fetch", hang, deadline=0.01), monkeypatch=monkeypatch).job.status
    assert (status.phase, status.attempts) == ("Pending", 1)
    assert status.error is not None
    assert (status.error.stage, status.error.reason) == ("fetch", Reason.STAGE_TIMEOUT)
    assert status.retry_at is not None
    assert status.claim is not None
    assert status.claim.worker == "", "it is anybody's"


def test_a_stage_that_hangs_each_time_fails_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    before = running(attempts=MAX_ATTEMPTS - 1)
    status = run(before, Stage("fetch", hang, deadline=0.01), monkeypatch=monkeypatch).job.status
    assert (status.phase, status.attempts) == ("Failed", MAX_ATTEMPTS)
    assert status.error is not None
    assert status.error.reason == Reason.STAGE_TIMEOUT


def test_a_stage_without_rights_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server that has just started refuses what it will allow a second later."""
    status = run(running(), Stage("fetch", refused, deadline=1), monkeypatch=monkeypatch).job.status
    assert status.error is not None
    assert (status.phase, status.attempts, status.error.reason) == ("Pending", 1, Reason.API_ERROR)
    assert status.retry_at is not None


def test_a_job_in_which_worker_after_worker_died_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server = run(running(takeovers=MAX_TAKEOVERS + 1), Stage("fetch", hang, deadline=60), monkeypatch=monkeypatch)
    (status,) = server.written
    assert status.phase == "Failed"
    assert status.error is not None
    assert (status.error.stage, status.error.reason) == ("fetch", Reason.WORKERS_DIED)
    assert "6 workers in a row died" in status.error.message


def test_a_stage_that_is_completed_forgives_the_deaths_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = (Stage("fetch", fetch, deadline=60), Stage("parse", parse, deadline=60))
    server = run(running(takeovers=MAX_TAKEOVERS), *stages, monkeypatch=monkeypatch)
    assert [status.claim and status.claim.takeovers for status in server.written] == [0, 0]
    assert server.job.status.phase == "Succeeded"
