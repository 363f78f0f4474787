"""AlertChannel: a place that alerts go to."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from specsync.resources.meta import (
    API_VERSION,
    Column,
    Condition,
    Definition,
    FrozenStruct,
    ObjectMeta,
    Rule,
    Time,
    name_rule,
    rules,
)
from specsync.resources.source import SecretReference

# Set by users: any new value sends a test message.
TEST_REQUESTED_AT = "specsync.dev/testRequestedAt"

ChannelType = Literal["Slack", "Teams", "Email", "PagerDuty", "Webhook", "Apprise"]

# RFC 5322, 3.2.3 (dot-atom), and host names.
_WORD = r"[-A-Za-z0-9!#$%&*+/=?^_`{|}~\']+"
_LABEL = "[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?"
_MAILBOX = rules(
    (
        rf"self.matches('^{_WORD}(\\.{_WORD})*@{_LABEL}(\\.{_LABEL})*$')",
        "must be a mail address alone, in ASCII and without a name, for example api-alerts@example.com",
    )
)
Mailbox = Annotated[str, Meta(min_length=3, max_length=254, extra_json_schema=_MAILBOX)]


class WebhookSettings(FrozenStruct, frozen=True, kw_only=True):
    """A POST of JSON. Secret: signingSecret (whsec_…) signs it; address in place of url; header.<Name>, bearerToken."""

    url: (
        Annotated[
            str,
            Meta(
                max_length=2048,
                description="Where to POST. One that holds a secret belongs into the Secret, under address.",
                extra_json_schema=rules(
                    (
                        r"self.matches('^https?://[^/?#\\s]+([/?][^#\\s]*)?$') && isURL(self)"
                        " && url(self).getHostname() != ''",
                        "url must be http or https with a host, without spaces and '#',"
                        " for example https://hooks.example.com/specsync",
                    ),
                    (
                        "!self.matches('^[a-zA-Z][-+.a-zA-Z0-9]*://[^/?#]*@')",
                        "url must not hold user info: put the whole URL into a Secret under address, and name it in"
                        " secretRef",
                    ),
                ),
            ),
        ]
        | None
    ) = None
    format: Annotated[
        Literal["StandardWebhook", "CloudEvent"],
        Meta(description="What the body is: the message itself, or a CloudEvents 1.0 envelope with it as data."),
    ] = "StandardWebhook"


class SlackSettings(FrozenStruct, frozen=True, kw_only=True):
    """Secret: address (an incoming webhook's URL), or bearerToken (a bot's, with channel)."""

    channel: (
        Annotated[
            str,
            Meta(
                max_length=80,
                description="With a bot token: the channel's id or #name.",
                extra_json_schema=rules(
                    (r"self.matches('^[#@]?[^\\s#@]+$')", "must be a channel's id or name, for example #api-alerts")
                ),
            ),
        ]
        | None
    ) = None


class TeamsSettings(FrozenStruct, frozen=True, kw_only=True):
    """Secret: address (the URL that the workflow "When a Teams webhook request is received" gives)."""


class EmailSettings(FrozenStruct, frozen=True, kw_only=True):
    """SMTP. Secret, where the server asks for a login: username, password."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=253,
            description="The mail server.",
            extra_json_schema=rules(
                (r"self.matches('^[-.:a-zA-Z0-9]+$')", "must be a host name or address, for example smtp.example.com")
            ),
        ),
    ]
    port: Annotated[int, Meta(ge=1, le=65535, description="Its port. Default 587.")] = 587
    security: Annotated[
        Literal["StartTLS", "TLS", "None"],
        Meta(description="StartTLS (usual on 587), TLS from the first byte (465), or None: in the clear, no login."),
    ] = "StartTLS"
    from_: Annotated[Mailbox, Meta(description="The sender's address.")] = field(name="from")
    to: Annotated[list[Mailbox], Meta(min_length=1, max_length=50, description="Whom to write to.")]


