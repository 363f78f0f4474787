"""AlertDelivery: one durable message to one channel, and how its sending goes (the outbox)."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from specsync.resources.alertmessage import AlertMessage
from specsync.resources.meta import (
    API_VERSION,
    Column,
    Definition,
    FrozenStruct,
    ObjectMeta,
    Time,
    rules,
)
from specsync.resources.syncjob import RETRY_REQUESTED_AT, Claim

DeliveryPhase = Literal["Pending", "Sending", "Sent", "DeadLettered", "Suppressed"]
FINISHED_DELIVERY_PHASES: frozenset[str] = frozenset({"Sent", "DeadLettered", "Suppressed"})

MAX_ATTEMPTS_SHOWN = 10
MAX_GROUP = 50


class AlertDeliverySpec(FrozenStruct, frozen=True, kw_only=True):
    channel: Annotated[str, Meta(max_length=63, description="Name of the AlertChannel.")]
    preference: Annotated[
        str,
        Meta(max_length=63, description="Name of the AlertPreference; empty: none asked, the channel is a default."),
    ] = ""
    dependency: Annotated[str, Meta(max_length=63, description="Name of the Dependency; empty: it is about none.")] = ""
    change_set: Annotated[str, Meta(max_length=253, description="Name of the ChangeSet; empty: it is about none.")] = ""
    not_before: Annotated[Time, Meta(description="When it is due: quiet hours, digests, reminders.")] | None = None
    digest: Annotated[bool, Meta(description="true: one message with all that is due for this preference.")] = False
    message: Annotated[AlertMessage, Meta(description="What to tell.")]


class DeliveryAttempt(FrozenStruct, frozen=True, kw_only=True):
    at: Annotated[Time, Meta(description="When it was sent.")]
    outcome: Annotated[
        Literal["Accepted", "Failed", "Unknown"],
        Meta(description="Unknown: it may have been delivered, so the next attempt may double it."),
    ]
    worker: Annotated[str, Meta(max_length=253, description="Which worker sent.")] = ""
    reason: Annotated[str, Meta(max_length=64, description="Why it failed, from the closed list.")] = ""
    message: Annotated[str, Meta(max_length=1024, description="What the service said, or what to do.")] = ""


class DeliveryGroup(FrozenStruct, frozen=True, kw_only=True):
    """A message that several deliveries share."""

    id: Annotated[str, Meta(max_length=64, description="The message's id; receivers know it by that.")]
    leader: Annotated[str, Meta(max_length=253, description="The AlertDelivery that was sent for all.")]
    members: Annotated[
        list[Annotated[str, Meta(max_length=253)]],
        Meta(max_length=MAX_GROUP, description="Of the leader, until it is sent: the others."),
    ] = []


class AlertDeliveryStatus(FrozenStruct, frozen=True, kw_only=True):
    phase: Annotated[DeliveryPhase, Meta(description="Where it stands.", extra_json_schema={"default": "Pending"})] = (
        "Pending"
    )
    claim: Annotated[Claim, Meta(description="Who sends it.")] | None = None
    attempts: Annotated[int, Meta(description="Sendings so far.", extra_json_schema={"default": 0})] = 0
    last_attempts: Annotated[
        list[DeliveryAttempt], Meta(max_length=MAX_ATTEMPTS_SHOWN, description="The latest sendings, oldest first.")
    ] = []
    next_attempt_at: Annotated[Time, Meta(description="Not before this time is it tried again.")] | None = None
    sent_at: Annotated[Time, Meta(description="When the channel took it.")] | None = None
    response: Annotated[str, Meta(max_length=512, description="What the channel's service said then.")] = ""
    reference: Annotated[str, Meta(max_length=512, description="The service's own name for the message.")] = ""
    group: Annotated[DeliveryGroup, Meta(description="The message that it was a part of.")] | None = None
    possibly_duplicated: Annotated[
        bool,
        Meta(description="true: it was sent again after a sending of which nobody knows whether it was taken."),
    ] = False
    reason: Annotated[str, Meta(max_length=64, description="Why it failed or was held, from the closed list.")] = ""
    message: Annotated[str, Meta(max_length=1024, description="Why, in a sentence, with the next step.")] = ""
    retried_from: (
        Annotated[Time, Meta(description="When the time to give up began anew, by a user's retry.")] | None
    ) = None
    last_handled_retry: (
        Annotated[str, Meta(max_length=256, description=f"The latest handled {RETRY_REQUESTED_AT} annotation.")] | None
    ) = None


class AlertDelivery(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """One durable message to one channel."""

    definition: ClassVar[Definition] = Definition(
        kind="AlertDelivery",
        plural="alertdeliveries",
        short_name="adel",
        description="One durable message to one channel: what is told, and how its sending went.",
        columns=[
            Column(name="CHANNEL", json_path=".spec.channel"),
            Column(name="ABOUT", json_path=".spec.message.kind"),
            Column(name="DEPENDENCY", json_path=".spec.dependency"),
            Column(name="PHASE", json_path=".status.phase"),
            Column(name="ATTEMPTS", json_path=".status.attempts", type="integer"),
            Column(name="SENT", json_path=".status.sentAt", type="date"),
            Column(name="AGE", json_path=".metadata.creationTimestamp", type="date"),
            Column(name="DUE", json_path=".spec.notBefore", wide=True),
            Column(name="NEXT", json_path=".status.nextAttemptAt", wide=True),
            Column(name="REASON", json_path=".status.reason", wide=True),
            Column(name="TITLE", json_path=".spec.message.title", wide=True),
        ],
        selectable_fields=[".status.phase", ".spec.channel", ".spec.changeSet"],
        schema_defaults=False,
    )

    api_version: str = API_VERSION
    kind: str = "AlertDelivery"
    metadata: ObjectMeta
    spec: Annotated[
        AlertDeliverySpec,
        Meta(
            description="What is told, and where; immutable.",
            extra_json_schema=rules(("self == oldSelf", "an AlertDelivery's spec is immutable")),
        ),
    ]
    status: Annotated[
        AlertDeliveryStatus,
        Meta(description="How it goes.", extra_json_schema={"default": {"phase": "Pending"}}),
    ] = AlertDeliveryStatus()

    @property
    def finished(self) -> bool:
        return self.status.phase in FINISHED_DELIVERY_PHASES
