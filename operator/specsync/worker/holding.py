"""Why a delivery that is due isn't sent after all: what it reminds of is known, taken back, or not wanted any more."""

from specsync.alerting.history import EarlierChange, later_than, taken_back
from specsync.kube.client import KubeClient, NotFound
from specsync.resources import AlertDelivery, ChangeSet, Dependency
from specsync.resources.reasons import Reason

_LATER = ("Reminder", "Deprecation")  # what was decided on long before it is due
# Rules by which an operation's sunset isn't what it was.
_OTHER_END = frozenset(
    {"endpoint-reactivated", "sunset-deleted", "api-sunset-date-changed-too-small", "api-path-sunset-parse"}
)


async def held_back(client: KubeClient, delivery: AlertDelivery) -> tuple[Reason, str] | None:
    """The reason, in a sentence too; None where it is to be sent. Raises ApiError."""
    spec = delivery.spec
    if spec.message.kind not in _LATER or spec.not_before is None:
        return None
    namespace = delivery.metadata.namespace
    try:
        dependency = await client.get(Dependency, namespace, spec.dependency)
    except NotFound:
        return None  # the garbage collector is about to remove this delivery too
    if dependency.spec.alerts == "Disabled":
        return Reason.OPTED_OUT, f"Dependency {spec.dependency} has spec.alerts: Disabled."
    changes = await client.list(EarlierChange, namespace, fields=f"spec.dependency={spec.dependency}", page=20)
    name = spec.change_set
    own = next((change for change in changes if change.metadata.name == name), None)
    if own is None:
        return None
    if own.spec.resolved is not None or (spec.message.kind == "Reminder" and own.known):
        who = own.spec.acknowledged or own.spec.resolved
        return Reason.ACKNOWLEDGED, f"ChangeSet {name} was acknowledged by {who.by if who else 'somebody'}."
    later = taken_back(own, changes)
    if later is None and spec.message.kind == "Deprecation":
        later = await _moved_on(client, delivery, [c.metadata.name for c in later_than(own, changes)])
    if later is not None:
        return Reason.TAKEN_BACK, f"The change was taken back, see ChangeSet {later}."
    return None


async def _moved_on(client: KubeClient, delivery: AlertDelivery, later: list[str]) -> str | None:
    """The change set by which the last of the operations that it reminds of was ended, reactivated or dated anew."""
    left = {(sunset.operation.method, sunset.operation.path) for sunset in delivery.spec.message.sunsets}
    for name in later:
        try:
            change_set = await client.get(ChangeSet, delivery.metadata.namespace, name)
        except NotFound:
            continue
        for event in change_set.spec.events:
            if event.operation is not None and (event.kind == "endpoint_removed" or event.id in _OTHER_END):
                left.discard((event.operation.method[:16], event.operation.path[:512]))
        if not left:
            return name
    return None
