"""Operations: which came, went, and what changed in those that stayed. Paths match by their shape, not by the names
of parameters.
"""

from __future__ import annotations

import re

from specsync.diffing.bodies import compare_request_body, compare_responses
from specsync.diffing.callbacks import compare_callbacks
from specsync.diffing.comparison import OperationRef
from specsync.diffing.lifecycle import (
    compare_deprecation,
    compare_stability,
    is_preview,
    removal_aspect,
    stability_of,
)
from specsync.diffing.parameters import compare_parameters
from specsync.diffing.security import compare_requirements
from specsync.diffing.servers import compare_servers
from specsync.diffing.session import Session, Target
from specsync.openapi.canonical import CanonicalDocument, OperationSummary
from specsync.openapi.model import Operation
from specsync.openapi.tolerant import escaped

_PARAMETER = re.compile(r"\{[^{}]*\}")


def shape(path: str) -> str:
    """A path template without the names of its parameters: ``/pets/{id}`` and ``/pets/{petId}`` have the same."""
    return _PARAMETER.sub("{}", path) if "{" in path else path


def compare_operations(session: Session) -> None:
    old, new = _by_key(session.old), _by_key(session.new)
    new_paths = {path for path, _ in new}
    for key, before in old.items():
        after = new.get(key)
        if after is None:
            _removed(session, before, path_is_gone=key[0] not in new_paths)
        elif before.digest != after.digest or before.path != after.path:
            _changed(session, before, after)
    for key, after in new.items():
        if key not in old:
            target = _target(session, after, after, session.new.operation(after))
            session.report(target, "endpoint-added", None, target.new_pointer)


def _by_key(document: CanonicalDocument) -> dict[tuple[str, str], OperationSummary]:
    """The operations by the shape of their path, and method. Where two paths have one shape, by the path itself."""
    found: dict[tuple[str, str], OperationSummary] = {}
    for operation in document.operations:
        key = (shape(operation.path), operation.method)
        if key in found and found[key].path != operation.path:
            key = (operation.path, operation.method)
        found[key] = operation
    return found


def _target(session: Session, old: OperationSummary, new: OperationSummary, operation: Operation) -> Target:
    return Target(
        ref=OperationRef(new.method, new.path),
        key=f"{new.method} {shape(new.path)}",
        domain=new.domain,
        old_pointer=f"/paths/{escaped(old.path)}/{old.method.lower()}",
        new_pointer=f"/paths/{escaped(new.path)}/{new.method.lower()}",
        sunset_days=session.policy.sunset_days(stability_of(operation)),
    )


def _removed(session: Session, summary: OperationSummary, *, path_is_gone: bool) -> None:
    operation = session.old.operation(summary)
    if is_preview(operation):
        return
    target = _target(session, summary, summary, operation)
    removal = removal_aspect(session, operation.deprecated, operation.x_sunset, "api-path-" if path_is_gone else "api-")
    if removal is not None:
        aspect, sunset = removal
        unreadable = aspect == "api-path-sunset-parse"
        session.report(
            target,
            aspect,
            target.old_pointer,
            None,
            None if unreadable else sunset,
            sunset if unreadable else None,
        )


def _changed(session: Session, before: OperationSummary, after: OperationSummary) -> None:
    old, new = session.old.operation(before), session.new.operation(after)
    target = _target(session, before, after, new)
    if not compare_stability(session, target, old, new):
        return
    compare_deprecation(session, target, old, new)
    _compare_names(session, target, old, new)
    if old.security != new.security:
        compare_requirements(
            session,
            target,
            old.security if old.security is not None else session.old.security,
            new.security if new.security is not None else session.new.security,
            "api-security-",
            (f"{target.old_pointer}/security", f"{target.new_pointer}/security"),
        )
    if old.servers != new.servers:
        compare_servers(session, target, old.servers, new.servers, (target.old_pointer, target.new_pointer))
    compare_callbacks(session, target, old, new)
    compare_parameters(session, target, old, new, before.path, after.path)
    compare_request_body(session, target, old.request_body, new.request_body)
    compare_responses(session, target, old.responses or {}, new.responses or {})


def _compare_names(session: Session, target: Target, old: Operation, new: Operation) -> None:
    """operationId and tags."""
    places = (f"{target.old_pointer}/operationId", f"{target.new_pointer}/operationId")
    if old.operation_id != new.operation_id:
        if old.operation_id:
            session.report(target, "api-operation-id-removed", *places, old.operation_id, new.operation_id)
        elif new.operation_id:
            session.report(target, "api-operation-id-added", *places, None, new.operation_id)
    if old.tags != new.tags:
        places = (f"{target.old_pointer}/tags", f"{target.new_pointer}/tags")
        before, after = old.tags or [], new.tags or []
        for tag in dict.fromkeys(before):
            if tag not in after:
                session.report(target, "api-tag-removed", *places, tag, None)
        for tag in dict.fromkeys(after):
            if tag not in before:
                session.report(target, "api-tag-added", *places, None, tag)
