"""kill -9 between every two steps of a delivery, and a worker that freezes: nothing is lost, what is doubled says so.

The ledger is the receiver's. A copy has the same id, so that a receiver which remembers ids drops it.
"""

import datetime as dt
import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from devcluster import ControlPlane
from tests.integration.alerts import all_sent, deliveries, delivery, enqueue, phases, preference, webhook
from tests.integration.crew import Crew, contract
from tests.integration.probing import Probed
from tests.integration.receivers import Receiver, cut, garbage
from tests.integration.user import User, dependency
from tests.waiting import eventually

# Where the sender dies; how many deliveries are in the message, how often it arrives, whether it is marked.
CRASHES = {
    "delivery-before-claim": (1, 1, False),
    "delivery-claimed": (1, 1, True),
    "delivery-before-send": (3, 1, True),
    "delivery-sent": (1, 2, True),
    "delivery-sent ": (3, 2, True),
    "delivery-member-recorded": (3, 1, False),
    "delivery-recorded": (3, 1, False),
}

# One that is to die must not believe that another has.
PATIENT = ("--heartbeat", "1s", "--lease-duration", "10m")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A new one for each test: some hold it, and count all that arrives."""
    with Receiver() as receiver:
        yield receiver


def options(receiver: Receiver, *namespaces: str) -> list[str]:
    words = ["--allow-host", receiver.address, "--alert-window", "1s", "--alert-retry", "1s", "--alert-timeout", "3s"]
    return words + [word for name in namespaces for word in ("--watch-namespace", name)]


def test_a_sender_that_is_killed_loses_nothing_and_marks_what_may_be_doubled(
    crew: Crew, cluster: ControlPlane, receiver: Receiver
) -> None:
    users = {point: User(cluster, cluster.create_namespace()) for point in CRASHES}
    titles = {}
    for point, user in users.items():
        user.apply(*webhook(receiver, "team", f"/{user.namespace}"))
        titles[point] = enqueue(user, "team", CRASHES[point][0])
    doomed = {
        point: crew.start(
            "worker",
            *options(receiver, user.namespace),
            name=f"doomed-{number}",
            fault=f"kill@{point.strip()}",
            timing=PATIENT,
        )
        for number, (point, user) in enumerate(users.items())
    }
    for worker in doomed.values():
        worker.wait_killed()
    crew.start("worker", *options(receiver, *(user.namespace for user in users.values())), name="healthy")

    for point, (number, arrivals, marked) in CRASHES.items():
        user, path = users[point], f"/{users[point].namespace}"
        sent = all_sent(user, number)
        assert [each["status"].get("possiblyDuplicated", False) for each in sent] == [marked] * number, point
        assert sorted(receiver.told(path)) == sorted(titles[point] * arrivals), point
        assert list(receiver.ids(path).values()) == [arrivals], f"{point}: a copy has the id of the first"
        if marked:
            attempts = [a for each in sent for a in each["status"].get("lastAttempts", [])]
            assert [a["outcome"] for a in attempts] == ["Unknown", "Accepted"], point
            assert attempts[0]["reason"] == "WorkerLost"
            assert attempts[0]["worker"] == doomed[point].identity


def test_a_sender_that_froze_and_wakes_sends_nothing_any_more(
    crew: Crew, cluster: ControlPlane, receiver: Receiver
) -> None:
    user = User(cluster, cluster.create_namespace())
    user.apply(*webhook(receiver, "team", "/frozen"))
    titles = enqueue(user, "team", 3)
    frozen = crew.start("worker", *options(receiver, user.namespace), name="frozen", fault="freeze@delivery-claimed")
    eventually(lambda: frozen.frozen, timeout=60, what="the sender to freeze")
    healthy = crew.start("worker", *options(receiver, user.namespace), name="healthy")
    all_sent(user, 3)
    frozen.signal(signal.SIGCONT)
    eventually(lambda: frozen.says("lease has run out"), what="the frozen one to notice")
    # It takes part again, under a new claim or none: what comes now arrives once.
    more = [f"{title} again" for title in titles]
    user.kubectl("create", "-f", "-", stdin=[delivery(user.namespace, title, "team") for title in more])
    all_sent(user, 6)
    assert sorted(receiver.told("/frozen")) == sorted(titles + more)
    assert user.get("achan/team")["status"]["sender"]["worker"] == healthy.identity


def test_a_sender_that_is_told_to_stop_ends_what_it_sends_and_leaves_the_rest(
    crew: Crew, cluster: ControlPlane, receiver: Receiver
) -> None:
    user = User(cluster, cluster.create_namespace())
    receiver.plan("/slow", receiver.wait_and_accept)
    user.apply(*webhook(receiver, "team", "/slow"))
    first = enqueue(user, "team", 1)
    old = crew.start("worker", *options(receiver, user.namespace), name="old")
    eventually(lambda: receiver.arrived, timeout=60, what="the message to be under way")
    user.kubectl("create", "-f", "-", stdin=delivery(user.namespace, "the rest", "team"))
    old.signal(signal.SIGTERM)
    receiver.held.set()
    assert eventually(old.end_of_life, until=lambda c: c is not None, timeout=30) == 0
    assert user.get("achan/team")["status"]["sender"]["worker"] == "", "others needn't wait for its Lease"
    assert receiver.told("/slow") == first
    crew.start("worker", *options(receiver, user.namespace), name="new")
    sent = all_sent(user, 2)
    assert receiver.told("/slow") == [*first, "the rest"]
    assert not any(each["status"].get("possiblyDuplicated") for each in sent)
    status = eventually(lambda: user.get("achan/team")["status"], until=lambda s: s.get("sent") == 2)
    assert status["sent"] == 2, "counts go on where the predecessor ended"


def test_who_is_told_is_decided_once(crew: Crew, cluster: ControlPlane, receiver: Receiver) -> None:
    """A worker dies when it has decided; what users change then is for the next change."""
    user = User(cluster, crew.namespace)
    user.apply(*webhook(receiver, "first", "/first", default=True), *webhook(receiver, "second", "/second"))
    crew.start("controller")
    crew.depend_on("shop", contract("shop", fields=3))
    doomed = crew.start("worker", *options(receiver), name="doomed", fault="kill@begun-alert", timing=PATIENT)
    crew.wait_for_result("shop", "Baseline", timeout=60)
    crew.publish("shop", contract("shop", version="2", fields=2))
    crew.request_sync("shop", "2")
    doomed.wait_killed()
    assert user.all("adel") == []
    user.apply(preference("now-second", "second"))
    crew.start("worker", *options(receiver), name="healthy")
    crew.wait_for_result("shop", "Changed", timeout=60)
    eventually(lambda: receiver.told("/first"), what="the alert where it was decided to go")
    assert {each["spec"]["channel"] for each in user.all("adel")} == {"first"}
    assert receiver.told("/second") == []


def test_a_worker_that_dies_between_two_deliveries_of_a_change_set_leaves_the_rest_to_another(
    crew: Crew, cluster: ControlPlane, receiver: Receiver
) -> None:
    """At each single creation in the alert stage (two alerts, two reminders): each channel is told once in the end."""
    users = {number: User(cluster, cluster.create_namespace()) for number in range(1, 5)}
    spaces = [user.namespace for user in users.values()]
    crew.start("controller", *options(receiver, *spaces)[-2 * len(spaces) :])
    starter = crew.start("worker", *options(receiver, *spaces), name="starter")
    for user in users.values():
        user.apply(*(each for name in ("a", "b") for each in webhook(receiver, name, where(user, name), default=True)))
        user.apply(document(fields=3), dependency("shop", {"configMapRef": {"name": "shop", "key": "openapi.json"}}))
        user.wait("dep/shop", "Ready")
    starter.stop()
    doomed = {
        number: crew.start(
            "worker",
            *options(receiver, user.namespace),
            name=f"doomed-{number}",
            fault=f"kill@alert-{number}",
            timing=PATIENT,
        )
        for number, user in users.items()
    }
    for user in users.values():
        user.apply(document(fields=2))
        user.request_sync("shop")
    for worker in doomed.values():
        worker.wait_killed()
    crew.start("worker", *options(receiver, *spaces), name="healthy")
    for number, user in users.items():
        user.status_when("shop", lambda s: s["lastSync"]["result"] == "Changed" and "activeJob" not in s, timeout=60)
        for name in ("a", "b"):
            path = where(user, name)
            [told] = set(eventually(lambda path=path: receiver.told(path), timeout=60))  # type: ignore[misc]
            assert told == "shop: 1 breaking change (1)"
            [alert] = deliveries(user, kind="Change", channel=name)
            user.wait(f"alertdelivery/{alert['metadata']['name']}", "jsonpath={.status.phase}=Sent")
            [alert] = deliveries(user, kind="Change", channel=name)
            copies = len(receiver.told(path))
            assert copies == 1 or (copies == 2 and alert["status"]["possiblyDuplicated"]), number
            assert len(receiver.ids(path)) == 1
        assert phases(user, kind="Reminder") == ["Pending"] * 2


def where(user: User, channel: str) -> str:
    """Where the receiver hears a channel of this user's."""
    return f"/{user.namespace}/{channel}"


