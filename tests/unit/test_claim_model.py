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


class NoCompare(ClaimProtocol):
    """A write is let in whatever has changed since its sender looked."""

    def __init__(self) -> None:
        super().__init__()
        self.server.guarded = False


class NoLook(ClaimProtocol):
    """Who was refused writes again, whoever holds the job now."""

    def __init__(self) -> None:
        super().__init__()
        self.patches.setattr(claims, "_holds", lambda *_: True)


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


@pytest.mark.parametrize("broken", [NoCompare, NoLook, EpochReset, NoBump])
def test_a_broken_protocol_is_caught(broken: type[ClaimProtocol]) -> None:
    without_shrinking = settings(SEARCH, max_examples=1000, phases=(Phase.generate,))
    with pytest.raises(AssertionError):
        run_state_machine_as_test(broken, settings=without_shrinking)
