"""How a SyncJob's status ends: phase, conditions and times in one step, the same for the worker and the leader."""

import datetime as dt

from msgspec.structs import replace

from specsync.resources.conditions import condition, merge
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import STAGES, Phase, StageRecord, SyncJobStatus


def finished_status(
    status: SyncJobStatus, phase: Phase, reason: Reason, message: str, at: dt.datetime
) -> SyncJobStatus:
    """The status in a terminal phase, with the conditions that follow from it. The claim's epoch is kept."""
    conditions = [
        condition("Complete", phase == "Succeeded", reason, message, at),
        condition("Failed", phase == "Failed", reason, message, at),
        condition("Finished", True, reason, message, at),
    ]
    return replace(status, phase=phase, finished_at=at, retry_at=None, conditions=merge(status.conditions, conditions))


def unfinished_status(status: SyncJobStatus) -> SyncJobStatus:
    """The status of a finished job that is to go on: pending, a new run of attempts, earlier stages' results kept."""
    claim = status.claim
    return replace(
        status,
        phase="Pending",
        result=None,
        attempts=0,
        started_at=None,
        finished_at=None,
        retry_at=None,
        error=None,
        claim=replace(claim, worker="") if claim else None,
        stages=[record for record in status.stages if record.state != "Skipped"],
        conditions=[],
    )


def skipped_rest(records: list[StageRecord]) -> list[StageRecord]:
    """The records with each stage that did not run marked as Skipped."""
    present = {record.name for record in records}
    return [*records, *(StageRecord(name=name, state="Skipped") for name in STAGES if name not in present)]