def document(*, fields: int) -> dict[str, Any]:
    """The ConfigMap that the Dependency is about."""
    data = {"openapi.json": json.dumps(contract("shop", fields=fields))}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop"}, "data": data}


def test_four_workers_share_channels_and_each_delivery_goes_out_once(
    crew: Crew, cluster: ControlPlane, receiver: Receiver
) -> None:
    """All of them want each channel; one dies with what it has, and more comes all the while."""
    user = User(cluster, cluster.create_namespace())
    names = [f"team-{number}" for number in range(6)]
    for name in names:
        user.apply(*webhook(receiver, name, f"/{user.namespace}/{name}", rateLimit={"messagesPerMinute": 600}))

    def enqueue_round(number: int) -> None:
        titles = [f"{name} {number} {each}" for name in names for each in range(3)]
        user.kubectl("create", "-f", "-", stdin=[delivery(user.namespace, t, t.partition(" ")[0]) for t in titles])

    enqueue_round(0)
    workers = [crew.start("worker", *options(receiver, user.namespace), name=f"w{number}") for number in range(4)]
    all_sent(user, 18)
    senders = {name: user.get(f"achan/{name}")["status"]["sender"]["worker"] for name in names}
    victim = next(worker for worker in workers if worker.identity in senders.values())
    victim.kill()
    enqueue_round(1)
    sent = all_sent(user, 36)
    marked = sum(1 for each in sent if each["status"].get("possiblyDuplicated"))
    for name in names:
        told = receiver.told(f"/{user.namespace}/{name}")
        assert set(told) == {f"{name} {number} {each}" for number in range(2) for each in range(3)}
        assert len(told) - 6 <= marked, "what came twice says so"
        now = user.get(f"achan/{name}")["status"]["sender"]["worker"]
        assert now != victim.identity
        if senders[name] != victim.identity:
            assert now == senders[name], "nobody takes a channel from one that lives"


