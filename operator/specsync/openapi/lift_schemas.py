"""Swagger 2.0 → OpenAPI 3.0: schemas and references."""

from __future__ import annotations

from typing import Any, Final

from specsync.openapi.pointers import find, tokens_of

_MOVED: Final = (  # parameters move too, but to where depends on what they are
    ("#/definitions/", "#/components/schemas/"),
    ("#/responses/", "#/components/responses/"),
    ("#/parameters/", "#/components/parameters/"),
    ("#/securityDefinitions/", "#/components/securitySchemes/"),
)
_ONE: Final = frozenset(("items", "additionalProperties", "not"))
_MANY: Final = frozenset(("allOf", "anyOf", "oneOf", "items"))
_NAMED: Final = frozenset(("properties", "patternProperties"))
_SPECIAL: Final = _ONE | _MANY | _NAMED | {"$ref", "x-nullable", "discriminator", "type", "collectionFormat"}

# What a Swagger 2.0 parameter, header or items object says about its value (2.0, Parameter Object).
VALUE_FIELDS: Final = frozenset(
    (
        "type", "format", "items", "collectionFormat", "default", "maximum", "exclusiveMaximum", "minimum",
        "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "enum",
        "multipleOf", "x-nullable",
    )
)  # fmt: skip


class Schemas:
    """Lifts the schemas of one document, and gathers those that a reference finds outside ``definitions``."""

    def __init__(self, swagger2: dict[str, Any]) -> None:
        self._swagger2 = swagger2
        self._hoisted: dict[str, str] = {}  # pointer as written → name under components/schemas
        self._waiting: list[tuple[str, Any]] = []

    def schema(self, schema: Any) -> Any:
        """The schema in 3.0 shape; what isn't an object comes back as it is."""
        if not isinstance(schema, dict):
            return schema
        lifted: dict[str, Any] = {}
        for key, value in schema.items():
            if key not in _SPECIAL:
                lifted[key] = value
            elif key in _NAMED and isinstance(value, dict):
                lifted[key] = {name: self.schema(each) for name, each in value.items()}
            elif key in _MANY and isinstance(value, list):
                lifted[key] = [self.schema(each) for each in value]
            elif key in _ONE:
                lifted[key] = self.schema(value)
            elif key == "$ref":
                lifted[key] = self._reference(value) if isinstance(value, str) else value
            elif key == "discriminator":
                lifted[key] = {"propertyName": value} if isinstance(value, str) else value
            elif key == "type":
                _lift_type(value, lifted)
            elif key in _MANY or key in _NAMED:
                lifted[key] = value
        if schema.get("x-nullable") is True:
            _make_nullable(lifted)
        return lifted

    def value_schema(self, holder: dict[str, Any]) -> dict[str, Any]:
        """The schema that a parameter (other than body) or header has among its own fields."""
        inline = self.schema(holder.get("schema"))
        fields = self.schema({key: value for key, value in holder.items() if key in VALUE_FIELDS})
        return {**inline, **fields} if isinstance(inline, dict) else dict(fields)

    def hoisted(self, taken: dict[str, Any]) -> dict[str, Any]:
        """What references found elsewhere (``#/paths/…/schema``), by the names that those references now use."""
        found: dict[str, Any] = {}
        while self._waiting:
            name, schema = self._waiting.pop()
            if name not in taken:
                found[name] = self.schema(schema)
        return found

    def _reference(self, reference: str) -> str:
        if reference.startswith("#/definitions/") or not reference.startswith("#/"):
            return move_reference(reference)
        name = self._hoisted.get(reference)
        if name is None:
            target = resolve(self._swagger2, reference)
            if not isinstance(target, dict):
                return reference
            name = ".".join(tokens_of(reference[1:])).replace("/", ".").strip(".")
            self._hoisted[reference] = name
            self._waiting.append((name, target))
        return "#/components/schemas/" + name.replace("~", "~0").replace("/", "~1")


def move_reference(reference: str) -> str:
    """Where the target of a reference is after the lift, if it moves as a whole; else the reference as it is."""
    for old, new in _MOVED:
        if reference.startswith(old):
            return new + reference[len(old) :]
    return reference


def resolve(root: Any, reference: Any) -> Any:
    """What a reference within the document finds, through further references; None where it finds nothing."""
    for _ in range(20):
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return None
        node = find(root, reference[1:])
        if not isinstance(node, dict) or "$ref" not in node:
            return node
        reference = node["$ref"]
    return None


def extensions(holder: dict[str, Any]) -> dict[str, Any]:
    """The vendor extensions."""
    return {
        key: value
        for key, value in holder.items()
        if isinstance(key, str) and key.startswith("x-") and key != "x-nullable"
    }


def _lift_type(value: Any, lifted: dict[str, Any]) -> None:
    if value == "file":
        lifted["type"] = "string"
        lifted["format"] = "binary"
    elif isinstance(value, list) and "null" in value:
        # Not allowed in Swagger 2.0, but written nonetheless.
        others = [each for each in value if each != "null"]
        lifted["type"] = others[0] if len(others) == 1 else others
        lifted["nullable"] = True
    else:
        lifted["type"] = value


def _make_nullable(lifted: dict[str, Any]) -> None:
    if "$ref" in lifted:
        # In 3.0 all beside a $ref is ignored.
        lifted["allOf"] = [{"$ref": lifted.pop("$ref")}, *_list(lifted.get("allOf"))]
    lifted["nullable"] = True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