class PagerDutySettings(FrozenStruct, frozen=True, kw_only=True):
    """Events API v2. Secret: routingKey, an integration's key."""

    region: Annotated[Literal["US", "EU"], Meta(description="Where the account is. Default US.")] = "US"
    url: (
        Annotated[
            str,
            Meta(
                max_length=2048,
                description="Another endpoint that speaks the Events API v2, in place of PagerDuty's own.",
                extra_json_schema=rules(
                    (
                        r"self.matches('^https?://[^/?#@\\s]+(/[^?#\\s]*)?$') && isURL(self)",
                        "url must be http or https with a host, without user info, query and '#',"
                        " for example https://events.example.com/v2/enqueue",
                    )
                ),
            ),
        ]
        | None
    ) = None


class AppriseSettings(FrozenStruct, frozen=True, kw_only=True):
    """Whatever else Apprise knows. Secret: address, an Apprise URL. Off unless the administrator allows its scheme."""


class RateLimit(FrozenStruct, frozen=True, kw_only=True):
    messages_per_minute: Annotated[
        int, Meta(ge=1, le=600, description="How many messages at most; more wait, and none is lost. Default 20.")
    ] = 20


class AlertChannelSpec(FrozenStruct, frozen=True, kw_only=True):
    type: Annotated[ChannelType, Meta(description="What kind of place it is; settings under the field of that name.")]
    default: Annotated[
        bool,
        Meta(description="true: what no AlertPreference asks for (breaking changes, failing health) goes here."),
    ] = False
    suspend: Annotated[bool, Meta(description="true: nothing is sent; what waits is sent when it is false again.")] = (
        False
    )
    secret_ref: (
        Annotated[
            SecretReference,
            Meta(
                description="A Secret with what the channel needs: address, bearerToken, username and password,"
                " signingSecret, routingKey, header.<Name>. See docs/alerts.md."
            ),
        ]
        | None
    ) = None
    cert_secret_ref: (
        Annotated[
            SecretReference,
            Meta(description="A Secret with certificates: ca.crt (the authority to trust), tls.crt and tls.key."),
        ]
        | None
    ) = None
    rate_limit: Annotated[RateLimit, Meta(description="How much it can take.")] = RateLimit()
    slack: Annotated[SlackSettings, Meta(description="Of type Slack.")] | None = None
    teams: Annotated[TeamsSettings, Meta(description="Of type Teams.")] | None = None
    email: Annotated[EmailSettings, Meta(description="Of type Email.")] | None = None
    pager_duty: Annotated[PagerDutySettings, Meta(description="Of type PagerDuty.")] | None = None
    webhook: Annotated[WebhookSettings, Meta(description="Of type Webhook.")] | None = None
    apprise: Annotated[AppriseSettings, Meta(description="Of type Apprise.")] | None = None


class Sender(FrozenStruct, frozen=True, kw_only=True):
    worker: Annotated[str, Meta(max_length=253, description="Id of the worker that sends; empty when handed back.")]
    epoch: Annotated[int, Meta(description="Number of senders so far; a write of an older epoch fails.")]


class ChannelOutcome(FrozenStruct, frozen=True, kw_only=True):
    time: Annotated[Time, Meta(description="When.")]
    delivery: Annotated[str, Meta(max_length=253, description="The AlertDelivery.")] = ""
    reason: Annotated[str, Meta(max_length=64, description="Why it failed, from the closed list.")] = ""
    message: Annotated[str, Meta(max_length=1024, description="What the service said, or what to do.")] = ""


class HandledTest(FrozenStruct, frozen=True, kw_only=True):
    value: Annotated[str, Meta(max_length=256, description="The annotation's value that was handled.")]
    delivery: Annotated[str, Meta(max_length=253, description="The AlertDelivery that it led to.")] = ""