def test_receivers_that_hang_fail_and_break_off_get_it_in_the_end(
    crew: Crew, cluster: ControlPlane, receiver: Receiver
) -> None:
    user = User(cluster, cluster.create_namespace())
    plans: dict[str, list[Any]] = {
        "hangs": [receiver.hang],
        "limits": [status_429],
        "fails": [fails, fails],
        "garbage": [garbage],
        "breaks-off": [cut, cut],
    }
    for name, plan in plans.items():
        receiver.plan(f"/{name}", *plan)
        user.apply(*webhook(receiver, name))
    objects = [delivery(user.namespace, f"to {name}", name) for name in plans]
    user.kubectl("create", "-f", "-", stdin=objects)
    crew.start("worker", *options(receiver, user.namespace), name="worker")
    sent = {each["spec"]["channel"]: each for each in all_sent(user, len(plans))}
    for name, plan in plans.items():
        assert receiver.told(f"/{name}") == [f"to {name}"], f"{name}: accepted once"
        arrived = [request for request in receiver.arrived if request.path == f"/{name}"]
        assert len(arrived) == len(plan) + 1
        assert {request.id for request in arrived} == set(receiver.ids(f"/{name}"))
        # A request that had no answer may have been acted on; one that was answered with an error was not.
        unknown = name in ("hangs", "breaks-off", "garbage")
        assert sent[name]["status"].get("possiblyDuplicated", False) == unknown, name
        assert sent[name]["status"]["attempts"] == len(plan) + 1
    times = [attempt["at"] for attempt in sent["limits"]["status"]["lastAttempts"]]
    assert seconds_between(*times) >= 3, "Retry-After is honoured"


def status_429(_: object) -> tuple[int, dict[str, str], bytes]:
    return 429, {"Retry-After": "3"}, b"slow down"


def fails(_: object) -> tuple[int, dict[str, str], bytes]:
    return 500, {}, b"<html>oops</html>"


def seconds_between(first: str, last: str) -> float:
    return (dt.datetime.fromisoformat(last) - dt.datetime.fromisoformat(first)).total_seconds()


