"""Alerts as a user sees them: who is told of a change, what they get, and what the objects say of it afterwards."""

import datetime as dt
import json
import re

import pytest

from tests.integration.alerts import Shop, channel, deliveries, phases, preference, webhook
from tests.integration.crew import contract
from tests.integration.documents import Documents
from tests.integration.processes import Operator
from tests.integration.receivers import NEVER_SHOWN, Receiver, status
from tests.integration.user import User
from tests.waiting import eventually


@pytest.fixture(scope="module")
def operator_options(receiver: Receiver) -> tuple[str, ...]:
    return ("--allow-host", receiver.address, "--alert-retry", "1s", "--alert-window", "2s", "--alert-timeout", "3s")


@pytest.fixture
def path(user: User) -> str:
    """A path of the receiver for this test alone."""
    return f"/{user.namespace}"


def test_a_breaking_change_goes_to_default_channels_alone_and_once(
    user: User, documents: Documents, receiver: Receiver, path: str, operator: Operator
) -> None:
    user.apply(*webhook(receiver, "team", f"{path}/team", default=True), *webhook(receiver, "other", f"{path}/other"))
    shop = Shop(user, documents, displayName="The Shop")
    name = shop.breaks()
    [request] = eventually(lambda: receiver.accepted(f"{path}/team"), what="the alert")

    assert request.content["type"] == "specsync.change"
    [message] = request.content["data"]["messages"]
    assert message["title"] == "The Shop: 1 breaking change (1 → 2)"
    assert (message["level"], message["dependency"], message["namespace"]) == ("Critical", "shop", user.namespace)
    [cause] = message["change"]["causes"]
    assert cause["severity"] == "breaking"
    assert cause["operations"] == [{"method": "GET", "path": "/things"}]
    assert message["commands"][1]["command"] == f"kubectl specsync alerts ack {name} -n {user.namespace}"

    [sent] = deliveries(user, kind="Change")
    user.wait(f"alertdelivery/{sent['metadata']['name']}", "jsonpath={.status.phase}=Sent")
    [sent] = deliveries(user, kind="Change")
    assert request.id == sent["metadata"]["uid"]
    assert sent["spec"] | {"message": None} == {
        "channel": "team",
        "dependency": "shop",
        "changeSet": name,
        "message": None,
    }
    assert (sent["status"]["attempts"], sent["status"]["response"]) == (1, "HTTP 202")
    assert [attempt["outcome"] for attempt in sent["status"]["lastAttempts"]] == ["Accepted"]
    # The reminder waits, unless somebody acknowledges the change.
    assert phases(user, kind="Reminder") == ["Pending"]
    team = eventually(lambda: user.get("achan/team"), until=lambda c: c["status"].get("sent") == 1)
    assert user.condition("achan/team", "Ready")["status"] == "True"
    assert team["status"]["lastSuccess"]["delivery"] == sent["metadata"]["name"]
    assert receiver.accepted(f"{path}/other") == []
    assert user.condition("achan/other", "Ready")["reason"] == "Configured"
    everything = json.dumps([user.all(kind) for kind in ("achan", "adel", "events")]) + operator.log()
    assert NEVER_SHOWN not in everything
    assert "whsec_" not in everything


def test_a_preference_decides_in_place_of_the_defaults(
    user: User, documents: Documents, receiver: Receiver, path: str
) -> None:
    user.apply(
        *webhook(receiver, "default", f"{path}/default", default=True),
        *webhook(receiver, "mine", f"{path}/mine"),
        *webhook(receiver, "muted", f"{path}/muted"),
        preference("mine", "mine", dependencies={"names": ["shop"]}),
        preference("also-mine", "mine", minSeverity="safe"),
        preference("muted", "muted", muteUntil="2999-01-01T00:00:00Z"),
    )
    Shop(user, documents).breaks()
    [request] = eventually(lambda: receiver.accepted(f"{path}/mine"), what="the alert")
    assert len(request.titles) == 1, "two preferences, one message"
    assert {delivery["spec"]["channel"] for delivery in user.all("adel")} == {"mine"}


def test_a_test_message_is_sent_when_it_is_asked_for(user: User, receiver: Receiver, path: str) -> None:
    user.apply(*webhook(receiver, "team", path))
    user.kubectl("annotate", "achan/team", "specsync.dev/testRequestedAt=1")
    [request] = eventually(lambda: receiver.accepted(path), what="the test message")
    assert request.titles == ["Test of alert channel team"]
    handled = eventually(lambda: user.get("achan/team")["status"]["lastHandledTest"])
    assert handled["value"] == "1"
    eventually(lambda: user.get(f"adel/{handled['delivery']}")["status"]["phase"], until="Sent".__eq__)
    user.kubectl("annotate", "--overwrite", "achan/team", "specsync.dev/testRequestedAt=2")
    eventually(lambda: receiver.accepted(path), until=lambda found: len(found) == 2, what="another test message")


