"""What is the same in both documents, with all that it refers to: it need not be looked at."""

from __future__ import annotations

from typing import Any

import msgspec

from specsync.openapi.canonical import CanonicalDocument
from specsync.openapi.references import component_name, references_in

_encode = msgspec.json.Encoder(order="deterministic").encode


class Unchanged:
    """``unchanged(old, new)`` for parts of two documents. False also where that isn't known."""

    def __init__(self, old: CanonicalDocument, new: CanonicalDocument) -> None:
        self._old = old
        self._new = new
        self._targets: dict[str, bool] = {}

    def __call__(self, old: Any, new: Any) -> bool:
        if old != new:
            return False
        encoded = _encode(old)
        if encoded != _encode(new):  # to Python, `true` equals `1`
            return False
        return all(map(self._leads_to_same, references_in(encoded)))

    def _leads_to_same(self, reference: str) -> bool:
        found = self._targets.get(reference)
        if found is None:
            kind = reference.split("/")[2] if reference.startswith("#/components/") else "schemas"
            name = component_name(reference, kind)
            digest = self._old.component_digest(kind, name)
            found = self._targets[reference] = digest is not None and digest == self._new.component_digest(kind, name)
        return found
