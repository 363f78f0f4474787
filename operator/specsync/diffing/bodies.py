"""Request bodies and responses: their presence, status codes, media types and headers; their schemas go to the
graph.
"""

from __future__ import annotations

import msgspec

from specsync.diffing.components import follow, same
from specsync.diffing.media_types import Name, contains, paired, parsed
from specsync.diffing.serialization import compare_encodings, compare_links
from specsync.diffing.session import Root, Session, Target
from specsync.diffing.wording import Place
from specsync.openapi.model import Header, MediaType, Parameter, RequestBody, Response
from specsync.openapi.references import is_external
from specsync.openapi.tolerant import escaped

Content = dict[str, MediaType]
_STRONG = frozenset(("json", "ndjson", "jsonl", "json-seq", "yaml", "cbor", "cbor-seq", "msgpack", "bson"))
_REQUEST = Place(scope="request-body", nested="request-property")


def compare_request_body(session: Session, target: Target, old: RequestBody | None, new: RequestBody | None) -> None:
    places = (f"{target.old_pointer}/requestBody", f"{target.new_pointer}/requestBody")
    if old is None or new is None:
        if new is not None:
            body, place = follow(session.new, new, places[1])
            needed = body is not None and body.required
            session.report(target, f"request-body-added-{'required' if needed else 'optional'}", None, place)
        elif old is not None:
            session.report(target, "request-body-removed", follow(session.old, old, places[0])[1], None)
        return
    if same(session, old, new):
        return
    before, old_place = follow(session.old, old, places[0])
    after, new_place = follow(session.new, new, places[1])
    if before is None or after is None:
        if _refers_elsewhere(old.ref, new.ref):
            session.report(target, "reference-changed", old_place, new_place, place=_REQUEST)
        return
    if before.required is not after.required:
        session.report(
            target,
            "became-required" if after.required else "became-optional",
            f"{old_place}/required",
            f"{new_place}/required",
            before.required,
            after.required,
            place=_REQUEST,
        )
    compare_content(
        session,
        target,
        before.content or {},
        after.content or {},
        (old_place, new_place),
        _REQUEST,
        request=True,
    )


def _refers_elsewhere(old: str | None, new: str | None) -> bool:
    """Whether a reference into another document came, went, or changed; of one that dangles nothing can be said."""
    return old != new and any(reference is not None and is_external(reference) for reference in (old, new))


def compare_responses(session: Session, target: Target, old: dict[str, Response], new: dict[str, Response]) -> None:
    if session.unchanged(old, new):
        return
    for status, response in old.items():
        old_place = f"{target.old_pointer}/responses/{escaped(status)}"
        if status not in new:
            _report_status(session, target, status, "removed", follow(session.old, response, old_place)[1], None)
        elif not same(session, response, new[status]):
            before, old_place = follow(session.old, response, old_place)
            after, new_place = follow(session.new, new[status], f"{target.new_pointer}/responses/{escaped(status)}")
            if before is not None and after is not None:
                _compare_response(session, target, status, before, after, (old_place, new_place))
            elif _refers_elsewhere(response.ref, new[status].ref):
                about = Place(scope="response-body", status=status)
                session.report(target, "reference-changed", old_place, new_place, place=about)
    for status, response in new.items():
        if status not in old:
            after, place = follow(session.new, response, f"{target.new_pointer}/responses/{escaped(status)}")
            _report_status(session, target, status, "added", None, place)
            covering = _covering(old, status)
            if covering is not None and after is not None and not same(session, old[covering], response):
                before, old_place = follow(session.old, old[covering], f"{target.old_pointer}/responses/{covering}")
                if before is not None:
                    _compare_response(session, target, status, before, after, (old_place, place))


def _covering(responses: dict[str, Response], status: str) -> str | None:
    """Which of the older responses told of a status that has one of its own from now on: that of its range; or, where
    none told of success, the default, which was no error then.
    """
    if not status.isdigit():
        return None
    wide = f"{status[0]}XX"
    if wide in responses:
        return wide
    is_success = status[0] == "2" and "default" in responses and not any(key[:1] == "2" for key in responses)
    return "default" if is_success else None


