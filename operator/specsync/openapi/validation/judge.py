"""The judgement of one document: the meta-schema's, then what it can't say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec

from specsync.openapi.detect import Format
from specsync.openapi.load import Loaded
from specsync.openapi.tolerant import escaped
from specsync.openapi.validation.consistency import check_operations
from specsync.openapi.validation.findings import MOST_COUNTED, Collector, Finding, Report
from specsync.openapi.validation.metaschemas import validator_for
from specsync.openapi.validation.nodes import check_nodes
from specsync.openapi.validation.wording import findings_of

_IN_PLACE = frozenset(("allOf", "anyOf", "oneOf", "not", "then", "else", "dependentSchemas"))
"""Keywords whose failure takes back what they said of an object's fields (JSON Schema 2020-12, 7.7.1)."""

_ROOMS = ("paths", "webhooks", "definitions", "parameters", "responses", "securityDefinitions")
"""Fields of the root that hold most of a document, by name."""

_LARGEST = 2_000_000  # bytes of one path or component; the largest that was seen has 0.2 MB
_COSTLIEST = 16_000_000  # bytes times levels


def judge(loaded: Loaded) -> Report:
    """Everything that is wrong with a document, by its own version of the specification, within limits.

    Pointers are into the document as it was written, Swagger 2.0 too. A document without findings is valid.
    """
    tree = loaded.as_written()
    found = Collector()
    _check_schema(loaded.format, tree, found)
    if not found.full:
        check_operations(tree, found)
        check_nodes(tree, found, loaded.dangling)
    report = found.report(loaded.format)
    if not loaded.origins:
        return report
    return msgspec.structs.replace(report, findings=[_at_home(each, loaded.origins) for each in report.findings])


def _at_home(finding: Finding, origins: dict[str, str]) -> Finding:
    """A finding of a joined document with its place in the file that it came from."""
    end = len(finding.pointer)
    while end > 0:
        home = origins.get(finding.pointer[:end])
        if home is not None:
            file, _, pointer = home.partition("#")
            return msgspec.structs.replace(finding, file=file, pointer=pointer + finding.pointer[end:])
        end = finding.pointer.rfind("/", 0, end)
    return finding


def _check_schema(format_: Format, tree: Any, found: Collector) -> None:
    """The meta-schema's errors. Where alternatives failed, fields that they would have known look unknown: those
    aren't told.
    """
    validator = validator_for(format_, tree)
    if validator.is_valid(tree):
        return
    # Errors of oneOf hold those of all alternatives, and all errors are made at once: a large document takes gigabytes.
    for place, piece in _pieces(format_, tree):
        if validator.is_valid(piece):
            continue
        if _is_costly(piece):
            found.error("schema-unlocated", place, "breaks the OpenAPI schema; it is too large to say where")
        else:
            _add_errors(validator, piece, tree, found)
        if found.full:
            return


def _pieces(format_: Format, tree: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pointer and content of documents that break the schema where the whole does: what is beside paths and components,
    then each of those.
    """
    beside = dict(tree)
    key, version = ("swagger", "2.0") if format_ == "swagger-2.0" else ("openapi", f"{format_.split('-')[1]}.0")
    small: dict[str, Any] = {key: version, "info": {"title": "", "version": ""}, "paths": {}}
    rooms: list[tuple[str, ...]] = [(name,) for name in _ROOMS if isinstance(tree.get(name), dict)]
    for room in rooms:
        beside[room[0]] = {}
    components = tree.get("components")
    if isinstance(components, dict):
        tables = [name for name, table in components.items() if isinstance(table, dict) and not name.startswith("x-")]
        emptied: dict[str, Any] = {name: {} for name in tables}
        beside["components"] = {**components, **emptied}
        rooms += [("components", name) for name in tables]
    yield "", beside
    for room in rooms:
        for name, value in (tree[room[0]] if len(room) == 1 else tree[room[0]][room[1]]).items():
            piece, place = dict(small), {name: value}
            piece[room[0]] = place if len(room) == 1 else {room[1]: place}
            yield "".join(f"/{escaped(token)}" for token in (*room, name)), piece


def _is_costly(piece: dict[str, Any]) -> bool:
    """Whether the errors of a piece might take hundreds of megabytes: each holds all of what it is about."""
    size = len(msgspec.json.encode(piece))
    if size > _LARGEST:
        return True
    depth = 0
    level: list[Any] = [piece]
    while level and depth * size <= _COSTLIEST:
        depth += 1
        level = [
            below
            for node in level
            for below in (node.values() if isinstance(node, dict) else node)
            if isinstance(below, dict | list)
        ]
    return depth * size > _COSTLIEST


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
