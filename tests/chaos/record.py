"""What a chaos run leaves behind: the objects of a namespace and the API server's audit log, as plain JSON."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from devcluster.api import ApiClient

Json = dict[str, Any]

GROUP = "/apis/specsync.dev/v1alpha1"
_KINDS = {
    "dependencies": GROUP,
    "syncjobs": GROUP,
    "specsnapshots": GROUP,
    "changesets": GROUP,
    "alertdeliveries": GROUP,
    "configmaps": "/api/v1",
    "events": "/api/v1",
}
_WRITES = ("create", "update", "patch", "delete", "deletecollection")


@dataclass(frozen=True)
class Write:
    """A write to an object of the group that the API server carried out."""

    at: float
    """When it was answered, by the API server's clock: seconds since 1970."""
    agent: str
    verb: str
    resource: str
    subresource: str
    name: str
    object: Json
    """As it was afterwards; for a deletion what the server answered."""

    @property
    def uid(self) -> str:
        return str(self.object.get("metadata", {}).get("uid", ""))

    @property
    def version(self) -> int:
        return int(self.object.get("metadata", {}).get("resourceVersion", 0))


@dataclass
class Record:
    """Objects by plural, and the namespace's writes in the order of the audit log."""

    objects: dict[str, list[Json]] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    stored: set[str] = field(default_factory=set)
    """Digests, in hexadecimal, of what is in the object store."""
    heard: set[str] = field(default_factory=set)
    """Names of the change sets that alerts told of, at the vendors' server."""

    def of(self, plural: str) -> list[Json]:
        return self.objects.get(plural, [])


def objects_of(api: ApiClient, namespace: str) -> dict[str, list[Json]]:
    """All objects of the namespace that a run is judged by; contents of blobs are left out. Raises DevclusterError."""
    return {plural: list(_list(api, f"{group}/namespaces/{namespace}/{plural}")) for plural, group in _KINDS.items()}


def _list(api: ApiClient, path: str) -> Iterator[Json]:
    more = ""
    while True:
        page = api.get(f"{path}?limit=500" + (f"&continue={more}" if more else ""))
        for item in page["items"]:
            item.pop("binaryData", None)
            yield item
        more = page["metadata"].get("continue", "")
        if not more:
            return


def writes_of(audit_log: Path, namespace: str) -> list[Write]:
    """The writes that succeeded, of a namespace, to the group specsync.dev.

    An API server that was killed may have carried out a write and not logged it, or half a line of it.
    """
    found = []
    with audit_log.open("rb") as lines:
        for line in lines:
            if b'"specsync.dev"' not in line:
                continue
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            target = entry.get("objectRef", {})
            counts = (
                entry["stage"] == "ResponseComplete"
                and entry["verb"] in _WRITES
                and target.get("apiGroup") == "specsync.dev"
                and target.get("namespace") == namespace
                and entry.get("responseStatus", {}).get("code", 0) in (200, 201)
            )
            if counts:
                found.append(
                    Write(
                        at=datetime.fromisoformat(entry["stageTimestamp"]).timestamp(),
                        agent=entry.get("userAgent", ""),
                        verb=entry["verb"],
                        resource=target["resource"],
                        subresource=target.get("subresource", ""),
                        name=target.get("name", ""),
                        object=entry.get("responseObject") or {},
                    )
                )
    return found
