"""The kinds of the API group specsync.dev as typed models: the one source of crds/."""

from specsync.resources.alertchannel import AlertChannel
from specsync.resources.alertdelivery import AlertDelivery
from specsync.resources.alertpreference import AlertPreference
from specsync.resources.changeset import ChangeSet
from specsync.resources.dependency import Dependency
from specsync.resources.specsnapshot import SpecSnapshot
from specsync.resources.syncjob import SyncJob

KINDS = (Dependency, SyncJob, SpecSnapshot, ChangeSet, AlertChannel, AlertPreference, AlertDelivery)

__all__ = [
    "KINDS",
    "AlertChannel",
    "AlertDelivery",
    "AlertPreference",
    "ChangeSet",
    "Dependency",
    "SpecSnapshot",
    "SyncJob",
]
