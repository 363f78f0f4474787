"""The faults of a chaos run. Three lanes run side by side; a lane does one fault after another, in a seeded order.

A fault is a function: it hurts, holds that for a while, and mends. Whatever it hurts is whole when it returns.
"""

import os
import random
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from devcluster import ControlPlane
from tests.chaos.fleet import FAKETIME, Fleet, Place
from tests.chaos.gate import CUTS
from tests.chaos.storage import Storage
from tests.chaos.vendor import FAULTS, Vendor


@dataclass
class Storm:
    """What faults are done to, and what came of them. `lease` is the Leases' duration in seconds.

    `storage` is the object store, None where blobs are in ConfigMaps.
    """

    cluster: ControlPlane
    fleet: Fleet
    vendor: Vendor
    storage: Storage | None
    lease: float
    say: Callable[[str], None]
    done: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)
    """When the control plane was hurt, from and to: seconds since 1970."""
    stopped: threading.Event = field(default_factory=threading.Event)

    def hold(self, seconds: float) -> None:
        self.stopped.wait(seconds)


_CHILD_WITHIN = 5.0  # seconds; workers start child processes for documents that are new

Dice = random.Random
Fault = Callable[[Storm, Dice], None]


class NothingToHurtError(Exception):
    """What a fault is for isn't there at the moment: it doesn't count as done."""


# The operator's processes


def kill_worker(storm: Storm, dice: Dice) -> None:
    place = dice.choice([place for place in storm.fleet.replaceable() if place.role == "worker"])
    storm.fleet.blow(place, "kill a worker")
    place.kill()
    storm.hold(dice.uniform(0, storm.lease))
    storm.fleet.start(place)


def freeze_worker(storm: Storm, dice: Dice) -> None:
    place = dice.choice(storm.fleet.workers())
    storm.fleet.blow(place, "freeze a worker")
    _freeze(storm, place, dice.uniform(1.2, 2.0) * storm.lease)


def cut_off_worker(storm: Storm, dice: Dice) -> None:
    place = dice.choice(storm.fleet.workers())
    how, length = dice.choice(CUTS), dice.uniform(0.5, 2.0) * storm.lease
    if how != "reset":
        storm.fleet.blow(place, "cut off a worker")
    place.gate.cut(how)
    storm.hold(length)
    place.gate.open()


def kill_child(storm: Storm, dice: Dice) -> None:
    end = time.monotonic() + _CHILD_WITHIN
    while time.monotonic() < end and not storm.stopped.is_set():
        if children := [child for place in storm.fleet.workers() for child in place.children()]:
            with suppress(ProcessLookupError):  # it ended just now
                os.kill(dice.choice(children), signal.SIGKILL)
                return
        storm.hold(0.1)
    raise NothingToHurtError


def kill_leader(storm: Storm, dice: Dice) -> None:
    place = _leader(storm)
    place.kill()
    storm.hold(dice.uniform(0, storm.lease))
    storm.fleet.start(place)


def stop_usurper(storm: Storm, _: Dice) -> None:
    """Where a controller is spared and another leads, that one is told to stop: the spared one takes over."""
    place = _leader(storm)
    if place.spared:
        raise NothingToHurtError
    place.stop()
    try:
        _leader(storm)  # the fresh one isn't to be the quicker one
    finally:
        storm.fleet.start(place)


def _leader(storm: Storm) -> Place:
    """Waits while nobody leads, as after the leader's death."""
    end = time.monotonic() + 3 * storm.lease
    while (place := storm.fleet.leading()) is None:
        if time.monotonic() > end or storm.stopped.is_set():
            raise NothingToHurtError
        storm.hold(0.2)
    return place


def freeze_leader(storm: Storm, dice: Dice) -> None:
    _freeze(storm, _leader(storm), dice.uniform(1.2, 2.0) * storm.lease)


