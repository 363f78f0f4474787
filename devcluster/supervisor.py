"""The process between a control plane's owner and its programs: it ends them when the owner is gone.

Run as `python -m devcluster.supervisor OWNER_PID`. It reads requests as JSON lines from standard input and
answers each with one line with the same `id`. It ends all its programs when its input closes or the owner's
process ends, also by kill -9. A process of its own, for a signal on the parent's death (PR_SET_PDEATHSIG)
follows the *thread* that forked: asked for by a thread of the owner it would come too early. The supervisor
has one thread only, so its programs can ask for it, and don't outlive a kill -9 of the supervisor either
(on Linux).
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


class Programs:
    """The programs that this supervisor has started, by name."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._before_exec = _die_with_parent()

    def start(self, name: str, argv: list[str], log: str) -> dict[str, Any]:
        """Start a program with its output appended to the file `log`."""
        if self._is_running(name):
            return {"error": f"{name} is running already"}
        try:
            with Path(log).open("ab") as output:
                self._running[name] = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    preexec_fn=self._before_exec,  # noqa: PLW1509 - one thread only, see above
                )
        except OSError as error:
            return {"error": f"{name} cannot be started: {error.strerror}"}
        return {"pid": self._running[name].pid}

    def signal(self, name: str, signal: int) -> dict[str, Any]:
        """Send a signal to a program; nothing happens if it has ended."""
        if self._is_running(name):
            self._running[name].send_signal(signal)
        return {}

    def poll(self, name: str) -> dict[str, Any]:
        """Whether a program runs, and else its exit code (negative: ended by that signal; none: never started)."""
        running = self._is_running(name)
        return {"running": running, "exit": self._running[name].returncode if name in self._running else None}

    def end_all(self) -> None:
        """Kill at once: the data is thrown away, there is nothing to end gracefully."""
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait()

    def _is_running(self, name: str) -> bool:
        return name in self._running and self._running[name].poll() is None


def serve(owner: int) -> None:
    """Answer requests until the owner closes the pipe or ends."""
    programs = Programs()
    actions: dict[str, Callable[..., dict[str, Any]]] = {
        "start": programs.start,
        "signal": programs.signal,
        "poll": programs.poll,
    }
    try:
        for line in _requests(owner):
            request = json.loads(line)
            number, action = request.pop("id"), actions[request.pop("do")]
            answer = {"id": number, **action(**request)}
            os.write(sys.stdout.fileno(), json.dumps(answer).encode() + b"\n")
    except BrokenPipeError:
        pass  # the owner ended between its request and our answer
    finally:
        programs.end_all()


def _requests(owner: int) -> Iterator[bytes]:
    """Lines from standard input, until that closes or the owner ends.

    The owner's end of the pipe alone isn't enough: a child that the owner forked would hold it open.
    """
    channel = sys.stdin.fileno()
    watched = [channel]
    if hasattr(os, "pidfd_open"):
        watched.append(os.pidfd_open(owner))
    if os.getppid() != owner:
        return
    pending = b""
    while True:
        readable, _, _ = select.select(watched, [], [])
        if readable != [channel]:
            return
        received = os.read(channel, 65536)
        if not received:
            return
        *lines, pending = (pending + received).split(b"\n")
        yield from lines


def _die_with_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)  # before the fork: nothing is loaded in the child
    supervisor = os.getpid()

    def ask_for_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(1)

    return ask_for_signal


def _end(signum: int, _frame: object) -> None:
    sys.exit(128 + signum)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to answer
    serve(int(sys.argv[1]))
