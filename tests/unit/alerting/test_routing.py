"""Who is told of a change set, when, and in which words it is explained."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from specsync.alerting.routing import Situation, Verdict, interested, route_change, routes
from specsync.alerting.selecting import BlobEvent, Causes, from_bits, to_bits
from specsync.resources import AlertChannel, AlertPreference, Dependency
from specsync.resources.meta import ObjectMeta
from tests.unit.alerting.samples import ADDED, GONE, NEEDED, cause, change_set, channel, event, preference, shop
from tests.unit.objects import NOON

TEAM = channel("team")
DEFAULT = channel("main", default=True)


def situation(
    preferences: Sequence[AlertPreference] = (),
    channels: Sequence[AlertChannel] = (TEAM, DEFAULT),
    acknowledged: Sequence[str] = (),
    dependency: Dependency | None = None,
) -> Situation:
    return Situation(dependency or shop(), channels, preferences, frozenset(acknowledged), NOON)


def verdicts(*preferences: AlertPreference, **more: Any) -> dict[tuple[str, str], Verdict]:
    found = route_change(Causes(change_set()), situation(preferences, **more))
    return {(v.channel, v.preference): v for v in found}


def told(verdict: Verdict) -> set[str]:
    fingerprints = (GONE, NEEDED, ADDED)
    return {fingerprints[i] for i in from_bits(verdict.route.causes)} if verdict.route else set()


def test_without_a_preference_breaking_changes_go_to_default_channels() -> None:
    found = verdicts()
    assert told(found["main", ""]) == {GONE}
    assert found["team", ""].route is None
    assert found["team", ""].why == "no AlertPreference names it, and it isn't marked as default"
    route = found["main", ""].route
    assert route is not None
    assert (route.not_before, route.remind_at) == (None, NOON + dt.timedelta(hours=24))


def test_a_preference_about_the_dependency_takes_the_place_of_the_defaults() -> None:
    mine = preference("mine", "team")
    found = verdicts(mine)
    assert told(found["team", "mine"]) == {GONE}
    assert (
        found["main", ""].why == "it is a default channel, but mine is about this Dependency and names other channels"
    )
    other = preference("other", "team", dependencies={"names": ["billing"]})
    found = verdicts(other)
    assert found["team", "other"].why == "it isn't about Dependency shop"
    assert told(found["main", ""]) == {GONE}, "the Dependency's own are none"


def test_a_default_channel_stays_one_for_dependencies_that_no_preference_is_about() -> None:
    """A preference that names it for another Dependency must not keep this one's changes from it."""
    other = preference("other", "main", "team", dependencies={"names": ["billing"]})
    found = verdicts(other)
    assert found["main", "other"].why == "it isn't about Dependency shop"
    assert told(found["main", ""]) == {GONE}
    assert ("team", "") not in found
    assert [route.channel for route in routes(found.values())] == ["main"]
    why = verdicts(other, preference("mine", "team"))["main", ""].why
    assert why == "it is a default channel, but mine is about this Dependency and names other channels"


