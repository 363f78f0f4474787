"""normalize: makes the canonical form, and ends the job where only the spelling changed."""

from specsync.resources.meta import owner_reference
from specsync.resources.syncjob import FetchOutput, NormalizeOutput
from specsync.stages.contract import Stage, StageContext, StageResult
from specsync.stages.engine import Normalized
from specsync.stages.raw import raw_part


async def run(context: StageContext) -> StageResult:
    raw = context.output("fetch", FetchOutput)
    normalized = await context.engine.call("normalize", Normalized, raw_part(context, raw), raw=raw.raw_digest)
    base = context.job.status.base
    if base is not None and base.digest == normalized.digest:
        output = NormalizeOutput(canonical_digest=normalized.digest, unchanged=True, operations=normalized.operations)
        return StageResult(output, message="only the spelling differs", ends="Unchanged")
    owner = owner_reference(context.job)
    output = NormalizeOutput(
        canonical_digest=normalized.digest,
        canonical=await context.blobs.put(context.namespace, normalized.canonical, owner),
        operation_list=await context.blobs.put(context.namespace, normalized.operation_list, owner),
        operations=normalized.operations,
        domains=normalized.domains,
    )
    return StageResult(output, message=f"{normalized.operations} operations")


STAGE = Stage("normalize", run, deadline=180.0)
