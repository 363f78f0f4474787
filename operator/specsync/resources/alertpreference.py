"""AlertPreference: which changes of which Dependencies go to which channels, and when."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from specsync.resources.alertchannel import ChannelName
from specsync.resources.changeset import Severity
from specsync.resources.meta import (
    API_VERSION,
    Column,
    Definition,
    Duration,
    FrozenStruct,
    ObjectMeta,
    Rule,
    Time,
    duration_rule,
    name_rule,
    rules,
)
from specsync.resources.monitor import Endpoint
from specsync.resources.timing import TimeZone, Weekday, time_of_day

Topic = Literal["Change", "Health", "Deprecation"]

_LABEL = r"'^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$'"
_LABEL_TEXT = "must be a label's key, for example team or example.com/team"


class LabelExpression(FrozenStruct, frozen=True, kw_only=True):
    key: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=317,
            description="The label's key.",
            extra_json_schema=rules((f"self.matches({_LABEL})", _LABEL_TEXT)),
        ),
    ]
    operator: Annotated[
        Literal["In", "NotIn", "Exists", "DoesNotExist"], Meta(description="How its value is to be, as in Kubernetes.")
    ]
    values: Annotated[
        list[Annotated[str, Meta(max_length=63)]], Meta(max_length=32, description="Of In and NotIn: the values.")
    ] = []


class LabelSelector(FrozenStruct, frozen=True, kw_only=True):
    """As in Kubernetes: all of it must hold."""

    match_labels: Annotated[
        dict[str, Annotated[str, Meta(max_length=63)]],
        Meta(
            max_length=32,
            description="Labels that a Dependency must have.",
            extra_json_schema=rules((f"self.all(key, key.size() <= 317 && key.matches({_LABEL}))", _LABEL_TEXT)),
        ),
    ] = {}
    match_expressions: Annotated[
        list[LabelExpression],
        Meta(
            max_length=32,
            description="Conditions on labels.",
            extra_json_schema=rules(
                (
                    "self.all(e, (e.operator in ['In', 'NotIn']) == (has(e.values) && size(e.values) > 0))",
                    "In and NotIn need values; Exists and DoesNotExist take none",
                )
            ),
        ),
    ] = []


class DependencySelection(FrozenStruct, frozen=True, kw_only=True):
    """Dependencies by name, or by label."""

    names: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=52, extra_json_schema=name_rule("a Dependency"))],],
        Meta(max_length=100, description="Names of Dependencies."),
    ] = []
    selector: Annotated[LabelSelector, Meta(description="Labels of Dependencies.")] | None = None


class AlertScope(FrozenStruct, frozen=True, kw_only=True):
    """A part of an API: what one of these names. Changes of the API as a whole are part of every scope."""

    domains: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=128)]],
        Meta(
            max_length=64,
            description="Domains, as `kubectl specsync snapshot operations` shows them; * stands for any characters.",
        ),
    ] = []
    endpoints: Annotated[
        list[Endpoint],
        Meta(
            max_length=64,
            description="A path, or a method and a path, such as GET /v1/orders; * stands for any characters but /,"
            " ** for any, ? for one, {id} for a parameter of any name.",
        ),
    ] = []


class Digest(FrozenStruct, frozen=True, kw_only=True):
    """All that came since the last one, in one message."""

    every: Annotated[Literal["Hour", "Day", "Week"], Meta(description="How often.")]
    at: Annotated[str, time_of_day("at", "At what time of day; of an hour, its minutes count. Default 09:00.")] = (
        "09:00"
    )
    day: Annotated[Weekday, Meta(description="Of Week: on which day. Default Monday.")] = "Monday"
    time_zone: TimeZone = "UTC"


class QuietHours(FrozenStruct, frozen=True, kw_only=True):
    """What comes in these hours waits for their end."""

    from_: Annotated[str, time_of_day("from", "When they begin.")] = field(name="from")
    to: Annotated[str, time_of_day("to", "When they end; on the next day where it is not after from.")]
    time_zone: TimeZone = "UTC"
    days: Annotated[
        list[Weekday], Meta(max_length=7, description="The days on which they begin; every day where none is named.")
    ] = []
    breaking: Annotated[
        Literal["Wait", "Send"], Meta(description="What becomes of breaking changes. Default Wait, as all else.")
    ] = "Wait"


class AlertPreferenceSpec(FrozenStruct, frozen=True, kw_only=True):
    dependencies: (
        Annotated[
            DependencySelection,
            Meta(
                description="Of which Dependencies of the namespace; absent: of all.",
                extra_json_schema=rules(
                    (
                        "(has(self.names) && size(self.names) > 0) || has(self.selector)",
                        "dependencies needs names or selector; leave dependencies out for all of the namespace",
                    )
                ),
            ),
        ]
        | None
    ) = None
    topics: Annotated[list[Topic], Meta(max_length=3, description="What to be told of; absent: of all three.")] = []
    scope: Annotated[AlertScope, Meta(description="Of which part of the API; absent: of the whole.")] | None = None
    min_severity: Annotated[Severity, Meta(description="The least severe change to be told of. Default breaking.")] = (
        "breaking"
    )
    kinds: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=64)]],
        Meta(
            max_length=64,
            description="Kinds of changes, as `specsync rules` lists them, such as endpoint_removed; absent: all.",
            extra_json_schema=rules(
                (
                    "self.all(kind, kind.matches('^[a-z_]+$'))",
                    "a kind is a word such as endpoint_removed; specsync rules lists them",
                )
            ),
        ),
    ] = []
    channels: Annotated[list[ChannelName], Meta(min_length=1, max_length=16, description="Where it goes.")]
    digest: Annotated[Digest, Meta(description="How to bundle it; absent: each at once.")] | None = None
    quiet_hours: Annotated[QuietHours, Meta(description="When to leave people alone.")] | None = None
    mute_until: Annotated[Time, Meta(description="Until then nothing is sent for this preference, ever.")] | None = None
    remind_after: Annotated[
        Duration,
        Meta(
            description="A breaking change that is not acknowledged by then is told again, once; 0s for never."
            " Default 24h.",
            extra_json_schema=duration_rule("0s", "remindAfter must be a duration, for example 4h or 24h, or 0s"),
        ),
    ] = "24h"


class AlertPreference(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Which changes of which Dependencies go to which channels."""

    definition: ClassVar[Definition] = Definition(
        kind="AlertPreference",
        plural="alertpreferences",
        short_name="apref",
        description="Which changes of which Dependencies go to which channels, at once or as a digest.",
        columns=[
            Column(name="CHANNELS", json_path=".spec.channels"),
            Column(name="MIN SEVERITY", json_path=".spec.minSeverity"),
            Column(name="DIGEST", json_path=".spec.digest.every"),
            Column(name="MUTE UNTIL", json_path=".spec.muteUntil"),
            Column(name="AGE", json_path=".metadata.creationTimestamp", type="date"),
            Column(name="DEPENDENCIES", json_path=".spec.dependencies.names", wide=True),
        ],
        rules=[
            Rule(
                rule="self.metadata.name.size() <= 63",
                message="metadata.name must have at most 63 characters: deliveries refer to it",
            )
        ],
    )

    api_version: str = API_VERSION
    kind: str = "AlertPreference"
    metadata: ObjectMeta
    spec: Annotated[AlertPreferenceSpec, Meta(description="What the user wants.")]
