"""The Dependency's conditions, derived from the rest of its status in one place (kstatus).

Ready: the latest sync succeeded. Reconciling: a sync is under way or due. Stalled: nothing happens without a user.
IntervalClamped: the interval is shorter than the operator allows. The last three are only there while true.
https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
"""

import datetime as dt

from specsync.controller.due import effective_interval
from specsync.resources import Dependency
from specsync.resources.conditions import condition, merge
from specsync.resources.dependency import DependencyStatus
from specsync.resources.duration import compact, seconds
from specsync.resources.meta import Condition
from specsync.resources.reasons import Reason


def summarise(
    dependency: Dependency, status: DependencyStatus, *, syncing: bool, min_interval: float, at: dt.datetime
) -> list[Condition]:
    """The full list of conditions for `status`; `syncing` says that a job is running or waiting."""
    generation = dependency.metadata.generation
    first = status.last_sync is None and not dependency.spec.suspend
    paused = status.health.state == "paused"
    found = [_ready(dependency, status, at)]
    if syncing or first:
        found.append(condition("Reconciling", True, Reason.SYNCING, "a sync is under way or due", at, generation))
    if paused and not syncing:
        failures = status.health.consecutive_failures
        text = f"{failures} failed syncs in a row: scheduling stops until a sync that you ask for succeeds"
        found.append(condition("Stalled", True, Reason.PAUSED, text, at, generation))
    wanted, used = seconds(dependency.spec.interval), effective_interval(dependency, min_interval)
    if used > wanted:
        text = (
            f"spec.interval is {dependency.spec.interval}, but this operator's minimum is {compact(used)}, which is "
            f"used; set spec.interval to {compact(used)} or more, or have the operator's --min-interval lowered"
        )
        found.append(condition("IntervalClamped", True, Reason.INTERVAL_CLAMPED, text, at, generation))
    return merge(status.conditions, found)


def _ready(dependency: Dependency, status: DependencyStatus, at: dt.datetime) -> Condition:
    generation = dependency.metadata.generation
    last = status.last_sync
    if last is None:
        if dependency.spec.suspend:
            text = "suspended before the first sync; ask for one, or set spec.suspend to false"
            return condition("Ready", "Unknown", Reason.SUSPENDED, text, at, generation)
        return condition("Ready", "Unknown", Reason.PENDING, "the first sync has not ended yet", at, generation)
    if last.error is not None:
        return condition("Ready", False, Reason(last.error.reason), last.error.message, at, generation)
    if last.phase == "Cancelled":
        return condition("Ready", "Unknown", Reason.CANCELLED, f"SyncJob {last.job} was cancelled", at, generation)
    current = status.current
    what = f"{current.title} {current.version}".strip() if current else "the contract"
    text = {
        "Baseline": f"first snapshot of {what}",
        "Unchanged": f"{what} is unchanged",
        "Changed": f"{what} has changed, see ChangeSet {status.last_change.change_set}" if status.last_change else what,
    }.get(last.result, what)
    return condition("Ready", True, Reason.SYNCED, text, at, generation)
