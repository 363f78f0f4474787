"""Compare two versions of an API."""

from __future__ import annotations

from collections import Counter

from specsync.diffing.comparison import SEVERITIES, Comparison, Event, Summary
from specsync.diffing.expansion import expand
from specsync.diffing.operations import compare_operations
from specsync.diffing.policy import Policy
from specsync.diffing.session import Session
from specsync.diffing.whole import compare_schema_names, compare_versions, compare_whole
from specsync.openapi.canonical import CanonicalDocument

_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}


def compare(old: CanonicalDocument, new: CanonicalDocument, policy: Policy | None = None) -> Comparison:
    """All differences between ``old`` and ``new``, grouped by cause. Raises nothing on canonical documents.

    Each pair of schemas is compared once per direction; operations whose digests are equal are never entered, so
    the cost is that of what changed, not of the documents.
    """
    session = Session(old, new, policy or Policy())
    compare_whole(session)
    compare_operations(session)
    session.graph.run()
    session.graph.mark_live()
    for root in session.roots:
        expand(session, root)
    compare_schema_names(session)
    compare_versions(session)
    session.events.sort(key=_order)
    return Comparison(summary=_summary(session.events), causes=session.causes.closed(), events=session.events)


def _order(event: Event) -> tuple[int, str, str, str, str]:
    operation = event.operation
    return (
        _RANK[event.severity],
        operation.path if operation else "",
        operation.method if operation else "",
        event.id,
        event.summary,
    )


def _summary(events: list[Event]) -> Summary:
    severities = Counter(event.severity for event in events)
    return Summary(
        breaking=severities["breaking"],
        risky=severities["risky"],
        safe=severities["safe"],
        kinds=dict(sorted(Counter(event.kind for event in events).items())),
    )
