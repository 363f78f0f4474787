"""The semantic part of an OpenAPI 3.x document, typed. What is declared here is what specsync compares.

Decoding into these structs is most of the normalization: descriptions, examples and vendor extensions have no field
and are gone. The rest happens in ``__post_init__``, which settles on one spelling where the specifications allow
several, so that two spellings of the same thing are equal and have the same digest. Every spelling rule is
idempotent, since the canonical form is decoded by the same structs.

Sources: OpenAPI 3.0.4, 3.1.1 and 3.2.0; JSON Schema draft 2020-12.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType, field

type_key = msgspec.json.Encoder(order="deterministic").encode


def value_key(value: Any) -> bytes:
    """A key for one JSON value: equal for equal values, and only for those (``true`` is not ``1``; ``1.0`` is
    ``1``).
    """
    return type_key(plain_number(value))


def plain_number(value: Any) -> Any:
    """``1.0`` as ``1``, which is the same number in JSON Schema (2020-12, 4.2.1); all else as it is."""
    return int(value) if value.__class__ is float and abs(value) < 1e15 and value.is_integer() else value


class Discriminator(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    property_name: str = ""
    mapping: dict[str, str] | None = None


class Schema(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """A schema object. ``type`` is a string, or a sorted list of several, and never contains "null" beside others."""

    ref: str | None = field(name="$ref", default=None)
    type: str | list[str] | None = None
    nullable: bool = False
    """Whether null is accepted, in whichever of the three spellings it was written."""
    format: str | None = None
    enum: list[Any] | None = None
    const: Any | UnsetType = UNSET
    default: Any | UnsetType = UNSET
    title: str | None = None
    """Only to recognize the alternatives of oneOf and anyOf; a change of it is no event."""

    properties: dict[str, Schema | bool] | None = None
    required: Any = None
    additional_properties: Schema | bool | None = None
    pattern_properties: dict[str, Schema | bool] | None = None
    property_names: Schema | bool | None = None
    unevaluated_properties: Schema | bool | None = None
    dependent_required: dict[str, list[str]] | None = None
    dependent_schemas: dict[str, Schema | bool] | None = None
    min_properties: int | float | None = None
    max_properties: int | float | None = None

    items: Schema | bool | None = None
    prefix_items: list[Schema | bool] | None = None
    contains: Schema | bool | None = None
    unevaluated_items: Schema | bool | None = None
    min_contains: int | float | None = None
    max_contains: int | float | None = None
    min_items: int | float | None = None
    max_items: int | float | None = None
    unique_items: bool = False

    minimum: int | float | None = None
    maximum: int | float | None = None
    exclusive_minimum: Any = None
    exclusive_maximum: Any = None
    multiple_of: int | float | None = None

    min_length: int | float | None = None
    max_length: int | float | None = None
    pattern: str | None = None
    content_media_type: str | None = None
    content_encoding: str | None = None
    content_schema: Schema | bool | None = None

    all_of: list[Schema | bool] | None = None
    one_of: list[Schema | bool] | None = None
    any_of: list[Schema | bool] | None = None
    not_: Schema | bool | None = field(name="not", default=None)
    if_: Schema | bool | None = field(name="if", default=None)
    then: Schema | bool | None = None
    else_: Schema | bool | None = field(name="else", default=None)
    discriminator: Discriminator | None = None

    read_only: bool = False
    write_only: bool = False
    deprecated: bool = False
    x_sunset: Any = field(name="x-sunset", default=None)
    x_stability: Any = field(name="x-stability-level", default=None)
    x_extensible_enum: Any = field(name="x-extensible-enum", default=None)

    def __post_init__(self) -> None:
        if self.type.__class__ is list:
            _settle_types(self)
        if self.required is not None:
            names = self.required
            if names.__class__ is not list:  # `required: true` on a property: a habit of Swagger 1 that means nothing
                self.required = None
            else:
                self.required = sorted({name for name in names if name.__class__ is str}) or None
        if self.enum is not None:
            _settle_enum(self)
        if self.exclusive_minimum is not None or self.exclusive_maximum is not None:
            _settle_exclusive_bounds(self)
        if self.minimum.__class__ is float or self.maximum.__class__ is float or self.multiple_of.__class__ is float:
            self.minimum, self.maximum = plain_number(self.minimum), plain_number(self.maximum)
            self.multiple_of = plain_number(self.multiple_of)
        if self.default.__class__ is float:
            self.default = plain_number(self.default)
        if self.const.__class__ is float:
            self.const = plain_number(self.const)
        if self.additional_properties is True:
            self.additional_properties = None
        if self.min_length == 0:
            self.min_length = None
        if self.min_items == 0:
            self.min_items = None
        if self.min_properties == 0:
            self.min_properties = None
        # Last, for they ask what else is there.
        if self.all_of is not None:  # branches that accept everything say nothing
            self.all_of = [branch for branch in self.all_of if branch is not True] or None
        if self.any_of is not None or self.one_of is not None:
            self.any_of, self.one_of = self.any_of or None, self.one_of or None
            _settle_null_alternatives(self)
        if self.all_of is not None and len(self.all_of) == 1 and self.all_of[0].__class__ is Schema:
            _hoist(self, "all_of", self.all_of[0])

    @property
    def types(self) -> tuple[str, ...]:
        """The types that are accepted besides null, sorted; empty where any is."""
        if self.type is None:
            return ()
        return (self.type,) if self.type.__class__ is str else tuple(self.type)


def _settle_types(schema: Schema) -> None:
    """``type: [x, "null"]`` is ``type: x`` with ``nullable``; a list of one is that one."""
    names = {name for name in schema.type or () if name.__class__ is str}
    if "null" in names and len(names) > 1:
        names.discard("null")
        schema.nullable = True
    schema.type = None if not names else names.pop() if len(names) == 1 else sorted(names)


def _settle_enum(schema: Schema) -> None:
    """Order and repetition mean nothing. null in an enum is nullability, in 3.0 (with ``nullable``) as in 3.1."""
    values = schema.enum or []
    if None in values:
        values = [value for value in values if value is not None]
        if schema.type is None:
            schema.nullable = True
        if not values and schema.nullable:
            schema.type, schema.enum = schema.type or "null", None
            return
    if float in set(map(type, values)):
        keyed = {value_key(value): plain_number(value) for value in values}
    else:
        keyed = dict(zip(map(type_key, values), values, strict=True))
    if schema.type == "boolean" and keyed.keys() == {b"true", b"false"}:
        keyed = {}  # both of the values that there are
    schema.enum = [keyed[key] for key in sorted(keyed)] or None


def _settle_exclusive_bounds(schema: Schema) -> None:
    """``minimum: 5, exclusiveMinimum: true`` (3.0) is ``exclusiveMinimum: 5`` (3.1)."""
    if schema.exclusive_minimum.__class__ is bool:
        strict, schema.exclusive_minimum = schema.exclusive_minimum, None
        if strict and schema.minimum is not None:
            schema.exclusive_minimum, schema.minimum = schema.minimum, None
    if schema.exclusive_maximum.__class__ is bool:
        strict, schema.exclusive_maximum = schema.exclusive_maximum, None
        if strict and schema.maximum is not None:
            schema.exclusive_maximum, schema.maximum = schema.maximum, None
    for name in ("exclusive_minimum", "exclusive_maximum"):
        bound = getattr(schema, name)
        setattr(schema, name, plain_number(bound) if bound.__class__ in (int, float) else None)


def _settle_null_alternatives(schema: Schema) -> None:
    """``oneOf: [X, {type: null}]`` is a nullable X; an alternative that stands alone is the schema itself."""
    for name in ("one_of", "any_of"):
        alternatives = getattr(schema, name)
        if alternatives is None:
            continue
        if all(alternative is False for alternative in alternatives):
            schema.nullable = False
        remaining = [alternative for alternative in alternatives if not _accepts_only_null(alternative)]
        if len(remaining) < len(alternatives) and remaining:
            if schema.type is None or schema.type == "null":  # else null must be among its types too
                if all(alternative is False for alternative in remaining):
                    schema.type, remaining = "null", []
                else:
                    schema.nullable = True
            alternatives = remaining
        setattr(schema, name, alternatives or None)
        if len(alternatives) == 1 and alternatives[0].__class__ is Schema:
            _hoist(schema, name, alternatives[0])


def _accepts_only_null(schema: Schema | bool) -> bool:
    if schema.__class__ is bool:
        return False
    assert isinstance(schema, Schema)
    return schema.type == "null" and not schema.properties and schema.ref is None and schema.enum is None


_ANNOTATIONS = frozenset(
    ("nullable", "title", "default", "read_only", "write_only", "deprecated", "x_sunset", "x_stability")
)


def _hoist(schema: Schema, keyword: str, only: Schema) -> None:
    """Put ``only`` in the place of the schema that holds it as its single ``keyword``, where nothing is lost by
    that.
    """
    if schema.ref is not None or schema.discriminator is not None:
        return
    for name in Schema.__struct_fields__:
        if name != keyword and name not in _ANNOTATIONS and _is_set(name, getattr(schema, name)):
            return
    outer = {name: getattr(schema, name) for name in _ANNOTATIONS}
    for name in Schema.__struct_fields__:
        setattr(schema, name, getattr(only, name))
    for name, value in outer.items():  # what stands outside comes on top of what stands inside
        if _is_set(name, value):
            setattr(schema, name, value)


def _is_set(name: str, value: object) -> bool:
    if name in ("default", "const"):
        return value is not UNSET
    return value is not None and value is not False


class Header(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    ref: str | None = field(name="$ref", default=None)
    required: bool = False
    deprecated: bool = False
    schema: Schema | bool | None = None
    content: dict[str, MediaType] | None = None
    style: str | None = None
    explode: bool | None = None


class Encoding(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    content_type: str | None = None
    headers: dict[str, Header] | None = None
    style: str | None = None
    explode: bool | None = None
    allow_reserved: bool = False


class MediaType(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    ref: str | None = field(name="$ref", default=None)
    schema: Schema | bool | None = None
    item_schema: Schema | bool | None = None
    encoding: dict[str, Encoding] | None = None


class Parameter(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    ref: str | None = field(name="$ref", default=None)
    name: str = ""
    location: str = field(name="in", default="")
    required: bool = False
    deprecated: bool = False
    allow_empty_value: bool = False
    style: str | None = None
    explode: bool | None = None
    allow_reserved: bool = False
    schema: Schema | bool | None = None
    content: dict[str, MediaType] | None = None
    x_sunset: Any = field(name="x-sunset", default=None)


class RequestBody(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    ref: str | None = field(name="$ref", default=None)
    required: bool = False
    content: dict[str, MediaType] | None = None


class Response(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    ref: str | None = field(name="$ref", default=None)
    headers: dict[str, Header] | None = None
    content: dict[str, MediaType] | None = None
    links: dict[str, Link] | None = None


class Link(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    ref: str | None = field(name="$ref", default=None)
    operation_ref: str | None = None
    operation_id: str | None = None
    parameters: dict[str, Any] | None = None
    request_body: Any | UnsetType = UNSET


class ServerVariable(msgspec.Struct, omit_defaults=True, gc=False):
    default: str | None = None
    enum: list[str] | None = None


class Server(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    url: str = ""
    variables: dict[str, ServerVariable] | None = None


Security = list[dict[str, list[str]]]


class Operation(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    operation_id: str | None = None
    tags: list[str] | None = None
    deprecated: bool = False
    parameters: list[Parameter] | None = None
    shared_parameters: list[Parameter] | None = field(name="x-path-parameters", default=None)
    """The path item's parameters, put beside the operation's own by ``normalize``; the operation's own win."""
    request_body: RequestBody | None = None
    responses: dict[str, Response] | None = None
    security: Security | None = None
    servers: list[Server] | None = None
    callbacks: dict[str, Callback] | None = None
    x_sunset: Any = field(name="x-sunset", default=None)
    x_stability: Any = field(name="x-stability-level", default=None)


