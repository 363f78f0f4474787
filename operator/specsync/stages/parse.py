"""parse: makes sure that the document is an OpenAPI document, and says which."""

from specsync.resources.syncjob import FetchOutput, ParseOutput
from specsync.stages.contract import Stage, StageContext, StageResult
from specsync.stages.raw import raw_part


async def run(context: StageContext) -> StageResult:
    raw = context.output("fetch", FetchOutput)
    output = await context.engine.call("parse", ParseOutput, raw_part(context, raw), raw=raw.raw_digest)
    return StageResult(output, message=f"{output.format}: {output.title} {output.version}".strip())


STAGE = Stage("parse", run, deadline=120.0)
