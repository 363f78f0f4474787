"""Security: what an operation or the whole API asks for, and the schemes themselves."""

from __future__ import annotations

from typing import Any

from specsync.diffing.comparison import Severity
from specsync.diffing.components import follow
from specsync.diffing.session import Session, Target
from specsync.openapi.canonical import CanonicalDocument
from specsync.openapi.model import Security, SecurityScheme
from specsync.openapi.tolerant import escaped

_Alternative = dict[str, list[str]]


def compare_requirements(
    session: Session,
    target: Target | None,
    old: Security | None,
    new: Security | None,
    prefix: str,
    pointers: tuple[str, str],
) -> None:
    """The alternatives of a ``security``. ``prefix`` of the rules: ``api-security-`` or ``api-global-security-``."""
    before, after = _unmatched(old or [], new or [])
    is_open = not new or {} in new
    closes = not is_open and (not old or {} in old)
    pairs = [
        (left, right)
        for left in before
        for right in after
        if left.keys() == right.keys()
        and sum(left.keys() == other.keys() for other in before) == 1
        and sum(right.keys() == other.keys() for other in after) == 1
    ]
    for left, right in pairs:
        for scheme in left:
            for scope in sorted(set(right[scheme]) - set(left[scheme])):
                severity: Severity | None = None if is_open else "risky"
                session.report(target, f"{prefix}scope-added", *pointers, None, scope, name=scheme, severity=severity)
            for scope in sorted(set(left[scheme]) - set(right[scheme])):
                session.report(target, f"{prefix}scope-removed", *pointers, scope, None, name=scheme)
    paired = [id(alternative) for pair in pairs for alternative in pair]
    for alternative in after:
        if id(alternative) not in paired and (alternative or target is None):
            severity = "breaking" if closes and not old else None
            session.report(target, f"{prefix}added", *pointers, None, named(alternative), severity=severity)
    stay = [alternative for alternative in old or [] if _is_taken(session, alternative, new or [])]
    for alternative in before:
        if id(alternative) not in paired and (alternative or target is None or closes):
            severity = None if is_open or alternative in stay else "risky" if alternative and stay else "breaking"
            session.report(target, f"{prefix}removed", *pointers, named(alternative), None, severity=severity)


def _unmatched(old: Security, new: Security) -> tuple[list[_Alternative], list[_Alternative]]:
    """The alternatives of either side that the other doesn't have."""
    rest = list(new)
    before = []
    for alternative in old:
        match = next((other for other in rest if _normal(other) == _normal(alternative)), None)
        if match is None:
            before.append(alternative)
        else:
            rest = [other for other in rest if other is not match]
    return before, rest


def _is_taken(session: Session, alternative: _Alternative, new: Security) -> bool:
    """Whether who does what an alternative of the older document asks for does all that one of the newer ones does."""
    given = {_identity(session.old, scheme): set(scopes) for scheme, scopes in alternative.items()}
    return any(
        all(
            _identity(session.new, scheme) in given and given[_identity(session.new, scheme)].issuperset(scopes)
            for scheme, scopes in asked.items()
        )
        for asked in new
    )


def _identity(document: CanonicalDocument, scheme: str) -> str:
    """What tells a scheme from others: its content, where that is known, as its name may change."""
    return document.component_digest("securitySchemes", scheme) or scheme


def _normal(alternative: _Alternative) -> dict[str, list[str]]:
    return {scheme: sorted(set(scopes)) for scheme, scopes in alternative.items()}


def named(alternative: _Alternative) -> str:
    """An alternative in words: ``OAuth: [read, write] and ApiKey``; ``none`` where nothing is asked for."""
    parts = [
        f"{scheme}: [{', '.join(sorted(scopes))}]" if scopes else scheme
        for scheme, scopes in sorted(alternative.items())
    ]
    return " and ".join(parts) or "none"