@pytest.mark.parametrize(
    ("spec", "expected", "why"),
    [
        ({}, {GONE}, "it asks for this, at once"),
        ({"minSeverity": "risky"}, {GONE, NEEDED}, "it asks for this, at once"),
        ({"minSeverity": "safe"}, {GONE, NEEDED, ADDED}, "it asks for this, at once"),
        ({"minSeverity": "safe", "kinds": ["endpoint_added"]}, {ADDED}, "it asks for this, at once"),
        ({"minSeverity": "safe", "scope": {"domains": ["users"]}}, {NEEDED, ADDED}, "it asks for this, at once"),
        ({"minSeverity": "safe", "scope": {"endpoints": ["GET /users/*"]}}, {ADDED}, "it asks for this, at once"),
        ({"minSeverity": "safe", "scope": {"endpoints": ["POST /**"]}}, set(), "in POST /**, and there are none"),
        ({"kinds": ["endpoint_added"]}, set(), "of severity breaking of kind endpoint_added, and there are none"),
        ({"kinds": ["endpoint_gone"]}, set(), "; no change is ever of kind endpoint_gone: see specsync rules"),
        ({"topics": ["Health"]}, set(), "its topics are Health"),
        ({"muteUntil": "2026-01-02T12:01:00Z"}, set(), "it is muted until 2026-01-02 12:01 UTC"),
        ({"muteUntil": "2026-01-02T12:00:00Z"}, {GONE}, "it asks for this, at once"),
        ({"digest": {"every": "Day", "at": "09:00"}}, {GONE}, "in its digest of 2026-01-03 09:00 UTC"),
        ({"quietHours": {"from": "11:00", "to": "13:00"}}, {GONE}, "after its quiet hours, at 2026-01-02 13:00 UTC"),
        ({"quietHours": {"from": "11:00", "to": "13:00", "breaking": "Send"}}, {GONE}, "it asks for this, at once"),
        (
            {"digest": {"every": "Day", "timeZone": "Mars/Olympus"}},
            {GONE},
            "the time zone Mars/Olympus is not known, UTC is used",
        ),
    ],
)
def test_a_preference_chooses(spec: dict[str, Any], expected: set[str], why: str) -> None:
    found = verdicts(preference("mine", "team", **spec))["team", "mine"]
    assert told(found) == expected
    assert found.why.endswith(why)


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ({"matchLabels": {"team": "a"}}, True),
        ({"matchLabels": {"team": "b"}}, False),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["a"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, False),
        ({}, True),
    ],
)
def test_dependencies_are_chosen_by_label_as_kubernetes_does(selector: dict[str, Any], fits: bool) -> None:
    meta = ObjectMeta(name="shop", namespace="ns", uid="dep", labels={"team": "a"})
    labelled = Dependency(metadata=meta, spec=shop().spec)
    mine = preference("mine", "team", dependencies={"selector": selector})
    assert bool(told(verdicts(mine, dependency=labelled)["team", "mine"])) == fits


def test_two_preferences_make_one_message_and_a_digest_another() -> None:
    found = route_change(
        Causes(change_set()),
        situation(
            [
                preference("a", "team"),
                preference("b", "team", minSeverity="safe", kinds=["endpoint_added"], remindAfter="0s"),
                preference("c", "team", digest={"every": "Day"}),
            ]
        ),
    )
    at_once, digest = routes(found)
    assert from_bits(at_once.causes) == {0, 2}
    assert (at_once.preference, at_once.digest, at_once.remind_after) == ("a", False, "24h")
    assert (digest.preference, digest.digest, digest.remind_at) == ("c", True, None)


def test_what_is_acknowledged_is_not_told_again() -> None:
    found = verdicts(acknowledged=[GONE])
    assert found["main", ""].why == "all of its breaking changes are acknowledged already"
    everything = preference("mine", "team", minSeverity="safe")
    assert told(verdicts(everything, acknowledged=[GONE])["team", "mine"]) == {NEEDED, ADDED}


def test_a_dependency_opts_out() -> None:
    found = verdicts(preference("mine", "team"), dependency=shop(alerts="Disabled"))
    assert {v.why for v in found.values()} == {"Dependency shop has spec.alerts: Disabled"}
    assert not any(v.route for v in found.values())
    assert interested(situation(dependency=shop(alerts="Disabled")), "Health") == []


def test_a_channel_that_does_not_exist_is_waited_for() -> None:
    found = verdicts(preference("mine", "gone"))["gone", "mine"]
    assert told(found) == {GONE}
    assert found.why.endswith("but AlertChannel gone doesn't exist: it waits for it")