def _report_status(
    session: Session, target: Target, status: str, action: str, old: str | None, new: str | None
) -> None:
    """A status code, a range such as ``2XX``, or ``default`` came or went."""
    if status.isdigit():
        kind = "success-status" if 200 <= int(status) <= 299 else "non-success-status"
    elif status.upper().endswith("XX"):
        kind = "success-range" if status.startswith("2") else "non-success-range"
    else:
        kind = "default"
    session.report(target, f"{kind}-{action}", old, new, place=Place(scope="response", status=status))


def _compare_response(
    session: Session, target: Target, status: str, old: Response, new: Response, places: tuple[str, str]
) -> None:
    place = Place(scope="response-body", nested="response-property", status=status)
    compare_content(session, target, old.content or {}, new.content or {}, places, place, request=False)
    _compare_headers(session, target, status, old.headers or {}, new.headers or {}, places)
    if old.links or new.links:
        compare_links(session, target, status, old.links or {}, new.links or {}, places)


def _compare_headers(
    session: Session,
    target: Target,
    status: str,
    old: dict[str, Header],
    new: dict[str, Header],
    places: tuple[str, str],
) -> None:
    before = {name.lower(): (name, header) for name, header in old.items()}
    after = {name.lower(): (name, header) for name, header in new.items()}
    _ignore_content_type(session, before.pop("content-type", None), after.pop("content-type", None))
    for key, (name, header) in before.items():
        place = Place(scope="response-header", nested="response-header", status=status, header=name)
        left, old_pointer = follow(session.old, header, f"{places[0]}/headers/{escaped(name)}")
        if left is None:
            continue
        if key not in after:
            aspect = "removed-required" if left.required else "removed-optional"
            session.report(target, aspect, old_pointer, None, place=place)
            continue
        new_name, new_header = after[key]
        if same(session, header, new_header):
            continue
        right, new_pointer = follow(session.new, new_header, f"{places[1]}/headers/{escaped(new_name)}")
        if right is not None:
            _compare_header(session, target, left, right, (old_pointer, new_pointer), place)
    for key, (name, header) in after.items():
        if key not in before:
            _, pointer = follow(session.new, header, f"{places[1]}/headers/{escaped(name)}")
            session.report(
                target, "added", None, pointer, place=Place(scope="response-header", status=status, header=name)
            )


def _ignore_content_type(session: Session, old: tuple[str, Header] | None, new: tuple[str, Header] | None) -> None:
    """OpenAPI: a header of this name is to be ignored. Only the components that it refers to are noted, so that one
    whose last use is written out here isn't taken for lost.
    """
    if old is None or new is None:
        return
    left, _ = follow(session.old, old[1], "")
    right, _ = follow(session.new, new[1], "")
    if left is not None and right is not None and left.schema is not None and right.schema is not None:
        session.graph.node(left.schema, right.schema, "", "", False)


def _compare_header(
    session: Session, target: Target, old: Header, new: Header, places: tuple[str, str], place: Place
) -> None:
    if old.required and not new.required:
        pointers = (f"{places[0]}/required", f"{places[1]}/required")
        session.report(target, "became-optional", *pointers, True, False, place=place)
    compare_carried(session, target, old, new, places, place, request=False)


def compare_carried(
    session: Session,
    target: Target,
    old: Header | Parameter,
    new: Header | Parameter,
    places: tuple[str, str],
    place: Place,
    *,
    request: bool,
) -> None:
    """What a header or parameter holds: by its schema, or by its content."""
    if old.schema is not None and new.schema is not None:
        node = session.graph.node(old.schema, new.schema, f"{places[0]}/schema", f"{places[1]}/schema", request)
        if node is not None:
            session.roots.append(Root(target, place, node))
    elif (old.schema is None) is not (new.schema is None):
        session.report(target, "content-changed", *places, _carrier(old), _carrier(new), place=place)
    elif old.content and new.content:
        compare_content(session, target, old.content, new.content, places, place, request=request)


