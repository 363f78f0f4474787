"""diff: compares the canonical form with the base's, and stores the whole list of changes as a blob.

A base's canonical form that is lost, or is of an older version of specsync, is made anew from its document. So is one
of another selection, where spec.monitor was changed: both sides are compared by what is monitored now, so that the
selection's change is no change of the contract. Where the document is gone too there is nothing to compare with: a new
baseline, with its Event, so that the next change is found again.
"""

from specsync.kube.client import NotFound
from specsync.resources import SpecSnapshot
from specsync.resources.meta import owner_reference
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import Base, Damage, DiffOutput, FetchOutput, NormalizeOutput
from specsync.stages.contract import REFUSALS, Load, Stage, StageContext, StageError, StageResult
from specsync.stages.engine import Compared
from specsync.stages.normalize import selection_of
from specsync.stages.raw import loader


async def run(context: StageContext) -> StageResult:
    base = context.job.status.base
    if base is None:
        raise StageError(Reason.INTERNAL_ERROR, "there is nothing to compare with; create another SyncJob")
    try:
        old = await context.client.get(SpecSnapshot, context.namespace, base.snapshot)
    except NotFound:
        return _new_baseline(f"SpecSnapshot {base.snapshot} was deleted")
    fetched = context.output("fetch", FetchOutput)
    if fetched.external_refs != old.spec.external_refs and max(fetched.files, old.spec.files) > 1:
        return _new_baseline("spec.source.externalRefs was changed, and with it how many files the document is")
    reselected = old.spec.monitor != context.output("normalize", NormalizeOutput).monitor
    compared, damage = await _compare(context, old, base, reselected=reselected)
    if compared is None:
        return _new_baseline(f"the content of SpecSnapshot {base.snapshot} is gone or damaged", damage)
    if fetched.damage is not None and not (compared.breaking or compared.risky or compared.safe):
        return _new_baseline(f"the content of SpecSnapshot {base.snapshot} was gone or damaged")
    if reselected and not (compared.breaking or compared.risky or compared.safe):
        return _new_baseline("spec.monitor was changed; in what is monitored now nothing else was")
    output = DiffOutput(
        breaking=compared.breaking,
        risky=compared.risky,
        safe=compared.safe,
        changes=await context.blobs.put(context.namespace, compared.changes, owner_reference(context.job)),
        damage=damage,
    )
    return StageResult(output, message=f"{output.breaking} breaking, {output.risky} risky, {output.safe} safe")


STAGE = Stage("diff", run, deadline=180.0)


class _BaseGone(Exception):
    """A blob of the base can't be read any more."""


async def _compare(
    context: StageContext, old: SpecSnapshot, base: Base, *, reselected: bool
) -> tuple[Compared | None, Damage | None]:
    """The comparison, None where neither the base's canonical form nor its document is of use any more.

    And what was found wrong with the base's content.
    """
    damage: Damage | None = None
    normalized = context.output("normalize", NormalizeOutput)
    if normalized.canonical is None:
        raise StageError(Reason.INTERNAL_ERROR, "there is nothing to compare; create another SyncJob")
    new, raw, blobs = normalized.canonical_digest, old.spec.digests.raw, old.spec.blobs
    stored = {base.digest: _of_base(loader(context, blobs.canonical))}
    parts = {new: loader(context, normalized.canonical)}
    selection = selection_of(normalized.monitor)
    for from_document in (True,) if reselected else (False, True):
        try:
            if from_document:
                document = {raw: _of_base(loader(context, blobs.raw))}
                await context.engine.call("renormalize", bool, document, old=base.digest, raw=raw, selection=selection)
            # A form made anew is the child's alone. Where that one dies, what is stored is no substitute, being lost or
            # of another selection: the attempt fails, and the next one makes the form again.
            known = parts if from_document else stored | parts
            return await context.engine.call("compare", Compared, known, old=base.digest, new=new), damage
        except _BaseGone as error:
            damage = damage or _damage(base.snapshot, error)
        except StageError as error:
            if error.reason not in REFUSALS:  # the new document has passed it: this is about the base
                raise
    return None, damage


def _damage(snapshot: str, error: _BaseGone) -> Damage:
    cause = error.__cause__
    reason = cause.reason if isinstance(cause, StageError) else Reason.BLOB_MISSING
    return Damage(snapshot=snapshot, reason=reason, message=f"content of SpecSnapshot {snapshot}: {error}")


def _of_base(load: Load) -> Load:
    async def load_base() -> bytes:
        try:
            return await load()
        except StageError as error:
            if error.reason not in (Reason.BLOB_MISSING, Reason.BLOB_CORRUPTED):
                raise
            raise _BaseGone(str(error.__cause__ or error)) from error

    return load_base


def _new_baseline(why: str, damage: Damage | None = None) -> StageResult:
    output = DiffOutput(breaking=0, risky=0, safe=0, damage=damage)
    return StageResult(output, message=f"a new baseline: {why}", ends="Baseline")
