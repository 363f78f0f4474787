"""The entry point of `specsync` and `kubectl specsync`: finds the command and hands over.

Each command's module is imported only when it is the one that was asked for: `specsync diff` starts in milliseconds.
"""

import argparse
import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from specsync.cli.terminal import HelpFormatter, RawHelpFormatter, Unwritten, fail, with_open_streams

_FAILED = 2
_INTERRUPTED = 130  # as shells say it

# command → (module, one line of help)
COMMANDS = {
    "run": ("specsync.cli.operate", "run the whole operator in one process: controller and worker"),
    "controller": ("specsync.cli.operate", "run a controller: schedules, admits, keeps the status of Dependencies"),
    "worker": ("specsync.cli.operate", "run a worker: claims SyncJobs and runs their stages"),
    "diff": ("specsync.cli.diff", "compare two OpenAPI documents"),
    "validate": ("specsync.cli.validate", "judge an OpenAPI document by the specification"),
    "rules": ("specsync.cli.rules", "list what counts as a change, and how severe it is"),
    "snapshot": ("specsync.cli.snapshot", "show what a SpecSnapshot holds"),
    "changes": ("specsync.cli.changes", "show what a ChangeSet holds"),
    "alerts": ("specsync.cli.alerts", "say who is told of a ChangeSet and why, or that you know of it"),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command and exits with its code; 2 for a wrong call, 130 where it was interrupted."""
    with_open_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] not in COMMANDS:
        _explain(arguments)
    command = arguments[0]
    module_name, text = COMMANDS[command]
    module = _imported(module_name)
    command_parser = argparse.ArgumentParser(
        prog=f"specsync {command}", description=text[0].upper() + text[1:] + ".", formatter_class=HelpFormatter
    )
    module.add_arguments(command_parser)
    options = command_parser.parse_args(arguments[1:])
    options.command = command
    code = _run(module, options)
    if argv is None and getattr(module, "ENDS_PROCESS", False):
        # Freeing a large document's objects one by one takes longer than some comparisons.
        with contextlib.suppress(OSError):  # what couldn't be written, the command has told of
            sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)


def _run(module: Any, options: argparse.Namespace) -> int:
    """The command's exit code. A 1 of Python's own would be a verdict of some commands: a defect of ours is a 2."""
    try:
        return int(module.run(options))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Unwritten as error:
        return fail(options.command, str(error), _FAILED)
    except Exception:
        import traceback  # takes longer than some commands

        traceback.print_exc()
        return fail(options.command, "this is a defect of specsync: please report it, with the lines above.", _FAILED)


def _imported(name: str) -> Any:
    """A module and all that it needs: without looking for garbage meanwhile, for there is none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        if was_enabled:
            gc.enable()


def _explain(arguments: list[str]) -> NoReturn:
    """What there is to call, to someone who asks for it or calls something else."""
    parser = argparse.ArgumentParser(
        prog="specsync",
        description="Watches the API contracts a team depends on.",
        formatter_class=RawHelpFormatter,
        epilog="commands:\n" + "\n".join(f"  {name:<11} {text}" for name, (_, text) in COMMANDS.items()),
        usage="specsync COMMAND [OPTIONS]",
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="see below; COMMAND --help says more")
    if not arguments:
        parser.print_help()
        raise SystemExit(2)
    parser.parse_args(arguments[:1])  # ends the process
    raise SystemExit(2)


if __name__ == "__main__":
    main()
