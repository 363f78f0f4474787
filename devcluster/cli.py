"""The command line: build, up, down, env, exec."""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from devcluster.binaries import find_binaries
from devcluster.controlplane import ControlPlane, environment
from devcluster.deadline import wait_until
from devcluster.errors import DevclusterError
from devcluster.gomodules import KUBERNETES
from devcluster.objectserver import find_object_server
from devcluster.statefolder import DEFAULT_STATE, StateFolder

_PROJECT = Path(__file__).parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 1 after an error that was told on standard error."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except DevclusterError as error:
        print(f"devcluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _say("\nInterrupted.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devcluster",
        description=f"A real Kubernetes {KUBERNETES.version} control plane on this machine, without containers.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    state = argparse.ArgumentParser(add_help=False)
    state.add_argument(
        "--state",
        type=Path,
        default=DEFAULT_STATE,
        metavar="DIR",
        help="folder of its data and logs (default: .run/devcluster of the project)",
    )

    def add(
        name: str, command: Callable[[argparse.Namespace], int], text: str, *, stateful: bool = True
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, parents=[state] if stateful else [])
        added.set_defaults(command=command)
        return added

    programs = add("build", _build, "build the programs once, if they aren't there yet", stateful=False)
    programs.add_argument(
        "--object-server", action="store_true", help="only the S3 server that tests of the object store talk to"
    )
    up = add("up", _up, "start a control plane, fresh each time, and keep it until Ctrl-C")
    up.add_argument("--detach", action="store_true", help="return when it is ready; `down` stops it")
    up.add_argument("--audit", action="store_true", help="write an audit log to the state folder")
    up.add_argument(
        "--crds",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="install these definitions first, so that garbage of their kinds is collected at once",
    )
    add("down", _down, "stop a control plane; its logs stay")
    add("env", _env, 'print the settings for a shell: eval "$(python -m devcluster env)"')
    run = add("exec", _exec, "run a command that uses the control plane: exec -- kubectl get ns")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="-- CMD …")
    return parser


def _build(options: argparse.Namespace) -> int:
    if options.object_server:
        _say(f"The S3 server is there: {find_object_server(say=_say)}.")
        return 0
    binaries = find_binaries(say=_say)
    _say(f"The programs are there ({binaries.origin}: {binaries.kubectl.parent}).")
    return 0


def _up(options: argparse.Namespace) -> int:
    state = StateFolder(options.state)
    binaries = find_binaries(say=_say)
    if options.detach:
        return _up_detached(state, options)
    # As Ctrl-C; `down` sends it, and so do service managers.
    signal.signal(signal.SIGTERM, _interrupt)
    start = time.monotonic()
    plane = ControlPlane(state.path, binaries, audit=options.audit, crds=options.crds)
    with plane:
        _say(f"Kubernetes {KUBERNETES.version} is up at {plane.url} ({time.monotonic() - start:.1f} s).")
        _say(_how_to_use(state))
        _say("Ctrl-C stops it.")
        try:
            while not (failure := plane.failed_component()):
                time.sleep(1)
        except KeyboardInterrupt:
            _say("Stopped.")
            return 0
    raise DevclusterError(f"{failure}\nAll else has been stopped. The logs are in {state.logs}")


def _up_detached(state: StateFolder, options: argparse.Namespace) -> int:
    if state.is_up():
        _say(f"It is running already, as it was started.\n{_how_to_use(state)}")
        return 0
    state.prepare()
    command = [sys.executable, "-m", "devcluster", "up", "--state", str(state.path)]
    command += ["--audit"] if options.audit else []
    command += [word for path in options.crds for word in ("--crds", str(path.absolute()))]
    with state.detached_log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=_PROJECT,
            env=os.environ | {"PYTHONPATH": str(_PROJECT)},
            start_new_session=True,
        )
    try:
        wait_until(
            lambda: child.poll() is not None or (state.owner() == child.pid and state.is_up()),
            what=f"the control plane (its log is {state.detached_log})",
            timeout=180,
        )
    except BaseException:
        child.terminate()
        raise
    if child.returncode is not None:
        raise DevclusterError(f"It could not be started:\n{state.detached_log.read_text().strip()}")
    _say(f"Kubernetes {KUBERNETES.version} is up. Stop it with `python -m devcluster down{_where(state)}`.")
    _say(_how_to_use(state))
    return 0


def _down(options: argparse.Namespace) -> int:
    state = StateFolder(options.state)
    owner = state.owner()
    if owner is None:
        _say(f"No control plane is running in {state.path}.")
        return 0
    os.kill(owner, signal.SIGTERM)
    wait_until(lambda: state.owner() != owner, what=f"process {owner} to stop the control plane", timeout=30)
    _say(f"Stopped. The logs are in {state.logs}")
    return 0


def _env(options: argparse.Namespace) -> int:
    for name, value in _environment(options.state).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _exec(options: argparse.Namespace) -> int:
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        _say("Which command? For example: python -m devcluster exec -- kubectl get namespaces")
        return 2
    settings = os.environ | _environment(options.state)
    os.environ["PATH"] = settings["PATH"]  # execvpe looks in the PATH of this process
    try:
        os.execvpe(words[0], words, settings)  # noqa: S606 - the user's own command, without a shell
    except OSError as error:
        raise DevclusterError(f"{words[0]} cannot be run: {error.strerror}.") from None


def _environment(folder: Path) -> dict[str, str]:
    state = StateFolder(folder)
    if not state.is_up():
        raise DevclusterError(
            f"No control plane is running in {state.path}. "
            f"Start one with `python -m devcluster up --detach{_where(state)}`."
        )
    return environment(state, find_binaries(may_build=False), state.kubeconfig)


def _how_to_use(state: StateFolder) -> str:
    return (
        f'In this folder, for any shell: eval "$(python -m devcluster env{_where(state)})" && kubectl get namespaces\n'
        f"Only its kubeconfig: {state.kubeconfig}"
    )


def _where(state: StateFolder) -> str:
    return "" if state.path == DEFAULT_STATE else f" --state {shlex.quote(str(state.path))}"


def _interrupt(_signum: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
