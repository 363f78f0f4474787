"""`python -m tour [--once] [--cluster current] [--state DIR]`."""

import argparse
import contextlib
import fcntl
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from devcluster import DevclusterError
from tour.alerts import Alerts
from tour.cluster import Cluster, current_cluster, development_cluster
from tour.operator import Operator, running_operator
from tour.receiver import running_receiver
from tour.shell import PROJECT, Shell, TourFailed
from tour.story import Story
from tour.terminal import Terminal


def main() -> int:
    """Returns the exit code: 0 when all was as it should be, 1 when something was not, 130 after Ctrl-C in between."""
    options = _options()
    terminal = Terminal()
    # SIGINT too: a shell that starts us in the background lets us ignore it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with _only_one(options.state):
            _give_tour(options, terminal)
    except (TourFailed, DevclusterError) as error:
        terminal.bad(str(error))
        return 1
    except KeyboardInterrupt:
        terminal.note("Interrupted; all that the tour started has been ended.")
        return 130
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tour", description="A tour of specsync on real input.")
    parser.add_argument("--once", action="store_true", help="end after the tour: 0 if all was as it should be, else 1")
    parser.add_argument("--cluster", choices=("current",), help="use the cluster of the current kubectl context")
    parser.add_argument(
        "--state", type=Path, default=PROJECT / ".run", metavar="DIR", help="folder of data and logs (default: .run)"
    )
    options = parser.parse_args()
    options.state = options.state.absolute()
    return options


@contextlib.contextmanager
def _only_one(state: Path) -> Iterator[None]:
    folder = state / "tour"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TourFailed("a tour is going on already: end it with Ctrl-C, or give another --state") from None
        yield


def _give_tour(options: argparse.Namespace, terminal: Terminal) -> None:
    use = current_cluster if options.cluster else development_cluster
    started = time.monotonic()
    terminal.chapter("A cluster")
    with running_receiver() as receiver, use(options.state, terminal) as cluster:
        shell = Shell(terminal, cluster.environment)
        story = Story(cluster, shell, terminal)
        alerts = Alerts(receiver, shell, terminal)
        installed_before = story.make_room()
        shell.show("kubectl version")
        try:
            story.install()
            terminal.say(
                "Here the operator runs beside the cluster, as those two service accounts. In a Pod it is the same."
            )
            with _told(
                running_operator(cluster, shell, terminal, (cluster.address, receiver.address)), terminal
            ) as operator:
                shell.watch = lambda: operator.failure() or cluster.failure()
                try:
                    _tell(story, alerts)
                    terminal.note(f"All as it should be, in {time.monotonic() - started:.0f} s.")
                    if not options.once:
                        _stay(cluster, shell, terminal)
                except TourFailed as error:
                    raise TourFailed(f"{error}\n\n{operator.log_tail()}") from error
                finally:
                    shell.watch = lambda: None
        finally:
            with _undisturbed():
                if not cluster.owned:
                    story.clean_up(installed_before)


def _tell(story: Story, alerts: Alerts) -> None:
    story.watch_contracts()
    story.baseline()
    alerts.open_channel()
    story.safe_change()
    story.breaking_change()
    alerts.look()
    alerts.acknowledge()


def _stay(cluster: Cluster, shell: Shell, terminal: Terminal) -> None:
    """Until Ctrl-C, or until something ends by itself: TourFailed."""
    terminal.chapter("Now it is yours")
    terminal.say("Cluster and operator go on until Ctrl-C. In another terminal:")
    own_path = cluster.environment["PATH"].removesuffix(os.environ.get("PATH", ""))
    terminal.verbatim(
        f"export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}",
        f"export PATH={shlex.quote(own_path)}$PATH",
        "kubectl get specsync",
        "kubectl explain dependency.spec.source",
    )
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            failure = shell.watch()
            if failure:
                raise TourFailed(failure)
            time.sleep(1)


@contextlib.contextmanager
def _told(running: contextlib.AbstractContextManager[Operator], terminal: Terminal) -> Iterator[Operator]:
    """Says that the operator is being ended, which may take some seconds, and lets no second Ctrl-C come between."""
    with contextlib.ExitStack() as stack:
        operator = stack.enter_context(running)
        try:
            yield operator
        finally:
            with _undisturbed():
                terminal.note("Ending what was started …")
                stack.close()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
