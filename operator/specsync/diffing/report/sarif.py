"""A comparison as SARIF 2.1.0, the form of code scanners' findings.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from typing import Any

import msgspec

import specsync
from specsync.diffing.comparison import Comparison, Event, Severity
from specsync.diffing.plain import plain
from specsync.diffing.report.grouping import example, notes, operation_name
from specsync.diffing.report.places import Places, as_uri
from specsync.diffing.report.source import Source
from specsync.diffing.rules import RULES, Rule

_LEVELS: dict[Severity, str] = {"breaking": "error", "risky": "warning", "safe": "note"}
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(comparison: Comparison, old: Source, new: Source, places: Places, *, group: str = "cause") -> bytes:
    """The comparison as one run. ``group`` ``cause``: one result for each rule and edit; ``operation``: for each
    event.
    """
    found = notes(comparison, group)
    ids = list(dict.fromkeys(events[0].id for _, events in found))
    index = {id_: number for number, id_ in enumerate(ids)}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "specsync",
                "fullName": "specsync diff",
                "rules": [_rule(RULES[id_]) for id_ in ids],
            }
        },
        "columnKind": "unicodeCodePoints",
        "artifacts": [_artifact(source, role) for source, role in ((old, "old"), (new, "new"))],
        "results": [_result(sentence, events, index, places, new) for sentence, events in found],
        "properties": {"summary": msgspec.to_builtins(comparison.summary)},
    }
    version = getattr(specsync, "__version__", None)
    if version:
        run["tool"]["driver"]["semanticVersion"] = version
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log), indent=2) + b"\n"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.id.split("-")),
        "shortDescription": {"text": rule.text.replace("{", "").replace("}", "")},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"kind": rule.kind, "area": rule.area, "direction": rule.direction, "tags": ["api", rule.kind]},
    }


def _artifact(source: Source, role: str) -> dict[str, Any]:
    uri = as_uri(source.source)
    location: dict[str, Any] = {"uri": uri} if uri else {"description": {"text": "standard input"}}
    properties = {"role": role, "title": plain(source.title), "version": plain(source.version), "digest": source.digest}
    return {"location": location, "properties": properties}


def _result(sentence: str, events: list[Event], index: dict[str, int], places: Places, new: Source) -> dict[str, Any]:
    worst = events[0]
    place = places.of(worst)
    operations = list(dict.fromkeys(operation_name(event) for event in events if event.operation is not None))
    logical = [{"fullyQualifiedName": place.pointer, "kind": "value"}] if place.pointer else []
    logical += [{"fullyQualifiedName": name, "kind": "function"} for name in operations[:100]]
    location: dict[str, Any] = {"logicalLocations": logical}
    uri = as_uri(place.file or new.source)
    if uri:
        # Code scanning on GitHub asks for a line.
        region = {"startLine": place.line or 1}
        location["physicalLocation"] = {"artifactLocation": {"uri": uri}, "region": region}
    shown = example(events)
    # An edit's fingerprint together with the rule's id is the same for the same change, whatever else changes.
    fingerprint = worst.fingerprint if len(events) == 1 else f"{worst.cause}:{worst.id}"
    return {
        "ruleId": worst.id,
        "ruleIndex": index[worst.id],
        "level": _LEVELS[worst.severity],
        "message": {"text": f"{sentence}\n{shown}" if shown else sentence},
        "locations": [location],
        "partialFingerprints": {"specsyncChange/v1": fingerprint},
        "properties": {"severity": worst.severity, "kind": worst.kind, "operations": len(operations)},
    }
