"""An operator process that hurts itself: `python -m tests.integration.faulty FAULT COMMAND [OPTIONS]`.

COMMAND and OPTIONS are those of `specsync`. FAULT is `ACTION@POINT`, done the first time that the process comes to
the point. ACTION is `kill` (SIGKILL) or `freeze` (SIGSTOP; the test thaws it). POINT is one of the runner's
(`before-parse`, `after-parse`, `recorded-parse`, `finished`), or `write`: when the API server has answered the first
write, Leases aside.
"""

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from specsync.cli.main import COMMANDS
from specsync.kube.client import KubeClient

ACTIONS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}


def main() -> None:
    action, _, point = sys.argv[1].partition("@")
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


def hurt_at_writes(hurt: Callable[[str], None]) -> None:
    """Makes each answered write of this process a point named `write`; renewals of Leases are none."""
    request = KubeClient._request

    async def observed(self: KubeClient, method: str, path: str, *args: Any, **options: Any) -> bytes:
        answer = await request(self, method, path, *args, **options)
        if method != "GET" and "/leases/" not in path and not path.endswith("/leases"):
            hurt("write")
        return answer

    KubeClient._request = observed  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
