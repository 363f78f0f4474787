"""What concerns the document as a whole: security, webhooks, schemas that are gone, and its version."""

from __future__ import annotations

import re

from specsync.diffing.callbacks import compare_webhooks
from specsync.diffing.schemas.sides import SIBLINGS, has_keywords
from specsync.diffing.security import compare_requirements, compare_schemes
from specsync.diffing.servers import compare_servers
from specsync.diffing.session import Session
from specsync.openapi.model import Schema
from specsync.openapi.references import component_name
from specsync.openapi.tolerant import escaped

_NUMBER = r"(0|[1-9]\d{0,17})"
_SEMVER = re.compile(rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")


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
    if session.old.servers != session.new.servers:
        compare_servers(session, None, session.old.servers, session.new.servers, ("", ""))
    compare_schemes(session)
    compare_webhooks(session)


def compare_schema_names(session: Session) -> None:
    """Schemas that are gone, unless they go on under another name, or where they were referred to. After the graph
    ran.
    """
    old, new = session.old.component_names("schemas"), session.new.component_names("schemas")
    renamed: set[str] = set()
    if old - new and new - old:
        before, after = session.old.schema_shapes(), session.new.schema_shapes()
        shapes = {after[name] for name in new - old}
        renamed = {name for name in old - new if before[name] in shapes}
    gone = {name for name in old - new - renamed if not name.startswith("#")}
    if gone:
        reached = session.graph.reached(root.node for root in session.roots)
        gone = {name for name in gone if not _says_nothing(session, name) and not _went_on(session, name, reached)}
    inlined = _inlined(session, gone) if gone else set()
    gone -= inlined
    for name in sorted(gone - _aliases(session, gone)):
        session.report(None, "api-schema-removed", f"/components/schemas/{escaped(name)}", None, name=name)


def _says_nothing(session: Session, name: str) -> bool:
    """Whether a schema is only null, or constrains nothing: what can be left out anywhere, or spelled otherwise."""
    schema = session.old.component("schemas", name)
    return isinstance(schema, Schema) and schema.type in (None, "null") and not has_keywords(schema, "type", *SIBLINGS)


def _aliases(session: Session, gone: set[str]) -> set[str]:
    """Those of ``gone`` that were another name of a schema that isn't gone."""
    others: dict[str, list[str]] = {}  # by what they are another name of
    for name in gone:
        schema = session.old.component("schemas", name)
        if isinstance(schema, Schema) and schema.ref is not None and not has_keywords(schema, "ref", *SIBLINGS):
            others.setdefault(component_name(schema.ref, "schemas"), []).append(name)
    waiting = [target for target in others if target not in gone]
    found: set[str] = set()
    while waiting:
        names = others.get(waiting.pop(), [])
        found.update(names)
        waiting.extend(names)
    return found


def _went_on(session: Session, name: str, reached: set[int]) -> bool:
    """Whether all that referred to a schema, and was compared, refers to something that means the same.

    ``reached``: the nodes that count.
    """
    nodes = [node for user, node in session.graph.old.used.get(name, ()) if user is None or id(user) in reached]
    return bool(nodes) and not any(node.is_live for node in nodes if node is not None)


def _inlined(session: Session, gone: set[str]) -> set[str]:
    """Those of ``gone`` that no operation reaches and that only schemas refer to which still mean the same."""
    referrers: dict[str, set[str]] = {name: set() for name in gone}
    for referrer, targets in session.old.schema_references().items():
        for target in targets:
            if target in referrers and referrer != target:
                referrers[target].add(referrer)
    kept: dict[str, bool] = {}
    for name in sorted({name for names in referrers.values() for name in names} - gone):
        schema = Schema(ref=f"#/components/schemas/{escaped(name)}")
        went_on = name not in session.new.component_names("schemas")  # under another name, or in other places
        kept[name] = went_on or session.graph.means_same(schema, schema, "", "", True)
    found: set[str] = set()
    while True:  # what is referred to by what was found is found as well
        more = {
            name
            for name, names in referrers.items()
            if name not in found and names and all(kept.get(other) or other in found for other in names)
        }
        if not more:
            return found
        found |= more


def compare_versions(session: Session) -> None:
    """Whether the version tells of breaking changes, or is all that changed. After all other events."""
    places = ("/info/version", "/info/version")
    if not session.events and session.old.version != session.new.version:
        session.report(None, "api-version-changed", *places, session.old.version, session.new.version)
    if not any(event.severity == "breaking" for event in session.events):
        return
    before, after = _SEMVER.fullmatch(session.old.version), _SEMVER.fullmatch(session.new.version)
    if before is None or after is None:
        return
    old = tuple(int(part) for part in before.groups())
    new = tuple(int(part) for part in after.groups())
    if session.old.version == session.new.version:
        session.report(None, "api-version-not-bumped", *places, None, session.new.version)
    elif new <= old:
        session.report(None, "api-version-decreased", *places, session.old.version, session.new.version)
    elif (new[1] <= old[1]) if old[0] == new[0] == 0 else (new[0] <= old[0]):
        session.report(None, "api-major-version-not-bumped", *places, session.old.version, session.new.version)
