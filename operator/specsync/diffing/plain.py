"""Text of documents without what a terminal, a browser or an XML parser would take for more than text."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor, screen
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # titles, links, the clipboard
    r"|\x1b[ -/]*[0-~]?"
)
"""Escape sequences of terminals (ECMA-48, 5.4 and 5.6)."""


def plain(text: str) -> str:
    """``text`` on one line: white space as spaces; escape sequences, control, format and unassigned characters left
    out. Among format characters are marks that reverse the order in which text is shown.
    """
    if text.isprintable():
        return text
    text = _ESCAPE.sub("", text)
    return "".join(character for character in " ".join(text.split()) if character.isprintable())
