"""The judgement of one document: the meta-schema's, then what it can't say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from specsync.openapi.detect import Format
from specsync.openapi.load import Loaded
from specsync.openapi.validation.consistency import check_operations
from specsync.openapi.validation.findings import MOST_COUNTED, Collector, Report
from specsync.openapi.validation.metaschemas import validator_for
from specsync.openapi.validation.nodes import check_nodes
from specsync.openapi.validation.wording import findings_of

_IN_PLACE = frozenset(("allOf", "anyOf", "oneOf", "not", "then", "else", "dependentSchemas"))
"""Keywords whose failure takes back what they said of an object's fields (JSON Schema 2020-12, 7.7.1)."""

_ROOMS = ("paths", "webhooks", "definitions", "parameters", "responses", "securityDefinitions")
"""Fields of the root that hold most of a document, by name."""


def judge(loaded: Loaded) -> Report:
    """Everything that is wrong with a document, by its own version of the specification, within limits.

    Pointers are into the document as it was written, Swagger 2.0 too. A document without findings is valid.
    """
    tree = loaded.as_written()
    found = Collector()
    _check_schema(loaded.format, tree, found)
    if not found.full:
        check_operations(tree, found)
        check_nodes(tree, found)
    return found.report(loaded.format)


def _check_schema(format_: Format, tree: Any, found: Collector) -> None:
    """The meta-schema's errors. Where alternatives failed, fields that they would have known look unknown: those
    aren't told.
    """
    validator = validator_for(format_, tree)
    if validator.is_valid(tree):
        return
    # Errors of oneOf hold those of all alternatives, and all errors are made at once: a large document takes gigabytes.
    for piece in _pieces(tree):
        if not validator.is_valid(piece):
            _add_errors(validator, piece, tree, found)
        if found.full:
            return


def _pieces(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Documents that break the schema where the whole does: what is beside paths and components, then each of those."""
    beside = dict(tree)
    version = {key: tree[key] for key in ("openapi", "swagger", "jsonSchemaDialect") if key in tree}
    small = {**version, "info": {"title": "", "version": ""}, "paths": {}}
    rooms: list[tuple[str, ...]] = [(name,) for name in _ROOMS if isinstance(tree.get(name), dict)]
    for room in rooms:
        beside[room[0]] = {}
    components = tree.get("components")
    if isinstance(components, dict):
        tables = [name for name, table in components.items() if isinstance(table, dict) and not name.startswith("x-")]
        beside["components"] = {**components, **{name: {} for name in tables}}
        rooms += [("components", name) for name in tables]
    yield beside
    for room in rooms:
        for name, value in (tree[room[0]] if len(room) == 1 else tree[room[0]][room[1]]).items():
            entry = {name: value}
            yield {**small, room[0]: entry if len(room) == 1 else {room[1]: entry}}


def _add_errors(validator: jsonschema_rs.Validator, piece: Any, tree: Any, found: Collector) -> None:
    unknown, undecided = [], set()
    for error in validator.iter_errors(piece):
        if error.kind.name == "unevaluatedProperties":
            unknown.append(error)
            continue
        if _IN_PLACE.intersection(error.schema_path):
            undecided.add(tuple(error.instance_path))
        for finding in findings_of(error, tree):
            found.add(finding)
        if found.full:
            return
    for error in unknown[:MOST_COUNTED]:
        if tuple(error.instance_path) not in undecided:
            for finding in findings_of(error, tree):
                found.add(finding)
