"""Leases: a worker that can't renew stops in time, and who is dead is judged by one's own clock."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from specsync.kube import leases
from specsync.kube.client import ApiError, Conflict, KubeClient, NotFound
from specsync.kube.core import Lease, LeaseSpec
from specsync.kube.leases import LeaseTiming, Roster, WorkerLease
from specsync.resources.meta import ObjectMeta

QUICK = LeaseTiming(heartbeat=0.02, duration=0.5)


class Clock:
    """Time that passes only when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(leases, "time", clock)
    return clock


class Server:
    """As much of an API server as Leases need. While `down` it doesn't answer."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.down = False
        self.lose_answers = 0
        self.asked = 0

    @property
    def client(self) -> KubeClient:
        return cast(KubeClient, self)

    async def create(self, lease: Lease) -> Lease:
        self._answer()
        if lease.metadata.name in self.versions:
            raise Conflict(409, "AlreadyExists", "it exists")
        self.versions[lease.metadata.name] = 1
        self._answer_lost()
        return lease

    async def patch(self, kind: type[Lease], namespace: str, name: str, patch: object) -> Lease:
        self._answer()
        if name not in self.versions:
            raise NotFound(404, "NotFound", "it is gone")
        self.versions[name] += 1
        return self._lease(name)

    async def list(self, kind: type[Lease], namespace: str, **_: Any) -> list[Lease]:
        self._answer()
        return [self._lease(name) for name in self.versions]

    async def delete(self, kind: type[Lease], namespace: str, name: str) -> None:
        self._answer()
        self.versions.pop(name, None)

    def _lease(self, name: str) -> Lease:
        meta = ObjectMeta(name=name, namespace="ns", resource_version=str(self.versions[name]))
        return Lease(metadata=meta, spec=LeaseSpec(holder_identity=name))

    def _answer(self) -> None:
        self.asked += 1
        if self.down:
            raise ApiError(0, "NoAnswer", "no answer")

    def _answer_lost(self) -> None:
        if self.lose_answers:
            self.lose_answers -= 1
            raise ApiError(0, "NoAnswer", "no answer")


def worker_lease(server: Server, timing: LeaseTiming = QUICK) -> WorkerLease:
    return WorkerLease(server.client, "ns", "w1", timing, owner=None)


async def until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not check():  # noqa: ASYNC110 - what it waits for is a plain value
            await asyncio.sleep(0.005)


def keep(
    server: Server, *, before: Callable[[], None], until_then: Callable[[WorkerLease, list[bool]], object]
) -> list[bool]:
    """Acquires a lease, does `before`, keeps it until the condition; whether it was safe each time that it was lost."""
    lease = worker_lease(server)
    told: list[bool] = []

    async def lost() -> None:
        told.append(lease.safe)

    async def main() -> None:
        await lease.acquire()
        before()
        keeping = asyncio.ensure_future(lease.keep(lost))
        await until(lambda: until_then(lease, told))
        keeping.cancel()

    asyncio.run(main())
    return told


def test_jobs_are_stopped_once_when_the_lease_cannot_be_renewed() -> None:
    server = Server()

    def break_down() -> None:
        server.down = True

    # It goes on trying for long after it had to stop.
    assert keep(server, before=break_down, until_then=lambda _, told: told and server.asked > 60) == [False]


def test_after_an_outage_the_lease_is_kept_again() -> None:
    server = Server()

    def break_down() -> None:
        server.down = True

    def recover(lease: WorkerLease, told: list[bool]) -> bool:
        server.down = not told
        return bool(told) and lease.safe

    assert keep(server, before=break_down, until_then=recover) == [False]


def test_a_worker_that_was_frozen_stops_its_jobs_although_its_renewal_succeeds(clock: Clock) -> None:
    def freeze() -> None:
        clock.now += 3600.0

    assert keep(Server(), before=freeze, until_then=lambda lease, told: told and lease.safe) == [False]


def test_a_lease_that_was_deleted_is_made_anew() -> None:
    server = Server()
    told = keep(server, before=server.versions.clear, until_then=lambda *_: "w1" in server.versions)
    assert told == []


def test_a_lease_whose_creation_was_not_answered_is_taken_by_the_next_attempt() -> None:
    server = Server()
    server.lose_answers = 1
    lease = worker_lease(server)

    async def main() -> None:
        with pytest.raises(ApiError):
            await lease.acquire()
        await lease.acquire()

    asyncio.run(main())
    assert server.versions["w1"] == 2


class Watching:
    """A roster whose looks are so many seconds apart."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.server = Server()
        self.server.versions["w1"] = 1
        self.roster = Roster(self.server.client, "ns", LeaseTiming(heartbeat=5.0, duration=15.0))

    def look(self, seconds: float, *, renewed: bool = False) -> bool:
        """Whether the worker counts as dead after so many seconds."""
        self.clock.now += seconds
        if renewed:
            self.server.versions["w1"] += 1
        asyncio.run(self.roster.observe())
        return self.roster.dead("w1")


def test_a_worker_is_dead_when_its_lease_was_seen_unchanged_for_the_duration(clock: Clock) -> None:
    watching = Watching(clock)
    assert not watching.look(0)
    assert [watching.look(5) for _ in range(3)] == [False, False, True]


def test_each_renewal_starts_the_time_again(clock: Clock) -> None:
    watching = Watching(clock)
    assert not watching.look(0)
    for _ in range(10):
        assert not watching.look(5, renewed=True)
    assert [watching.look(5) for _ in range(3)] == [False, False, True]
    assert not watching.look(1, renewed=True), "it was only frozen"


def test_an_absent_lease_counts_from_when_it_was_first_missed(clock: Clock) -> None:
    watching = Watching(clock)
    watching.look(0)
    del watching.server.versions["w1"]
    assert [watching.look(5) for _ in range(4)] == [False, False, False, True]


def test_a_worker_that_was_never_seen_gets_the_whole_duration(clock: Clock) -> None:
    watching = Watching(clock)
    del watching.server.versions["w1"]
    assert not watching.look(1000)
    assert [watching.look(5) for _ in range(3)] == [False, False, True]


def test_the_time_of_an_outage_counts_against_nobody(clock: Clock) -> None:
    watching = Watching(clock)
    watching.look(0)
    # No look succeeds for ten minutes, in which nobody can renew either.
    assert not watching.look(600)
    assert not watching.look(1, renewed=True)
    assert [watching.look(5) for _ in range(3)] == [False, False, True]


def test_leases_long_dead_are_removed_but_not_while_they_hold_jobs(clock: Clock) -> None:
    watching = Watching(clock)
    for _ in range(31):
        watching.look(5)
    asyncio.run(watching.roster.bury_dead({"w1"}))
    assert "w1" in watching.server.versions
    asyncio.run(watching.roster.bury_dead(set()))
    assert "w1" not in watching.server.versions


def test_leases_of_the_living_stay(clock: Clock) -> None:
    watching = Watching(clock)
    for _ in range(31):
        watching.look(5, renewed=True)
    asyncio.run(watching.roster.bury_dead(set()))
    assert "w1" in watching.server.versions
