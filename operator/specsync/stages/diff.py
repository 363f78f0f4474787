"""diff: compares the canonical form with the base's, and stores the whole list of changes as a blob."""

from specsync.kube.client import NotFound
from specsync.resources import SpecSnapshot
from specsync.resources.meta import owner_reference
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import DiffOutput, NormalizeOutput
from specsync.stages.contract import Stage, StageContext, StageError, StageResult
from specsync.stages.engine import Compared
from specsync.stages.raw import loader


async def run(context: StageContext) -> StageResult:
    base = context.job.status.base
    normalized = context.output("normalize", NormalizeOutput)
    if base is None or normalized.canonical is None:
        raise StageError(Reason.INTERNAL_ERROR, "there is nothing to compare with; create another SyncJob")
    try:
        old = await context.client.get(SpecSnapshot, context.namespace, base.snapshot)
    except NotFound:
        raise StageError(
            Reason.BLOB_MISSING,
            f"SpecSnapshot {base.snapshot}, the one to compare with, was deleted; ask for another sync",
        ) from None
    parts = {
        base.digest: loader(context, old.spec.blobs.canonical),
        normalized.canonical_digest: loader(context, normalized.canonical),
    }
    compared = await context.engine.call("compare", Compared, parts, old=base.digest, new=normalized.canonical_digest)
    output = DiffOutput(
        breaking=compared.breaking,
        risky=compared.risky,
        safe=compared.safe,
        changes=await context.blobs.put(context.namespace, compared.changes, owner_reference(context.job)),
    )
    return StageResult(output, message=f"{output.breaking} breaking, {output.risky} risky, {output.safe} safe")


STAGE = Stage("diff", run, deadline=180.0)