def _carrier(holder: Header | Parameter) -> str:
    return "a schema" if holder.schema is not None else ", ".join(sorted(holder.content or {})) or "nothing"


def compare_content(
    session: Session,
    target: Target,
    old: Content,
    new: Content,
    places: tuple[str, str],
    place: Place,
    *,
    request: bool,
) -> None:
    """Media types and their schemas."""
    pairs, removed, added = paired(old, new, request=request)
    owner = Place(scope="request-body" if request else "response", status=place.status, called=place.called)
    if place.parameter or place.header:
        owner = place
    for name in removed:
        pointer = f"{places[0]}/content/{escaped(name)}"
        session.report(target, "media-type-removed", pointer, None, name=name, place=owner)
    for name in added:
        pointer = f"{places[1]}/content/{escaped(name)}"
        session.report(target, "media-type-added", None, pointer, name=name, place=owner)
    roots: set[tuple[int, bool]] = set()
    for before, after in pairs:
        pointers = (f"{places[0]}/content/{escaped(before)}", f"{places[1]}/content/{escaped(after)}")
        if before != after:
            _report_name(session, target, before, after, pointers, owner)
        left, old_pointer = follow(session.old, old[before], pointers[0])
        right, new_pointer = follow(session.new, new[after], pointers[1])
        if left is not None and right is not None:
            _compare_media_type(
                session, target, left, right, (old_pointer, new_pointer), after, place, roots, request=request
            )


def _report_name(
    session: Session, target: Target, before: str, after: str, pointers: tuple[str, str], place: Place
) -> None:
    left, right = parsed(before), parsed(after)
    if place.scope == "request-body":
        left, right = _without_charset(left), _without_charset(right)
    if left == right:
        return
    aspect = "media-type-name-generalized"
    if left[3] != right[3]:
        aspect = "media-type-name-changed"
    elif contains(before, after):
        aspect = "media-type-name-specialized"
    session.report(target, aspect, *pointers, before, after, place=place)


def _without_charset(name: Name) -> Name:
    """Who takes requests reads the charset that they have, or the usual one."""
    return *name[:3], tuple(part for part in name[3] if not part.startswith("charset="))


def _compare_media_type(
    session: Session,
    target: Target,
    old: MediaType,
    new: MediaType,
    pointers: tuple[str, str],
    name: str,
    place: Place,
    roots: set[tuple[int, bool]],
    *,
    request: bool,
) -> None:
    if (old.schema is None) is not (new.schema is None) and not (place.parameter or place.header):
        aspect = "media-type-schema-added" if old.schema is None else "media-type-schema-removed"
        session.report(target, aspect, f"{pointers[0]}/schema", f"{pointers[1]}/schema", name=name, place=place)
    if old.encoding != new.encoding:
        compare_encodings(session, target, old.encoding or {}, new.encoding or {}, pointers, place)
    strong = is_strong(name)
    for attribute, keyword in (("schema", "schema"), ("item_schema", "itemSchema")):
        before, after = getattr(old, attribute), getattr(new, attribute)
        if before is None or after is None:
            continue
        node = session.graph.node(before, after, f"{pointers[0]}/{keyword}", f"{pointers[1]}/{keyword}", request)
        if node is None or (id(node), strong) in roots:
            continue  # the same in another media type, which has been looked at
        roots.add((id(node), strong))
        session.roots.append(Root(target, _in_media_type(place, name, strong), node))


def _in_media_type(place: Place, name: str, strong: bool) -> Place:
    return msgspec.structs.replace(place, media_type=name, strong=strong)


def is_strong(media_type: str) -> bool:
    """Whether a media type tells ``1`` from ``"1"``: JSON, YAML and binary forms do, web forms and plain text don't;
    a range does if JSON is one of it.
    """
    _, subtype, suffix, _ = parsed(media_type)
    return (suffix or subtype).removeprefix("x-") in _STRONG or contains(media_type, "application/json")