def test_a_channel_that_is_broken_says_so_and_sends_when_it_is_mended(
    user: User, documents: Documents, receiver: Receiver, path: str
) -> None:
    receiver.always(f"{path}/team", status(401))
    user.apply(
        *webhook(receiver, "team", f"{path}/team"),
        *webhook(receiver, "ops", f"{path}/ops", default=True),
        preference("all", "team"),
    )
    Shop(user, documents).breaks()
    ready = eventually(
        lambda: user.condition("achan/team", "Ready"),
        until=lambda c: c["status"] == "False",
        what="the channel to fail",
    )
    assert ready["reason"] == "Unauthorized"
    assert "check the Secret team" in ready["message"]
    assert "ChannelFailing" in user.reasons("team")
    [told] = eventually(lambda: receiver.accepted(f"{path}/ops"), what="the other channel to be told")
    assert told.titles == ["Alert channel team takes no messages"]

    receiver.always(f"{path}/team", status(200))
    [request] = eventually(lambda: receiver.accepted(f"{path}/team"), timeout=30, what="the alert after all")
    assert request.titles == ["shop: 1 breaking change (1 → 2)"]
    eventually(lambda: user.condition("achan/team", "Ready")["status"], until="True".__eq__)
    assert "ChannelRecovered" in user.reasons("team")
    [sent] = deliveries(user, kind="Change")
    assert "possiblyDuplicated" not in sent["status"]
    assert {attempt["outcome"] for attempt in sent["status"]["lastAttempts"]} == {"Failed", "Accepted"}


def test_a_message_that_is_refused_for_good_is_given_up_and_sent_again_on_request(
    user: User, documents: Documents, receiver: Receiver, path: str
) -> None:
    receiver.plan(path, status(413, b"too large\x1b[31m"))
    user.apply(*webhook(receiver, "team", path, default=True))
    Shop(user, documents).breaks()
    [lost] = eventually(
        lambda: deliveries(user, kind="Change"), until=lambda d: d[0]["status"]["phase"] == "DeadLettered"
    )
    assert lost["status"]["reason"] == "HTTPError"
    assert "HTTP 413" in lost["status"]["message"]
    name = lost["metadata"]["name"]
    assert "DeliveryFailed" in user.reasons(name)
    assert user.get("achan/team")["status"].get("failed") == 1 or eventually(
        lambda: user.get("achan/team")["status"]["failed"] == 1
    )
    user.kubectl("annotate", f"adel/{name}", "specsync.dev/retryRequestedAt=now")
    [request] = eventually(lambda: receiver.accepted(path), what="it to be sent again")
    assert request.id != lost["metadata"]["uid"], "asked for anew: a receiver that remembers ids must not drop it"
    assert user.get(f"adel/{name}")["status"]["lastHandledRetry"] == "now"


def test_many_changes_at_once_are_one_message_at_once_and_one_group(
    user: User, documents: Documents, receiver: Receiver, path: str
) -> None:
    user.apply(*webhook(receiver, "team", path, default=True))
    shops = [Shop(user, documents, f"shop-{number}") for number in range(6)]
    for shop in shops:
        shop.breaks()
    told = eventually(lambda: receiver.told(path), until=lambda titles: len(titles) >= 6, timeout=30)
    assert sorted(told) == [f"shop-{number}: 1 breaking change (1 → 2)" for number in range(6)]
    requests = receiver.accepted(path)
    assert requests[0].content["type"] == "specsync.change", "the first goes at once, alone"
    assert {request.content["type"] for request in requests[1:]} <= {"specsync.group", "specsync.change"}
    assert len(requests) < 6
    eventually(lambda: phases(user, kind="Change"), until=(["Sent"] * 6).__eq__)
    grouped = [d for d in deliveries(user, kind="Change") if "group" in d["status"]]
    assert {d["status"]["group"]["id"] for d in grouped} <= {request.id for request in requests}


def test_bad_time_zones_and_addresses_are_refused_with_what_to_write(user: User) -> None:
    bad = channel("bad")
    bad["spec"] |= {"webhook": {"url": "https://me:secret@hooks.example.com/"}}
    assert "put the whole URL into a Secret under address" in user.refused("apply", "-f", "-", stdin=bad)


