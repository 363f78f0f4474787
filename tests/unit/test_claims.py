"""Claims: who may take a job, and what a holder does when the API server's answer leaves it in doubt."""

import asyncio
import datetime as dt
from typing import Any, cast

import pytest
from msgspec.structs import replace

from specsync.kube.client import ApiError, Conflict, Invalid, KubeClient, NotFound
from specsync.kube.leases import Roster
from specsync.resources import SyncJob
from specsync.resources.meta import ObjectMeta
from specsync.resources.syncjob import Claim, SyncJobSpec, SyncJobStatus, Target
from specsync.worker import claims
from specsync.worker.claims import ClaimLost, HeldClaim, claim, is_free

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(seconds=1)


class Dead:
    """A roster in which these workers are dead."""

    def __init__(self, *workers: str) -> None:
        self._workers = workers

    def dead(self, worker: str) -> bool:
        return worker in self._workers


def job(phase: str = "Pending", *, trigger: str = "Scheduled", cancel: bool = False, **status: Any) -> SyncJob:
    return SyncJob(
        metadata=ObjectMeta(name="a-1", namespace="ns", uid="u1", resource_version="1"),
        spec=SyncJobSpec(target=Target(name="a"), trigger=cast(Any, trigger), cancel=cancel),
        status=SyncJobStatus(phase=cast(Any, phase), **status),
    )


def held(worker: str = "me", epoch: int = 1, phase: str = "Running") -> SyncJob:
    return job(phase, claim=Claim(worker=worker, epoch=epoch))


@pytest.mark.parametrize(
    ("found", "free"),
    [
        (job(), True),
        (job(trigger="Manual"), False),
        (job(trigger="Manual", admitted_at=NOW), True),
        (job(cancel=True), False),
        (job(retry_at=LATER), False),
        (job(retry_at=NOW), True),
        (job(claim=Claim(worker="", epoch=4)), True),
        (held("living"), False),
        (held("dead"), True),
        (held("me"), True),
        (held("dead", phase="Succeeded"), False),
        (held("me", phase="Failed"), False),
        (held("me", phase="Cancelled"), False),
    ],
)
def test_who_may_claim(found: SyncJob, free: bool) -> None:
    assert is_free(found, "me", cast(Roster, Dead("dead")), NOW) is free


@pytest.mark.parametrize(
    ("found", "takeovers"),
    [
        (job(), 0),
        (job(claim=Claim(worker="", epoch=4, takeovers=2)), 0),  # handed back, or failed: its worker lived
        (job("Running", claim=Claim(worker="dead", epoch=4)), 1),
        (job("Running", claim=Claim(worker="dead", epoch=4, takeovers=2)), 3),
        (job("Running", claim=Claim(worker="me", epoch=4, takeovers=2)), 2),
    ],
)
def test_takeovers_from_dead_workers_are_counted(found: SyncJob, takeovers: int) -> None:
    claimed = asyncio.run(claim(Server(found).client, found, "me"))
    assert claimed is not None
    assert claimed.status.claim is not None
    assert (claimed.status.claim.worker, claimed.status.claim.takeovers) == ("me", takeovers)


NO_ANSWER = ApiError(0, "NoAnswer", "no answer")
REFUSED = Invalid(422, "Invalid", "the schema refuses it")
STALE = Conflict(409, "Conflict", "the object has been modified")


class Server:
    """Holds one job, and answers each write as it is told; `lost` carries it out and doesn't answer."""

    def __init__(self, stored: SyncJob | None, *answers: str | Exception) -> None:
        self.stored = stored
        self.answers = list(answers)
        self.writes: list[SyncJob] = []

    @property
    def client(self) -> KubeClient:
        return cast(KubeClient, self)

    async def update_status(self, written: SyncJob) -> SyncJob:
        self.writes.append(written)
        answer = self.answers.pop(0) if self.answers else "done"
        if isinstance(answer, Exception):
            raise answer
        if self.stored is None:
            raise NotFound(404, "NotFound", "it is gone")
        if written.metadata != self.stored.metadata:
            raise STALE
        self._store(replace(self.stored, status=written.status))
        if answer == "lost":
            raise NO_ANSWER
        return self.stored

    async def get(self, kind: object, namespace: str, name: str) -> SyncJob:
        if self.stored is None:
            raise NotFound(404, "NotFound", "it is gone")
        return self.stored

    def annotate(self) -> None:
        """What a user may do while a worker holds the job."""
        assert self.stored is not None
        self._store(self.stored)

    def _store(self, job: SyncJob) -> None:
        version = str(int(job.metadata.resource_version) + 1)
        self.stored = replace(job, metadata=replace(job.metadata, resource_version=version))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_FIRST_PAUSE", 0.0)


