"""What a job has left that failed when it had written its change set: the next one takes it over.

Else the same change would be two change sets, and people would be told twice.
"""

from specsync.alerting.history import EarlierChange, in_order
from specsync.stages.contract import StageContext


async def same_changes(context: StageContext, digest: str) -> list[EarlierChange]:
    """Change sets of other jobs that lead from this job's base to that canonical digest, the oldest first.

    One that begins at the current snapshot is no successful job's: that one would have moved it. Raises ApiError.
    """
    base, last = context.job.status.base, context.dependency.status.last_sync
    if base is None or last is None or last.phase == "Succeeded":
        return []
    own = f"spec.dependency={context.dependency.metadata.name}"
    return [
        change
        for change in in_order(await context.client.list(EarlierChange, context.namespace, fields=own, page=20))
        if (change.spec.from_.snapshot, change.spec.to.digest) == (base.snapshot, digest)
        and change.metadata.name != context.job.metadata.name
    ]
