"""What concerns the document as a whole: security, webhooks, schemas that are gone, and its version."""

from __future__ import annotations

import re

from specsync.diffing.security import compare_requirements, compare_schemes
from specsync.diffing.session import Session
from specsync.openapi.tolerant import escaped

_SEMVER = re.compile(r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")


def compare_whole(session: Session) -> None:
    """What can be told before the schemas are compared."""
    if session.old.security != session.new.security:
        compare_requirements(
            session,
            None,
            session.old.security,
            session.new.security,
            "api-global-security-",
            ("/security", "/security"),
        )
    compare_schemes(session)
    before = {operation.path for operation in session.old.webhooks}
    after = {operation.path for operation in session.new.webhooks}
    for name in sorted(before - after):
        session.report(None, "webhook-removed", f"/webhooks/{escaped(name)}", None, name=name)
    for name in sorted(after - before):
        session.report(None, "webhook-added", None, f"/webhooks/{escaped(name)}", name=name)


def compare_schema_names(session: Session) -> None:
    """Schemas that are gone, unless they go on under another name, or where they were referred to. After the graph
    ran.
    """
    gone = session.old.component_names("schemas") - session.new.component_names("schemas")
    for name in sorted(gone):
        successors = session.graph.old.used.get(name)
        if name.startswith("#") or (successors and not any(node.is_live for node in successors if node)):
            continue
        session.report(None, "api-schema-removed", f"/components/schemas/{escaped(name)}", None, name=name)


def compare_versions(session: Session) -> None:
    """Whether the version tells of breaking changes. After all other events."""
    if not any(event.severity == "breaking" for event in session.events):
        return
    before, after = _SEMVER.fullmatch(session.old.version), _SEMVER.fullmatch(session.new.version)
    if before is None or after is None:
        return
    old = tuple(int(part) for part in before.groups())
    new = tuple(int(part) for part in after.groups())
    places = ("/info/version", "/info/version")
    if session.old.version == session.new.version:
        session.report(None, "api-version-not-bumped", *places, None, session.new.version)
    elif new <= old:
        session.report(None, "api-version-decreased", *places, session.old.version, session.new.version)
    elif (new[1] <= old[1]) if old[0] == new[0] == 0 else (new[0] <= old[0]):
        session.report(None, "api-major-version-not-bumped", *places, session.old.version, session.new.version)