def write(server: Server, status: SyncJobStatus, holder: SyncJob | None = None) -> HeldClaim:
    mine = HeldClaim(server.client, holder or held())
    asyncio.run(mine.write(status))
    return mine


def record(stage: str) -> SyncJobStatus:
    return replace(held().status, stage=stage)


def done() -> SyncJobStatus:
    return replace(held().status, phase="Succeeded")


def test_a_claim_counts_the_epoch_on() -> None:
    server = Server(job(claim=Claim(worker="", epoch=4)))
    claimed = asyncio.run(claim(server.client, cast(SyncJob, server.stored), "me"))
    assert claimed is not None
    assert claimed.status.claim is not None
    assert (claimed.status.phase, claimed.status.claim.worker, claimed.status.claim.epoch) == ("Running", "me", 5)


def test_of_two_claims_the_second_fails() -> None:
    server = Server(job())
    seen = cast(SyncJob, server.stored)
    assert asyncio.run(claim(server.client, seen, "me")) is not None
    assert asyncio.run(claim(server.client, seen, "other")) is None


def test_a_claim_whose_answer_was_lost_is_held() -> None:
    server = Server(job(), "lost")
    claimed = asyncio.run(claim(server.client, cast(SyncJob, server.stored), "me"))
    assert claimed is not None
    assert claimed.status.claim is not None
    assert claimed.status.claim.epoch == 1


def test_a_claim_that_was_not_carried_out_is_not_held() -> None:
    server = Server(job(), NO_ANSWER)
    assert asyncio.run(claim(server.client, cast(SyncJob, server.stored), "me")) is None


def test_an_own_older_claim_is_not_taken_for_the_new_one() -> None:
    server = Server(held("me", epoch=1), NO_ANSWER)
    assert asyncio.run(claim(server.client, cast(SyncJob, server.stored), "me")) is None


def test_a_job_that_an_own_claim_of_the_same_number_has_ended_is_not_claimed() -> None:
    server = Server(held("me", epoch=1, phase="Succeeded"), NO_ANSWER)
    assert asyncio.run(claim(server.client, job(), "me")) is None


def test_a_write_is_of_the_version_that_the_holder_wrote_last() -> None:
    server = Server(held())
    mine = write(server, record("parse"))
    asyncio.run(mine.write(record("normalize")))
    assert [each.metadata.resource_version for each in server.writes] == ["1", "2"]


def test_a_user_who_annotates_the_job_does_not_fail_its_holder() -> None:
    server = Server(held())
    server.annotate()
    assert write(server, record("parse")).job.status.stage == "parse"


@pytest.mark.parametrize("stored", [held("other", 2), held("me", 2), None, job(claim=Claim(worker="", epoch=1))])
def test_a_write_after_the_claim_went_on_is_given_up(stored: SyncJob | None) -> None:
    server = Server(stored)
    if stored is not None:
        server.annotate()
    with pytest.raises(ClaimLost):
        write(server, record("parse"))
    assert len(server.writes) == 1


def test_a_write_to_another_job_of_that_name_is_given_up() -> None:
    server = Server(replace(held(), metadata=replace(held().metadata, uid="u2")))
    with pytest.raises(ClaimLost):
        write(server, record("parse"))


@pytest.mark.parametrize(
    "failure", [NO_ANSWER, STALE, ApiError(503, "", "busy"), ApiError(403, "Forbidden", "no rights yet")]
)
def test_a_write_of_unknown_outcome_or_without_rights_is_repeated(failure: str | Exception) -> None:
    server = Server(held(), failure, failure)
    written = write(server, record("parse"))
    assert written.job.status.stage == "parse"
    assert len(server.writes) == 3


def test_a_record_whose_answer_was_lost_is_written_once_more() -> None:
    server = Server(held(), "lost")
    written = write(server, record("parse"))
    assert written.job == server.stored
    assert written.job.status.stage == "parse"


def test_an_end_whose_answer_was_lost_is_known_to_be_written() -> None:
    server = Server(held(), "lost")
    assert write(server, done()).job.finished


def test_a_write_that_is_late_does_not_wake_a_job_that_was_ended_since() -> None:
    server = Server(held())
    write(server, done())
    late = HeldClaim(server.client, held())
    asyncio.run(late.write(record("parse")))
    assert server.stored is not None
    assert server.stored.finished


def test_a_status_that_the_schema_refuses_is_an_error_not_a_lost_claim() -> None:
    server = Server(held(), REFUSED)
    with pytest.raises(Invalid):
        write(server, record("parse"))
