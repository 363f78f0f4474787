"""Alerts: from a ChangeSet to a receiver that has accepted its message, with many deliveries waiting, and the writes.

    python -m bench.alerts [DELIVERIES] [CHANGES]

A receiver of webhooks on the loopback, controller and worker with the shipped rights, a real API server, which shares
this machine's cores with them. First CHANGES (20) breaking changes, one after the other, each to a channel that is at
rest, while DELIVERIES (1,000) wait for a channel that takes one message a minute: from the ChangeSet's creation, as the
audit log has it, until the receiver has read and checked the message. Then DELIVERIES more over ten channels, made as
fast as one client can: from each one's creation.
"""

import datetime as dt
import statistics
import sys
import time
from typing import Any

from bench.cluster import measured_crew
from devcluster.audit import AuditEntry
from tests.integration.alerts import preference, webhook
from tests.integration.crew import GROUP, Crew, contract
from tests.integration.receivers import Receiver
from tests.integration.user import User
from tests.waiting import eventually

CHANNELS = 10


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    changes = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with measured_crew() as crew, Receiver() as receiver:
        user = User(crew.cluster, crew.namespace)
        user.apply(*webhook(receiver, "busy", rateLimit={"messagesPerMinute": 1}))
        for each in range(CHANNELS):
            user.apply(*webhook(receiver, f"wide-{each}", rateLimit={"messagesPerMinute": 600}))
        for each in range(changes):
            selection = {"names": [f"api-{each}"]}
            user.apply(
                *webhook(receiver, f"api-{each}"), preference(f"api-{each}", f"api-{each}", dependencies=selection)
            )
            crew.depend_on(f"api-{each}", contract(f"api-{each}", fields=3))
        crew.start("controller", timing=())
        options = ("--allow-host", receiver.address, "--alert-window", "1s")
        crew.wait_ready(crew.start("worker", *options, timing=()))
        for each in range(changes):
            crew.wait_for_result(f"api-{each}", "Baseline", timeout=120)
        eventually(lambda: all("sender" in c["status"] for c in crew.all("alertchannels")), timeout=60)
        with_many_waiting(crew, receiver, number, changes)
        all_at_once(crew, receiver, number)


def with_many_waiting(crew: Crew, receiver: Receiver, number: int, changes: int) -> None:
    for each in range(number):
        create(crew, f"busy {each}", "busy")
    mark = crew.cluster.audit_log.mark()
    for each in range(changes):
        name = f"api-{each}"
        crew.publish(name, contract(name, version="2", fields=2))
        crew.request_sync(name, "2")
        eventually(lambda name=name: receiver.accepted(f"/{name}"), timeout=60, interval=0.01)  # type: ignore[misc]
    entries = crew.cluster.audit_log.entries(mark)
    made = {
        e.request["spec"]["dependency"]: moment(e) for e in entries if e.verb == "create" and e.resource == "changesets"
    }
    waits = [receiver.accepted(f"/{name}")[0].at - at for name, at in made.items()]
    show(f"{number} waiting, ChangeSet to accepted, {changes} times", waits)
    waiting = sum(
        d["status"]["phase"] == "Pending" for d in crew.all("alertdeliveries") if d["spec"]["channel"] == "busy"
    )
    print(f"  {waiting} still waited in the end")


def all_at_once(crew: Crew, receiver: Receiver, number: int) -> None:
    mark, before = crew.cluster.audit_log.mark(), len(receiver.ledger)
    created = {f"many {each}": create(crew, f"many {each}", f"wide-{each % CHANNELS}") for each in range(number)}
    arrived: dict[str, float] = {}

    def look() -> bool:
        for request in receiver.ledger[before:]:
            for title in request.titles:
                arrived.setdefault(title, request.at)
        return arrived.keys() >= created.keys()

    eventually(look, timeout=600, interval=0.1)
    eventually(lambda: unfinished(crew) == 0, timeout=600, interval=0.5)
    show(f"{number} at once over {CHANNELS} channels", [arrived[title] - at for title, at in created.items()])
    writes = [
        entry
        for entry in crew.cluster.audit_log.entries(mark)
        if entry.is_write and entry.user_agent.startswith("specsync-worker") and entry.resource != "leases"
    ]
    per_delivery = [e for e in writes if e.resource == "alertdeliveries" and not e.name.startswith("busy")]
    messages = len([request for request in receiver.ledger[before:] if request.path.startswith("/wide")])
    print(
        f"  {messages} messages; writes a delivery: 1 (creation) + {len(per_delivery) / number:.2f}, "
        f"and {len(writes) - len(per_delivery)} of channels' status in all"
    )


def unfinished(crew: Crew) -> int:
    wide = [d for d in crew.all("alertdeliveries") if d["spec"]["channel"].startswith("wide")]
    return sum(d["status"]["phase"] != "Sent" for d in wide)


def create(crew: Crew, title: str, channel: str) -> float:
    """Creates a delivery; when that was done."""
    message: dict[str, Any] = {
        "kind": "Change",
        "level": "Critical",
        "title": title,
        "text": "x" * 2000,
        "namespace": crew.namespace,
        "at": "2026-01-02T03:04:05Z",
    }
    body = {
        "apiVersion": "specsync.dev/v1alpha1",
        "kind": "AlertDelivery",
        "metadata": {"name": title.replace(" ", "-")},
        "spec": {"channel": channel, "message": message},
    }
    crew.cluster.api.request("POST", f"{GROUP}/namespaces/{crew.namespace}/alertdeliveries", body)
    return time.time()


def moment(entry: AuditEntry) -> float:
    return dt.datetime.fromisoformat(entry.raw["requestReceivedTimestamp"]).timestamp()


def show(what: str, waits: list[float]) -> None:
    waits.sort()
    p99 = waits[min(len(waits) - 1, round(0.99 * len(waits)))]
    print(f"{what}: median {statistics.median(waits) * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms, longest {waits[-1]:.2f} s")


if __name__ == "__main__":
    main()
