"""The official meta-schemas, compiled when they are needed first.

https://spec.openapis.org/#openapi-specification-schemas
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import jsonschema_rs
import msgspec

from specsync.openapi.detect import Format

FOLDER = Path(__file__).parent / "metaschemas"

_DIALECTS: dict[Format, Literal["3.1", "3.2"]] = {"openapi-3.1": "3.1", "openapi-3.2": "3.2"}
# Values don't belong in the errors: the whole of a document would be in many of them.
_OPTIONS: dict[str, Any] = {"validate_formats": False, "offline": True, "mask": "the value"}


def validator_for(format_: Format, tree: Any) -> jsonschema_rs.Validator:
    """What judges documents of a format. Schema Objects of 3.1 and 3.2 are judged unless they are of another dialect
    than the specification's own.
    """
    version = _DIALECTS.get(format_)
    if version is None:
        return _of_draft_4(format_)
    dialect = tree.get("jsonSchemaDialect") if isinstance(tree, dict) else None
    if dialect is not None and dialect != read(f"dialect-{version}.json")["$id"]:
        return _without_dialect(format_)
    return _with_dialect(format_, version)


@cache
def read(name: str) -> dict[str, Any]:
    """A shipped meta-schema by its file's name."""
    return msgspec.json.decode((FOLDER / name).read_bytes(), type=dict[str, Any])


@cache
def _of_draft_4(format_: Format) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft4Validator(read(f"{format_}.json"), **_OPTIONS)


@cache
def _without_dialect(format_: Format) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(read(f"{format_}.json"), **_OPTIONS)


@cache
def _with_dialect(format_: Format, version: Literal["3.1", "3.2"]) -> jsonschema_rs.Validator:
    """As the specification's own ``schema-base`` puts the two together, but for a ``$schema`` in a schema."""
    document = read(f"{format_}.json")
    dialect, vocabulary = read(f"dialect-{version}.json"), read(f"vocabulary-{version}.json")
    together = {
        "$schema": document["$schema"],
        "$ref": document["$id"],
        "$defs": {"schema": {"$dynamicAnchor": "meta", "$ref": dialect["$id"]}},
    }
    registry = jsonschema_rs.Registry([(each["$id"], each) for each in (document, dialect, vocabulary)])
    return jsonschema_rs.Draft202012Validator(together, registry=registry, **_OPTIONS)
