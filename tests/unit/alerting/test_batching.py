"""What goes out next: alone, as a group, as a digest, and again as it was where nobody knows how that went."""

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from specsync.alerting.batching import Batch, next_batch, opens_window
from specsync.resources import AlertDelivery
from tests.unit.alerting.samples import delivery
from tests.unit.objects import NOON


def choose(*deliveries: AlertDelivery, at: float = 60, **options: Any) -> list[str] | None:
    batch = next_batch(
        deliveries,
        NOON + dt.timedelta(seconds=at),
        **{"groups": True, "window_open": False, **options},
    )
    return batch and [batch.leader.metadata.name, *(each.metadata.name for each in batch.members)]


def test_what_waited_goes_as_a_group_oldest_first() -> None:
    assert choose(delivery("b", created=2), delivery("a", created=1)) == ["a", "b"]
    assert choose(delivery("a", created=1), delivery("b", created=2), groups=False) == ["a"]
    assert choose() is None


def test_while_the_window_is_open_only_what_is_urgent_goes() -> None:
    waiting = delivery("a")
    assert choose(waiting, window_open=True) is None
    assert choose(waiting, delivery("t", kind="Test"), window_open=True) == ["t"]
    assert choose(waiting, delivery("r", kind="Resolve", message={"incident": "x"}), window_open=True) == ["r"]


def test_while_the_channel_fails_one_goes_by_itself_the_least_tried_first() -> None:
    tried = delivery("a", created=1, status={"attempts": 3})
    waiting = (tried, delivery("b", created=2), delivery("c", created=3))
    assert choose(*waiting, failing=True) == ["b"]
    assert choose(*waiting, failing=True, groups=False) == ["b"]
    assert choose(tried, failing=True) == ["a"]
    assert choose(*waiting) == ["a", "b", "c"]
    assert choose(*waiting, failing=True, window_open=True) is None


def test_what_may_have_been_taken_goes_by_itself_in_no_group() -> None:
    unknown = {"at": "2026-01-02T12:00:00Z", "outcome": "Unknown"}
    doubtful = delivery("b", created=2, status={"attempts": 1, "lastAttempts": [unknown]})
    marked = delivery("c", created=3, status={"attempts": 2, "possiblyDuplicated": True})
    assert choose(delivery("a", created=1), doubtful, marked) == ["b"]
    assert choose(delivery("a", created=1), marked) == ["c"]


def test_what_is_not_due_waits() -> None:
    later = "2026-01-02T12:02:00Z"
    assert choose(delivery("a", notBefore=later)) is None
    assert choose(delivery("a", status={"nextAttemptAt": later})) is None
    assert choose(delivery("a", notBefore=later), at=120) == ["a"]
    assert choose(delivery("a", status={"phase": "Sending"})) is None


def test_an_end_does_not_overtake_its_beginning() -> None:
    incident = {"incident": "specsync/1"}
    begin = delivery("begin", message=incident, status={"nextAttemptAt": "2026-01-02T13:00:00Z"})
    end = delivery("end", kind="Resolve", message=incident)
    assert choose(begin, end) is None
    assert choose(end) == ["end"]


def test_a_digest_is_of_one_preference_and_minds_no_window() -> None:
    mine = [delivery(f"m{n}", preference="mine", digest=True) for n in range(3)]
    theirs = delivery("t", preference="theirs", digest=True, created=9)
    at_once = delivery("a", created=8)
    assert choose(*mine, theirs, at_once, window_open=True) == ["m0", "m1", "m2"]
    assert choose(theirs, at_once, window_open=True) == ["t"]


def test_a_group_of_unknown_outcome_goes_again_as_it_was_under_its_id() -> None:
    group = {"id": "group-1", "leader": "a", "members": ["b", "gone"]}
    leader = delivery("a", status={"group": group, "attempts": 1})
    batch = next_batch(
        [leader, delivery("b"), delivery("c")], NOON + dt.timedelta(minutes=1), groups=True, window_open=False
    )
    assert batch is not None
    assert [each.metadata.name for each in batch.members] == ["b"]
    assert batch.id == "group-1"
    # Until it goes, its members don't go by themselves.
    waiting = delivery("a", status={"group": group, "nextAttemptAt": "2026-01-02T13:00:00Z"})
    assert choose(waiting, delivery("b")) is None


def test_ids_are_the_same_for_the_same_and_new_when_asked_for_anew() -> None:
    a, b, c = delivery("a"), delivery("b"), delivery("c")
    assert Batch(a, (), "Single").id == "uid-a"
    assert Batch(a, (b, c), "Group").id == Batch(b, (c, a), "Group").id
    assert Batch(a, (b,), "Group").id != Batch(a, (c,), "Group").id
    again = delivery("a", status={"lastHandledRetry": "1"})
    assert Batch(again, (), "Single").id not in ("uid-a", Batch(b, (), "Single").id)


def test_large_groups_are_cut_by_number_and_size_and_open_no_window() -> None:
    many = [delivery(f"d{n:03}", created=n) for n in range(120)]
    batch = next_batch(many, NOON + dt.timedelta(hours=1), groups=True, window_open=False)
    assert batch is not None
    assert (len(batch.members), batch.full) == (49, True)
    assert not opens_window(batch)
    bulky = [delivery(f"d{n}", created=n, message={"text": "x" * 2048, "title": "y" * 200}) for n in range(200)]
    assert all(len(d.spec.message.text) == 2048 for d in bulky)
    batch = next_batch(bulky, NOON + dt.timedelta(hours=1), groups=True, window_open=False)
    assert batch is not None
    assert len(batch.members) < 120


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 5)), max_size=30))
def test_all_that_is_due_goes_out_once(shapes: list[tuple[bool, bool, int]]) -> None:
    left = {
        f"d{n}": delivery(f"d{n}", created=created, digest=digest, kind="Test" if test else "Change")
        for n, (digest, test, created) in enumerate(shapes)
    }
    sent: list[str] = []
    while left:
        names = choose(*left.values())
        assert names
        for name in names:
            del left[name]
        sent += names
    assert sorted(sent) == sorted(f"d{n}" for n in range(len(shapes)))
