"""persist: writes the ChangeSet, which bears the job's name: what a user needs to see, the rest in a blob.

Where a job that failed afterwards, before all were told, has found the very same change, its ChangeSet is taken over
instead: else the same change would be two change sets, and people would be told twice.
"""

import itertools
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from specsync.alerting.history import EarlierChange, in_order
from specsync.blobs.store import BlobMissing
from specsync.diffing.comparison import Cause, Comparison, Event, Witness
from specsync.kube.client import NotFound
from specsync.resources import ChangeSet, Dependency
from specsync.resources.changeset import (
    MAX_CAUSES,
    MAX_EVENTS,
    MAX_EVENTS_BYTES,
    MAX_POINTER,
    ChangeCause,
    ChangeEvent,
    ChangeSetSpec,
    ChangeSummary,
    ChangeWitness,
    EventLocation,
    OperationRef,
    SnapshotPointer,
)
from specsync.resources.meta import ObjectMeta, owner_reference
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import DiffOutput, NormalizeOutput, ParseOutput, PersistOutput, SnapshotOutput
from specsync.stages.contract import BaseMoved, Stage, StageContext, StageError, StageResult
from specsync.stages.making import made
from specsync.stages.raw import loader

C = TypeVar("C", ChangeCause, ChangeEvent)

_TEXT = 1024  # characters of one text of the resource; the blob has it whole
_CAUSES_BYTES = 512 * 1024  # with the events less than etcd takes, 1.5 MiB, whatever the script they are in


async def run(context: StageContext) -> StageResult:
    diff = context.output("diff", DiffOutput)
    await _check_base(context)
    if diff.changes is None or not (diff.breaking or diff.risky or diff.safe):
        return StageResult(PersistOutput(), message="nothing that a rule knows of")
    comparison = msgspec.json.decode(await loader(context, diff.changes)(), type=Comparison)
    wanted = _change_set(context, diff, comparison)
    earlier = await _found_before(context, wanted.spec.to.digest)
    if earlier is not None:
        return StageResult(PersistOutput(change_set=earlier), message=f"found before, by SyncJob {earlier}")
    change_set = await made(context, wanted)
    try:
        await _link(context, change_set)
    except BlobMissing as error:
        raise StageError(Reason.BLOB_MISSING, f"{error}; ask for another sync") from error
    return StageResult(PersistOutput(change_set=change_set.metadata.name))


STAGE = Stage("persist", run, deadline=60.0)


async def _check_base(context: StageContext) -> None:
    """One job at a time works on a Dependency, so the base can only have moved by hand: diff again then."""
    try:
        dependency = await context.client.get(Dependency, context.namespace, context.dependency.metadata.name)
    except NotFound:
        raise StageError(Reason.TARGET_DELETED, "the Dependency was deleted meanwhile") from None
    base, current = context.job.status.base, dependency.status.current
    if base is not None and current is not None and current.snapshot != base.snapshot:
        raise BaseMoved


async def _found_before(context: StageContext, digest: str) -> str | None:
    """The name of the change set to take over, with its blob, if there is a whole one."""
    for change in await _same_changes(context, digest):
        name = change.metadata.name
        try:
            await _link(context, await context.client.get(ChangeSet, context.namespace, name))
        except BlobMissing:
            continue  # not all of it is left; the leader deletes it when there is a whole one
        return name
    return None


async def _same_changes(context: StageContext, digest: str) -> list[EarlierChange]:
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


async def _link(context: StageContext, change_set: ChangeSet) -> None:
    """Lets the blob with all of the changes, if there is one, live as long as the change set. Raises BlobMissing."""
    if change_set.spec.blob is not None:
        await context.blobs.link(context.namespace, change_set.spec.blob, owner_reference(change_set))


def _change_set(context: StageContext, diff: DiffOutput, comparison: Comparison) -> ChangeSet:
    """A pure function of the job and its records: two workers make the same."""
    base = context.job.status.base
    if base is None:
        raise StageError(Reason.INTERNAL_ERROR, "there is nothing to compare with; create another SyncJob")
    causes = _fitting(map(_shortened_cause, comparison.causes), MAX_CAUSES, _CAUSES_BYTES)
    events = _fitting(map(_shortened_event, comparison.events), MAX_EVENTS, MAX_EVENTS_BYTES)
    truncated = len(events) < len(comparison.events) or len(causes) < len(comparison.causes)
    current = context.dependency.status.current
    return ChangeSet(
        metadata=ObjectMeta(
            name=context.job.metadata.name,
            namespace=context.namespace,
            owner_references=[owner_reference(context.dependency)],
        ),
        spec=ChangeSetSpec(
            dependency=context.dependency.metadata.name,
            job_uid=context.job.metadata.uid,
            from_=SnapshotPointer(
                snapshot=base.snapshot,
                digest=base.digest,
                version=current.version if current and current.snapshot == base.snapshot else "",
            ),
            to=SnapshotPointer(
                snapshot=context.output("snapshot", SnapshotOutput).name,
                digest=context.output("normalize", NormalizeOutput).canonical_digest,
                version=context.output("parse", ParseOutput).version,
            ),
            summary=msgspec.convert(comparison.summary, ChangeSummary, from_attributes=True),
            causes=causes,
            events=events,
            truncated=truncated,
            blob=diff.changes if truncated else None,
        ),
    )


def _fitting(found: Iterable[C], number: int, size: int) -> list[C]:
    """As many of them, worst first, as keep the object small; `size` in bytes."""
    kept: list[C] = []
    for each in itertools.islice(found, number):
        size -= len(msgspec.json.encode(each))
        if size < 0:
            break
        kept.append(each)
    return kept


def _shortened_cause(cause: Cause) -> ChangeCause:
    return ChangeCause(
        scope=cause.scope,
        id=_short(cause.id),
        severity=cause.severity,
        kind=cause.kind,
        summary=_short(cause.summary),
        operations=cause.operations,
        fingerprint=cause.fingerprint,
    )


def _shortened_event(event: Event) -> ChangeEvent:
    return ChangeEvent(
        id=event.id,
        kind=event.kind,
        severity=event.severity,
        operation=_operation(event),
        # A pointer that is cut leads nowhere: better none.
        location=EventLocation(old=_pointer(event.location.old), new=_pointer(event.location.new)),
        summary=_short(event.summary),
        before=_value(event.before),
        after=_value(event.after),
        cause=event.cause,
        domain=event.domain[:128],
        fingerprint=event.fingerprint,
        witness=_shortened_witness(event.witness),
    )


def _value(value: Any) -> str | None:
    """A value as text: a string as it is, all else as JSON."""
    if value is None:
        return None
    return _short(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def _shortened_witness(witness: Witness | None) -> ChangeWitness | None:
    """The witness with its value as JSON; none where that is too long, for a part of it shows nothing."""
    if witness is None:
        return None
    value = msgspec.json.encode(witness.value).decode()
    if max(len(value), len(witness.at), len(witness.refused_at)) > _TEXT:
        return None
    return ChangeWitness(
        place=witness.place[:256],
        media_type=witness.media_type[:256],
        accepted_by=witness.accepted_by,
        value=value,
        at=witness.at,
        refused_at=witness.refused_at,
        reason=witness.reason[:256],
    )


def _operation(event: Event) -> OperationRef | None:
    found = event.operation
    return None if found is None else OperationRef(method=found.method[:16], path=_short(found.path))


def _pointer(pointer: str | None) -> str | None:
    return pointer if pointer is None or len(pointer) <= MAX_POINTER else None


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"
