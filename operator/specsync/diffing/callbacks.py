"""What the provider calls: the callbacks of operations, and webhooks.

The provider is the client there. What it sends is judged as a response is (who receives it must cope with it), and
what it takes as an answer as a request is. Findings in schemas, media types and headers therefore have the rules of
what they are to the consumer: ``response-…`` for what he receives, ``request-…`` for what he sends.
"""

from __future__ import annotations

import msgspec

from specsync.diffing.bodies import compare_carried, compare_content
from specsync.diffing.components import follow, same
from specsync.diffing.lifecycle import is_preview
from specsync.diffing.session import Session, Target
from specsync.diffing.wording import Place
from specsync.openapi.canonical import CanonicalDocument, OperationSummary
from specsync.openapi.model import Callback, Header, Operation, Parameter, PathItem, RequestBody, Response
from specsync.openapi.references import component_name
from specsync.openapi.tolerant import escaped


class Side(msgspec.Struct, frozen=True, gc=False):
    """A call in one of the two documents."""

    operation: Operation
    pointer: str
    shared: list[Parameter] | None
    """The parameters of its path item."""


def compare_callbacks(session: Session, target: Target, old: Operation, new: Operation) -> None:
    """Which callbacks an operation has, and what they send and take."""
    before, after = old.callbacks or {}, new.callbacks or {}
    for name in sorted(before.keys() | after.keys()):
        old_pointer, new_pointer = (
            f"{pointer}/callbacks/{escaped(name)}" for pointer in (target.old_pointer, target.new_pointer)
        )
        if name not in after:
            session.report(target, "endpoint-callback-removed", old_pointer, None, name=name)
        elif name not in before:
            session.report(target, "endpoint-callback-added", None, new_pointer, name=name)
        else:
            left, right = _calls(before[name], old_pointer), _calls(after[name], new_pointer)
            _compare_calls(session, target, name, left, right)


_Calls = dict[tuple[str, str], Side]


def _calls(callback: Callback, pointer: str) -> _Calls:
    """What a callback calls, by expression and method."""
    reference = callback.get("$ref")
    if isinstance(reference, str):
        name = component_name(reference, "callbacks")
        pointer = name[1:] if name.startswith("#/") else f"/components/callbacks/{escaped(name)}"
    return {
        (expression, method): Side(operation, _method_pointer(pointer, expression, method), item.parameters)
        for expression, item in callback.items()
        if isinstance(item, PathItem)
        for method, operation in item.operations()
    }


def _method_pointer(pointer: str, path: str, method: str) -> str:
    return f"{pointer}/{escaped(path)}/{method.lower()}"


def _compare_calls(session: Session, target: Target, name: str, old: _Calls, new: _Calls) -> None:
    for key in sorted(old.keys() | new.keys()):
        label = f"{key[1]} {key[0]}"
        place = Place(scope="", called=f"callback {name}, {label}")
        if key not in new:
            session.report(target, "callback-operation-removed", old[key].pointer, None, name=label, place=place)
        elif key not in old:
            session.report(target, "callback-operation-added", None, new[key].pointer, name=label, place=place)
        else:
            _compare_call(session, target, place, old[key], new[key])


def compare_webhooks(session: Session) -> None:
    """Which webhooks there are, and what they send and take."""
    old = {(webhook.path, webhook.method): webhook for webhook in session.old.webhooks}
    new = {(webhook.path, webhook.method): webhook for webhook in session.new.webhooks}
    before, after = {name for name, _ in old}, {name for name, _ in new}
    for name in sorted(before - after):
        session.report(None, "webhook-removed", f"/webhooks/{escaped(name)}", None, name=name)
    for name in sorted(after - before):
        session.report(None, "webhook-added", None, f"/webhooks/{escaped(name)}", name=name)
    for key in sorted(old.keys() | new.keys()):
        name, method = key
        if name not in before or name not in after:
            continue
        pointer = _method_pointer("/webhooks", name, method)
        place = Place(scope="", called=f"webhook {name}, {method}")
        if key not in new:
            session.report(None, "webhook-operation-removed", pointer, None, name=method, place=place)
        elif key not in old:
            session.report(None, "webhook-operation-added", None, pointer, name=method, place=place)
        elif old[key].digest != new[key].digest:
            left, right = _webhook(session.old, old[key], pointer), _webhook(session.new, new[key], pointer)
            target = Target(None, f"webhook {method} {name}", new[key].domain, pointer, pointer)
            _compare_call(session, target, place, left, right)


