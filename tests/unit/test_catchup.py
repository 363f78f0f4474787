"""Overdue work is spread by rate and host; what is requested, or only just due, is not."""

import datetime as dt
import time

import pytest

from specsync.controller.catchup import CatchUp
from specsync.resources import Dependency
from specsync.resources.dependency import DependencySpec
from specsync.resources.meta import ObjectMeta, now
from specsync.resources.source import Source

LONG_AGO = dt.timedelta(minutes=10)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)


def dependency(number: int, host: str = "vendor") -> Dependency:
    source = Source(url=f"https://{host}.example.com/{number}.json")
    return Dependency(metadata=ObjectMeta(name=f"api-{number}", namespace="team"), spec=DependencySpec(source=source))


def waits(catch_up: CatchUp, dependencies: list[Dependency], due: dt.datetime) -> list[float]:
    return [round(catch_up.wait(each, due), 3) for each in dependencies]


def test_what_is_long_overdue_starts_one_after_the_other() -> None:
    catch_up = CatchUp(rate=20, host_rate=0)
    catch_up.begin()
    assert waits(catch_up, [dependency(n) for n in range(5)], now() - LONG_AGO) == [0.0, 0.05, 0.1, 0.15, 0.2]


def test_one_host_is_asked_more_slowly_and_keeps_nobody_else_waiting() -> None:
    catch_up = CatchUp(rate=10, host_rate=1)
    catch_up.begin()
    due = now() - LONG_AGO
    assert waits(catch_up, [dependency(n, "slow") for n in range(4)], due) == [0.0, 1.0, 2.0, 3.0]
    assert waits(catch_up, [dependency(9, "other")], due) == [0.4]


def test_a_turn_is_kept_when_it_is_asked_for_again() -> None:
    catch_up = CatchUp(rate=10, host_rate=0)
    catch_up.begin()
    due = now() - LONG_AGO
    first, second = dependency(1), dependency(2)
    assert waits(catch_up, [first, second, second, first], due) == [0.0, 0.1, 0.1, 0.0]


def test_what_was_missed_in_a_handover_or_comes_due_in_office_does_not_wait() -> None:
    catch_up = CatchUp(rate=1, host_rate=1)
    catch_up.begin()
    for due in (now() - dt.timedelta(seconds=30), now() + dt.timedelta(minutes=1)):
        assert waits(catch_up, [dependency(n) for n in range(3)], due) == [0.0, 0.0, 0.0]


def test_without_limits_nothing_waits() -> None:
    catch_up = CatchUp(rate=0, host_rate=0)
    catch_up.begin()
    assert waits(catch_up, [dependency(n) for n in range(3)], now() - LONG_AGO) == [0.0, 0.0, 0.0]
