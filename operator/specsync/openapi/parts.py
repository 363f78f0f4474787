"""The parts of a document, operations and components, each as canonical bytes with what it refers to."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from specsync.openapi.model import Components, Operation
from specsync.openapi.references import (
    KINDS,
    Hoister,
    component_name,
    decoded_reference,
    is_external,
    references_written_in,
)
from specsync.openapi.tolerant import escaped

Operations = dict[tuple[str, str], Operation]
"""By path and method."""
Key = tuple[str, str, str]
"""Of an operation: ``operations`` or ``webhooks``, path and method; of a component: kind, name and ""."""

_encode = msgspec.json.Encoder(order="deterministic").encode


def encode_parts(
    operations: Operations, webhooks: Operations, components: Components, hoister: Hoister
) -> tuple[dict[Key, bytes], dict[Key, list[Key]]]:
    """Each part as bytes, and what it refers to. Hoisting adds components on the way, so those come last."""
    contents: dict[Key, bytes] = {}
    references: dict[Key, list[Key]] = {}
    tables = {kind: (components, attribute) for kind, attribute in KINDS.values() if kind != "pathItems"}
    known: dict[bytes, Key] = {
        f"#/components/{kind}/{name}".encode("utf-8", "replace"): (kind, name, "")
        for kind, (_, attribute) in tables.items()
        for name in getattr(components, attribute) or ()
        if not _SPELLED_OTHERWISE(name)
    }

    def encode(key: Key, part: Any) -> None:
        content = contents[key] = _encode(part)
        written = references_written_in(content)
        settled = False
        for each in written:
            if each not in known:
                reference = decoded_reference(each)
                target = _target(reference, tables)
                if target is None and not settled and not is_external(reference):
                    settled = True  # all of the part's; what has no target then has none
                    hoister.settle(part, _pointer(key))
                    target = _target(reference, tables)
                if target is not None:
                    known[each] = target
        references[key] = [known[each] for each in written if each in known]

    for room, found in (("operations", operations), ("webhooks", webhooks)):
        for (path, method), operation in found.items():
            encode((room, path, method), operation)
    while True:
        missing = [
            (kind, name, part)
            for kind, (_, attribute) in tables.items()
            for name, part in (getattr(components, attribute) or {}).items()
            if (kind, name, "") not in contents
        ]
        if not missing:
            return contents, references
        for kind, name, part in missing:
            encode((kind, name, ""), part)


_SPELLED_OTHERWISE = re.compile(r"[~/%]").search
"""Whether a name looks different in a reference."""


def _pointer(key: Key) -> str:
    kind, name, method = key
    if kind in ("operations", "webhooks"):
        return f"/{'paths' if kind == 'operations' else kind}/{escaped(name)}/{method.lower()}"
    return f"/components/{kind}/{escaped(name)}"


def _target(reference: str, tables: dict[str, tuple[Components, str]]) -> Key | None:
    """The component that a reference means: by its kind, or by the reference itself where it was hoisted."""
    parts = reference.split("/")
    kinds = [parts[2]] if len(parts) == 4 and parts[1] == "components" and parts[2] in tables else list(tables)
    for kind in kinds:
        components, attribute = tables[kind]
        table = getattr(components, attribute) or {}
        name = component_name(reference, kind)
        if name in table:
            return kind, name, ""
    return None
