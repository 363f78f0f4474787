"""`specsync diff OLD NEW`: what changed between two documents, and for whom it breaks."""

from __future__ import annotations

import argparse
import gc
import sys
from typing import TYPE_CHECKING

from specsync.cli.terminal import RawHelpFormatter, fail, has_color, text_width, write

if TYPE_CHECKING:
    from specsync.cli.documents import SourceText
    from specsync.diffing import Comparison, Event
    from specsync.diffing.report.source import Source
    from specsync.diffing.severities import Overrides
    from specsync.openapi.canonical import CanonicalDocument

ENDS_PROCESS = True
"""Nothing is left to tidy up when `run` returns: the process may end at once."""

FORMATS = ("text", "json", "yaml", "markdown", "html", "junit", "sarif", "github")
_LOCATED = ("sarif", "github")
"""Formats that name lines of the documents' texts."""
_COMPARED, _FOUND, _FAILED = 0, 1, 2
_WITNESS_SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Compare two OpenAPI documents (Swagger 2.0, OpenAPI 3.0 to 3.2; JSON or YAML):\n"
        "what changed, what was edited to change it, and whether it breaks clients."
    )
    parser.formatter_class = RawHelpFormatter
    parser.epilog = _EPILOG
    source = "a file, an http(s) URL, or - for standard input"
    parser.add_argument("old", metavar="OLD", help=f"the older document: {source}")
    parser.add_argument("new", metavar="NEW", help="the newer document: likewise")
    parser.add_argument(
        "-o",
        "--output",
        choices=FORMATS,
        default="text",
        metavar="FORMAT",
        help="text (the default), " + ", ".join(FORMATS[1:]),
    )
    parser.add_argument(
        "--fail-on",
        choices=("breaking", "risky"),
        help="exit with code 1 where there is a change of this severity or worse",
    )
    parser.add_argument(
        "--severity",
        metavar="FILE",
        help="other severities for some rules: lines such as 'api-security-removed err'; levels are err, warn, info "
        "and none (or breaking, risky and safe)",
    )
    parser.add_argument(
        "--ignore",
        metavar="FILE",
        action="append",
        default=[],
        help="changes to leave out, one a line: METHOD /path and the sentence or rule id that is printed for it, or "
        "its fingerprint; files for oasdiff's --err-ignore and --warn-ignore fit; may be repeated",
    )
    parser.add_argument(
        "--group",
        choices=("cause", "operation"),
        default="cause",
        help="show what was edited with the operations that it reaches (cause, the default), or each operation with "
        "its changes",
    )
    for name, text in (("only", "show changes of these operations only"), ("exclude", "leave these operations out")):
        parser.add_argument(
            f"--{name}", metavar="PATTERN", action="append", default=[], help=f"{text}; see below; may be repeated"
        )
    parser.add_argument(
        "--witness",
        action="store_true",
        help="look for a value that shows each breaking change: one document accepts it, the other refuses it",
    )
    parser.add_argument(
        "--external-refs",
        choices=("follow", "ignore"),
        default="follow",
        help="whether a $ref into another file is followed (the default): to files of the same folder tree, to URLs of "
        "the same origin; nothing is where one document comes from standard input",
    )
    parser.add_argument("--all", action="store_true", help="in text: name all operations that an edit reaches")


_EPILOG = """\
patterns of --only and --exclude:
  /pets/*            a path; * is any characters but /, ** any at all, ? one
  'GET /pets/**'     a method and a path
  operation:list*    an operationId
  tag:Pets           a tag
  With --only, changes that concern no operation are left out.

exit codes:
  0  compared; with --fail-on: nothing of that severity
  1  --fail-on found something
  2  could not compare: a document can't be read, or the call is wrong

examples:
  specsync diff v1.yaml v2.yaml
  specsync diff https://api.example.com/openapi.json openapi.yaml --fail-on breaking
  git show main:openapi.yaml | specsync diff - openapi.yaml -o markdown
"""


def run(options: argparse.Namespace) -> int:
    """Returns the exit code. Writes the comparison to standard output, or a reason to standard error."""
    gc.disable()  # a comparison leaves hardly any garbage behind, and the process ends with it
    try:
        return _run(options)
    finally:
        gc.enable()