def test_explain_says_for_each_channel_why_and_what_became_of_it(
    user: User, documents: Documents, receiver: Receiver, path: str
) -> None:
    user.apply(
        *webhook(receiver, "team", f"{path}/team", default=True),
        *webhook(receiver, "other", f"{path}/other"),
        *webhook(receiver, "quiet", f"{path}/quiet"),
    )
    name = Shop(user, documents).breaks()
    eventually(lambda: phases(user, kind="Change"), until=["Sent"].__eq__)
    text = user.specsync("alerts", "explain", name)
    assert text.splitlines()[0] == f"ChangeSet {name} of Dependency shop: 1 breaking change"
    assert "gets it by default: it is a default channel, and no AlertPreference is about this Dependency" in text
    assert "other\n  doesn't get it by default: no AlertPreference names it, and it isn't marked as default" in text
    assert re.search(r"Change shop-\w+: sent .* UTC \(HTTP 202\)", text)
    assert re.search(r"Reminder shop-\w+: waits until ", text)
    [header, *rows] = user.kubectl("get", "adel").splitlines()
    assert header.split() == ["NAME", "CHANNEL", "ABOUT", "DEPENDENCY", "PHASE", "ATTEMPTS", "SENT", "AGE"]
    assert sorted(row.split()[1:5] for row in rows) == [
        ["team", "Change", "shop", "Sent"],
        ["team", "Reminder", "shop", "Pending"],
    ]
    team = [row.split() for row in user.kubectl("get", "achan").splitlines() if row.startswith("team")]
    assert team[0][:4] == ["team", "Webhook", "true", "True"]
    user.apply(preference("muted", "quiet", muteUntil="2999-01-01T00:00:00Z"), preference("nowhere", "gone"))
    text = user.specsync("alerts", "explain", "dep/shop")
    assert "quiet\n  doesn't get it by AlertPreference muted: it is muted until 2999-01-01 00:00 UTC" in text
    assert (
        "gone\n  gets it by AlertPreference nowhere: it asks for this, at once; but AlertChannel gone doesn't exist"
        in text
    )
    assert "(what was decided then differs: channels or preferences have changed since)" in text


def test_who_acknowledges_hears_no_more_of_it_and_incidents_end(
    user: User, documents: Documents, receiver: Receiver, path: str
) -> None:
    user.apply(*webhook(receiver, "team", path), preference("all", "team", remindAfter="10s"))
    shop = Shop(user, documents)
    name = shop.breaks()
    [first] = eventually(lambda: receiver.accepted(path), what="the alert")
    text = user.specsync("alerts", "ack", name, "--note", "we move next week")
    assert text == f"ChangeSet {name} is acknowledged by devcluster-admin.\n"
    user.refused("patch", f"chg/{name}", "--type=merge", "-p", '{"spec":{"summary":{"breaking":0}}}')
    assert user.get(f"chg/{name}")["spec"]["acknowledged"]["note"] == "we move next week"
    _, end = eventually(lambda: receiver.accepted(path), until=lambda r: len(r) == 2, what="the incident's end")
    assert end.content["type"] == "specsync.resolve"
    [begun], [ended] = first.content["data"]["messages"], end.content["data"]["messages"]
    assert begun["incident"] == ended["incident"]
    assert "we move next week" in ended["text"]
    eventually(lambda: phases(user, kind="Reminder"), until=["Suppressed"].__eq__, timeout=20)
    assert deliveries(user, kind="Reminder")[0]["status"]["reason"] == "Acknowledged"
    # The very same edit, once more: somebody knows of it.
    shop.takes_back()
    again = shop.breaks()
    assert deliveries(user, changeSet=again, kind="Change") == []
    assert "all that it asks for is acknowledged already" in user.specsync("alerts", "explain", again)
    user.specsync("alerts", "ack", name, "--by", "bob")
    acknowledged = user.get(f"chg/{name}")["spec"]["acknowledged"]
    assert (acknowledged["by"], acknowledged.get("note")) == ("bob", None), "not with another's note"


def test_what_nobody_acknowledges_is_told_again_and_taking_it_back_ends_it(
    user: User, documents: Documents, receiver: Receiver, path: str
) -> None:
    user.apply(*webhook(receiver, "team", path), preference("all", "team", remindAfter="1s"))
    shop = Shop(user, documents)
    first = shop.breaks()
    told = eventually(lambda: receiver.told(path), until=lambda titles: len(titles) == 2, what="the reminder")
    assert told == ["shop: 1 breaking change (1 → 2)", "Still open after 1s: shop: 1 breaking change (1 → 2)"]
    back = shop.takes_back()
    eventually(lambda: receiver.told(path), until=lambda titles: "Closed: shop: 1 breaking change (1 → 2)" in titles)
    [end] = deliveries(user, kind="Resolve")
    assert back in end["spec"]["message"]["text"]
    assert end["spec"]["changeSet"] == first


