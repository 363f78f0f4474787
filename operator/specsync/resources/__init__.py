"""The kinds of the API group specsync.dev as typed models: the one source of crds/."""

from specsync.resources.changeset import ChangeSet
from specsync.resources.dependency import Dependency
from specsync.resources.specsnapshot import SpecSnapshot
from specsync.resources.syncjob import SyncJob

KINDS = (Dependency, SyncJob, SpecSnapshot, ChangeSet)

__all__ = ["KINDS", "ChangeSet", "Dependency", "SpecSnapshot", "SyncJob"]
