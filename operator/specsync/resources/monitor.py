"""The part of a contract that a Dependency watches."""

from typing import Annotated, Literal

from msgspec import Meta

from specsync.resources.meta import FrozenStruct, rules

Endpoint = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        extra_json_schema=rules(
            (
                r"self.matches('^(([a-zA-Z]+|[*]) +)?/\\S*$')",
                "an endpoint is a path, or a method and a path, for example GET /v1/orders or /v1/**",
            )
        ),
    ),
]


class Monitor(FrozenStruct, frozen=True, kw_only=True):
    mode: Annotated[
        Literal["Full", "Partial"],
        Meta(description="Full watches the whole contract, Partial the part that domains and endpoints name."),
    ] = "Full"
    domains: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=128)]],
        Meta(
            max_length=64,
            description="Names of domains or tags to watch, as `kubectl specsync snapshot operations` shows them;"
            " * stands for any characters.",
        ),
    ] = []
    endpoints: Annotated[
        list[Endpoint],
        Meta(
            max_length=64,
            description="Endpoints to watch: a path, or a method and a path, such as GET /v1/orders;"
            " * stands for any characters but /, ** for any, ? for one, {id} for a parameter of any name.",
        ),
    ] = []


MONITOR_RULES = rules(
    (
        "self.mode != 'Partial' || (has(self.domains) && size(self.domains) > 0)"
        " || (has(self.endpoints) && size(self.endpoints) > 0)",
        "monitor.mode Partial needs an entry in monitor.domains or monitor.endpoints",
    ),
    (
        "self.mode != 'Full' || ((!has(self.domains) || size(self.domains) == 0)"
        " && (!has(self.endpoints) || size(self.endpoints) == 0))",
        "monitor.domains and monitor.endpoints need monitor.mode: Partial",
    ),
)
