"""The claim protocol holds in all orders of events, and its model notices where a part of the fence is missing."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec.structs import replace

from specsync.resources import SyncJob
from specsync.resources.syncjob import Claim
from specsync.worker import claims
from specsync.worker.runner import Workshop
from tests.unit.claim_protocol import ClaimProtocol

SEARCH = settings(
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def test_the_protocol_holds_in_all_orders() -> None:
    run_state_machine_as_test(ClaimProtocol, settings=SEARCH)


class NoEpochTest(ClaimProtocol):
    """A write tests the worker only: one that comes late is let in after a new claim by the same worker."""

    def __init__(self) -> None:
        super().__init__()
        tests = claims._claim_tests
        self.patches.setattr(claims, "_claim_tests", lambda held: tests(held)[:1])


class NoPhaseTest(ClaimProtocol):
    """A write doesn't test the phase: one that comes late wakes a job that has ended."""

    def __init__(self) -> None:
        super().__init__()
        test = claims._test
        unguarded = lambda path, value: test("/metadata/name", "job") if path == "/status/phase" else test(path, value)  # noqa: E731
        self.patches.setattr(claims, "_test", unguarded)


class EpochReset(ClaimProtocol):
    """Who hands a job back lets the count begin anew."""

    async def hand_back(self, shop: Workshop, job: SyncJob) -> None:
        held = claims.HeldClaim(shop.client, job)
        await held.write(replace(job.status, phase="Pending", claim=None))


class NoBump(ClaimProtocol):
    """A takeover keeps the epoch, so that the former holder's is as good."""

    def __init__(self) -> None:
        super().__init__()
        self.patches.setattr(claims, "Claim", lambda epoch, **rest: Claim(epoch=max(1, epoch - 1), **rest))


@pytest.mark.parametrize("broken", [NoEpochTest, NoPhaseTest, EpochReset, NoBump])
def test_a_broken_protocol_is_caught(broken: type[ClaimProtocol]) -> None:
    without_shrinking = settings(SEARCH, max_examples=1000, phases=(Phase.generate,))
    with pytest.raises(AssertionError):
        run_state_machine_as_test(broken, settings=without_shrinking)