def _run(options: argparse.Namespace) -> int:
    _import_msgspec()
    from specsync.cli.documents import Unreadable, canonical_pair, read_sources

    if options.old == "-" and options.new == "-":
        return fail("diff", "OLD and NEW can't both be -; give a file for one of them.", _FAILED)
    try:
        old, new = read_sources(options.old, options.new, follow=options.external_refs == "follow")
        documents = canonical_pair(old, new, meanwhile=_import_engine)
    except Unreadable as error:
        return fail("diff", str(error), _FAILED)
    if options.output not in _LOCATED:
        old.data = new.data = b""  # dozens of megabytes that nobody needs any more
    from specsync.diffing import compare

    comparison = compare(*documents)
    if options.witness and comparison.summary.breaking:
        from specsync.diffing.witness import attach_witnesses

        attach_witnesses(*documents, comparison, seconds=_WITNESS_SECONDS)
    if options.severity or options.ignore or options.only or options.exclude:
        try:
            comparison = _selected(options, comparison, *documents)
        except ValueError as error:
            return fail("diff", str(error), _FAILED)
    if any(document.format == "swagger-2.0" for document in documents):
        from specsync.diffing.swagger2 import with_own_pointers

        comparison = with_own_pointers(comparison, *documents)
    write(_report(options, comparison, (old, new), documents))
    found = comparison.summary.breaking or (options.fail_on == "risky" and comparison.summary.risky)
    return _FOUND if options.fail_on and found else _COMPARED


def _import_msgspec() -> None:
    """msgspec looks for `typing_extensions`, which takes 6 ms to import, and has from `typing` all that it needs."""
    if "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # as if it weren't installed
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules["typing_extensions"]


def _import_engine() -> None:
    import specsync.diffing  # noqa: F401


def _report(
    options: argparse.Namespace,
    comparison: Comparison,
    texts: tuple[SourceText, SourceText],
    documents: tuple[CanonicalDocument, CanonicalDocument],
) -> bytes:
    if options.output == "text":
        from specsync.diffing.report.text import text

        most = sys.maxsize if options.all else 3
        return text(comparison, color=has_color(), width=text_width(), operations=most, group=options.group).encode(
            "utf-8", "replace"
        )
    from specsync.diffing.report.source import Source

    old, new = (Source.of(document, source.name) for document, source in zip(documents, texts, strict=True))
    if options.output == "json":
        from specsync.diffing.report.json import json_report

        return json_report(comparison, old, new)
    if options.output in _LOCATED:
        return _located(options, comparison, texts, old, new)
    return _written(options, comparison, old, new).encode("utf-8", "replace")


def _written(options: argparse.Namespace, comparison: Comparison, old: Source, new: Source) -> str:
    match options.output:
        case "yaml":
            from specsync.diffing.report.yaml import yaml_report

            return yaml_report(comparison, old, new)
        case "markdown":
            from specsync.diffing.report.markdown import markdown

            return markdown(comparison, old, new, group=options.group)
        case "html":
            from specsync.diffing.report.html import html

            return html(comparison, old, new, group=options.group)
        case _:
            from specsync.diffing.report.junit import junit

            return junit(comparison, old, new, group=options.group, fails=options.fail_on or "breaking")


def _located(
    options: argparse.Namespace,
    comparison: Comparison,
    texts: tuple[SourceText, SourceText],
    old: Source,
    new: Source,
) -> bytes:
    from specsync.diffing.report.lines import find_lines
    from specsync.diffing.report.places import Places
    from specsync.openapi.bundle import own_text

    before, after = ((text.name, own_text(text.data)) for text in texts)
    places = Places(comparison, before, after, find_lines)
    if options.output == "sarif":
        from specsync.diffing.report.sarif import sarif

        return sarif(comparison, old, new, places, group=options.group)
    from specsync.diffing.report.github import github

    return github(comparison, places, group=options.group).encode("utf-8", "replace")


def _selected(
    options: argparse.Namespace, comparison: Comparison, old: CanonicalDocument, new: CanonicalDocument
) -> Comparison:
    """What is left with the user's severities, ignore files and filters. Raises ``ValueError`` with the reason."""
    from specsync.diffing.filters import Filters, read_pattern
    from specsync.diffing.ignores import Ignores
    from specsync.diffing.selection import select

    severities: Overrides = {}
    if options.severity:
        from specsync.diffing.severities import read_severities

        lines = _lines(options.severity)
        try:
            severities = read_severities(lines)
        except ValueError as error:
            raise ValueError(f"--severity {options.severity}: {error}.") from None
    filters = Filters(old, new, map(read_pattern, options.only), map(read_pattern, options.exclude))
    ignores = Ignores(line for file in options.ignore for line in _lines(file))
    ignored = 0

    def keeps(event: Event) -> bool:
        nonlocal ignored
        if not filters.keeps(event):
            return False
        is_ignored = ignores.covers(event)
        ignored += is_ignored
        return not is_ignored

    selected = select(comparison, severities, keeps)
    if ignored:
        print(f"specsync diff: {ignored} {'change' if ignored == 1 else 'changes'} ignored.", file=sys.stderr)
    return selected


def _lines(file: str) -> list[str]:
    from pathlib import Path

    try:
        return Path(file).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file}: it isn't text in UTF-8.") from None
