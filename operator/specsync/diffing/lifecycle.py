"""Deprecation, sunset and stability of operations and parameters (``x-sunset``, ``x-stability-level``)."""

from __future__ import annotations

import datetime
from typing import Any

from specsync.diffing.schemas.annotations import STABILITY, is_stability
from specsync.diffing.session import Session, Target
from specsync.diffing.wording import Place
from specsync.openapi.model import Operation, Parameter


def sunset_date(value: Any) -> datetime.date | None:
    """The date in ``x-sunset`` (RFC 3339), or None where it isn't one."""
    if isinstance(value, datetime.date):
        return value
    if not isinstance(value, str):
        return None
    try:
        return datetime.date.fromisoformat(value[:10]) if value[10:11] in ("", "T", "t", " ") else None
    except ValueError:
        return None


def property_deprecation(sunset: Any, today: datetime.date, days: int) -> str:
    """The aspect of a property's deprecation. ``days`` must pass until its sunset."""
    if sunset is None:
        return "deprecated-sunset-missing" if days > 0 else "deprecated"
    date = sunset_date(sunset)
    if date is None:
        return "deprecated-sunset-invalid"
    return "sunset-date-too-small" if (date - today).days < days else "deprecated-with-sunset"


def stability_of(operation: Operation) -> str:
    """The declared level; empty where there is none, or none that is known."""
    value = operation.x_stability
    return value if isinstance(value, str) and value in STABILITY else ""


def is_preview(operation: Operation) -> bool:
    """Whether consumers were told not to rely on the operation yet: nothing in it is an event."""
    return stability_of(operation) in ("draft", "alpha")


def compare_stability(session: Session, target: Target, old: Operation, new: Operation) -> bool:
    """Reports a change of stability. False where the operation makes no other events, being a preview."""
    if old.x_stability != new.x_stability or not is_stability(old.x_stability):
        for operation in (old, new):
            if not is_stability(operation.x_stability):
                session.report(
                    target,
                    "api-invalid-stability-level",
                    f"{target.old_pointer}/x-stability-level",
                    f"{target.new_pointer}/x-stability-level",
                    name=str(operation.x_stability),
                )
                return True
    before, after = stability_of(old) or "stable", stability_of(new) or "stable"
    if is_preview(old):
        return False
    if before != after:
        lower = STABILITY[after] < STABILITY[before]
        session.report(
            target,
            "api-stability-decreased" if lower else "api-stability-increased",
            f"{target.old_pointer}/x-stability-level",
            f"{target.new_pointer}/x-stability-level",
            before,
            after,
        )
    return not is_preview(new)


def compare_deprecation(session: Session, target: Target, old: Operation, new: Operation) -> None:
    """Reports that an operation became deprecated, or no longer is, or that its sunset moved."""
    places = (f"{target.old_pointer}/deprecated", f"{target.new_pointer}/deprecated")
    if old.deprecated and not new.deprecated:
        session.report(target, "endpoint-reactivated", *places, True, False)
    elif new.deprecated and not old.deprecated and is_stability(new.x_stability):
        date = sunset_date(new.x_sunset)
        if new.x_sunset is None:
            missing = target.sunset_days > 0
            session.report(target, "api-deprecated-sunset-missing" if missing else "endpoint-deprecated", *places)
        elif date is None:
            session.report(target, "api-deprecated-sunset-parse", *places, None, str(new.x_sunset))
        elif (date - session.policy.today).days < target.sunset_days:
            session.report(target, "api-sunset-date-too-small", *places, None, date.isoformat())
        else:
            session.report(target, "endpoint-deprecated-with-sunset", *places, None, date.isoformat())
    if new.deprecated and old.x_sunset is not None:
        _compare_sunsets(
            session,
            target,
            old.x_sunset,
            new.x_sunset,
            (f"{target.old_pointer}/x-sunset", f"{target.new_pointer}/x-sunset"),
            ("sunset-deleted", "api-path-sunset-parse", "api-sunset-date-changed-too-small"),
        )


def _compare_sunsets(
    session: Session,
    target: Target,
    before: Any,
    after: Any,
    pointers: tuple[str, str],
    aspects: tuple[str, str, str],
    place: Place = Place(scope=""),  # noqa: B008 — immutable
) -> None:
    deleted, unreadable, too_small = aspects
    if before == after:
        return
    if after is None:
        session.report(target, deleted, *pointers, str(before), None, place=place)
        return
    old_date, new_date = sunset_date(before), sunset_date(after)
    if old_date is None or new_date is None:
        wrong = after if new_date is None else before
        session.report(target, unreadable, *pointers, None, str(wrong), place=place)
    elif new_date < old_date and (new_date - session.policy.today).days < target.sunset_days:
        session.report(target, too_small, *pointers, old_date.isoformat(), new_date.isoformat(), place=place)


def removal_aspect(session: Session, deprecated: bool, sunset: Any, prefix: str) -> tuple[str, Any] | None:
    """What the removal of something is: its aspect and the sunset it had; None where its sunset has passed.

    ``prefix`` is ``api-`` or ``api-path-`` for operations.
    """
    if not deprecated:
        return f"{prefix}removed-without-deprecation", None
    if sunset is None:
        return f"{prefix}removed-with-deprecation", None
    date = sunset_date(sunset)
    if date is None:
        return "api-path-sunset-parse", str(sunset)
    if session.policy.today < date:
        return f"{prefix}removed-before-sunset", date.isoformat()
    return None


def compare_parameter_deprecation(
    session: Session,
    target: Target,
    old: Parameter,
    new: Parameter,
    pointers: tuple[str, str],
    place: Place,
) -> None:
    """As ``compare_deprecation``, for a parameter."""
    places = (f"{pointers[0]}/deprecated", f"{pointers[1]}/deprecated")
    if old.deprecated and not new.deprecated:
        session.report(target, "reactivated", *places, True, False, place=place)
    elif new.deprecated and not old.deprecated:
        date = sunset_date(new.x_sunset)
        if new.x_sunset is None:
            missing = target.sunset_days > 0
            session.report(target, "deprecated-sunset-missing" if missing else "deprecated", *places, place=place)
        elif date is None:
            session.report(target, "sunset-parse", *places, None, str(new.x_sunset), place=place)
        elif (date - session.policy.today).days < target.sunset_days:
            session.report(target, "sunset-date-too-small", *places, None, date.isoformat(), place=place)
        else:
            session.report(target, "deprecated", *places, None, date.isoformat(), place=place)
    if new.deprecated and old.x_sunset is not None:
        _compare_sunsets(
            session,
            target,
            old.x_sunset,
            new.x_sunset,
            (f"{pointers[0]}/x-sunset", f"{pointers[1]}/x-sunset"),
            ("sunset-deleted", "sunset-parse", "sunset-date-changed-too-small"),
            place,
        )
