"""Conditions: how a list of them is updated without losing the times of those that did not change."""

import datetime as dt
from typing import Literal

from msgspec import UNSET, structs

from specsync.resources.meta import Condition
from specsync.resources.reasons import Reason

# Conditions that are only present while they are true (kstatus' abnormal-true).
ABNORMAL_TRUE = frozenset(
    {"Reconciling", "Stalled", "IntervalClamped", "MonitorUnmatched", "ExternalRefsIgnored", "ContentDamaged"}
)


def condition(
    type_: str,
    status: bool | Literal["True", "False", "Unknown"],
    reason: Reason,
    message: str,
    at: dt.datetime,
    generation: int | None = None,
) -> Condition:
    """A condition as of `at`; True and False stand for "True" and "False"."""
    text: Literal["True", "False", "Unknown"]
    text = ("True" if status else "False") if isinstance(status, bool) else status
    return Condition(
        type=type_,
        status=text,
        reason=reason,
        message=message[:4096],
        last_transition_time=at,
        observed_generation=UNSET if generation is None else generation,
    )


def find(conditions: list[Condition], type_: str) -> Condition | None:
    return next((c for c in conditions if c.type == type_), None)


def merge(old: list[Condition], new: list[Condition]) -> list[Condition]:
    """`new` as the full list, keeping the transition time of each whose status did not change.

    Abnormal-true conditions that are false are left out.
    """
    merged = []
    for c in new:
        if c.type in ABNORMAL_TRUE and c.status != "True":
            continue
        before = find(old, c.type)
        if before is not None and before.status == c.status:
            merged.append(structs.replace(c, last_transition_time=before.last_transition_time))
        else:
            merged.append(c)
    return merged
