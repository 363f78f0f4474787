"""Where an event is in the files that were compared, for tools that show it there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import msgspec

from specsync.diffing.comparison import Comparison, Event
from specsync.diffing.plain import plain


class Place(msgspec.Struct, frozen=True, gc=False):
    file: str
    """As it was given; empty for what isn't a file."""
    line: int
    """From 1; 0 where it isn't known."""
    pointer: str


class Places:
    """Finds the file and line of events: in the newer document, or in the older one for what is gone.

    ``lines``: takes the text of a document and JSON pointers, gives the line of each that it finds.
    """

    def __init__(
        self,
        comparison: Comparison,
        old: tuple[str, bytes],
        new: tuple[str, bytes],
        lines: Callable[[bytes, set[str]], dict[str, int]],
    ) -> None:
        self._old, self._new = old[0], new[0]
        gone = {event.location.old or "" for event in comparison.events if event.location.new is None}
        there = {event.location.new for event in comparison.events if event.location.new is not None}
        self._old_lines = lines(old[1], gone) if gone and is_file(old[0]) else {}
        self._new_lines = lines(new[1], there) if there and is_file(new[0]) else {}

    def of(self, event: Event) -> Place:
        location = event.location
        name, pointer, lines = (
            (self._old, location.old or "", self._old_lines)
            if location.new is None
            else (self._new, location.new, self._new_lines)
        )
        return Place(plain(name) if is_file(name) else "", lines.get(pointer, 0), pointer)


def is_file(source: str) -> bool:
    return source != "-" and "://" not in source


def as_uri(source: str) -> str:
    """A file's name as a URI reference, relative to the current folder where it is in it."""
    if not is_file(source):
        return "" if source == "-" else source
    path = Path(source)
    if path.is_absolute():
        if not path.is_relative_to(Path.cwd()):
            return path.as_uri()
        path = path.relative_to(Path.cwd())
    return quote(path.as_posix())