def test_a_receiver_that_is_down_for_long_gets_all_of_it_later(crew: Crew, cluster: ControlPlane) -> None:
    """An hour in the scale of one second for the first pause: the operator goes on trying, and gives nothing up."""
    user = User(cluster, cluster.create_namespace())
    with Receiver() as away:
        port = int(away.address.rpartition(":")[2])
    user.apply(*webhook(away, "team"))
    titles = enqueue(user, "team", 20)
    crew.start("worker", *options(away, user.namespace), name="worker")
    attempts = eventually(lambda: attempts_of(user), until=lambda number: number >= 3, what="some attempts")
    eventually(lambda: user.condition("achan/team", "Ready")["reason"], until="ConnectionFailed".__eq__)
    with Receiver(port) as back:
        sent = all_sent(user, 20)
        assert sorted(back.told("/team")) == sorted(titles)
        assert len(back.accepted("/team")) < 20, "in groups"
    assert attempts < 20, "the channel is tried, not each delivery"
    assert not any(each["status"].get("possiblyDuplicated") for each in sent), "nothing was ever connected"


def test_a_rate_limit_defers_and_drops_nothing(crew: Crew, cluster: ControlPlane, receiver: Receiver) -> None:
    user = User(cluster, cluster.create_namespace())
    user.apply(*webhook(receiver, "slow", rateLimit={"messagesPerMinute": 1}), *webhook(receiver, "fast"))

    def tell(title: str) -> None:
        both = [delivery(user.namespace, f"{title} {name}", name) for name in ("slow", "fast")]
        user.kubectl("create", "-f", "-", stdin=both)

    crew.start("worker", *options(receiver, user.namespace), name="worker")
    tell("one")
    eventually(lambda: (receiver.told("/slow"), receiver.told("/fast")), until=(["one slow"], ["one fast"]).__eq__)
    tell("two")
    eventually(lambda: receiver.told("/fast"), until=["one fast", "two fast"].__eq__, what="the other channel")
    tell("three")
    eventually(
        lambda: receiver.told("/fast")[2:], until=["three fast"].__eq__, what="the other channel, after a window"
    )
    assert phases(user, channel="slow") == ["Pending", "Pending", "Sent"]
    user.patch("achan/slow", rateLimit={"messagesPerMinute": 60})
    eventually(lambda: sorted(receiver.told("/slow")), until=["one slow", "three slow", "two slow"].__eq__)


def attempts_of(user: User) -> int:
    return sum(each["status"]["attempts"] for each in user.all("adel"))


def test_what_nobody_takes_is_given_up_and_says_so(crew: Crew, cluster: ControlPlane, receiver: Receiver) -> None:
    user = User(cluster, cluster.create_namespace())
    receiver.always("/team", fails)
    user.apply(*webhook(receiver, "team"))
    enqueue(user, "team", 4)
    user.kubectl("create", "-f", "-", stdin=delivery(user.namespace, "to nobody", "nobody"))
    probed = Probed()
    crew.start("worker", *options(receiver, user.namespace), "--alert-give-up", "4s", *probed.options, name="worker")

    def given_up() -> list[Any]:
        found = user.all("adel")
        assert [each["status"]["phase"] for each in found] == ["DeadLettered"] * 5
        return found

    lost = {each["metadata"]["name"]: each for each in eventually(given_up, timeout=40)}
    assert lost["to-nobody"]["status"]["reason"] == "ChannelNotFound"
    assert {each["status"]["reason"] for name, each in lost.items() if name != "to-nobody"} == {"ServerError"}
    for name in lost:
        eventually(lambda name=name: user.reasons(name), until=["DeliveryFailed"].__eq__)  # type: ignore[misc]
    assert receiver.told("/team") == []
    counted = {
        kind: probed.metric("specsync_alert_deliveries_total", type=kind, outcome="DeadLettered")
        for kind in ("Webhook", "Unknown")
    }
    assert counted == {"Webhook": 4, "Unknown": 1}, "the one of no channel is of no known type"


def test_what_ended_long_ago_is_deleted_and_what_waits_stays(
    crew: Crew, cluster: ControlPlane, receiver: Receiver
) -> None:
    user = User(cluster, crew.namespace)
    user.apply(*webhook(receiver, "team"))
    later = delivery(user.namespace, "later", "team")
    later["spec"]["notBefore"] = "2999-01-01T00:00:00Z"
    user.kubectl("create", "-f", "-", stdin=later)
    titles = enqueue(user, "team", 2)
    crew.start("controller", "--alert-history", "3s")
    crew.start("worker", *options(receiver))
    eventually(lambda: sorted(receiver.told("/team")), until=sorted(titles).__eq__, timeout=60)
    user.eventually_names("adel", {"later"})
