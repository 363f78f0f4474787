"""The entry point of `specsync` and `kubectl specsync`: finds the command and hands over.

Each command's module is imported only when it is the one that was asked for: `specsync diff` starts in milliseconds.
"""

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Sequence

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
}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command and exits with its code; 2 for a wrong call."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="specsync",
        description="Watches the API contracts a team depends on.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n" + "\n".join(f"  {name:<11} {text}" for name, (_, text) in COMMANDS.items()),
        usage="specsync COMMAND [OPTIONS]",
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="see below; COMMAND --help says more")
    if not arguments:
        parser.print_help()
        raise SystemExit(2)
    command = parser.parse_args(arguments[:1]).command
    module_name, text = COMMANDS[command]
    module = importlib.import_module(module_name)
    command_parser = argparse.ArgumentParser(prog=f"specsync {command}", description=text[0].upper() + text[1:] + ".")
    module.add_arguments(command_parser)
    options = command_parser.parse_args(arguments[1:])
    options.command = command
    code = module.run(options)
    if argv is None and getattr(module, "ENDS_PROCESS", False):
        # Freeing a large document's objects one by one takes longer than some comparisons.
        with contextlib.suppress(OSError):  # what couldn't be written, the command has told of
            sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
