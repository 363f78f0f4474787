"""persist: writes the ChangeSet, which bears the job's name: what a user needs to see, the rest in a blob."""

from typing import Any

import msgspec

from specsync.blobs.store import BlobMissing
from specsync.kube.client import Conflict, NotFound
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
from specsync.resources.syncjob import DiffOutput, NormalizeOutput, ParseOutput, PersistOutput
from specsync.stages.contract import BaseMoved, Stage, StageContext, StageError, StageResult
from specsync.stages.raw import loader

_TEXT = 1024  # characters of one text of the resource; the blob has it whole


class _Witness(ChangeWitness, frozen=True, kw_only=True):
    """A witness as the blob has it: its value as it is sent."""

    value: Any


class _Event(ChangeEvent, frozen=True, kw_only=True):
    """An event as the blob has it: the values are as they stand in the documents, numbers and lists too."""

    before: Any = None
    after: Any = None
    witness: _Witness | None = None


class _Changes(msgspec.Struct):
    """The blob that the diff stage wrote, as far as the resource shows it."""

    summary: ChangeSummary
    causes: list[ChangeCause] = []
    events: list[_Event] = []


async def run(context: StageContext) -> StageResult:
    diff = context.output("diff", DiffOutput)
    await _check_base(context)
    if diff.changes is None or not (diff.breaking or diff.risky or diff.safe):
        return StageResult(PersistOutput(), message="nothing that a rule knows of")
    changes = msgspec.json.decode(await loader(context, diff.changes)(), type=_Changes)
    wanted = _change_set(context, diff, changes)
    try:
        change_set = await context.client.create(wanted)
    except Conflict:
        # This job made it before a crash, or it is somebody else's.
        change_set = await context.client.get(ChangeSet, context.namespace, wanted.metadata.name)
        if change_set.spec.job_uid != wanted.spec.job_uid:
            raise StageError(
                Reason.NAME_CONFLICT,
                f"ChangeSet {wanted.metadata.name} exists and isn't this job's: delete it, or create another SyncJob",
            ) from None
    if change_set.spec.blob is not None:
        try:
            await context.blobs.link(context.namespace, change_set.spec.blob, owner_reference(change_set))
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


def _change_set(context: StageContext, diff: DiffOutput, changes: _Changes) -> ChangeSet:
    """A pure function of the job and its records: two workers make the same."""
    base = context.job.status.base
    if base is None:
        raise StageError(Reason.INTERNAL_ERROR, "there is nothing to compare with; create another SyncJob")
    events = _first_events(changes.events)
    truncated = len(events) < len(changes.events) or len(changes.causes) > MAX_CAUSES
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
                snapshot=context.job.metadata.name,
                digest=context.output("normalize", NormalizeOutput).canonical_digest,
                version=context.output("parse", ParseOutput).version,
            ),
            summary=changes.summary,
            causes=[_shortened_cause(cause) for cause in changes.causes[:MAX_CAUSES]],
            events=events,
            truncated=truncated,
            blob=diff.changes if truncated else None,
        ),
    )


def _first_events(events: list[_Event]) -> list[ChangeEvent]:
    """As many of the events, worst first, as keep the object small."""
    kept, size = [], 0
    for event in events[:MAX_EVENTS]:
        shortened = _shortened_event(event)
        size += len(msgspec.json.encode(shortened))
        if size > MAX_EVENTS_BYTES:
            break
        kept.append(shortened)
    return kept


def _shortened_cause(cause: ChangeCause) -> ChangeCause:
    return msgspec.structs.replace(cause, id=_short(cause.id), summary=_short(cause.summary))


def _shortened_event(event: _Event) -> ChangeEvent:
    return ChangeEvent(
        id=event.id,
        kind=event.kind,
        severity=event.severity,
        operation=event.operation
        and OperationRef(method=event.operation.method[:16], path=_short(event.operation.path)),
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


def _shortened_witness(witness: _Witness | None) -> ChangeWitness | None:
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


def _operation(operation: OperationRef | None) -> OperationRef | None:
    return operation and OperationRef(method=operation.method[:16], path=_short(operation.path))


def _pointer(pointer: str | None) -> str | None:
    return pointer if pointer is None or len(pointer) <= MAX_POINTER else None


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"
