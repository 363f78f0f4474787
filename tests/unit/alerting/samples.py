"""Objects to test alerts with: a change set of three causes, channels, preferences, deliveries."""

import datetime as dt
from typing import Any

import msgspec

from specsync.resources import AlertChannel, AlertDelivery, AlertPreference, ChangeSet, Dependency
from tests.unit.objects import NOON, dependency

GONE, NEEDED, ADDED = "gone", "needed", "added"  # the causes' fingerprints


def event(cause: str, severity: str, path: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "rule",
        "kind": "endpoint_removed",
        "severity": severity,
        "operation": {"method": "GET", "path": path},
        "summary": "what happened",
        "cause": cause,
        "domain": path.split("/")[1],
        "fingerprint": f"{cause}-{path}",
        **more,
    }


def cause(fingerprint: str, severity: str, operations: int) -> dict[str, Any]:
    return {
        "scope": "endpoint",
        "id": fingerprint,
        "severity": severity,
        "kind": "endpoint_removed",
        "summary": f"the cause {fingerprint}",
        "operations": operations,
        "fingerprint": fingerprint,
    }


EVENTS = [
    event(GONE, "breaking", "/orders/{id}"),
    event(NEEDED, "risky", "/users", kind="parameter_required"),
    event(NEEDED, "risky", "/orders", kind="parameter_required"),
    event(ADDED, "safe", "/users/{id}", kind="endpoint_added"),
]
CAUSES = [cause(GONE, "breaking", 1), cause(NEEDED, "risky", 2), cause(ADDED, "safe", 1)]


def change_set(events: list[dict[str, Any]] = EVENTS, causes: list[dict[str, Any]] = CAUSES, **spec: Any) -> ChangeSet:
    counts = {name: sum(e["severity"] == name for e in events) for name in ("breaking", "risky", "safe")}
    pointer = {"snapshot": "s", "digest": "sha256:1"}
    body = {
        "metadata": {"name": "shop-1", "namespace": "ns", "uid": "chg", "creationTimestamp": NOON},
        "spec": {
            "dependency": "shop",
            "jobUID": "u",
            "from": {**pointer, "version": "1"},
            "to": {**pointer, "version": "2"},
            "summary": counts,
            "causes": causes,
            "events": events,
            **spec,
        },
    }
    return msgspec.convert(body, ChangeSet)


def channel(name: str, *, default: bool = False, type_: str = "Webhook", **spec: Any) -> AlertChannel:
    body = {
        "metadata": {"name": name, "namespace": "ns", "uid": name},
        "spec": {"type": type_, "default": default, **spec},
    }
    return msgspec.convert(body, AlertChannel)


def preference(name: str, *channels: str, **spec: Any) -> AlertPreference:
    body = {"metadata": {"name": name, "namespace": "ns"}, "spec": {"channels": channels, **spec}}
    return msgspec.convert(body, AlertPreference)


def delivery(name: str, *, created: float = 0, kind: str = "Change", **fields: Any) -> AlertDelivery:
    """`created` so many seconds after noon; spec fields and `status` as they are on the wire."""
    status = fields.pop("status", {})
    message = {
        "kind": kind,
        "level": "Critical",
        "title": name,
        "namespace": "ns",
        "at": NOON,
        **fields.pop("message", {}),
    }
    at = NOON + dt.timedelta(seconds=created)
    body = {
        "metadata": {"name": name, "namespace": "ns", "uid": f"uid-{name}", "creationTimestamp": at},
        "spec": {"channel": "team", "message": message, **fields},
        "status": status,
    }
    return msgspec.convert(body, AlertDelivery)


def shop(**spec: Any) -> Dependency:
    return dependency(**spec)
