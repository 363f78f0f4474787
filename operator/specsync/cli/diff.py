"""``specsync diff OLD NEW``: what changed between two documents, and for whom it breaks."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

_EXIT_COMPARED, _EXIT_FOUND, _EXIT_FAILED = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Compare two OpenAPI documents (Swagger 2.0, OpenAPI 3.x; JSON or YAML). "
        "Exit code 0: compared; 1: --fail-on found something; 2: could not compare."
    )
    parser.add_argument("old", metavar="OLD", help="the older document: a file, or - for standard input")
    parser.add_argument("new", metavar="NEW", help="the newer document: a file, or - for standard input")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="format (default: text)")
    parser.add_argument(
        "--fail-on",
        choices=("breaking", "risky"),
        help="exit with code 1 where there is a change of this severity or worse",
    )


def run(args: argparse.Namespace) -> int:
    """Returns the exit code. Writes the comparison to standard output, and a reason to standard error where there
    is none.
    """
    from specsync.diffing import compare
    from specsync.diffing.report import Source, json_report, text
    from specsync.openapi.canonical import CanonicalDocument, normalize
    from specsync.openapi.errors import DocumentError
    from specsync.openapi.load import load

    if args.old == "-" and args.new == "-":
        return _fail("OLD and NEW can't both be -; give a file for one of them.")
    documents: list[CanonicalDocument] = []
    for name in (args.old, args.new):
        try:
            data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
            documents.append(normalize(load(data)))
        except OSError as error:
            return _fail(f"{name}: {error.strerror or error}.")
        except DocumentError as error:
            return _fail(f"{name}: {error.message}")
    comparison = compare(documents[0], documents[1])
    if args.output == "json":
        sources = [Source.of(document, name) for document, name in zip(documents, (args.old, args.new), strict=True)]
        output = json_report(comparison, *sources)
    else:
        output = text(comparison, color=_has_color(), width=_width()).encode()
    try:
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    found = comparison.summary.breaking or (args.fail_on == "risky" and comparison.summary.risky)
    return _EXIT_FOUND if args.fail_on and found else _EXIT_COMPARED


def _fail(reason: str) -> int:
    print(f"specsync diff: {' '.join(reason.split())}", file=sys.stderr)
    return _EXIT_FAILED


def _has_color() -> bool:
    """On a terminal only, and not where the user asks for none (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _width() -> int:
    return min(max(shutil.get_terminal_size((100, 24)).columns, 40), 140)
