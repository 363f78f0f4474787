"""What earlier change sets of a Dependency say: what is acknowledged, and what a new change takes back."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta, field

from specsync.resources import ChangeSet
from specsync.resources.changeset import SnapshotPointer, Triage
from specsync.resources.meta import Definition, FrozenStruct, ObjectMeta
from specsync.resources.syncjob import MAX_REVERTED


class EarlierCause(FrozenStruct, frozen=True, kw_only=True):
    fingerprint: str


class EarlierSummary(FrozenStruct, frozen=True, kw_only=True):
    breaking: int = 0


class EarlierSpec(FrozenStruct, frozen=True, kw_only=True):
    dependency: str
    from_: SnapshotPointer = field(name="from")
    to: SnapshotPointer
    summary: EarlierSummary = EarlierSummary()
    causes: list[EarlierCause] = []
    acknowledged: Triage | None = None
    resolved: Triage | None = None


class EarlierChange(FrozenStruct, frozen=True, kw_only=True):
    """A ChangeSet as far as routing needs to know it: events, the bulk of it, are not decoded."""

    definition: ClassVar[Definition] = ChangeSet.definition
    metadata: ObjectMeta
    spec: Annotated[EarlierSpec, Meta()]

    @property
    def known(self) -> bool:
        """Whether somebody has acknowledged it, or has said that it is dealt with."""
        return self.spec.acknowledged is not None or self.spec.resolved is not None


def acknowledged_causes(earlier: Sequence[EarlierChange]) -> frozenset[str]:
    """Fingerprints of the edits that somebody knows of."""
    return frozenset(cause.fingerprint for change in earlier if change.known for cause in change.spec.causes)


def earlier_than(name: str, changes: Sequence[EarlierChange]) -> list[EarlierChange]:
    """Those that came before the change set of that name."""
    ordered = in_order(changes)
    position = next((i for i, change in enumerate(ordered) if change.metadata.name == name), len(ordered))
    return ordered[:position]


def reverted_by(change_set: ChangeSet, earlier: Sequence[EarlierChange]) -> list[str]:
    """The change sets that this one takes back: the contract is again what it was before the first of them."""
    digest = change_set.spec.to.digest
    ordered = in_order(earlier)
    back_to = [i for i, change in enumerate(ordered) if change.spec.from_.digest == digest]
    if not back_to:
        return []
    return [change.metadata.name for change in ordered[back_to[-1] :]][-MAX_REVERTED:]


def taken_back(change: EarlierChange, changes: Sequence[EarlierChange]) -> str | None:
    """The later change set after which the contract was again what it was before `change`, None without one."""
    later = later_than(change, changes)
    return next((other.metadata.name for other in later if other.spec.to.digest == change.spec.from_.digest), None)


def in_order(changes: Sequence[EarlierChange]) -> list[EarlierChange]:
    """The oldest first."""
    return sorted(changes, key=_created)


def later_than(change: EarlierChange, changes: Sequence[EarlierChange]) -> list[EarlierChange]:
    """Those that came after `change`, in their order."""
    return [other for other in in_order(changes) if _created(other) > _created(change)]


def _created(change: EarlierChange) -> tuple[dt.datetime, str]:
    # Names end in the time of their job, but a user's own may not: it breaks ties only.
    return (change.metadata.creation_timestamp or dt.datetime.min.replace(tzinfo=dt.UTC), change.metadata.name)
