"""The election: one leads at a time, and one that was frozen knows that it may not before it does anything."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from msgspec.structs import replace

from specsync.kube import election, leases
from specsync.kube.client import ApiError, Conflict, Invalid, KubeClient, NotFound
from specsync.kube.core import Lease
from specsync.kube.election import LeaderElection
from specsync.kube.leases import LeaseTiming

TIMING = LeaseTiming(heartbeat=0.02, duration=1.0)


class Clock:
    """The process's clock, which runs on, and jumps while it is frozen."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(leases, "time", clock)
    monkeypatch.setattr(election, "time", clock)
    return clock


class Server:
    """As much of an API server as the election needs: one Lease, patched as the tests in the patch allow."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self.down = False
        self.version = 0

    @property
    def client(self) -> KubeClient:
        return cast(KubeClient, self)

    @property
    def holder(self) -> str | None:
        return self.lease.spec.holder_identity if self.lease else None

    def take(self, holder: str) -> None:
        """Somebody else has become the leader meanwhile."""
        assert self.lease is not None
        self._store(replace(self.lease, spec=replace(self.lease.spec, holder_identity=holder)))

    async def get(self, kind: type[Lease], namespace: str, name: str) -> Lease:
        self._answer()
        if self.lease is None:
            raise NotFound(404, "NotFound", "no lease")
        return self.lease

    async def create(self, lease: Lease) -> Lease:
        self._answer()
        if self.lease is not None:
            raise Conflict(409, "AlreadyExists", "it exists")
        return self._store(replace(lease, metadata=replace(lease.metadata, uid="uid")))

    async def patch(self, kind: type[Lease], namespace: str, name: str, patch: list[dict[str, Any]]) -> Lease:
        self._answer()
        if self.lease is None:
            raise NotFound(404, "NotFound", "no lease")
        meta, spec = self.lease.metadata, self.lease.spec
        there = {
            "/metadata/uid": meta.uid,
            "/metadata/resourceVersion": meta.resource_version,
            "/spec/holderIdentity": spec.holder_identity,
        }
        for step in patch:
            if step["op"] == "test" and there[step["path"]] != step["value"]:
                raise Invalid(422, "Invalid", "the test failed")
        new = {step["path"]: step["value"] for step in patch if step["op"] == "add"}
        return self._store(replace(self.lease, spec=replace(spec, holder_identity=new["/spec/holderIdentity"])))

    def _store(self, lease: Lease) -> Lease:
        self.version += 1
        self.lease = replace(lease, metadata=replace(lease.metadata, resource_version=str(self.version)))
        return self.lease

    def _answer(self) -> None:
        if self.down:
            raise ApiError(0, "NoAnswer", "no answer")


class Candidate:
    """One that stands for election; `terms` are its terms of office, each with whether it was over when it ended."""

    def __init__(self, server: Server, identity: str) -> None:
        self.election = LeaderElection(server.client, "ns", "leader", identity, TIMING)
        self.terms = 0
        self.ended: list[bool] = []

    async def lead(self) -> None:
        self.terms += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append(not self.election.in_office)


def run(story: Callable[[Server, Candidate], Any]) -> None:
    async def main() -> None:
        server = Server()
        candidate = Candidate(server, "me")
        standing = asyncio.create_task(candidate.election.run(candidate.lead))
        try:
            async with asyncio.timeout(10):
                await until(lambda: candidate.terms == 1)
                await story(server, candidate)
        finally:
            standing.cancel()
            await asyncio.gather(standing, return_exceptions=True)
        assert server.holder != "me", "it gives the Lease back"

    asyncio.run(main())


async def until(check: Callable[[], object]) -> None:
    while not check():  # noqa: ASYNC110
        await asyncio.sleep(0.002)


@pytest.mark.usefixtures("clock")
def test_a_term_is_one_of_many_renewals() -> None:
    async def story(server: Server, me: Candidate) -> None:
        version = server.version
        await until(lambda: server.version > version + 5)
        assert (me.terms, me.election.in_office) == (1, True)

    run(story)


def test_who_was_frozen_is_out_of_office_before_it_has_noticed_anything(clock: Clock) -> None:
    async def story(server: Server, me: Candidate) -> None:
        server.take("other")
        clock.ahead += 3600.0
        assert me.election.leading
        assert not me.election.in_office
        await until(lambda: me.ended)
        assert (me.ended, me.election.leading, server.holder) == ([True], False, "other")
        # The other renews no more: its Lease is had after its time, counted from now on.
        await until(lambda: me.terms == 2)
        assert server.holder == "me"

    run(story)


@pytest.mark.usefixtures("clock")
def test_who_can_not_renew_ends_its_term_in_time_and_leads_again_when_it_can() -> None:
    async def story(server: Server, me: Candidate) -> None:
        server.down = True
        await until(lambda: me.ended)
        assert me.ended == [True], "not while others must wait for it, and not before"
        server.down = False
        await until(lambda: me.terms == 2)

    run(story)


@pytest.mark.usefixtures("clock")
def test_a_lease_that_is_taken_or_deleted_ends_the_term_at_once() -> None:
    async def taken(server: Server, me: Candidate) -> None:
        server.take("other")
        await until(lambda: me.ended)
        assert server.holder == "other"

    async def deleted(server: Server, me: Candidate) -> None:
        server.lease = None
        await until(lambda: me.terms == 2)

    run(taken)
    run(deleted)


def test_an_error_of_the_work_comes_through() -> None:
    async def main() -> None:
        async def fail() -> None:
            raise RuntimeError("a defect")

        with pytest.raises(RuntimeError, match="a defect"):
            await LeaderElection(Server().client, "ns", "leader", "me", TIMING).run(fail)

    asyncio.run(main())
