"""What the tour looks like: chapters, sentences, commands and their output."""

import os
import shutil
import sys
import textwrap

_BOLD, _DIM, _GREEN, _RED, _BLUE, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31;1m", "\x1b[36;1m", "\x1b[0m"


class Terminal:
    """Prints to standard output: coloured and fitted to the width on a terminal, plain and whole in a pipe."""

    def __init__(self) -> None:
        self.interactive = sys.stdout.isatty()
        self._color = self.interactive and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._chapters = 0

    def chapter(self, title: str) -> None:
        self._chapters += 1
        text = f"── {self._chapters} · {title} "
        self._print()
        self._print(self._styled(_BLUE, text + "─" * max(0, self._width() - len(text))))

    def say(self, text: str) -> None:
        """A paragraph."""
        self._print()
        for line in textwrap.wrap(" ".join(text.split()), self._width(), break_on_hyphens=False):
            self._print(line)

    def command(self, command: str) -> None:
        """A command, as it is typed; further lines are its standard input."""
        first, *rest = command.splitlines()
        self._print()
        self._print(self._styled(_BOLD, f"$ {first}"))
        for line in rest:
            self._print(line)

    def output(self, text: str, hang: str | None = None) -> None:
        """What a command printed. Lines that are too long for a terminal are cut, and show it.

        Where `hang` names a table's last column they are wrapped below its title instead.
        """
        columns, margin = self._columns(), 0
        for line in text.splitlines():
            if hang and not margin:
                margin = max(0, line.find(hang))
            if not self.interactive or len(line) <= columns:
                self._print(line)
            elif margin:
                wrapped = textwrap.wrap(line[margin:], columns - margin, break_on_hyphens=False)
                self._print(("\n" + " " * margin).join([line[:margin] + wrapped[0], *wrapped[1:]]))
            else:
                self._print(line[: columns - 1] + "…")

    def verbatim(self, *lines: str) -> None:
        """Lines to be copied, so never cut."""
        for line in lines:
            self._print(f"  {line}")

    def note(self, text: str) -> None:
        """Something beside the tour: progress, cleaning up."""
        self._print(self._styled(_DIM, text))

    def good(self, text: str) -> None:
        self._print(self._styled(_GREEN, f"✓ {text}"))

    def bad(self, text: str) -> None:
        self._print()
        self._print(self._styled(_RED, f"✗ {text}"))

    def confirmed(self, question: str) -> bool:
        """Whether the user typed y. Nobody is there to ask where input or output isn't a terminal: False."""
        if not (self.interactive and sys.stdin.isatty()):
            return False
        try:
            return input(f"\n{question} [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            return False

    def _columns(self) -> int:
        return max(shutil.get_terminal_size((100, 24)).columns, 40)

    def _width(self) -> int:
        return min(self._columns(), 100)

    def _styled(self, style: str, text: str) -> str:
        return f"{style}{text}{_RESET}" if self._color else text

    def _print(self, line: str = "") -> None:
        try:
            print(line, flush=True)
        except BrokenPipeError:  # nobody reads any more; what was started is still to be ended
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