class AlertChannelStatus(FrozenStruct, frozen=True, kw_only=True):
    observed_generation: Annotated[
        int, Meta(description="The generation that was last used; -1 before that.", extra_json_schema={"default": -1})
    ] = -1
    conditions: Annotated[
        list[Condition],
        Meta(
            max_length=8,
            description="Ready: the latest sending went well.",
            extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = []
    sender: Annotated[Sender, Meta(description="The one worker that sends by this channel now.")] | None = None
    sent: Annotated[int, Meta(description="Deliveries that were sent.", extra_json_schema={"default": 0})] = 0
    failed: Annotated[int, Meta(description="Deliveries that were given up.", extra_json_schema={"default": 0})] = 0
    last_success: Annotated[ChannelOutcome, Meta(description="The latest sending that went well.")] | None = None
    last_error: Annotated[ChannelOutcome, Meta(description="The latest that did not.")] | None = None
    failing_since: (
        Annotated[Time, Meta(description="Since when it takes nothing, as an Event and other default channels say.")]
        | None
    ) = None
    last_handled_test: (
        Annotated[HandledTest, Meta(description=f"The latest {TEST_REQUESTED_AT} annotation that was handled.")] | None
    ) = None


_MEMBERS = {
    "Slack": "slack",
    "Teams": "teams",
    "Email": "email",
    "PagerDuty": "pagerDuty",
    "Webhook": "webhook",
    "Apprise": "apprise",
}


class AlertChannel(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A place that alerts go to."""

    definition: ClassVar[Definition] = Definition(
        kind="AlertChannel",
        plural="alertchannels",
        short_name="achan",
        description="A place that alerts go to: Slack, Teams, mail, PagerDuty, a webhook or what Apprise knows.",
        columns=[
            Column(name="TYPE", json_path=".spec.type"),
            Column(name="DEFAULT", json_path=".spec.default", type="boolean"),
            Column(name="READY", json_path='.status.conditions[?(@.type=="Ready")].status'),
            Column(name="SENT", json_path=".status.sent", type="integer"),
            Column(name="FAILED", json_path=".status.failed", type="integer"),
            Column(name="LAST SUCCESS", json_path=".status.lastSuccess.time", type="date"),
            Column(name="AGE", json_path=".metadata.creationTimestamp", type="date"),
            Column(name="SENDER", json_path=".status.sender.worker", wide=True),
            Column(name="MESSAGE", json_path='.status.conditions[?(@.type=="Ready")].message', wide=True),
        ],
        rules=[
            Rule(
                rule="self.metadata.name.size() <= 63",
                message="metadata.name must have at most 63 characters: names of deliveries refer to it",
            )
        ],
    )

    api_version: str = API_VERSION
    kind: str = "AlertChannel"
    metadata: ObjectMeta
    spec: Annotated[
        AlertChannelSpec,
        Meta(
            description="What the user wants.",
            extra_json_schema=rules(
                *(
                    (f"!has(self.{member}) || self.type == '{type_}'", f"spec.{member} needs spec.type: {type_}")
                    for type_, member in _MEMBERS.items()
                ),
                ("self.type != 'Email' || has(self.email)", "an Email channel needs spec.email with host, from and to"),
                (
                    "self.type != 'Webhook' || has(self.secretRef) || (has(self.webhook) && has(self.webhook.url))",
                    "a Webhook channel needs spec.webhook.url, or a Secret with address in spec.secretRef",
                ),
                (
                    "self.type in ['Email', 'Webhook'] || has(self.secretRef)",
                    "this type of channel needs spec.secretRef: a Secret with address, bearerToken or routingKey",
                ),
            ),
        ),
    ]
    status: Annotated[
        AlertChannelStatus,
        Meta(description="How it goes.", extra_json_schema={"default": {"observedGeneration": -1}}),
    ] = AlertChannelStatus()


ChannelName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=63,
        description="Name of an AlertChannel in the same namespace.",
        extra_json_schema=name_rule("an AlertChannel"),
    ),
]
