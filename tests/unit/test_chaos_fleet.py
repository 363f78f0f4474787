"""The fleet of a chaos run: who is spared from what, and who has ended by itself."""

import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from devcluster.processes import Processes
from tests.chaos import faults
from tests.chaos.faults import Storm, run_lanes
from tests.chaos.fleet import Fleet, Place, Role
from tests.chaos.gate import Gate


class NoGate:
    """Counts how often it was cut."""

    port = 1

    def __init__(self) -> None:
        self.cuts = 0

    def cut(self, _: str) -> None:
        self.cuts += 1

    def open(self) -> None:
        pass


class NoProcesses:
    """Programs that are only noted: which run, and which signals each has got."""

    def __init__(self, folder: Path) -> None:
        self.running: set[str] = set()
        self.signals: list[tuple[str, int]] = []
        self.between: Callable[[str], None] = lambda _: None  # called before it is looked whether one runs
        self._folder = folder

    def start(self, name: str, _: object) -> int:
        self.running.add(name)
        return 0

    def signal(self, name: str, signum: signal.Signals) -> None:
        self.signals.append((name, signum))
        if signum == signal.SIGTERM:
            self.running.discard(name)

    def kill(self, name: str) -> None:
        self.running.discard(name)

    def is_running(self, name: str) -> bool:
        self.between(name)
        return name in self.running

    def exit_code(self, _: str) -> int:
        return 0

    def log(self, name: str) -> Path:
        return self._folder / name


@pytest.fixture
def processes(tmp_path: Path) -> NoProcesses:
    return NoProcesses(tmp_path)


def first(processes: NoProcesses) -> Callable[[], str]:
    """The first controller that runs leads."""
    return lambda: f"{min(processes.running)}-a"


def fleet(processes: NoProcesses, folder: Path, leader: Callable[[], str | None], *, spare: bool) -> Fleet:
    (folder / "kubeconfig").write_text('{"clusters": [{"cluster": {}}]}')
    roles: list[tuple[Role, int]] = [("controller", 0), ("controller", 1), ("worker", 0), ("worker", 1)]
    places = [
        Place(
            cast(Processes, processes),
            role,
            number,
            folder / "kubeconfig",
            cast(Gate, NoGate()),
            folder,
            folder,
            spared=spare and number == 0,
        )
        for role, number in roles
    ]
    made = Fleet(places, [], leader)
    made.start_all()
    return made


def stormy(fleet: Fleet) -> Storm:
    return Storm(cast(Any, None), fleet, cast(Any, None), None, 0.0, say=lambda _: None)


def operators_lane(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Storm:
    """All faults of the operator's lane have been done once."""
    storm = stormy(fleet)
    lane = faults.lanes_of(storm)["operator"]
    monkeypatch.setattr(faults, "lanes_of", lambda _: {"operator": lane})
    monkeypatch.setattr(faults, "_CHILD_WITHIN", 0.0)
    monkeypatch.setattr(Storm, "hold", lambda *_: None)
    run_lanes(storm, seed=1, seconds=0, calm=0)
    assert storm.problems == []
    return storm


def lives(fleet: Fleet) -> dict[str, int]:
    return {place.name: int(place.process.rpartition("-")[2]) for place in fleet.places}


def test_who_is_spared_is_frozen_and_cut_off_but_never_replaced(
    processes: NoProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fleet(processes, tmp_path, first(processes), spare=True)
    storm = operators_lane(made, monkeypatch)
    found = lives(made)
    assert (found["controller-0"], found["worker-0"]) == (1, 1)
    assert found["controller-1"] > 1
    assert found["worker-1"] > 1
    assert ("controller-0-1", signal.SIGSTOP) in processes.signals
    assert cast(NoGate, made.places[0].gate).cuts == 1
    assert storm.done["freeze the leader"] == storm.done["cut off the leader"] == 1
    assert "kill the leader" not in storm.done
    assert "stop another leader (SIGTERM)" not in storm.done


def test_another_that_leads_in_the_place_of_the_spared_one_is_stopped(
    processes: NoProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fleet(
        processes,
        tmp_path,
        lambda: "controller-1-1-a" if "controller-1-1" in processes.running else "controller-0-1-a",
        spare=True,
    )
    storm = operators_lane(made, monkeypatch)
    assert storm.done["stop another leader (SIGTERM)"] == 1
    assert lives(made)["controller-0"] == 1


def test_without_that_all_are_replaced(processes: NoProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fleet(processes, tmp_path, first(processes), spare=False)
    storm = operators_lane(made, monkeypatch)
    assert min(lives(made).values()) > 1
    assert storm.done["kill the leader"] == 1


def test_while_nobody_leads_no_other_is_taken_for_the_leader(processes: NoProcesses, tmp_path: Path) -> None:
    leader: list[str | None] = ["controller-1-1-a"]
    made = fleet(processes, tmp_path, lambda: leader[0], spare=False)
    assert made.leading() is made.places[1]
    leader[0] = None  # the API server is away
    assert made.leading() is made.places[1]
    leader[0] = "controller-1-0-a"  # a former life, whose Lease hasn't run out
    assert made.leading() is None
    with pytest.raises(faults.NothingToHurtError):
        faults.freeze_leader(stormy(made), random.Random(1))


def test_a_child_that_is_not_there_is_not_killed_and_not_counted(
    processes: NoProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storm = operators_lane(fleet(processes, tmp_path, first(processes), spare=False), monkeypatch)
    assert "kill a child process" not in storm.done


def test_a_process_that_ends_by_itself_is_noted_once(processes: NoProcesses, tmp_path: Path) -> None:
    made = fleet(processes, tmp_path, first(processes), spare=False)
    processes.running.discard("worker-0-1")
    made.check()
    made.check()
    assert made.problems == ["worker-0-1 ended by itself with code 0"]


@pytest.mark.parametrize("restarted", [False, True])
def test_one_that_is_killed_while_it_is_looked_at_has_not_ended_by_itself(
    processes: NoProcesses, tmp_path: Path, restarted: bool
) -> None:
    made = fleet(processes, tmp_path, first(processes), spare=False)
    place = made.places[-1]

    def kill_it(name: str) -> None:
        processes.between = lambda _: None
        place.kill()
        if restarted:
            made.start(place)

    processes.between = kill_it
    place.check()
    assert made.problems == []


def test_an_interrupted_run_ends_its_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = threading.Event(), threading.Event()

    def long(storm: Storm, _: random.Random) -> None:
        begun.set()
        storm.hold(60)
        ended.set()

    class Interrupted(threading.Thread):
        """Its first join is interrupted, as by Ctrl-C."""

        joins = 0

        def join(self, timeout: float | None = None) -> None:
            Interrupted.joins += 1
            if Interrupted.joins == 1:
                begun.wait(30)
                raise KeyboardInterrupt
            super().join(timeout)

    monkeypatch.setattr("tests.chaos.faults.threading.Thread", Interrupted)
    monkeypatch.setattr(faults, "lanes_of", lambda _: {"world": {"long": long}})
    with pytest.raises(KeyboardInterrupt):
        run_lanes(stormy(Fleet([], [], lambda: None)), seed=1, seconds=60, calm=0)
    assert ended.is_set()
