"""Why a document can't be used, in words for the person who has to do something about it."""

from __future__ import annotations

from typing import Literal

Reason = Literal[
    "EmptyDocument",  # nothing in it
    "HTMLDocument",  # a web page, most often a login or error page
    "NotParseable",  # neither JSON nor YAML
    "NotOpenAPI",  # parses, but it isn't an OpenAPI document
    "UnsupportedVersion",  # OpenAPI of a version that specsync doesn't know
    "LimitExceeded",  # too large, too deep, too many nodes, an alias bomb
    "UnresolvableReference",  # an internal $ref that points to nothing
]


class DocumentError(Exception):
    """A document that can't be used. Always the document's fault, so trying the same bytes again is pointless.

    ``message`` is one line for users: what is wrong, where, and the next step. ``line`` and ``column`` count
    from 1 in the text of the document; ``pointer`` is a JSON pointer into its tree. Each is None where it
    isn't known, and is already in ``message`` where it is.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        line: int | None = None,
        column: int | None = None,
        pointer: str | None = None,
    ) -> None:
        super().__init__(reason, message, line, column, pointer)
        self.reason: Reason = reason
        self.message = message
        self.line = line
        self.column = column
        self.pointer = pointer

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Errors travel from the child process that parses to the worker that reports them.
        return _rebuild, (self.reason, self.message, self.line, self.column, self.pointer)


def _rebuild(reason: Reason, message: str, line: int | None, column: int | None, pointer: str | None) -> DocumentError:
    return DocumentError(reason, message, line=line, column=column, pointer=pointer)
