"""alert: decides who is told of the change set, writes an AlertDelivery for each, and a Kubernetes Event.

The decision is recorded before the first delivery is created: preferences may change while a worker dies, and the one
that goes on must not tell others. Each delivery's name follows from the decision, so a second worker makes the same.
"""

import contextlib
from collections.abc import Sequence

from msgspec.structs import replace

from specsync.alerting.history import EarlierChange, acknowledged_causes, reverted_by
from specsync.alerting.outbox import deliveries_of, resolves_of
from specsync.alerting.routing import Situation, route_change, routes
from specsync.alerting.selecting import BlobEvent, Causes, blob_events
from specsync.blobs.store import BlobCorrupted, BlobMissing
from specsync.kube.client import ApiError, Conflict, Invalid, NotFound
from specsync.resources import AlertChannel, AlertDelivery, AlertPreference, ChangeSet, SyncJob
from specsync.resources.meta import now, to_wire
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import MAX_REVERTED, MAX_ROUTES, AlertOutput, DiffOutput, ParseOutput, PersistOutput
from specsync.stages.contract import Stage, StageContext, StageError, StageResult
from specsync.stages.reverting import is_undone, still_open


async def run(context: StageContext) -> StageResult:
    name = context.output("persist", PersistOutput).change_set
    if not name:
        return StageResult(AlertOutput(), message="nothing to tell", ends="Changed")
    try:
        change_set = await context.client.get(ChangeSet, context.namespace, name)
    except NotFound:
        raise StageError(Reason.NOT_FOUND, f"ChangeSet {name} was deleted before anybody was told of it") from None
    causes = Causes(change_set, await _whole(context, change_set))
    output, surplus = context.begun("alert", AlertOutput), 0
    if output is None:
        output = await _decided_before(context, change_set)
        if output is None:
            output, surplus = await _decide(context, causes)
        if output.routes or output.reverted:
            await context.checkpoint(output)
    created = await _enqueue(context, causes, output)
    event = await _record_event(context, name)
    reverted = await _end_what_is_undone(context, change_set, output.reverted)
    message = f"{created} deliveries" if created else "no channel gets it"
    if surplus:
        message += f"; {surplus} channels more are over the limit of {MAX_ROUTES} and get nothing"
    return StageResult(replace(output, reverted=reverted, event=event), message=message, ends="Changed")


# There may be hundreds of deliveries to create, and comparisons to make, for which a child must be free.
STAGE = Stage("alert", run, deadline=180.0)


async def _whole(context: StageContext, change_set: ChangeSet) -> list[BlobEvent] | None:
    """All events of a change set that is too large to hold them itself; None where it does, or the blob is lost."""
    if change_set.spec.blob is None:
        return None
    try:
        return blob_events(await context.blobs.get(context.namespace, change_set.spec.blob))
    except (BlobMissing, BlobCorrupted):
        return None  # people are told all the same


async def _decided_before(context: StageContext, change_set: ChangeSet) -> AlertOutput | None:
    """What the job decided that made the change set, where this one has taken it over: some may have been told."""
    if change_set.spec.job_uid == context.job.metadata.uid:
        return None
    try:
        maker = await context.client.get(SyncJob, context.namespace, change_set.metadata.name)
    except NotFound:
        return None
    record = next((r.alert for r in maker.status.stages if r.alert is not None), None)
    return record if maker.metadata.uid == change_set.spec.job_uid else None


async def _decide(context: StageContext, causes: Causes) -> tuple[AlertOutput, int]:
    """Who is told of what and when, as things are now; and how many routes are too many to be recorded."""
    client, namespace, at = context.client, context.namespace, now()
    channels = await client.list(AlertChannel, namespace)
    preferences = await client.list(AlertPreference, namespace)
    if not channels and not preferences:
        return AlertOutput(routed_at=at), 0
    change_set = causes.change_set
    earlier = await _earlier(context, change_set)
    situation = Situation(context.dependency, channels, preferences, acknowledged_causes(earlier), at)
    found = routes(route_change(causes, situation))
    output = AlertOutput(routed_at=at, routes=found[:MAX_ROUTES], reverted=reverted_by(change_set, earlier))
    return output, max(0, len(found) - MAX_ROUTES)


