"""Read a control plane's audit log: who asked the API server for what."""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster.deadline import wait_until

# RequestResponse for our own resources only: in all else it would copy Secrets into the log.
POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: RequestResponse
  resources:
  - group: specsync.dev
- level: Metadata
"""

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class AuditEntry:
    """One request. `resource` is plural, `subresource` and `name` are empty where there is none.

    `request` and `response` are the objects, for the group specsync.dev only. `raw` is the whole entry.
    """

    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    user: str
    user_agent: str
    code: int
    uri: str
    request: Any
    response: Any
    raw: dict[str, Any]

    @property
    def is_write(self) -> bool:
        return self.verb in WRITES

    @classmethod
    def read(cls, entry: dict[str, Any]) -> "AuditEntry":
        target = entry.get("objectRef", {})
        return cls(
            verb=entry["verb"],
            group=target.get("apiGroup", ""),
            resource=target.get("resource", ""),
            subresource=target.get("subresource", ""),
            namespace=target.get("namespace", ""),
            name=target.get("name", ""),
            user=entry["user"].get("username", ""),
            user_agent=entry.get("userAgent", ""),
            code=entry.get("responseStatus", {}).get("code", 0),
            uri=entry["requestURI"],
            request=entry.get("requestObject"),
            response=entry.get("responseObject"),
            raw=entry,
        )


class AuditLog:
    """The audit log of a running control plane.

    `knock` sends the API server any request with the given URI. An entry is written just *after* its request
    was answered; so that none is missed, every reading first knocks and waits for the entry of its own request.
    """

    def __init__(self, path: Path, knock: Callable[[str], object]) -> None:
        self._path = path
        self._knock = knock

    def mark(self) -> int:
        """A position to give to `entries`: later requests come after it, earlier ones before it."""
        uri = f"/version?devcluster-mark={secrets.token_hex(8)}"
        start = self._path.stat().st_size
        self._knock(uri)
        return wait_until(lambda: self._end_of(uri, start), what="the audit log to catch up", timeout=20)

    def entries(self, since: int = 0) -> list[AuditEntry]:
        """All requests that were answered between the mark `since` and now, in order.

        Each request is there once: a watch from its start, every other request from its end.
        """
        end = self.mark()
        entries = (entry for entry in self._read(since, end) if _counts(entry))
        return [AuditEntry.read(entry) for entry in entries if "devcluster-mark=" not in entry["requestURI"]]

    def _end_of(self, uri: str, start: int) -> int | None:
        """Where the entry with this URI ends, or None if it isn't there yet."""
        with self._path.open("rb") as log:
            log.seek(start)
            position = start
            for line in log:
                position += len(line)
                if uri.encode() in line and line.endswith(b"\n"):
                    return position
        return None

    def _read(self, start: int, end: int) -> Iterator[dict[str, Any]]:
        with self._path.open("rb") as log:
            log.seek(start)
            for line in log.read(end - start).splitlines():
                yield json.loads(line)


def _counts(entry: dict[str, Any]) -> bool:
    return bool(entry["stage"] == ("ResponseStarted" if entry["verb"] == "watch" else "ResponseComplete"))