def test_health_goes_to_who_asks_or_to_the_defaults() -> None:
    assert [(name, p) for name, p, _, _ in interested(situation(), "Health")] == [("main", None)]
    mine = preference("mine", "team", topics=["Change"])
    assert interested(situation([mine]), "Health") == []
    quiet = preference("mine", "team", quietHours={"from": "11:00", "to": "13:00"})
    [(name, found, when, digest)] = interested(situation([quiet]), "Health")
    assert (name, found, when, digest) == ("team", quiet, NOON + dt.timedelta(hours=1), False)


def test_sunsets_are_a_topic_of_their_own() -> None:
    sunset = event("sun", "safe", "/orders", id="endpoint-deprecated-with-sunset", after="2026-03-01")
    changed = change_set([sunset], [cause("sun", "safe", 1)])
    [verdict] = [v for v in route_change(Causes(changed), situation()) if v.route]
    assert (verdict.channel, verdict.topic) == ("main", "Deprecation")
    past = change_set([{**sunset, "after": "2026-01-02"}], [cause("sun", "safe", 1)])
    assert not any(v.route for v in route_change(Causes(past), situation()))
    found = route_change(Causes(changed), situation([preference("mine", "team", scope={"endpoints": ["/users"]})]))
    assert not any(v.route for v in found)
    soon = event("sun", "breaking", "/orders", id="api-sunset-date-too-small", after="2026-01-09")
    found = route_change(Causes(change_set([soon], [cause("sun", "breaking", 1)])), situation())
    assert [v.topic for v in found if v.route] == ["Change", "Deprecation"], "one that breaks needs its reminders too"


def test_causes_without_events_here_are_told_rather_than_not() -> None:
    """A ChangeSet holds the first events only."""
    changed = change_set([], [cause(GONE, "breaking", 4)], truncated=True)
    found = route_change(Causes(changed), situation([preference("mine", "team", scope={"domains": ["users"]})]))
    assert told(next(v for v in found if v.preference == "mine")) == {GONE}


@pytest.mark.parametrize(("domain", "fits"), [("users", True), ("orders", False)])
def test_events_that_are_in_the_blob_alone_are_judged_by_it(domain: str, fits: bool) -> None:
    changed = change_set([], [cause(GONE, "breaking", 4)], truncated=True)
    operation = {"method": "GET", "path": f"/{domain}"}
    whole = [{"id": "r", "kind": "k", "severity": "breaking", "cause": GONE, "domain": domain, "operation": operation}]
    causes = Causes(changed, msgspec.convert(whole, list[BlobEvent]))
    found = route_change(causes, situation([preference("mine", "team", scope={"domains": ["users"]})]))
    assert [bool(v.route) for v in found if v.preference == "mine"] == [fits]


def test_bits_are_indexes() -> None:
    assert from_bits(to_bits({0, 5, 199})) == {0, 5, 199}
    assert len(to_bits(range(200))) <= 64
    assert from_bits("") == set()


def test_what_a_channel_got_at_once_does_not_come_again_after_the_quiet_hours_of_another_preference() -> None:
    quiet = {"from": "11:00", "to": "13:00"}
    at_once = preference("at-once", "team", remindAfter="0s")
    later = preference("later", "team", quietHours=quiet, remindAfter="4h")
    wider = preference("wider", "team", quietHours=quiet, minSeverity="safe")
    one = routes(verdicts(at_once, later).values())
    assert [(route.not_before, route.preference) for route in one] == [(None, "at-once")]
    assert one[0].remind_at == NOON + dt.timedelta(hours=5), "the reminder that the other asks for stays"
    both = routes(verdicts(at_once, wider).values())
    assert [from_bits(route.causes) for route in both] == [{0}, {0, 1, 2}]


def test_of_several_preferences_the_soonest_tells_of_health() -> None:
    weekly = preference("a-weekly", "team", digest={"every": "Week"})
    at_once = preference("b-at-once", "team")
    [(name, asking, when, digest)] = interested(situation([weekly, at_once]), "Health")
    assert (name, asking, when, digest) == ("team", at_once, None, False)
