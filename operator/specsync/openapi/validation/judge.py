"""The judgement of one document: the meta-schema's, then what it can't say."""

from __future__ import annotations

from typing import Any

from specsync.openapi.detect import Format
from specsync.openapi.load import Loaded
from specsync.openapi.validation.consistency import check_operations
from specsync.openapi.validation.findings import MOST_COUNTED, Collector, Report
from specsync.openapi.validation.metaschemas import validator_for
from specsync.openapi.validation.nodes import check_nodes
from specsync.openapi.validation.wording import findings_of

_IN_PLACE = frozenset(("allOf", "anyOf", "oneOf", "not", "then", "else", "dependentSchemas"))
"""Keywords whose failure takes back what they said of an object's fields (JSON Schema 2020-12, 7.7.1)."""


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
    unknown, undecided = [], set()
    for error in validator_for(format_, tree).iter_errors(tree):
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
