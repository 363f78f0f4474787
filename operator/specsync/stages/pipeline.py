"""The pipeline: the stages in their order."""

from specsync.stages import alert, diff, fetch, normalize, parse, persist, snapshot
from specsync.stages.contract import Stage

PIPELINE: tuple[Stage, ...] = (
    fetch.STAGE,
    parse.STAGE,
    normalize.STAGE,
    snapshot.STAGE,
    diff.STAGE,
    persist.STAGE,
    alert.STAGE,
)
