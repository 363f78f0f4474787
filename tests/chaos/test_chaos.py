"""The short form of `make chaos`: each kind of fault once, in an order that a fixed seed decides."""

from pathlib import Path

import pytest

from devcluster import Binaries
from tests.chaos.run import Plan, run

PLAN = Plan(seed=6, storm=0.0, dependencies=30, versions=3)


@pytest.mark.timeout(600)  # all its waits have deadlines of their own
def test_after_faults_of_every_kind_all_is_as_in_an_undisturbed_run(binaries: Binaries, tmp_path: Path) -> None:
    verdict = run(PLAN, tmp_path, say=print)
    print("\n".join(verdict.lines))
    again = f"make chaos SEED={PLAN.seed} MINUTES=0 DEPENDENCIES={PLAN.dependencies}; logs: {tmp_path}"
    assert not verdict.complaints, "\n".join([*verdict.complaints, again])