def _webhook(document: CanonicalDocument, summary: OperationSummary, pointer: str) -> Side:
    operation = document.operation(summary)
    return Side(operation, pointer, operation.shared_parameters)


def _compare_call(session: Session, target: Target, place: Place, old: Side, new: Side) -> None:
    if is_preview(old.operation) or is_preview(new.operation):
        return
    _compare_parameters(session, target, place, old, new)
    _compare_body(session, target, place, old, new)
    _compare_answers(session, target, place, old, new)
    _compare_nested(session, target, place, old, new)


def _compare_nested(session: Session, target: Target, place: Place, old: Side, new: Side) -> None:
    """Which callbacks a call has in its turn, by which the consumer would call the provider."""
    before, after = old.operation.callbacks or {}, new.operation.callbacks or {}
    for name in sorted(before.keys() | after.keys()):
        places = (f"{old.pointer}/callbacks/{escaped(name)}", f"{new.pointer}/callbacks/{escaped(name)}")
        if name not in after:
            session.report(target, "endpoint-callback-removed", places[0], None, name=name, place=place)
        elif name not in before:
            session.report(target, "endpoint-callback-added", None, places[1], name=name, place=place)


def _compare_body(session: Session, target: Target, place: Place, old: Side, new: Side) -> None:
    """What the provider sends."""
    left, right = old.operation.request_body, new.operation.request_body
    places = (f"{old.pointer}/requestBody", f"{new.pointer}/requestBody")
    if left is None or right is None:
        if left is not None:
            session.report(target, "callback-request-body-removed", places[0], None, place=place)
        elif right is not None:
            session.report(target, "callback-request-body-added", None, places[1], place=place)
        return
    if same(session, left, right):
        return
    before, old_pointer = follow(session.old, left, places[0])
    after, new_pointer = follow(session.new, right, places[1])
    if before is None or after is None:
        return
    _compare_presence(session, target, place, before, after, (old_pointer, new_pointer), "callback-request-body")
    compare_content(
        session,
        target,
        before.content or {},
        after.content or {},
        (old_pointer, new_pointer),
        Place(scope="response-body", nested="response-property", called=place.called),
        request=False,
    )


def _compare_presence(
    session: Session,
    target: Target,
    place: Place,
    old: RequestBody | Parameter | Header,
    new: RequestBody | Parameter | Header,
    pointers: tuple[str, str],
    prefix: str,
) -> None:
    if old.required is not new.required:
        places = (f"{pointers[0]}/required", f"{pointers[1]}/required")
        aspect = f"{prefix}-became-{'required' if new.required else 'optional'}"
        session.report(target, aspect, *places, old.required, new.required, place=place)


def _compare_answers(session: Session, target: Target, place: Place, old: Side, new: Side) -> None:
    """What the provider takes as an answer."""
    before: dict[str, Response] = old.operation.responses or {}
    after: dict[str, Response] = new.operation.responses or {}
    for status in sorted(before.keys() | after.keys()):
        places = (f"{old.pointer}/responses/{escaped(status)}", f"{new.pointer}/responses/{escaped(status)}")
        if status not in after:
            session.report(target, "callback-response-status-removed", places[0], None, name=status, place=place)
        elif status not in before:
            session.report(target, "callback-response-status-added", None, places[1], name=status, place=place)
        elif not same(session, before[status], after[status]):
            left, old_pointer = follow(session.old, before[status], places[0])
            right, new_pointer = follow(session.new, after[status], places[1])
            if left is not None and right is not None:
                pointers = (old_pointer, new_pointer)
                about = Place(scope="request-body", nested="request-property", status=status, called=place.called)
                content = (left.content or {}, right.content or {})
                compare_content(session, target, *content, pointers, about, request=True)
                _compare_answer_headers(session, target, about, left, right, pointers)


