"""Leads Dependencies through the versions of their contracts: the next one when the present one was seen."""

import contextlib
from collections.abc import Sequence
from typing import Any

from devcluster import ControlPlane
from devcluster.errors import DevclusterError
from tests.chaos.contracts import number_of
from tests.chaos.record import GROUP
from tests.chaos.vendor import Vendor

_TIMEOUT = 3.0  # seconds of one request: the API server is away at times
_OF_A_CHANNEL = 10  # Dependencies

LAST_REQUEST = "the last"

_PLURALS = {
    "Dependency": "dependencies",
    "AlertChannel": "alertchannels",
    "AlertPreference": "alertpreferences",
}


def collection(namespace: str, kind: str) -> str:
    """The path of a kind's objects."""
    return f"{GROUP}/namespaces/{namespace}/{_PLURALS[kind]}"


def create(cluster: ControlPlane, namespace: str, kind: str, name: str, spec: Any) -> None:
    body = {"apiVersion": "specsync.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    cluster.api.request("POST", collection(namespace, kind), body)


def create_alerting(cluster: ControlPlane, namespace: str, vendor: Vendor, names: Sequence[str]) -> None:
    """Channels, at the vendors' server, one for each ten Dependencies, that are told of all their changes.

    Of one channel no more than 500 deliveries stay, and what was told must be there at the end.
    """
    hook = {"type": "Webhook", "webhook": {"url": vendor.url("hook")}, "rateLimit": {"messagesPerMinute": 600}}
    for number, first in enumerate(range(0, len(names), _OF_A_CHANNEL)):
        channel = f"hook-{number}"
        create(cluster, namespace, "AlertChannel", channel, hook)
        theirs = {"names": list(names[first : first + _OF_A_CHANNEL])}
        wish = {"channels": [channel], "topics": ["Change"], "minSeverity": "safe", "remindAfter": "0s"}
        create(cluster, namespace, "AlertPreference", channel, {**wish, "dependencies": theirs})


class Guide:
    """A version is served until the Dependency's status shows it, so each is seen once, however long that takes."""

    def __init__(
        self, cluster: ControlPlane, namespace: str, vendor: Vendor, names: Sequence[str], versions: int
    ) -> None:
        self.versions = versions
        self._cluster = cluster
        self._namespace = namespace
        self._collection = collection(namespace, "Dependency")
        self._vendor = vendor
        self._served = dict.fromkeys(names, 1)
        self._requests: dict[str, str] = {}  # to be written
        self._suspend = False
        self._hurried = False
        vendor.tell(versions=self._served)

    def create_all(self, interval: str) -> None:
        """Creates the Dependencies, and channels that are told of all changes."""
        create_alerting(self._cluster, self._namespace, self._vendor, list(self._served))
        for name in self._served:
            source = {"url": self._vendor.url(name), "timeout": "2s"}
            history = {"jobs": 5, "snapshots": 100, "changeSets": 100}  # what was found must be there at the end
            health = {"degradedAfter": 20, "unhealthyAfter": 30, "pausedAfter": 50}
            spec = {"source": source, "interval": interval, "history": history, "health": health}
            create(self._cluster, self._namespace, "Dependency", name, spec)

    def look(self) -> list[Any]:
        """All Dependencies; leads those on that have seen their version. Raises DevclusterError."""
        items: list[Any] = self._cluster.api.request("GET", self._collection, timeout=_TIMEOUT)["items"]
        moved = {}
        for item in items:
            name = item["metadata"]["name"]
            seen = int(item["status"].get("current", {}).get("version", 0))
            if seen == self._served[name] < self.versions:
                moved[name] = self._served[name] = seen + 1
                if self._hurried or number_of(name) % 2:
                    self._requests[name] = f"version {seen + 1}"  # the others wait till they are due
        if moved:
            self._vendor.tell(versions=moved)
        self._write_requests()
        return items

    def hurry(self) -> None:
        """Asks for syncs of all from now on, also of those that else wait till they are due."""
        self._hurried = True
        for name, version in self._served.items():
            self._requests[name] = f"version {version}, soon"

    def finish(self) -> None:
        """Asks for one sync more of all, and for none that is due after that."""
        self._suspend = True
        for name in self._served:
            self._requests[name] = LAST_REQUEST

    def has_seen_all(self, items: list[Any]) -> bool:
        versions = [item["status"].get("current", {}).get("version") for item in items]
        return len(items) == len(self._served) and set(versions) == {str(self.versions)}

    def has_finished(self, items: list[Any]) -> bool:
        return not self._requests and all(_has_finished(item["status"]) for item in items)

    def _write_requests(self) -> None:
        for name, value in list(self._requests.items()):
            body: dict[str, Any] = {"metadata": {"annotations": {"specsync.dev/requestedAt": value}}}
            if self._suspend:
                body["spec"] = {"suspend": True}
            with contextlib.suppress(DevclusterError):  # the next look tries again
                self._cluster.api.request(
                    "PATCH",
                    f"{self._collection}/{name}",
                    body,
                    content_type="application/merge-patch+json",
                    timeout=_TIMEOUT,
                )
                del self._requests[name]


def _has_finished(status: Any) -> bool:
    request = status.get("lastHandledRequest", {})
    ended = request.get("value") == LAST_REQUEST and request.get("outcome") != "Requested"
    return bool(ended and "activeJob" not in status)