async def _enqueue(context: StageContext, causes: Causes, output: AlertOutput) -> int:
    """Creates what isn't there yet. The number of deliveries of this change set. Raises ApiError."""
    wanted = deliveries_of(causes, context.dependency, output, context.dashboard_url)
    refused: ApiError | None = None
    for delivery in wanted:
        try:
            await _create(context, delivery)
        except ApiError as error:
            if error.unknown:
                raise
            refused = refused or error  # that one alone, perhaps: the others are told all the same
    if refused is not None:
        raise refused
    return len(wanted)


async def _end_what_is_undone(context: StageContext, change_set: ChangeSet, reverted: Sequence[str]) -> list[str]:
    """Ends incidents and reminders of the changes that this one takes back: `reverted`, and what it finds. All of them.

    After all else, for it may take a while; names follow from what they end, so that it may be done twice.
    """
    namespace, ended = context.namespace, list(reverted)
    channels = await context.client.list(AlertChannel, namespace)
    if not channels:
        return ended
    earlier = await _earlier(context, change_set)
    open_ones = [change for change in still_open(earlier) if change.metadata.name not in reverted]
    for change in [*(change for change in earlier if change.metadata.name in reverted), *open_ones]:
        name = change.metadata.name
        told = await context.client.list(AlertDelivery, namespace, fields=f"spec.changeSet={name}")
        if not told or (name not in reverted and not await is_undone(context, change)):
            continue
        if name not in ended:
            ended.append(name)
        for end in resolves_of(told, channels, _taken_back_by(change_set)):
            await _create(context, end)
        for delivery in told:
            await _drop_reminder(context, delivery, change_set)
    return ended[-MAX_REVERTED:]


async def _earlier(context: StageContext, change_set: ChangeSet) -> list[EarlierChange]:
    own = f"spec.dependency={context.dependency.metadata.name}"
    found = await context.client.list(EarlierChange, context.namespace, fields=own, page=20)
    return [change for change in found if change.metadata.name != change_set.metadata.name]


async def _create(context: StageContext, delivery: AlertDelivery) -> None:
    with contextlib.suppress(Conflict):  # made before a crash
        await context.client.create(delivery)


async def _drop_reminder(context: StageContext, delivery: AlertDelivery, change_set: ChangeSet) -> None:
    """Ends a reminder that still waits; one that is under way, or was changed meanwhile, is left alone."""
    if delivery.spec.message.kind != "Reminder" or delivery.status.phase != "Pending":
        return
    meta = delivery.metadata
    text = _taken_back_by(change_set)
    status = replace(delivery.status, phase="Suppressed", next_attempt_at=None, reason=Reason.TAKEN_BACK, message=text)
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": meta.uid},
        {"op": "test", "path": "/status/phase", "value": "Pending"},
        {"op": "add", "path": "/status", "value": to_wire(status)},
    ]
    with contextlib.suppress(Invalid, NotFound):
        await context.client.patch(AlertDelivery, meta.namespace, meta.name, patch, subresource="status")


def _taken_back_by(change_set: ChangeSet) -> str:
    return f"The change was taken back, see ChangeSet {change_set.metadata.name}."


async def _record_event(context: StageContext, change_set: str) -> str:
    diff = context.output("diff", DiffOutput)
    parsed = context.output("parse", ParseOutput)
    name = context.dependency.spec.display_name or parsed.title or context.dependency.metadata.name
    return await context.events.record(
        context.dependency,
        "Warning" if diff.breaking else "Normal",
        Reason.BREAKING_CHANGE if diff.breaking else Reason.CONTRACT_CHANGED,
        f"{name} {parsed.version}: {diff.breaking} breaking, {diff.risky} risky, {diff.safe} safe changes; "
        f"see: kubectl get chg {change_set} -o yaml, or kubectl specsync changes {change_set}",
        occasion=change_set,
    )
