"""From a recorded decision to deliveries: the same each time, and each with all that it tells."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from specsync.alerting.history import EarlierChange, acknowledged_causes, earlier_than, reverted_by, taken_back
from specsync.alerting.message import Counts, change_message, counted
from specsync.alerting.outbox import deliveries_of, resolves_of
from specsync.alerting.selecting import Causes
from specsync.resources import AlertDelivery
from specsync.resources.alertmessage import MAX_MESSAGE_BYTES
from specsync.resources.meta import to_wire
from specsync.resources.syncjob import AlertOutput, AlertRoute
from tests.unit.alerting.samples import cause, change_set, channel, delivery, event, shop
from tests.unit.objects import NOON, at

DAY = NOON + dt.timedelta(days=1)


def output(*routes: AlertRoute) -> AlertOutput:
    return AlertOutput(routed_at=NOON, routes=list(routes))


def made(*routes: AlertRoute, **options: Any) -> list[AlertDelivery]:
    return deliveries_of(Causes(change_set()), shop(), output(*routes), **options)


def test_the_same_decision_makes_the_same_deliveries() -> None:
    routes = [
        AlertRoute(channel="team", causes="1", remind_at=DAY, remind_after="24h"),
        AlertRoute(channel="team", preference="mine", causes="7", not_before=DAY, digest=True),
        AlertRoute(channel="other", causes="7"),
    ]
    first, second = made(*routes), made(*routes)
    assert [to_wire(each) for each in first] == [to_wire(each) for each in second]
    assert len({each.metadata.name for each in first}) == len(first) == 4
    assert [each.spec.message.kind for each in first] == ["Change", "Reminder", "Change", "Change"]
    assert [each.spec.not_before for each in first] == [None, DAY, DAY, None]
    assert {each.metadata.owner_references[0].kind for each in first} == {"Dependency"}
    assert all(len(each.metadata.name) <= 253 and each.spec.change_set == "shop-1" for each in first)


def test_a_message_tells_the_part_that_was_asked_for() -> None:
    [whole, part] = made(AlertRoute(channel="team", causes="7"), AlertRoute(channel="other", causes="2"))
    message = whole.spec.message
    assert message.title == "shop: 1 breaking, 2 risky and 1 safe changes (1 → 2)"
    assert message.change is not None
    assert [c.severity for c in message.change.causes] == ["breaking", "risky", "safe"]
    assert not message.change.partial
    assert part.spec.message.title == "shop: 2 risky changes (1 → 2)"
    assert part.spec.message.level == "Warning"
    change = part.spec.message.change
    assert change is not None
    assert change.partial
    assert [(o.method, o.path) for o in change.causes[0].operations] == [("GET", "/users"), ("GET", "/orders")]


def test_a_link_is_below_the_dashboard() -> None:
    [only] = made(AlertRoute(channel="team", causes="1"), dashboard="https://specsync.example.com")
    assert only.spec.message.link == "https://specsync.example.com/ns/changes/shop-1"


def test_what_a_document_says_is_one_line_of_plain_text() -> None:
    evil = "a\r\nBcc: x\x1b[31m\u202eb"
    events = [event("c", "breaking", "/x", summary=evil, before=evil, domain=evil)]
    changed = change_set(events, [{**cause("c", "breaking", 1), "summary": evil}])
    [only] = deliveries_of(Causes(changed), shop(display_name=evil), output(AlertRoute(channel="team", causes="1")))
    texts = msgspec.json.encode(only.spec.message).decode()
    assert "\\n" not in texts
    assert "\\u001b" not in texts
    assert "\u202e" not in texts
    assert only.spec.message.display_name == "a Bcc: xb"


def test_a_message_stays_within_its_size_with_the_worst_first() -> None:
    long = "x" * 500
    causes = [cause(f"c{n}", "breaking" if n == 0 else "risky", 12) for n in range(180)]
    events = [
        event(
            f"c{n}",
            "breaking" if n == 0 else "risky",
            f"/{long}/{m}",
            before=long,
            after=long,
            domain="d",
            fingerprint=f"{n}-{m}",
        )
        for n in range(40)
        for m in range(12)
    ]
    causes_of = Causes(change_set(events, causes))
    message = change_message(causes_of.change_set, shop(), causes_of.part(range(180)))
    assert len(msgspec.json.encode(message)) <= MAX_MESSAGE_BYTES
    assert message.change is not None
    assert message.change.causes[0].severity == "breaking"
    assert len(message.change.causes) + message.change.more_causes == 180


@pytest.mark.parametrize(
    ("counts", "text"),
    [((1, 0, 0), "1 breaking change"), ((2, 0, 1), "2 breaking and 1 safe changes"), ((0, 0, 0), "no changes")],
)
def test_counts_in_words(counts: tuple[int, int, int], text: str) -> None:
    assert counted(Counts(breaking=counts[0], risky=counts[1], safe=counts[2])) == text


def test_sunsets_are_told_at_once_and_before_their_day() -> None:
    ends = [
        event("sun", "safe", f"/{name}", id="endpoint-deprecated-with-sunset", after=day)
        for name, day in (("a", "2026-03-01"), ("b", "2026-03-01"), ("c", "2026-01-08"))
    ]
    changed = change_set(ends, [cause("sun", "safe", 3)])
    found = deliveries_of(Causes(changed), shop(), output(AlertRoute(channel="team", topic="Deprecation", causes="1")))
    assert [(each.spec.message.title, each.spec.not_before) for each in found] == [
        ("shop: GET /c ends on 2026-01-08, in 6 days", None),
        ("shop: GET /c ends on 2026-01-08, in 1 day", dt.datetime(2026, 1, 7, 9, tzinfo=dt.UTC)),
        ("shop: 2 operations end on 2026-03-01, in 58 days", None),
        ("shop: 2 operations end on 2026-03-01, in 30 days", dt.datetime(2026, 1, 30, 9, tzinfo=dt.UTC)),
        ("shop: 2 operations end on 2026-03-01, in 7 days", dt.datetime(2026, 2, 22, 9, tzinfo=dt.UTC)),
        ("shop: 2 operations end on 2026-03-01, in 1 day", dt.datetime(2026, 2, 28, 9, tzinfo=dt.UTC)),
    ]
    assert all(each.spec.change_set == "shop-1" for each in found)
    # To a channel that gets the message of the change itself, that is the first word of it.
    both = output(AlertRoute(channel="team", causes="1"), AlertRoute(channel="team", topic="Deprecation", causes="1"))
    again = deliveries_of(Causes(changed), shop(), both)
    assert [each.spec.message.kind for each in again] == ["Change", *["Deprecation"] * 4]
    assert all(each.spec.not_before for each in again[1:])


def test_an_incident_ends_where_it_began_if_that_means_something_there() -> None:
    told = [
        delivery("a", message={"incident": "i"}),
        delivery("b", kind="Reminder"),
        delivery("c", digest=True),
        delivery("d", status={"phase": "Suppressed"}),
        delivery("e", channel="chat"),
    ]
    channels = [channel("team"), channel("chat", type_="Slack", secretRef={"name": "s"})]
    [end] = resolves_of(told, channels, "Acknowledged by ada.")
    assert (end.spec.channel, end.spec.message.kind, end.spec.message.incident) == ("team", "Resolve", "i")
    assert end.spec.message.text == "Acknowledged by ada."
    assert end.metadata.name == resolves_of(told, channels, "another word")[0].metadata.name


def earlier(name: str, minutes: float, before: str, after: str, **spec: Any) -> EarlierChange:
    return msgspec.convert(
        {
            "metadata": {"name": name, "creationTimestamp": at(minutes)},
            "spec": {
                "dependency": "shop",
                "from": {"snapshot": "s", "digest": before},
                "to": {"snapshot": "s", "digest": after},
                "causes": [{"fingerprint": f"of-{name}"}],
                **spec,
            },
        },
        EarlierChange,
    )


def test_history_says_what_is_known_and_what_is_taken_back() -> None:
    one, two = earlier("one", 1, "A", "B", acknowledged={"by": "ada"}), earlier("two", 2, "B", "C")
    three = earlier("three", 3, "C", "A", resolved={"by": "ada"})
    assert acknowledged_causes([one, two, three]) == {"of-one", "of-three"}
    back = change_set(**{"from": {"snapshot": "s", "digest": "C"}, "to": {"snapshot": "s", "digest": "A"}})
    assert reverted_by(back, [two, one]) == ["one", "two"]
    assert reverted_by(change_set(to={"snapshot": "s", "digest": "B"}), [one, two]) == ["two"]
    assert reverted_by(change_set(to={"snapshot": "s", "digest": "D"}), [one, two]) == []
    assert taken_back(one, [one, two, three]) == "three"
    assert taken_back(two, [one, two, three]) is None
    assert [c.metadata.name for c in earlier_than("three", [three, two, one])] == ["one", "two"]
