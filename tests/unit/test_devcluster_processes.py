"""Programs end with their owner, whatever way that ends."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.errors import DevclusterError
from devcluster.processes import Processes
from tests.waiting import eventually

PROJECT = Path(__file__).parent.parent.parent
SLEEP = ["sleep", "600"]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    owned = Processes(tmp_path)
    yield owned
    owned.close()


def test_output_goes_to_the_log_and_the_exit_code_is_kept(processes: Processes) -> None:
    processes.start("greeter", ["sh", "-c", "echo hello; echo oh >&2; exit 3"])
    eventually(lambda: processes.exit_code("greeter") == 3)
    assert processes.log("greeter").read_text() == "hello\noh\n"


def test_a_killed_program_can_be_started_again(processes: Processes) -> None:
    first = processes.start("sleeper", SLEEP)
    with pytest.raises(DevclusterError, match="running already"):
        processes.start("sleeper", SLEEP)
    processes.kill("sleeper")
    assert processes.exit_code("sleeper") == -signal.SIGKILL
    second = processes.start("sleeper", SLEEP)
    assert second != first
    assert processes.is_running("sleeper")


def test_a_program_that_is_not_there(processes: Processes) -> None:
    with pytest.raises(DevclusterError, match="ghost cannot be started: No such file"):
        processes.start("ghost", ["/nowhere/ghost"])


def test_a_question_about_a_program_that_was_never_started_hurts_no_other(processes: Processes) -> None:
    processes.start("sleeper", SLEEP)
    assert not processes.is_running("ghost")
    assert processes.exit_code("ghost") is None
    processes.kill("ghost")
    assert processes.is_running("sleeper")


def test_a_frozen_program_can_be_killed_and_thawed(processes: Processes) -> None:
    pid = processes.start("sleeper", SLEEP)
    processes.signal("sleeper", signal.SIGSTOP)
    eventually(lambda: state_of(pid).startswith("T"))
    processes.signal("sleeper", signal.SIGCONT)
    eventually(lambda: not state_of(pid).startswith("T"))


def test_closing_ends_all_and_later_requests_say_so(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    pids = [processes.start(name, SLEEP) for name in ("one", "two")]
    processes.close()
    assert not any(is_alive(pid) for pid in pids)
    processes.close()
    with pytest.raises(DevclusterError, match="has been stopped"):
        processes.start("three", SLEEP)


def test_programs_end_when_the_owner_is_killed(tmp_path: Path) -> None:
    owner, supervisor, sleeper = start_owner(tmp_path)
    with owner:
        owner.kill()
    eventually(lambda: not is_alive(sleeper) and not is_alive(supervisor))


def test_programs_end_when_the_owner_is_killed_and_its_forked_child_lives(tmp_path: Path) -> None:
    """Such a child holds the owner's end of the pipe open."""
    owner, supervisor, sleeper = start_owner(
        tmp_path, then="import os, time\nif os.fork() == 0: time.sleep(600)\nprint('forked', flush=True)"
    )
    with owner:
        assert owner.stdout
        assert owner.stdout.readline() == "forked\n"
        os.kill(owner.pid, signal.SIGKILL)
        eventually(lambda: not is_alive(sleeper) and not is_alive(supervisor))
        os.killpg(owner.pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="the signal on a parent's death is Linux's")
def test_programs_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    sleeper = processes.start("sleeper", SLEEP)
    os.kill(processes.supervisor_pid, signal.SIGKILL)
    eventually(lambda: not is_alive(sleeper))
    with pytest.raises(DevclusterError, match="has been stopped"):
        processes.is_running("sleeper")
    processes.close()


def test_programs_end_when_the_supervisor_is_asked_to_end(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    sleeper = processes.start("sleeper", SLEEP)
    os.kill(processes.supervisor_pid, signal.SIGTERM)
    eventually(lambda: not is_alive(sleeper))
    processes.close()


def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(processes, "_read_answer", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            processes.start("sleeper", SLEEP)
    processes.start("exiting", ["sh", "-c", "exit 4"])
    eventually(lambda: processes.exit_code("exiting") == 4)
    assert processes.is_running("sleeper")


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_a_thread_that_started_a_program_may_end(processes: Processes) -> None:
    starter = threading.Thread(target=processes.start, args=("sleeper", SLEEP))
    starter.start()
    starter.join()
    assert processes.is_running("sleeper")
    assert processes.exit_code("sleeper") is None


def start_owner(folder: Path, then: str = "") -> tuple[subprocess.Popen[str], int, int]:
    """A process that owns a sleeping program, the process ids of its supervisor and of the program."""
    code = (
        "import pathlib, sys\n"
        "from devcluster.processes import Processes\n"
        f"processes = Processes(pathlib.Path({str(folder)!r}))\n"
        f"sleeper = processes.start('sleeper', {SLEEP!r})\n"
        "print(processes.supervisor_pid, sleeper, flush=True)\n"
        f"{then}\n"
        "sys.stdin.read()\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert owner.stdout
    supervisor, sleeper = map(int, owner.stdout.readline().split())
    assert is_alive(sleeper)
    return owner, supervisor, sleeper


def state_of(pid: int) -> str:
    return subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits for its parent's `wait` doesn't."""
    return state_of(pid)[:1] not in ("", "Z")
