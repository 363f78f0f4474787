"""Integrity: is the current snapshot's content still what was stored, and storing it anew where it isn't.

Checked by the first sync of each day, by one that is asked for with a request that begins with `verify`, and while the
condition ContentDamaged is there. An unchanged sync costs nothing more otherwise.
"""

import datetime as dt
import zlib

import structlog

from specsync.blobs.store import BlobCorrupted, BlobMissing, BlobStoreError
from specsync.kube.client import NotFound
from specsync.resources import SpecSnapshot
from specsync.resources.dependency import REQUESTED_AT
from specsync.resources.meta import now, owner_reference
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import Damage, FetchOutput
from specsync.stages.contract import StageContext
from specsync.stages.engine import Normalized

log = structlog.get_logger()

VERIFY = "verify"
_DAY = 86400


async def find_damage(context: StageContext) -> Damage | None:
    """What is wrong with the current snapshot's content, where that is to be checked. Raises ApiError, BlobStoreError.

    Recorded at once: whatever becomes of the job, it has been seen.
    """
    begun = context.begun("fetch", FetchOutput)
    if begun is not None:
        return begun.damage
    current = context.dependency.status.current
    asked = _is_asked(context)
    if current is None or not (asked or _is_first_of_the_day(context)):
        return None
    try:
        damage = await _damage_of(context, current.snapshot)
    except BlobStoreError as error:
        if asked:
            raise
        log.warning("content not checked", snapshot=current.snapshot, error=str(error))
        return None
    if damage is not None:
        log.warning("content damaged", snapshot=damage.snapshot, reason=damage.reason, error=damage.message)
        digest = context.dependency.spec.reading_digest()
        await context.checkpoint(FetchOutput(source_digest=digest, damage=damage))
    return damage


async def restore(context: StageContext, damage: Damage, normalized: Normalized) -> bool:
    """Whether the snapshot is whole again, with what this job has read. Raises ApiError, BlobStoreError."""
    try:
        snapshot = await context.client.get(SpecSnapshot, context.namespace, damage.snapshot)
    except NotFound:
        return False
    owner = owner_reference(snapshot)
    await context.blobs.put(context.namespace, normalized.canonical, owner)
    await context.blobs.put(context.namespace, normalized.operation_list, owner)
    try:
        for ref in snapshot.spec.blobs.refs:
            await context.blobs.link(context.namespace, ref, owner)
    except BlobMissing:
        return False  # a document that differs, in its spelling at least
    return await _damage_of(context, damage.snapshot) is None


async def _damage_of(context: StageContext, name: str) -> Damage | None:
    try:
        snapshot = await context.client.get(SpecSnapshot, context.namespace, name)
    except NotFound:
        return Damage(snapshot=name, reason=Reason.BLOB_MISSING, message=f"SpecSnapshot {name} was deleted")
    for ref in snapshot.spec.blobs.refs:
        try:
            await context.blobs.get(context.namespace, ref)
        except BlobMissing as error:
            return Damage(snapshot=name, reason=Reason.BLOB_MISSING, message=f"content of SpecSnapshot {name}: {error}")
        except BlobCorrupted as error:
            text = f"content of SpecSnapshot {name}: {error}"
            return Damage(snapshot=name, reason=Reason.BLOB_CORRUPTED, message=text)
    return None


def _is_asked(context: StageContext) -> bool:
    """By the condition, or by the request that the job was made for."""
    known = any(each.type == "ContentDamaged" for each in context.dependency.status.conditions)
    return known or context.job.metadata.annotations.get(REQUESTED_AT, "").lower().startswith(VERIFY)


def _is_first_of_the_day(context: StageContext) -> bool:
    """Each Dependency's day begins at another time, so that not all are checked at once."""
    last = context.dependency.status.last_sync
    offset = zlib.crc32(context.dependency.metadata.uid.encode()) % _DAY

    def day(at: dt.datetime) -> int:
        return int(at.timestamp() + offset) // _DAY

    return last is not None and last.time is not None and day(last.time) != day(now())
