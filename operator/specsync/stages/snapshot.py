"""snapshot: writes the SpecSnapshot, which bears the job's name. The first one is the baseline, and ends the job.

Where a job that failed afterwards has left one of the very same contract, that is taken over instead.
"""

from specsync.blobs.store import BlobMissing
from specsync.resources import SpecSnapshot
from specsync.resources.meta import ObjectMeta, now, owner_reference
from specsync.resources.reasons import Reason
from specsync.resources.specsnapshot import Digests, SnapshotBlobs, SpecSnapshotSpec
from specsync.resources.syncjob import FetchOutput, Judgement, NormalizeOutput, ParseOutput, SnapshotOutput
from specsync.stages.contract import Stage, StageContext, StageError, StageResult
from specsync.stages.making import made


async def run(context: StageContext) -> StageResult:
    wanted = _snapshot(context)
    snapshot = await _taken_before(context, wanted)
    if snapshot is None:
        snapshot = await made(context, wanted)
        try:
            await _link(context, snapshot)
        except BlobMissing as error:
            raise StageError(Reason.BLOB_MISSING, f"{error}; ask for another sync") from error
    owner = owner_reference(snapshot)
    first = context.job.status.base is None
    return StageResult(SnapshotOutput(name=owner.name, uid=owner.uid), ends="Baseline" if first else None)


STAGE = Stage("snapshot", run, deadline=60.0)


async def _taken_before(context: StageContext, wanted: SpecSnapshot) -> SpecSnapshot | None:
    """The snapshot that a job has left which failed later: of the same contract, however its document is spelled.

    None where there is none of which all is left. Raises ApiError.
    """
    last = context.dependency.status.last_sync
    if last is None or last.phase == "Succeeded":
        return None
    own = f"spec.dependency={context.dependency.metadata.name}"
    for found in await context.client.list(SpecSnapshot, context.namespace, fields=own):
        if _contract(found) != _contract(wanted):
            continue
        try:
            await _link(context, found)
        except BlobMissing:
            continue
        return found
    return None


def _contract(snapshot: SpecSnapshot) -> tuple[object, ...]:
    """What snapshots of one contract have in common, if they follow the same one and are of the same Dependency."""
    spec = snapshot.spec
    owners = [owner.uid for owner in snapshot.metadata.owner_references]
    return (owners, spec.previous, spec.digests.canonical, spec.monitor)


def _snapshot(context: StageContext) -> SpecSnapshot:
    """A pure function of the job and its records: two workers make the same."""
    fetched = context.output("fetch", FetchOutput)
    parsed = context.output("parse", ParseOutput)
    normalized = context.output("normalize", NormalizeOutput)
    if fetched.raw is None or normalized.canonical is None or normalized.operation_list is None:
        raise StageError(Reason.INTERNAL_ERROR, "an earlier stage recorded no blob; create another SyncJob")
    base = context.job.status.base
    found = parsed.validation or Judgement()
    return SpecSnapshot(
        metadata=ObjectMeta(
            name=context.job.metadata.name,
            namespace=context.namespace,
            owner_references=[owner_reference(context.dependency)],
        ),
        spec=SpecSnapshotSpec(
            dependency=context.dependency.metadata.name,
            job_uid=context.job.metadata.uid,
            previous=base.snapshot if base else None,
            title=parsed.title,
            version=parsed.version,
            format=parsed.format,
            operations=normalized.operations,
            domains=normalized.domains,
            findings=found.errors + found.warnings,
            monitor=normalized.monitor,
            files=fetched.files,
            external_refs=fetched.external_refs,
            digests=Digests(
                raw=fetched.raw_digest,
                canonical=normalized.canonical_digest,
                short=normalized.canonical_digest.removeprefix("sha256:")[:12],
            ),
            blobs=SnapshotBlobs(
                raw=fetched.raw,
                canonical=normalized.canonical,
                operations=normalized.operation_list,
                findings=found.findings,
            ),
            fetched_at=fetched.fetched_at or now(),
        ),
    )


async def _link(context: StageContext, snapshot: SpecSnapshot) -> None:
    """Lets the blobs live as long as the snapshot. Raises BlobMissing."""
    for ref in snapshot.spec.blobs.refs:
        await context.blobs.link(context.namespace, ref, owner_reference(snapshot))
