"""normalize: makes the canonical form of what is monitored, and ends the job where only the spelling changed."""

import msgspec

from specsync.kube.client import NotFound
from specsync.openapi.selection import Selection
from specsync.resources import SpecSnapshot
from specsync.resources.meta import owner_reference
from specsync.resources.monitor import Monitor
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import FetchOutput, NormalizeOutput
from specsync.stages.contract import Stage, StageContext, StageError, StageResult
from specsync.stages.engine import Normalized
from specsync.stages.integrity import restore
from specsync.stages.raw import raw_part

_DOMAINS_NAMED = 10


async def run(context: StageContext) -> StageResult:
    raw = context.output("fetch", FetchOutput)
    wanted = context.dependency.spec.monitor
    monitor = wanted if wanted.mode == "Partial" else None
    normalized = await context.engine.call(
        "normalize", Normalized, raw_part(context, raw), raw=raw.raw_digest, selection=selection_of(monitor)
    )
    if not normalized.operations and monitor is not None:
        await _refuse_nothing(context, monitor, normalized)
    output = NormalizeOutput(
        canonical_digest=normalized.digest,
        operations=normalized.operations,
        monitor=monitor,
        unmatched=normalized.unmatched,
    )
    base = context.job.status.base
    same = base is not None and base.digest == normalized.digest
    if same and raw.damage is not None and await restore(context, raw.damage, normalized):
        what = f"the content of SpecSnapshot {raw.damage.snapshot} is stored anew"
        return StageResult(msgspec.structs.replace(output, unchanged=True), message=what, ends="Unchanged")
    if same and raw.damage is None:
        what = "only the spelling differs" if monitor is None else "nothing that is monitored differs"
        return StageResult(msgspec.structs.replace(output, unchanged=True), message=what, ends="Unchanged")
    owner = owner_reference(context.job)
    output = msgspec.structs.replace(
        output,
        canonical=await context.blobs.put(context.namespace, normalized.canonical, owner),
        operation_list=await context.blobs.put(context.namespace, normalized.operation_list, owner),
        domains=normalized.domains,
    )
    part = f" of {normalized.all_operations}" if monitor else ""
    return StageResult(output, message=f"{normalized.operations}{part} operations")


STAGE = Stage("normalize", run, deadline=180.0)


def selection_of(monitor: Monitor | None) -> str:
    """A selection as the engine takes it: JSON, or nothing for the whole."""
    if monitor is None:
        return ""
    return msgspec.json.encode(Selection(domains=monitor.domains, endpoints=monitor.endpoints)).decode()


async def _refuse_nothing(context: StageContext, monitor: Monitor, found: Normalized) -> None:
    """A selection of nothing is a mistake, unless the same selection had operations before: then those were removed."""
    base = context.job.status.base
    if base is not None:
        try:
            before = await context.client.get(SpecSnapshot, context.namespace, base.snapshot)
        except NotFound:
            before = None
        if before is not None and before.spec.monitor == monitor:
            return
    named = ", ".join(domain or "(none)" for domain in found.all_domains[:_DOMAINS_NAMED])
    more = f" and {len(found.all_domains) - _DOMAINS_NAMED} more" if len(found.all_domains) > _DOMAINS_NAMED else ""
    raise StageError(
        Reason.NOTHING_MONITORED,
        f"spec.monitor selects none of the document's {found.all_operations} operations; its domains are "
        f"{named}{more}. Correct spec.monitor.domains and spec.monitor.endpoints",
    )
