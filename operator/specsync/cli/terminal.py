"""What commands print to: a terminal with its width and colours, or a pipe, which gets neither."""

import argparse
import os
import sys
from typing import Any


class Unwritten(Exception):
    """What a command found can't be written; the text says why."""


class HelpFormatter(argparse.HelpFormatter):
    """Help as wide as the terminal. The base class imports `shutil` to find that out, at the start of each command."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("width", _columns(otherwise=80) - 2)
        super().__init__(*arguments, **options)


class RawHelpFormatter(HelpFormatter, argparse.RawDescriptionHelpFormatter):
    """The same, with the text around the arguments as it is written."""


def has_color() -> bool:
    """On a terminal only, and not where the user asks for none (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def text_width() -> int:
    """Columns that running text may take."""
    return min(max(_columns(), 40), 140)


def table_width() -> int | None:
    """Columns that a table may take; None in a pipe, where nothing may be cut off."""
    return _columns() if sys.stdout.isatty() else None


def _columns(otherwise: int = 100) -> int:
    """As ``shutil.get_terminal_size`` finds them; importing that takes longer than all else here."""
    try:
        return int(os.environ["COLUMNS"]) or otherwise
    except (KeyError, ValueError):
        pass
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or otherwise
    except (OSError, ValueError):
        return otherwise


def with_open_streams() -> None:
    """Standard streams that the caller has closed (`<&-`, some cron jobs) are empty ones then, not None."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 -- for the life of the process
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123


def write(output: bytes) -> None:
    """Writes all of it to standard output; a reader that has seen enough (`| head`) is fine. Raises ``Unwritten``."""
    try:
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()
    except OSError as error:
        # What is left in the buffer would be tried again at the end, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise Unwritten(f"standard output can't be written to: {error.strerror or error}.") from None


def fail(command: str, reason: str, code: int = 1) -> int:
    """Says in one line why a command can't do what was asked, and returns the exit code."""
    line = " ".join(reason.split()).encode("utf-8", "replace").decode()
    if not line.isprintable():  # it quotes a document, which may hold escape sequences
        from specsync.diffing.plain import plain

        line = plain(line)
    print(f"specsync {command}: {line}", file=sys.stderr)
    return code
