"""What every kind shares: object metadata, conditions, field types, and how it describes itself to the API server."""

import datetime as dt
from typing import Annotated, Any, ClassVar, Literal, Protocol

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from specsync.resources import clock

GROUP = "specsync.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

Time = Annotated[dt.datetime, Meta(tz=True)]

# Go's duration syntax, as `kubectl` users write it: 90s, 15m, 6h, 1h30m. Its rule is `duration_rule`.
Duration = Annotated[str, Meta(max_length=32, description="A duration such as 90s, 15m, 6h or 1h30m.")]
ObjectName = Annotated[str, Meta(min_length=1, max_length=253, description="Name of an object.")]
Digest = Annotated[str, Meta(max_length=80, description="sha256:<hex> of the content.")]


class FrozenStruct(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """An immutable part of a resource, in the API's camelCase; fields at their default are left out."""


class OwnerReference(FrozenStruct, frozen=True, kw_only=True):
    """https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/"""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(FrozenStruct, frozen=True, kw_only=True):
    """The part of a Kubernetes object's metadata that the operator reads or writes."""

    name: str = ""
    generate_name: str | None = None
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: dt.datetime | None = None
    deletion_timestamp: dt.datetime | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: list[OwnerReference] = []


class Condition(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """One observation of an object's state, as metav1.Condition."""

    type: Annotated[str, Meta(max_length=316, description="What is observed.")]
    status: Annotated[Literal["True", "False", "Unknown"], Meta(description="Whether it is so.")]
    reason: Annotated[str, Meta(max_length=1024, description="Why, as one word from a closed list.")]
    message: Annotated[str, Meta(max_length=4096, description="Why, in a sentence, with the next step.")]
    last_transition_time: Annotated[Time, Meta(description="When the status last changed.")]
    observed_generation: Annotated[int, Meta(description="The generation that this is about.")] | UnsetType = UNSET


class Column(FrozenStruct, frozen=True, kw_only=True):
    """A column of `kubectl get`; wide columns show with `-o wide` only."""

    name: str
    json_path: str
    type: str = "string"
    wide: bool = False


class Rule(FrozenStruct, frozen=True, kw_only=True):
    """A CEL rule that the API server checks; `message` tells the user what to write, `field_path` where."""

    rule: str
    message: str
    field_path: str | None = None


class Definition(FrozenStruct, frozen=True, kw_only=True):
    """How a kind is known to the API server."""

    kind: str
    plural: str
    short_name: str
    description: str
    columns: list[Column]
    rules: list[Rule] = []
    selectable_fields: list[str] = []
    # Whether the API server fills in the defaults of spec: not for kinds that the operator alone writes, once.
    schema_defaults: bool = True

    @property
    def singular(self) -> str:
        return self.kind.lower()


class Resource(Protocol):
    """What the generic code (client, store, events) needs of an object."""

    definition: ClassVar[Definition]

    @property
    def metadata(self) -> ObjectMeta: ...


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """CEL rules for `Meta(extra_json_schema=…)`: (rule, message) pairs."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


def duration_rule(shortest: str, message: str, longest: str | None = None) -> dict[str, Any]:
    """A rule for a Duration within limits.

    Units stand from large to small, at most six digits each: CEL's own duration() knows only hours to nanoseconds too,
    but accepts a sign, and ends in an evaluation error on nonsense and on overflow. One rule gives one message.
    """
    part = r"([0-9]{1,6}([.][0-9]{1,3})?%s)?"
    syntax = "".join(part % unit for unit in ("h", "m", "s", "ms"))
    rule = f"self.matches('^{syntax}$') && size(self) > 0 && duration(self) >= duration('{shortest}')"
    if longest is not None:
        rule += f" && duration(self) <= duration('{longest}')"
    return rules((rule, message))


def name_rule(what: str) -> dict[str, Any]:
    """A rule for the name of another object: a DNS subdomain, as the API server wants it of most kinds."""
    return rules(
        (
            "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
            f"must be the name of {what}: lower-case letters, digits, '-' and '.', for example my-api",
        )
    )


def owner_reference(owner: Resource) -> OwnerReference:
    """A reference that makes the garbage collector delete its bearer after `owner`.

    Never blocks the owner's deletion: that would need rights on the owner's finalizers.
    """
    return OwnerReference(
        api_version=API_VERSION,
        kind=owner.definition.kind,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
    )


def now() -> dt.datetime:
    """The current time in UTC, to the second, as status fields hold it; by the API server's clock."""
    return clock.present().replace(microsecond=0)


def to_wire(value: Any) -> Any:
    """Plain JSON-compatible data of a resource or of a part of it."""
    return msgspec.to_builtins(value)