def cut_off_leader(storm: Storm, dice: Dice) -> None:
    place = _leader(storm)
    place.gate.cut(dice.choice(CUTS))
    storm.hold(dice.uniform(0.5, 2.0) * storm.lease)
    place.gate.open()


def roll(storm: Storm, dice: Dice) -> None:
    """A rolling update: each process is told to stop, and a fresh one takes its place."""
    places = storm.fleet.replaceable()
    dice.shuffle(places)
    for place in places:
        storm.fleet.blow(place, "stop a worker (SIGTERM)")
        place.stop()
        storm.fleet.start(place)
        storm.hold(dice.uniform(0, 1))


def _freeze(storm: Storm, place: Place, seconds: float) -> None:
    place.signal(signal.SIGSTOP)
    storm.hold(seconds)
    place.signal(signal.SIGCONT)


# The control plane


def kill_api_server(storm: Storm, dice: Dice) -> None:
    storm.cluster.kill("kube-apiserver")
    storm.hold(dice.uniform(0, storm.lease))
    storm.cluster.start_component("kube-apiserver")


def freeze_api_server(storm: Storm, dice: Dice) -> None:
    storm.cluster.signal("kube-apiserver", signal.SIGSTOP)
    storm.hold(dice.uniform(0.3, 1.3) * storm.lease)
    storm.cluster.signal("kube-apiserver", signal.SIGCONT)


def kill_etcd(storm: Storm, dice: Dice) -> None:
    storm.cluster.kill("etcd")
    storm.hold(dice.uniform(0, storm.lease))
    storm.cluster.start_component("etcd")


# The world around


def _vendor_fault(name: str) -> Fault:
    def fault(storm: Storm, dice: Dice) -> None:
        storm.vendor.tell(fault=name, share=dice.uniform(0.3, 1.0))
        storm.hold(dice.uniform(1.0, 4.0))
        storm.vendor.tell(fault="")

    return fault


def step_clock_of_worker(storm: Storm, dice: Dice) -> None:
    _step(storm, dice.choice(storm.fleet.workers()), dice)


def step_clock_of_leader(storm: Storm, dice: Dice) -> None:
    _step(storm, _leader(storm), dice)


def _step(storm: Storm, place: Place, dice: Dice) -> None:
    place.set_clock(dice.choice((-1, 1)) * dice.randrange(20, 120))
    storm.hold(dice.uniform(1.0, 2.0) * storm.lease)
    place.set_clock(0)


# The object store


def kill_object_store(storm: Storm, dice: Dice) -> None:
    storage = _storage(storm)
    storage.server.kill()
    storm.hold(dice.uniform(0.5, 2.0) * storm.lease)
    storage.server.start()


def freeze_object_store(storm: Storm, dice: Dice) -> None:
    storage = _storage(storm)
    storage.server.freeze()
    storm.hold(dice.uniform(0.5, 2.0) * storm.lease)
    storage.server.thaw()


def slow_object_store(storm: Storm, dice: Dice) -> None:
    """Every request takes half a second and more: it stands still most of the time."""
    server = _storage(storm).server
    end = time.monotonic() + dice.uniform(1.0, 3.0) * storm.lease
    while time.monotonic() < end and not storm.stopped.is_set():
        server.freeze()
        storm.hold(0.5)
        server.thaw()
        storm.hold(0.05)


def fill_object_store(storm: Storm, dice: Dice) -> None:
    with _storage(storm).full():
        storm.hold(dice.uniform(0.5, 2.0) * storm.lease)


def _storage(storm: Storm) -> Storage:
    assert storm.storage is not None
    return storm.storage


