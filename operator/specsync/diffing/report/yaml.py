"""A comparison as YAML: the same object as in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from specsync.diffing.comparison import Comparison
from specsync.diffing.report.json import report
from specsync.diffing.report.source import Source

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
"""What needs no quotes, unless it is a word that some reader takes for a value."""
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_ESCAPED = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def yaml_report(comparison: Comparison, old: Source, new: Source) -> str:
    """The comparison as YAML 1.2 that readers of YAML 1.1 understand alike.

    Written by hand: PyYAML takes more than a second for some thousand events.
    """
    return "\n".join(_block(msgspec.to_builtins(report(comparison, old, new)), "")) + "\n"


def _block(value: dict[str, Any] | list[Any], indent: str) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list) and item:
                first, *rest = _block(item, f"{indent}  ")
                yield f"{indent}- {first[len(indent) + 2 :]}"
                yield from rest
            else:
                yield f"{indent}- {_scalar(item)}"
        return
    for key, item in value.items():
        if isinstance(item, dict | list) and item:
            yield f"{indent}{_text(key)}:"
            yield from _block(item, indent if isinstance(item, list) else f"{indent}  ")
        else:
            yield f"{indent}{_text(key)}: {_scalar(item)}"


def _scalar(value: Any) -> str:
    return _text(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS and len(value) < 1000:
        return value
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
