"""parse: makes sure that the document is an OpenAPI document, says which, and judges it by the specification.

A document with defects is refused where spec.validation is Strict; otherwise they are reported, and all of them stored.
"""

import asyncio

from msgspec.structs import replace

from specsync.resources.meta import owner_reference
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import FetchOutput, Judgement, ParseOutput
from specsync.stages.contract import Load, Stage, StageContext, StageError, StageResult
from specsync.stages.engine import Validated
from specsync.stages.raw import raw_part


async def run(context: StageContext) -> StageResult:
    raw = context.output("fetch", FetchOutput)
    document = raw_part(context, raw)
    parsed = await context.engine.call("parse", ParseOutput, document, raw=raw.raw_digest)
    strict = context.dependency.spec.validation == "Strict"
    judgement = await _judge(context, document, raw.raw_digest, strict=strict)
    if strict and judgement.errors:
        raise StageError(Reason.INVALID, _refusal(judgement))
    what = f"{parsed.format}: {parsed.title} {parsed.version}".strip()
    counted = f", {judgement.counted}" if judgement.counted else ""
    return StageResult(replace(parsed, validation=judgement), message=what + counted)


STAGE = Stage("parse", run, deadline=120.0)

_JUDGING = 30.0  # seconds; a second is much for the largest public documents


async def _judge(context: StageContext, document: dict[str, Load], digest: str, *, strict: bool) -> Judgement:
    try:
        async with asyncio.timeout(_JUDGING):
            found = await context.engine.call("validate", Validated, document, raw=digest)
    except TimeoutError:
        if strict:
            text = f"judging the document took longer than {_JUDGING:.0f}s, and spec.validation is Strict; set Lenient"
            raise StageError(Reason.RESOURCE_EXHAUSTED, text) from None
        return Judgement(judged=False)
    except StageError as error:
        # It was parsed, so it can be compared as well: only Strict needs the judgement.
        if strict or error.reason not in (Reason.RESOURCE_EXHAUSTED, Reason.INTERNAL_ERROR):
            raise
        return Judgement(judged=False)
    if not (found.errors or found.warnings):
        return Judgement(external=found.external, first_external=found.external_first)
    return Judgement(
        external=found.external,
        first_external=found.external_first,
        errors=found.errors,
        warnings=found.warnings,
        first=found.first,
        findings=await context.blobs.put(context.namespace, found.report, owner_reference(context.job)),
    )


def _refusal(judgement: Judgement) -> str:
    more = judgement.errors + judgement.warnings - len(judgement.first)
    return (
        f"the document has {judgement.counted}, and spec.validation is Strict: {'; '.join(judgement.first)}"
        f"{f'; and {more} more' if more > 0 else ''}. Have it corrected, or set spec.validation to Lenient"
    )