def _compare_answer_headers(
    session: Session, target: Target, place: Place, old: Response, new: Response, pointers: tuple[str, str]
) -> None:
    """The headers that the provider takes with an answer."""
    before = _headers(session.old, old, pointers[0])
    after = _headers(session.new, new, pointers[1])
    for key in sorted(before.keys() | after.keys()):
        name, header, _ = after.get(key) or before[key]
        about = Place(
            scope="request-parameter",
            nested="request-parameter-property",
            status=place.status,
            location="header",
            header=name,
            called=place.called,
        )
        need = "required" if header.required else "optional"
        if key not in after:
            session.report(target, "callback-response-header-removed", before[key][2], None, place=_unruled(about))
        elif key not in before:
            aspect = f"callback-{need}-response-header-added"
            session.report(target, aspect, None, after[key][2], place=_unruled(about))
        else:
            (_, left, old_pointer), (_, right, new_pointer) = before[key], after[key]
            places = (old_pointer, new_pointer)
            _compare_presence(session, target, _unruled(about), left, right, places, "callback-response-header")
            compare_carried(session, target, left, right, places, about, request=True)


def _unruled(place: Place) -> Place:
    """The place for rules that are the callbacks' own."""
    return msgspec.structs.replace(place, scope="")


def _headers(document: CanonicalDocument, response: Response, pointer: str) -> dict[str, tuple[str, Header, str]]:
    """Name, header and where it stands, by the name in lower case. OpenAPI: Content-Type is to be ignored."""
    found = {}
    for name, written in (response.headers or {}).items():
        header, where = follow(document, written, f"{pointer}/headers/{escaped(name)}")
        if header is not None and name.lower() != "content-type":
            found[name.lower()] = (name, header, where)
    return found


def _compare_parameters(session: Session, target: Target, place: Place, old: Side, new: Side) -> None:
    """Headers, and what else is sent beside the body."""
    before, after = _parameters(session.old, old), _parameters(session.new, new)
    for key in sorted(before.keys() | after.keys()):
        parameter = (after.get(key) or before[key])[0]
        about = Place(
            scope="", location=parameter.location, parameter=parameter.name, header=parameter.name, called=place.called
        )
        if key not in after:
            need = "required" if parameter.required else "optional"
            session.report(target, f"callback-{need}-parameter-removed", before[key][1], None, place=about)
        elif key not in before:
            session.report(target, "callback-parameter-added", None, after[key][1], place=about)
        else:
            (left, old_pointer), (right, new_pointer) = before[key], after[key]
            _compare_presence(session, target, about, left, right, (old_pointer, new_pointer), "callback-parameter")
            header = msgspec.structs.replace(about, scope="response-header", nested="response-header", parameter="")
            compare_carried(session, target, left, right, (old_pointer, new_pointer), header, request=False)


def _parameters(document: CanonicalDocument, side: Side) -> dict[tuple[str, str], tuple[Parameter, str]]:
    """What is sent, by location and name, and where it stands; its own parameters replace those of its path item."""
    found: dict[tuple[str, str], tuple[Parameter, str]] = {}
    item_pointer = side.pointer.rpartition("/")[0]
    for parameters, pointer in ((side.shared, item_pointer), (side.operation.parameters, side.pointer)):
        for index, written in enumerate(parameters or ()):
            parameter, where = follow(document, written, f"{pointer}/parameters/{index}")
            if parameter is not None and parameter.name:
                name = parameter.name.lower() if parameter.location == "header" else parameter.name
                found[parameter.location, name] = (parameter, where)
    return found
