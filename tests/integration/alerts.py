"""What tests of alerts apply and look at."""

import base64
from typing import Any

from tests.integration.crew import contract
from tests.integration.documents import Documents
from tests.integration.receivers import SIGNING_SECRET, Receiver
from tests.integration.user import User
from tests.waiting import eventually

_API = "specsync.dev/v1alpha1"


def secret(name: str, **data: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}


def channel(name: str, *, default: bool = False, **spec: Any) -> dict[str, Any]:
    """A Webhook channel, whose address is in the Secret of its name."""
    body = {"type": "Webhook", "secretRef": {"name": name}, "default": default, **spec}
    return {"apiVersion": _API, "kind": "AlertChannel", "metadata": {"name": name}, "spec": body}


def preference(name: str, *channels: str, **spec: Any) -> dict[str, Any]:
    body = {"channels": list(channels), **spec}
    return {"apiVersion": _API, "kind": "AlertPreference", "metadata": {"name": name}, "spec": body}


def webhook(receiver: Receiver, name: str, path: str = "", **spec: Any) -> list[dict[str, Any]]:
    """A channel to a path of a receiver (its name, unless given), with its Secret."""
    address = receiver.url(path or f"/{name}")
    return [secret(name, address=address, signingSecret=SIGNING_SECRET), channel(name, **spec)]


def deliveries(user: User, **wanted: str) -> list[Any]:
    """Deliveries with these values in their spec; kind is that of the message."""
    kind = wanted.pop("kind", None)
    return [
        delivery
        for delivery in user.all("adel")
        if all(delivery["spec"].get(key) == value for key, value in wanted.items())
        and (kind is None or delivery["spec"]["message"]["kind"] == kind)
    ]


def phases(user: User, **wanted: str) -> list[str]:
    return sorted(delivery["status"]["phase"] for delivery in deliveries(user, **wanted))


class Shop:
    """A Dependency whose contract loses a field with each change."""

    def __init__(self, user: User, documents: Documents, name: str = "shop", **spec: Any) -> None:
        self._documents, self._user, self._name = documents, user, name
        self._path = f"/{user.namespace}/{name}"
        self._fields = 9
        user.depend_on(name, self._publish(), **spec)
        user.wait(f"dep/{name}", "Ready")

    def _publish(self, version: str = "") -> str:
        version = version or str(10 - self._fields)
        return self._documents.publish(self._path, contract(self._name, version=version, fields=self._fields))

    def breaks(self) -> str:
        """Makes a breaking change, and returns its ChangeSet's name."""
        self._fields -= 1
        return self._changed()

    def takes_back(self, version: str = "") -> str:
        """Makes the contract what it was; under another version, it isn't the same document."""
        self._fields += 1
        return self._changed(version)

    def _changed(self, version: str = "") -> str:
        self._publish(version)
        return str(self._user.sync(self._name, "Changed")["metadata"]["name"])


def enqueue(user: User, channel: str, number: int) -> list[str]:
    """Deliveries as a stage makes them; their titles."""
    titles = [f"{user.namespace} {each}" for each in range(number)]
    user.kubectl("create", "-f", "-", stdin=[delivery(user.namespace, title, channel) for title in titles])
    return titles


def delivery(namespace: str, title: str, channel: str) -> dict[str, Any]:
    message = {
        "kind": "Health",
        "level": "Warning",
        "title": title,
        "namespace": namespace,
        "at": "2026-01-02T03:04:05Z",
    }
    return {
        "apiVersion": "specsync.dev/v1alpha1",
        "kind": "AlertDelivery",
        "metadata": {"name": title.replace(" ", "-")},
        "spec": {"channel": channel, "message": message},
    }


def all_sent(user: User, number: int) -> list[Any]:
    def look() -> list[Any]:
        found = user.all("adel")
        assert [each["status"]["phase"] for each in found] == ["Sent"] * number
        return found

    return eventually(look, timeout=60, what=f"{number} deliveries of {user.namespace} to be sent")