def test_a_digest_bundles_what_came_and_a_dependency_can_opt_out(
    user: User, documents: Documents, receiver: Receiver, path: str
) -> None:
    earlier = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
    due = earlier + dt.timedelta(days=1)
    user.apply(
        *webhook(receiver, "team", path),
        preference("daily", "team", digest={"every": "Day", "at": f"{earlier:%H:%M}"}),
    )
    Shop(user, documents, "silent", alerts="Disabled").breaks()
    Shop(user, documents, "one").breaks()
    Shop(user, documents, "two").breaks()
    waiting = deliveries(user)
    assert {each["spec"]["dependency"] for each in waiting} == {"one", "two"}
    assert {each["spec"]["notBefore"] for each in waiting} == {f"{due:%Y-%m-%dT%H:%M}:00Z"}
    assert phases(user) == ["Pending", "Pending"]
    # Nobody waits for a day here: the same deliveries, due in a moment.
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    for each in waiting:
        each["spec"]["notBefore"] = f"{soon:%Y-%m-%dT%H:%M:%S}Z"
        each["metadata"] = {"name": each["metadata"]["name"] + "-now"}
    user.kubectl("create", "-f", "-", stdin=waiting)
    [request] = eventually(lambda: receiver.accepted(path), what="the digest")
    assert request.content["type"] == "specsync.digest"
    assert sorted(request.titles) == ["one: 1 breaking change (1 → 2)", "two: 1 breaking change (1 → 2)"]
    eventually(lambda: phases(user), until=["Pending", "Pending", "Sent", "Sent"].__eq__)


def test_failing_health_is_told_and_so_is_its_end(
    user: User, documents: Documents, receiver: Receiver, path: str
) -> None:
    user.apply(*webhook(receiver, "team", path, default=True))
    where = f"/{user.namespace}/shop"
    url = documents.publish(where, b"gone", status=404)
    user.depend_on("shop", url, health={"degradedAfter": 1, "unhealthyAfter": 2, "pausedAfter": 3})
    for _ in range(2):
        user.status_when("shop", lambda s: "lastSync" in s and "activeJob" not in s)
        user.sync("shop", "Failed")
    told = eventually(lambda: receiver.told(path), until=lambda titles: len(titles) == 2, what="the alerts")
    assert told == ["shop is unhealthy", "shop is paused"]
    documents.publish(where, contract("shop"))
    user.sync("shop", "Baseline")
    eventually(lambda: receiver.told(path), until=lambda titles: titles[2:] == ["shop is healthy again"])
    assert [each["spec"]["message"]["level"] for each in deliveries(user, kind="Health")].count("Good") == 1


def test_a_sunset_is_told_at_once_and_before_its_day(
    user: User, documents: Documents, receiver: Receiver, path: str
) -> None:
    user.apply(*webhook(receiver, "team", path, default=True))
    where, document = f"/{user.namespace}/shop", contract("shop")
    user.depend_on("shop", documents.publish(where, document))
    user.wait("dep/shop", "Ready")
    end = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=20)
    document["paths"]["/things"]["get"] |= {"deprecated": True, "x-sunset": end.isoformat()}
    documents.publish(where, document)
    user.sync("shop", "Changed")
    [request] = eventually(lambda: receiver.accepted(path), what="the alert")
    assert request.titles == [f"shop: GET /things ends on {end}, in 20 days"]
    waiting = [each for each in deliveries(user, kind="Deprecation") if each["status"]["phase"] == "Pending"]
    days = sorted((end - dt.date.fromisoformat(each["spec"]["notBefore"][:10])).days for each in waiting)
    assert days == [1, 7]
    # The provider thinks better of it: nobody is reminded of a day that doesn't come. (As above: due in a moment.)
    document["paths"]["/things"]["get"] |= {"deprecated": False}
    document["info"]["version"] = "2"
    del document["paths"]["/things"]["get"]["x-sunset"]
    documents.publish(where, document)
    name = user.sync("shop", "Changed")["metadata"]["name"]
    reminder = waiting[0]
    reminder["spec"]["notBefore"] = f"{dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}Z"
    reminder["metadata"] = {"name": "due-now"}
    user.kubectl("create", "-f", "-", stdin=reminder)
    held = eventually(lambda: user.get("adel/due-now")["status"], until=lambda s: s["phase"] == "Suppressed")
    assert (held["reason"], name in held["message"]) == ("TakenBack", True)
