"""Objects that bear a job's name: made once, whatever dies in between."""

from typing import TypeVar

from specsync.kube.client import Conflict
from specsync.resources import ChangeSet, SpecSnapshot
from specsync.resources.reasons import Reason
from specsync.stages.contract import StageContext, StageError

M = TypeVar("M", SpecSnapshot, ChangeSet)


async def made(context: StageContext, wanted: M) -> M:
    """The object as it is there then: new, or as this job made it before a crash.

    Raises StageError where somebody else's bears the name; ApiError.
    """
    try:
        return await context.client.create(wanted)
    except Conflict:
        found = await context.client.get(type(wanted), context.namespace, wanted.metadata.name)
    if found.spec.job_uid != wanted.spec.job_uid:
        what = f"{wanted.definition.kind} {wanted.metadata.name}"
        text = f"{what} exists and isn't this job's: delete it, or create another SyncJob"
        raise StageError(Reason.NAME_CONFLICT, text)
    return found
