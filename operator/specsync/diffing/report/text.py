"""A comparison for a terminal: the counts, then what was edited, worst first, with the operations that it reaches."""

from __future__ import annotations

from collections.abc import Iterator

from specsync.diffing.comparison import SEVERITIES, Comparison, Severity
from specsync.diffing.plain import plain
from specsync.diffing.report.grouping import Edit, by_operation, change, counts, edits, example, in_words

_STYLES: dict[Severity, str] = {"breaking": "\x1b[31;1m", "risky": "\x1b[33m", "safe": "\x1b[32m"}
_DIM, _BOLD, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"
_LABEL = 10  # columns of a severity


def text(
    comparison: Comparison,
    *,
    color: bool = False,
    width: int = 100,
    operations: int = 3,
    severities: tuple[Severity, ...] = SEVERITIES,
    group: str = "cause",
) -> str:
    """The comparison as lines of at most ``width`` columns where words allow it.

    ``operations``: how many of an edit's operations are named. ``severities``: what is shown; all are counted.
    ``group``: ``cause`` or ``operation``.
    """
    parts = {severity: f"{count} {severity}" for severity, count in counts(comparison)}
    if color:
        parts = {severity: f"{_STYLES[severity]}{part}{_RESET}" for severity, part in parts.items()}
    lines = [in_words(comparison, parts)]
    if group == "operation":
        lines.extend(_operations(comparison, severities, color=color, width=width))
    else:
        lines.extend(_edits(comparison, severities, color=color, width=width, most=operations))
    return "\n".join(lines) + "\n"


def _edits(
    comparison: Comparison, severities: tuple[Severity, ...], *, color: bool, width: int, most: int
) -> Iterator[str]:
    found = edits(comparison)
    for severity in severities:
        shown = [edit for edit in found if edit.severity == severity]
        if shown:
            title = f"{severity.capitalize()} ({sum(len(edit.causes) for edit in shown)})"
            yield ""
            yield f"{_STYLES[severity]}{title}{_RESET}" if color else title
        for edit in shown:
            yield from _edit(edit, color=color, width=width, most=most)


def _edit(edit: Edit, *, color: bool, width: int, most: int) -> Iterator[str]:
    yield from _wrapped(edit.summary, width, "  ", "    ")
    values = change(edit.events[0]) if edit.events else None
    if values is not None and not any(value in edit.summary for value in values):
        yield from _wrapped(" → ".join(values), width, "      ", "        ")
    shown_by = example(edit.events)
    if shown_by:
        yield from _wrapped(shown_by, width, "      ", "        ")
    named = edit.operations()
    shown = named[:most] if len(named) > most + 1 and len(edit.causes) == 1 else named
    rest = [f"… and {len(named) - len(shown)} more operations"] if len(named) > len(shown) else []
    for line in (*shown, *rest):
        yield f"      {_DIM}{line}{_RESET}" if color else f"      {line}"


def _operations(comparison: Comparison, severities: tuple[Severity, ...], *, color: bool, width: int) -> Iterator[str]:
    for changes in by_operation(comparison):
        shown = [event for event in changes.events if event.severity in severities]
        if not shown:
            continue
        yield ""
        yield f"{_BOLD}{changes.name}{_RESET}" if color else changes.name
        for event in shown:
            lines = _wrapped(plain(event.summary), width - 2 - _LABEL, "", "  ")
            label = f"{event.severity:<{_LABEL}}"
            yield f"  {_STYLES[event.severity]}{label}{_RESET}{lines[0]}" if color else f"  {label}{lines[0]}"
            yield from (" " * (2 + _LABEL) + line for line in lines[1:])
            shown_by = example([event])
            if shown_by:
                indent = " " * (2 + _LABEL)
                yield from _wrapped(shown_by, width, indent, indent)


def _wrapped(line: str, width: int, first: str, further: str) -> list[str]:
    if len(first) + len(line) <= width:
        return [first + line]
    import textwrap  # noqa: PLC0415 - most lines fit

    return textwrap.wrap(line, width, initial_indent=first, subsequent_indent=further, break_long_words=False)
