"""Following references to components other than schemas: parameters, request bodies, responses, headers, media
types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from specsync.openapi.canonical import CanonicalDocument
from specsync.openapi.model import Header, Link, MediaType, Parameter, RequestBody, Response, SecurityScheme
from specsync.openapi.references import KINDS, component_name
from specsync.openapi.tolerant import escaped

if TYPE_CHECKING:
    from specsync.diffing.session import Session

Component = TypeVar("Component", Parameter, RequestBody, Response, Header, MediaType, SecurityScheme, Link)


def follow(document: CanonicalDocument, component: Component, pointer: str) -> tuple[Component | None, str]:
    """The component that counts, and where it stands; None where it is in another document, or refers to itself."""
    if component.ref is None:
        return component, pointer
    seen: set[str] = set()
    current: Any = component
    while current.ref is not None:
        kind = KINDS[type(component)][0]
        name = component_name(current.ref, kind)
        current = document.component(kind, name)
        if current is None or name in seen:
            return None, pointer
        seen.add(name)
        pointer = name[1:] if name.startswith("#") else f"/components/{kind}/{escaped(name)}"
    return current, pointer


def same(session: Session, old: Component, new: Component) -> bool:
    """Whether two components, or references to them, are known to mean the same, without following references."""
    if old.ref is None or new.ref is None:
        return old.ref is new.ref and session.unchanged(old, new)
    kind = KINDS[type(old)][0]
    digest = session.old.component_digest(kind, component_name(old.ref, kind))
    return digest is not None and digest == session.new.component_digest(kind, component_name(new.ref, kind))
