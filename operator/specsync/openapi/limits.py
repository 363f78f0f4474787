"""What a document may cost before it is refused."""

from __future__ import annotations

import msgspec

from specsync.openapi.errors import DocumentError


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on one document, held before its tree is built wherever that is possible.

    The largest public documents (GitHub, 13 MB of JSON; Microsoft Graph, 37 MB of YAML) fit into the defaults.
    """

    max_bytes: int = 64 * 1024 * 1024
    """Size of the document as fetched, in bytes."""

    max_depth: int = 200
    """Levels of lists and mappings inside each other, the root being level 1."""

    max_nodes: int = 2_000_000
    """Scalars, lists and mappings (keys don't count); what a YAML alias stands for counts at each use.
    A tree of so many values needs half a gigabyte where it is all mappings with keys of their own."""


def too_large(size: int, limits: Limits) -> DocumentError:
    return DocumentError(
        "LimitExceeded",
        f"The document has {size:,} bytes, and at most {limits.max_bytes:,} are read. "
        "Check that the source is the API document itself.",
    )


def too_deep(limits: Limits, line: int | None = None, column: int | None = None) -> DocumentError:
    where = "" if line is None else f" at line {line}, column {column}"
    return DocumentError(
        "LimitExceeded",
        f"The document nests deeper than {limits.max_depth} levels{where}. Move nested parts into components.",
        line=line,
        column=column,
    )


def too_many_nodes(limits: Limits, line: int | None = None, column: int | None = None) -> DocumentError:
    where = "" if line is None else f" by line {line}, column {column}"
    return DocumentError(
        "LimitExceeded",
        f"The document has more than {limits.max_nodes:,} values{where}, YAML aliases counted at each use. "
        "Write repeated parts once, under components, and refer to them with $ref.",
        line=line,
        column=column,
    )
