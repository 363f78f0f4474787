"""An operator process that hurts itself: `python -m tests.integration.faulty FAULT COMMAND [OPTIONS]`.

COMMAND and OPTIONS are those of `specsync`. FAULT is `ACTION@POINT`, done the first time that the process comes to
the point. ACTION is `kill` (SIGKILL) or `freeze` (SIGSTOP; the test thaws it). POINT is one of the runner's
(`before-parse`, `after-parse`, `recorded-parse`, `finished`), or `write-7`: when the API server has answered the
seventh write, Leases aside; or `alert-2`: when it has answered the creation of the second AlertDelivery.

`wedge@observe` is another one: the loop that looks at the other workers' Leases waits for something that never comes,
and a loop of this process counts as standing still after two seconds.
"""

import argparse
import asyncio
import importlib
import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from specsync.cli.main import COMMANDS
from specsync.kube import loops
from specsync.kube.client import KubeClient
from specsync.kube.leases import Roster

ACTIONS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}


def main() -> None:
    action, _, point = sys.argv[1].partition("@")
    if action == "wedge":
        hurt = wedge()
    else:
        hurt = once_at(point, ACTIONS[action])
        hurt_at_writes(hurt)
    module = importlib.import_module(COMMANDS[sys.argv[2]][0])
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    options = parser.parse_args(sys.argv[3:])
    options.command = sys.argv[2]
    raise SystemExit(module.run(options, pause=hurt))


def once_at(wanted: str, signum: signal.Signals) -> Callable[[str], None]:
    """A function for named points, which sends this process the signal at its first call with the wanted one."""
    left = [signum]

    def at(point: str) -> None:
        if point == wanted and left:
            os.kill(os.getpid(), left.pop())

    return at


def wedge() -> Callable[[str], None]:
    async def wait_for_ever(_: Roster) -> None:
        await asyncio.Event().wait()

    loops.PATIENCE = 2.0
    Roster.observe = wait_for_ever  # type: ignore[method-assign]
    return lambda _: None


def hurt_at_writes(hurt: Callable[[str], None]) -> None:
    """Makes each answered write of this process a point, numbered from 1; renewals of Leases are none."""
    request, count, alerts = KubeClient._request, itertools.count(1), itertools.count(1)

    async def observed(self: KubeClient, verb: Any, path: str, *args: Any, **options: Any) -> bytes:
        answer = await request(self, verb, path, *args, **options)
        if verb not in ("get", "list") and "/leases/" not in path and not path.endswith("/leases"):
            hurt(f"write-{next(count)}")
        if verb == "create" and path.endswith("/alertdeliveries"):
            hurt(f"alert-{next(alerts)}")
        return answer

    KubeClient._request = observed  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