def compare_schemes(session: Session) -> None:
    """``components.securitySchemes``."""
    old = session.old.component_names("securitySchemes")
    new = session.new.component_names("securitySchemes")
    for name in sorted(old | new):
        pointer = f"/components/securitySchemes/{escaped(name)}"
        if name not in new:
            session.report(None, "api-security-component-removed", pointer, None, name=name)
        elif name not in old:
            session.report(None, "api-security-component-added", None, pointer, name=name)
        else:
            before, _ = follow(session.old, session.old.component("securitySchemes", name), pointer)
            after, _ = follow(session.new, session.new.component("securitySchemes", name), pointer)
            if before is not None and after is not None and before != after:
                _compare_scheme(session, name, before, after, pointer)


def _compare_scheme(session: Session, name: str, old: SecurityScheme, new: SecurityScheme, pointer: str) -> None:
    level: Severity = "breaking" if _is_asked_for(session, name) else "safe"
    aspect = "api-security-component-"
    if old.type != new.type:
        places = (f"{pointer}/type", f"{pointer}/type")
        session.report(None, f"{aspect}type-changed", *places, old.type, new.type, name=name, severity=level)
        return  # nothing else in it can be compared
    for keyword, before, after, change, severity in (
        ("scheme", (old.scheme or "").lower(), (new.scheme or "").lower(), "scheme-changed", level),
        ("name", _key(old), _key(new), "key-changed", level),
        ("openIdConnectUrl", old.open_id_connect_url, new.open_id_connect_url, "openid-url-changed", None),
    ):
        if before != after:
            places = (f"{pointer}/{keyword}", f"{pointer}/{keyword}")
            session.report(None, aspect + change, *places, before, after, name=name, severity=severity)
    flows, new_flows = _flows(old), _flows(new)
    for flow in sorted(flows.keys() - new_flows.keys()):
        place = f"{pointer}/flows/{escaped(flow)}"
        session.report(None, f"{aspect}oauth-flow-removed", place, None, flow, None, name=name, severity=level)
    for flow in sorted(new_flows.keys() - flows.keys()):
        session.report(
            None, f"{aspect}oauth-flow-added", None, f"{pointer}/flows/{escaped(flow)}", None, flow, name=name
        )
    for flow in sorted(flows.keys() & new_flows.keys()):
        _compare_flow(session, name, flows[flow], new_flows[flow], f"{pointer}/flows/{escaped(flow)}")


def _is_asked_for(session: Session, name: str) -> bool:
    """Whether anything in the older document asks for a scheme: else nobody has to follow its change."""
    asked = (session.old.operation(summary).security for summary in session.old.operations)
    return any(name in alternative for security in (session.old.security, *asked) for alternative in security or ())


def _flows(scheme: SecurityScheme) -> dict[str, dict[str, Any]]:
    return {name: flow for name, flow in (scheme.flows or {}).items() if isinstance(flow, dict) and name[:2] != "x-"}


def _key(scheme: SecurityScheme) -> str:
    """Where an API key goes."""
    return f"{scheme.location} {scheme.name}" if scheme.type == "apiKey" else ""


def _compare_flow(session: Session, name: str, old: dict[str, Any], new: dict[str, Any], pointer: str) -> None:
    for keyword, aspect in (
        ("authorizationUrl", "api-security-component-oauth-url-changed"),
        ("tokenUrl", "api-security-component-oauth-token-url-changed"),
    ):
        if old.get(keyword) != new.get(keyword):
            place = f"{pointer}/{keyword}"
            session.report(None, aspect, place, place, old.get(keyword), new.get(keyword), name=name)
    before, after = old.get("scopes") or {}, new.get("scopes") or {}
    if not isinstance(before, dict) or not isinstance(after, dict):
        return
    for scope in sorted(before.keys() | after.keys()):
        place = f"{pointer}/scopes/{escaped(scope)}"
        prefix = "api-security-component-oauth-scope-"
        if scope not in after:
            session.report(None, f"{prefix}removed", place, None, scope, None, name=name)
        elif scope not in before:
            session.report(None, f"{prefix}added", None, place, None, scope, name=name)
        elif before[scope] != after[scope]:
            session.report(None, f"{prefix}changed", place, place, before[scope], after[scope], name=name)
