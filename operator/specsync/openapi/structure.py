"""What stands where in an OpenAPI document, of all versions: which fields of an object hold which objects.

Only what may hold references that count for clients: no examples, no extensions, no values.
Sources: OpenAPI 2.0, 3.0.4, 3.1.1, 3.2.0; JSON Schema draft 2020-12.
"""

from __future__ import annotations

_SCHEMA = {
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas", "$defs", "definitions"), "{schema}"),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), "[schema]"),
    **dict.fromkeys(("additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"), "schema"),
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties", "additionalItems", "contentSchema"), "schema"),
    "items": "schema",
    "discriminator": "discriminator",
}
_OPERATIONS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")

FIELDS: dict[str, dict[str, str]] = {
    "document": {
        "paths": "{pathItem}",
        "webhooks": "{pathItem}",
        "components": "components",
        "definitions": "{schema}",
        "parameters": "{parameter}",
        "responses": "{response}",
    },
    "components": {
        "schemas": "{schema}",
        "parameters": "{parameter}",
        "requestBodies": "{requestBody}",
        "responses": "{response}",
        "headers": "{header}",
        "securitySchemes": "{securityScheme}",
        "links": "{link}",
        "callbacks": "{callback}",
        "pathItems": "{pathItem}",
        "mediaTypes": "{mediaType}",
    },
    "pathItem": {
        **dict.fromkeys(_OPERATIONS, "operation"),
        "additionalOperations": "{operation}",
        "parameters": "[parameter]",
    },
    "operation": {
        "parameters": "[parameter]",
        "requestBody": "requestBody",
        "responses": "{response}",
        "callbacks": "{callback}",
    },
    "parameter": {"schema": "schema", "content": "{mediaType}"},
    "requestBody": {"content": "{mediaType}"},
    "response": {"headers": "{header}", "content": "{mediaType}", "links": "{link}", "schema": "schema"},
    "header": {"schema": "schema", "content": "{mediaType}"},
    "mediaType": {"schema": "schema", "itemSchema": "schema", "encoding": "{encoding}", "itemEncoding": "encoding"},
    "encoding": {"headers": "{header}", "encoding": "{encoding}", "itemEncoding": "encoding"},
    "schema": _SCHEMA,
    "link": {},
    "securityScheme": {},
}
"""For each kind of object, what its fields hold: ``{kind}`` is a map of such by name, ``[kind]`` a list of them."""

TABLES: dict[str, str] = {
    "schema": "/components/schemas",
    "parameter": "/components/parameters",
    "requestBody": "/components/requestBodies",
    "response": "/components/responses",
    "header": "/components/headers",
    "securityScheme": "/components/securitySchemes",
    "link": "/components/links",
    "callback": "/components/callbacks",
}
"""Where a 3.x document keeps what is referred to by name."""

SWAGGER2_TABLES: dict[str, str] = {"schema": "/definitions", "parameter": "/parameters", "response": "/responses"}


def field_kind(kind: str, field: str) -> str | None:
    """What a field of an object of ``kind`` holds; None for what holds no references."""
    if kind[0] == "{":
        return None if field.startswith("x-") and kind in ("{pathItem}", "{response}") else kind[1:-1]
    if kind == "callback":
        return None if field.startswith("x-") else "pathItem"
    return FIELDS[kind].get(field) if kind in FIELDS else None
