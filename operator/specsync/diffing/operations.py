"""Operations: which came, went, and what changed in those that stayed. Paths match by their shape, not by the names
of parameters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

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
    old, new = (Counter((shape(o.path), o.method) for o in side.operations) for side in (session.old, session.new))
    session.crowded = {key for shapes in (old, new) for key, count in shapes.items() if count > 1}
    new_paths = {path for path, _ in new}
    for before, after in pairs(session.old, session.new):
        if before is not None and after is not None:
            if before.digest != after.digest or before.path != after.path:
                _changed(session, before, after)
        elif before is not None:
            _removed(session, before, path_is_gone=shape(before.path) not in new_paths)
        elif after is not None:
            target = _target(session, after, after, session.new.operation(after))
            session.report(target, "endpoint-added", None, target.new_pointer)


Pair = tuple[OperationSummary | None, OperationSummary | None]


def pairs(old: CanonicalDocument, new: CanonicalDocument) -> Iterator[Pair]:
    """Which operation became which: by its path, else by the shape of that. None: it isn't there."""
    after = {(operation.path, operation.method): operation for operation in new.operations}
    rest = []
    for operation in old.operations:
        same = after.pop((operation.path, operation.method), None)
        if same is not None:
            yield operation, same
        else:
            rest.append(operation)
    by_shape: dict[tuple[str, str], list[OperationSummary]] = {}
    for operation in after.values():
        by_shape.setdefault((shape(operation.path), operation.method), []).append(operation)
    for operation in rest:
        alike = by_shape.get((shape(operation.path), operation.method))
        yield operation, alike.pop(0) if alike else None
    for alike in by_shape.values():
        yield from ((None, operation) for operation in alike)


def _target(session: Session, old: OperationSummary, new: OperationSummary, operation: Operation) -> Target:
    key = (shape(new.path), new.method)
    return Target(
        ref=OperationRef(new.method, new.path),
        key=f"{new.method} {new.path if key in session.crowded else key[0]}",
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
