"""Which earlier breaking changes a new contract takes back: to a client of what was before, nothing breaks any more.

A provider that repairs a break rarely serves the very same document again: the version is another, or there is more
in it. So what was before the change is compared with what is now.
"""

from collections.abc import Sequence

import structlog

from specsync.alerting.history import EarlierChange, in_order
from specsync.kube.client import NotFound
from specsync.resources import SpecSnapshot
from specsync.resources.syncjob import NormalizeOutput
from specsync.stages.contract import StageContext, StageError
from specsync.stages.engine import Compared
from specsync.stages.raw import loader

log = structlog.get_logger()

_LOOKED_AT = 3  # open changes, the latest ones: each may cost a comparison


def still_open(earlier: Sequence[EarlierChange]) -> list[EarlierChange]:
    """The latest breaking changes that nobody knows of yet, in their order."""
    return [change for change in in_order(earlier) if change.spec.summary.breaking and not change.known][-_LOOKED_AT:]


async def is_undone(context: StageContext, change: EarlierChange) -> bool:
    """Whether nothing of `change` breaks any more, as far as that can be told. Raises ApiError."""
    normalized = context.output("normalize", NormalizeOutput)
    try:
        before = await context.client.get(SpecSnapshot, context.namespace, change.spec.from_.snapshot)
    except NotFound:
        return False
    if normalized.canonical is None or before.spec.monitor != normalized.monitor:
        return False
    old, new = change.spec.from_.digest, normalized.canonical_digest
    parts = {old: loader(context, before.spec.blobs.canonical), new: loader(context, normalized.canonical)}
    try:
        compared = await context.engine.call("compare", Compared, parts, old=old, new=new)
    except StageError as error:  # its content is lost, or of another version: nobody can say
        log.info("not known whether a change is undone", change_set=change.metadata.name, error=error.message)
        return False
    return compared.breaking == 0