class PathItem(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    ref: str | None = field(name="$ref", default=None)
    get: Operation | None = None
    put: Operation | None = None
    post: Operation | None = None
    delete: Operation | None = None
    options: Operation | None = None
    head: Operation | None = None
    patch: Operation | None = None
    trace: Operation | None = None
    query: Operation | None = None
    additional_operations: dict[str, Operation] | None = None
    parameters: list[Parameter] | None = None
    servers: list[Server] | None = None

    def operations(self) -> list[tuple[str, Operation]]:
        """The operations with their methods in upper case, those of ``additionalOperations`` (3.2) as they are
        spelled.
        """
        found = [(method.upper(), getattr(self, method)) for method in METHODS]
        found.extend((self.additional_operations or {}).items())
        return [(method, operation) for method, operation in found if operation is not None]


Callback = dict[str, PathItem | str | None]
"""What the provider calls, by expression; or only ``$ref``, until ``normalize`` has put in what it refers to."""

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")


class OAuthFlow(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    authorization_url: str | None = None
    token_url: str | None = None
    refresh_url: str | None = None
    scopes: dict[str, Any] | None = None


class SecurityScheme(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    ref: str | None = field(name="$ref", default=None)
    type: str = ""
    scheme: str | None = None
    name: str | None = None
    location: str | None = field(name="in", default=None)
    open_id_connect_url: str | None = None
    flows: dict[str, Any] | None = None


class Components(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    schemas: dict[str, Schema | bool] | None = None
    parameters: dict[str, Parameter] | None = None
    request_bodies: dict[str, RequestBody] | None = None
    responses: dict[str, Response] | None = None
    headers: dict[str, Header] | None = None
    security_schemes: dict[str, SecurityScheme] | None = None
    path_items: dict[str, PathItem] | None = None
    links: dict[str, Link] | None = None
    callbacks: dict[str, Callback] | None = None
    media_types: dict[str, MediaType] | None = None


class Document(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """What ``normalize`` reads of a document, as it stands in its source."""

    paths: dict[str, PathItem | None] | None = None
    webhooks: dict[str, PathItem | None] | None = None
    components: Components | None = None
    security: Security | None = None
    servers: list[Server] | None = None
