"""How values are written: style and explode of parameters, encoding of body parts; and the links of responses."""

from __future__ import annotations

from specsync.diffing.components import follow, same
from specsync.diffing.session import Session, Target
from specsync.diffing.wording import Place
from specsync.openapi.model import Encoding, Link, Parameter
from specsync.openapi.tolerant import escaped


def style_of(parameter: Parameter) -> str:
    """The style, or what it is by default (OpenAPI 3.1.1, 4.8.12.2.1)."""
    return parameter.style or ("form" if parameter.location in ("query", "cookie") else "simple")


def explodes(parameter: Parameter) -> bool:
    return parameter.explode if parameter.explode is not None else style_of(parameter) == "form"


def compare_serialization(
    session: Session,
    target: Target,
    old: Parameter,
    new: Parameter,
    pointers: tuple[str, str],
    place: Place,
) -> None:
    if old.content or new.content:
        return  # then the media type says how the value is written
    for keyword, before, after in (
        ("style", style_of(old), style_of(new)),
        ("explode", explodes(old), explodes(new)),
    ):
        if before != after:
            places = (f"{pointers[0]}/{keyword}", f"{pointers[1]}/{keyword}")
            session.report(target, f"{keyword}-changed", *places, before, after, place=place)
    for keyword, name, before, after in (
        ("allowReserved", "allow-reserved", old.allow_reserved, new.allow_reserved),
        ("allowEmptyValue", "allow-empty-value", old.allow_empty_value, new.allow_empty_value),
    ):
        if before is not after:
            places = (f"{pointers[0]}/{keyword}", f"{pointers[1]}/{keyword}")
            session.report(target, f"{name}-{'set' if after else 'unset'}", *places, before, after, place=place)


def compare_encodings(
    session: Session,
    target: Target,
    old: dict[str, Encoding],
    new: dict[str, Encoding],
    pointers: tuple[str, str],
    place: Place,
) -> None:
    """The encoding of each property of a form or multipart body."""
    for name in sorted(old.keys() | new.keys()):
        if old.get(name, Encoding()) != new.get(name, Encoding()):
            below = f"/encoding/{escaped(name)}"
            places = (f"{pointers[0]}{below}", f"{pointers[1]}{below}")
            session.report(target, "encoding-changed", *places, name=name, place=place)


def compare_links(
    session: Session,
    target: Target,
    status: str,
    old: dict[str, Link],
    new: dict[str, Link],
    pointers: tuple[str, str],
) -> None:
    place = Place(scope="response", status=status)
    for name in sorted(old.keys() | new.keys()):
        places = (f"{pointers[0]}/links/{escaped(name)}", f"{pointers[1]}/links/{escaped(name)}")
        if name not in new:
            session.report(target, "link-removed", places[0], None, name=name, place=place)
        elif name not in old:
            session.report(target, "link-added", None, places[1], name=name, place=place)
        elif not same(session, old[name], new[name]):
            before, after = follow(session.old, old[name], places[0]), follow(session.new, new[name], places[1])
            if before[0] != after[0]:
                session.report(target, "link-changed", before[1], after[1], name=name, place=place)
