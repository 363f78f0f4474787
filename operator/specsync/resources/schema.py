"""From a typed model to the structural OpenAPI v3 schema that a CustomResourceDefinition carries.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

import inspect
from typing import Any

import msgspec
from msgspec import inspect as model

from specsync.resources.meta import Resource

Schema = dict[str, Any]

INT32_MAX = 2**31 - 1
# The order in which a node's keys are written: what it is, then its limits, then what it holds.
KEY_ORDER = (
    "description",
    "type",
    "format",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "maxProperties",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
    "required",
    "properties",
    "items",
    "additionalProperties",
)


class SchemaError(Exception):
    """A model says too little for a schema; the message names the field by its path."""


def resource_schema(resource: type[Resource]) -> Schema:
    """The schema of a kind's objects: `spec`, and `status` where the model has one.

    apiVersion, kind and metadata are the API server's own. Raises SchemaError for a field without a description and
    for a string, list or map without an upper limit: `kubectl explain` and the CEL cost budget need them.
    """
    definition = resource.definition
    fields = {f.encode_name: f for f in _struct(model.type_info(resource)).fields}
    root: Schema = {
        "description": definition.description,
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": _field(fields["spec"], "spec", defaults=definition.schema_defaults)},
    }
    if "status" in fields:
        root["properties"]["status"] = _written_whole(_field(fields["status"], "status", defaults=False))
    if definition.rules:
        root["x-kubernetes-validations"] = msgspec.to_builtins(definition.rules)
    return _ordered(root)


def _written_whole(status: Schema) -> Schema:
    """The parts of a status have one writer each, who writes them whole: so the API server need not keep book of whose
    each of their fields is. That halves `metadata.managedFields`, and with it the cost of each write, watch and LIST.

    https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
    """
    for part in status["properties"].values():
        keyed = part.get("x-kubernetes-list-type") == "map"  # other lists are atomic by themselves
        if keyed or part["type"] == "object":
            (part["items"] if keyed else part)["x-kubernetes-map-type"] = "atomic"
    return status


def _struct(node: model.Type) -> model.StructType:
    if not isinstance(node, model.StructType):
        raise SchemaError(f"{node} is no struct")
    return node


def _field(field: model.Field, path: str, *, defaults: bool) -> Schema:
    node = _node(field.type, path, defaults=defaults)
    if not node.get("description"):
        raise SchemaError(f"{path}: add a description to its Meta(…)")
    # A default object would appear in what the user applied; a scalar says what is in force.
    if defaults and isinstance(field.default, str | int):
        node.setdefault("default", field.default)
    return _ordered(node)


def _node(node: model.Type, path: str, *, defaults: bool) -> Schema:
    match node:
        case model.Metadata(type=inner, extra_json_schema=extra):
            return {**_node(inner, path, defaults=defaults), **(extra or {})}
        case model.UnionType(types=types):
            # `X | None` and `X | UnsetType` mean that the field may be absent: msgspec drops Unset by itself.
            present = [t for t in types if not isinstance(t, model.NoneType)]
            if len(present) != 1:
                raise SchemaError(f"{path}: a structural schema knows no unions")
            return _node(present[0], path, defaults=defaults)
        case model.StructType():
            return _object(node, path, defaults=defaults)
        case model.ListType() | model.DictType():
            return _container(node, path, defaults=defaults)
        case _:
            return _scalar(node, path)


def _object(node: model.StructType, path: str, *, defaults: bool) -> Schema:
    schema: Schema = {"type": "object"}
    if node.cls.__doc__:
        schema["description"] = inspect.cleandoc(node.cls.__doc__)
    if required := [f.encode_name for f in node.fields if f.required]:
        schema["required"] = required
    schema["properties"] = {f.encode_name: _field(f, f"{path}.{f.encode_name}", defaults=defaults) for f in node.fields}
    return schema


def _container(node: model.ListType | model.DictType, path: str, *, defaults: bool) -> Schema:
    if node.max_length is None:
        raise SchemaError(f"{path}: add a max_length to its Meta(…)")
    if isinstance(node, model.ListType):
        items = _ordered(_node(node.item_type, f"{path}[]", defaults=defaults))
        return _without_none(
            {"type": "array", "minItems": node.min_length, "maxItems": node.max_length, "items": items}
        )
    values = _ordered(_node(node.value_type, f"{path}.*", defaults=defaults))
    return {"type": "object", "maxProperties": node.max_length, "additionalProperties": values}


def _scalar(node: model.Type, path: str) -> Schema:
    match node:
        case model.BoolType():
            return {"type": "boolean"}
        case model.IntType(ge=ge, le=le):
            small = le is not None and le <= INT32_MAX
            return _without_none(
                {"type": "integer", "format": "int32" if small else "int64", "minimum": ge, "maximum": le}
            )
        case model.StrType(min_length=shortest, max_length=longest, pattern=pattern):
            if longest is None:
                raise SchemaError(f"{path}: add a max_length to its Meta(…)")
            return _without_none({"type": "string", "minLength": shortest, "maxLength": longest, "pattern": pattern})
        case model.LiteralType(values=values) if all(isinstance(v, str) for v in values):
            return {"type": "string", "enum": list(values)}
        case model.DateTimeType():
            return {"type": "string", "format": "date-time"}
        case _:
            raise SchemaError(f"{path}: {type(node).__name__} has no counterpart in a structural schema")


def _without_none(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if value is not None}


def _ordered(schema: Schema) -> Schema:
    unknown = set(schema) - set(KEY_ORDER)
    if unknown:
        raise SchemaError(f"schema keys that this generator doesn't know: {', '.join(sorted(unknown))}")
    return {key: schema[key] for key in KEY_ORDER if key in schema}