def lanes_of(storm: Storm) -> dict[str, dict[str, Fault]]:
    """What can be done here: faults by name, in each lane."""
    lanes: dict[str, dict[str, Fault]] = {
        "operator": {
            "kill a worker": kill_worker,
            "freeze a worker": freeze_worker,
            "cut off a worker": cut_off_worker,
            "kill a child process": kill_child,
            "kill the leader": kill_leader,
            "freeze the leader": freeze_leader,
            "cut off the leader": cut_off_leader,
            "rolling update": roll,
        },
        "control plane": {
            "kill the API server": kill_api_server,
            "freeze the API server": freeze_api_server,
            "kill etcd": kill_etcd,
        },
        "world": {f"vendors: {name}": _vendor_fault(name) for name in FAULTS},
    }
    if _leader_is_spared(storm):
        del lanes["operator"]["kill the leader"]
    if FAKETIME.exists():
        lanes["world"] |= {
            "step a worker's clock": step_clock_of_worker,
            "step the leader's clock": step_clock_of_leader,
        }
    if storm.storage is not None:
        lanes["storage"] = {
            "kill the object store": kill_object_store,
            "freeze the object store": freeze_object_store,
            "slow the object store": slow_object_store,
        }
        if storm.storage.may_be_full:
            lanes["storage"]["fill the object store's disk"] = fill_object_store
    return lanes


def left_out(storm: Storm) -> list[str]:
    """What can't be done here and why, as sentences."""
    reasons = []
    if not FAKETIME.exists():
        reasons.append(f"Clocks are not stepped: {FAKETIME} is missing (Debian: apt-get install libfaketime)")
    if storm.storage is not None and not storm.storage.may_be_full:
        reasons.append("The object store is never full: this user may not mount a small disk")
    return reasons


def _leader_is_spared(storm: Storm) -> bool:
    return any(place.spared for place in storm.fleet.controllers())


_CALM = {"operator": (0.5, 2.0), "control plane": (5.0, 12.0), "world": (0.5, 2.0), "storage": (3.0, 8.0)}
"""Seconds between two faults of a lane."""


def run_lanes(storm: Storm, seed: int, seconds: float, calm: float = 1.0) -> None:
    """All lanes for so long, each at least until it has done each of its faults once; returns when all is mended.

    `calm` stretches the pauses between faults.
    """
    found = lanes_of(storm)
    over = threading.Event()
    timer = threading.Timer(seconds, over.set)
    timer.start()
    lanes = [
        threading.Thread(target=_run_lane, args=(storm, name, found[name], seed, over, calm), name=name)
        for name in found
    ]
    for lane in lanes:
        lane.start()
    try:
        for lane in lanes:
            lane.join()
    except BaseException:
        storm.stopped.set()  # Ctrl-C: what is hurt is mended first, for nobody waits for a lane that is left alone
        for lane in lanes:
            lane.join()
        raise
    finally:
        timer.cancel()


def _run_lane(storm: Storm, lane: str, faults: dict[str, Fault], seed: int, over: threading.Event, calm: float) -> None:
    dice = random.Random(f"{seed}/{lane}")  # of its own, so that lanes don't change each other's order
    first = True
    while first or not over.is_set():
        names = list(faults)
        dice.shuffle(names)
        for name in names:
            if over.is_set() and not first:
                return
            if lane == "operator" and _leader_is_spared(storm):
                _attempt(storm, "stop another leader (SIGTERM)", stop_usurper, dice)
            storm.hold(calm * dice.uniform(*_CALM[lane]))
            if storm.stopped.is_set():
                return
            storm.say(name)
            began = time.time()
            if not _attempt(storm, name, faults[name], dice):
                return
            if lane == "control plane":
                storm.outages.append((began, time.time()))
            storm.fleet.check()
        first = False


def _attempt(storm: Storm, name: str, fault: Fault, dice: Dice) -> bool:
    """Whether its lane can go on: not after an error of the fault itself, for what it hurt may not be mended."""
    try:
        fault(storm, dice)
    except NothingToHurtError:
        storm.say(f"{name}: nothing is there to hurt")
    except Exception:
        storm.problems.append(f"the fault “{name}” itself failed:\n{traceback.format_exc()}")
        return False
    else:
        storm.done[name] += 1
    return True
