"""The operator's processes in a chaos run: each has a place, which a fresh process takes when the old one is gone."""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from devcluster.deadline import wait_until
from devcluster.processes import Processes
from tests.chaos.gate import Gate
from tests.integration.probing import Probed

Role = Literal["controller", "worker"]

_LIBRARY = "faketime/libfaketime.so.1"
FAKETIME = next(Path("/usr/lib").glob(f"*/{_LIBRARY}"), Path("/usr/lib", _LIBRARY))
"""Debian's libfaketime, by which clocks are stepped."""

GRACE = 30.0  # seconds that a Pod has to end in


@dataclass(frozen=True)
class Blow:
    """A worker was killed, frozen or cut off: others are to take over its jobs. `at` is in seconds of this machine."""

    at: float
    kind: str
    worker: str
    """How its id begins."""


class Place:
    """One worker or controller of the deployment. Its process has a kubeconfig and a clock of its own.

    `code` is the folder with the operator's package, `folder` where files are kept.

    A place that is `spared` keeps its process, which serves probes: faults that would replace it pass it by.
    """

    def __init__(
        self,
        processes: Processes,
        role: Role,
        number: int,
        kubeconfig: Path,
        gate: Gate,
        code: Path,
        folder: Path,
        *,
        spared: bool = False,
    ) -> None:
        self.role = role
        self.name = f"{role}-{number}"
        self.gate = gate
        self.spared = spared
        self.probes = Probed()
        self.problems: list[str] = []
        self._processes = processes
        self._life = 0
        self._born = 0.0
        self._pid = 0
        self._expected = False  # to run
        self._code = code
        self._kubeconfig = folder / f"{self.name}.kubeconfig"
        self._clock = folder / f"{self.name}.clock"
        self._kubeconfig.write_text(_through(gate, kubeconfig.read_text()))
        self.set_clock(0)

    @property
    def process(self) -> str:
        """The name of the running process, with which its id begins."""
        return f"{self.name}-{self._life}"

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def age(self) -> float:
        """Seconds since its process was started."""
        return time.monotonic() - self._born

    @property
    def running(self) -> bool:
        return self._life > 0 and self._processes.is_running(self.process)

    def start(self, options: Sequence[str]) -> None:
        self._life += 1
        self._born = time.monotonic()
        command = [sys.executable, "-m", "specsync.cli.main", self.role, "--kubeconfig", str(self._kubeconfig)]
        # A port of its own isn't always free for the next process: only who stays has one.
        command += self.probes.options if self.spared else ("--probes-port", "0")
        environment = [f"POD_NAME={self.process}", f"PYTHONPATH={self._code}"]
        if FAKETIME.exists():
            environment += [
                f"LD_PRELOAD={FAKETIME}",
                "FAKETIME_DONT_FAKE_MONOTONIC=1",
                f"FAKETIME_TIMESTAMP_FILE={self._clock}",
                "FAKETIME_NO_CACHE=1",
            ]
        self._pid = self._processes.start(self.process, ["/usr/bin/env", *environment, *command, *options])
        self._expected = True

    def kill(self) -> None:
        self._expected = False
        self._processes.kill(self.process)

    def signal(self, signum: signal.Signals) -> None:
        self._processes.signal(self.process, signum)

    def stop(self) -> None:
        """Ends it as Kubernetes does: SIGTERM, and SIGKILL after the grace period."""
        self._expected = False
        name = self.process
        self._processes.signal(name, signal.SIGTERM)
        end = time.monotonic() + GRACE
        while self._processes.is_running(name) and time.monotonic() < end:
            time.sleep(0.05)
        if self._processes.is_running(name):
            self.problems.append(f"{name} was told to stop and still ran {GRACE:.0f} s later")
            self._processes.kill(name)
        elif (code := self._processes.exit_code(name)) != 0 and self._had_started(name):
            self.problems.append(f"{name} was told to stop and ended with code {code}")

    def _had_started(self, name: str) -> bool:
        """Before that Python itself answers a SIGTERM."""
        return '"started"' in self._processes.log(name).read_text(errors="replace")

    def check(self) -> None:
        """Notes a process that has ended by itself."""
        name = self.process
        if not self._expected or self._processes.is_running(name):
            return
        if self._expected and name == self.process:  # else another lane has ended it since then
            self._expected = False
            self.problems.append(f"{name} ended by itself with code {self._processes.exit_code(name)}")

    def set_clock(self, offset: int) -> None:
        """Seconds that its wall clock is ahead of the machine's; its monotonic clock isn't touched."""
        new = self._clock.with_suffix(".new")
        new.write_text(f"{offset:+d}\n")
        new.replace(self._clock)

    def children(self) -> list[int]:
        """The processes that it has started."""
        found: list[int] = []
        for task in Path(f"/proc/{self._pid}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue  # that thread has ended
        return found


class Fleet:
    """All places, and what is done to them. `leader` says which process leads, None where that can't be known."""

    def __init__(self, places: list[Place], options: Sequence[str], leader: Callable[[], str | None]) -> None:
        self.places = places
        self.blows: list[Blow] = []
        self._options = options
        self._leader = leader
        self._led: Place | None = None
        self._turn = threading.Lock()

    def workers(self) -> list[Place]:
        return [place for place in self.places if place.role == "worker"]

    def controllers(self) -> list[Place]:
        return [place for place in self.places if place.role == "controller"]

    def replaceable(self) -> list[Place]:
        """Those whose process may be killed or stopped, for a fresh one to take its place."""
        return [place for place in self.places if not place.spared]

    def leading(self) -> Place | None:
        """The leader, None while nobody leads; who led last where that can't be known."""
        leader = self._leader()
        if leader is None:
            return self._led
        found = next((place for place in self.controllers() if leader.startswith(f"{place.process}-")), None)
        self._led = found or self._led
        return found

    def start(self, place: Place) -> None:
        place.start(self._options)

    def start_all(self) -> None:
        for place in self.places:
            place.start(self._options)

    def blow(self, place: Place, kind: str) -> None:
        if place.role == "worker":
            with self._turn:
                self.blows.append(Blow(time.time(), kind, f"{place.process}-"))

    def check(self) -> None:
        for place in self.places:
            place.check()

    def make_whole(self) -> None:
        """After the faults: every place has a process that runs, with a network and the right time."""
        for place in self.places:
            place.gate.open()
            place.set_clock(0)
            place.check()
            if not place.running:
                self.start(place)
            place.signal(signal.SIGCONT)

    def stop_all(self) -> None:
        for place in self.places:
            place.signal(signal.SIGCONT)
            place.signal(signal.SIGTERM)
        for place in self.places:
            try:
                wait_until(lambda place=place: not place.running, what="it to end", timeout=GRACE)  # type: ignore[misc]
            except Exception:
                place.problems.append(f"{place.process} didn't end in {GRACE:.0f} s")
                place.kill()

    @property
    def problems(self) -> list[str]:
        return [problem for place in self.places for problem in place.problems]


def _through(gate: Gate, kubeconfig: str) -> str:
    content = json.loads(kubeconfig)
    content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{gate.port}"
    return json.dumps(content)
