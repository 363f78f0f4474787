"""`specsync validate FILE|URL|-`: whether a document is what the OpenAPI specification asks for, and where it isn't."""

from __future__ import annotations

import argparse
import gc
from typing import TYPE_CHECKING

import msgspec

from specsync.cli.terminal import RawHelpFormatter, fail, has_color, write

if TYPE_CHECKING:
    from specsync.cli.documents import SourceText
    from specsync.openapi.load import Loaded
    from specsync.openapi.validation import Report

ENDS_PROCESS = True
"""Nothing is left to tidy up when `run` returns: the process may end at once."""

_VALID, _INVALID, _FAILED = 0, 1, 2
_MOST_SHOWN, _MOST_EXTERNAL = 50, 3
_STYLES = {"error": "\x1b[31;1m", "warning": "\x1b[33m"}
_RESET = "\x1b[0m"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Judge an OpenAPI document (Swagger 2.0, OpenAPI 3.0 to 3.2; JSON or YAML) by the official schema of its "
        "version, and by what schemas can't say: operationIds given twice, path parameters, references, security."
    )
    parser.formatter_class = RawHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("source", metavar="SOURCE", help="a file, an http(s) URL, or - for standard input")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="format (default: text)")
    parser.add_argument(
        "--external-refs",
        choices=("follow", "ignore"),
        default="follow",
        help="whether a $ref into another file is followed (the default): to files of the same folder tree, to URLs of "
        "the same origin; not from standard input",
    )
    parser.add_argument("--all", action="store_true", help=f"in text: all that was found, not the first {_MOST_SHOWN}")


_EPILOG = """\
exit codes:
  0  valid; there may be warnings
  1  not valid
  2  no judgement: the document can't be read, or the call is wrong

examples:
  specsync validate openapi.yaml
  specsync validate https://api.example.com/openapi.json -o json
  git show main:openapi.yaml | specsync validate -
"""


def run(options: argparse.Namespace) -> int:
    """Returns the exit code. Writes the findings to standard output, or a reason to standard error."""
    from specsync.cli.documents import Unreadable, read_source
    from specsync.openapi.errors import DocumentError
    from specsync.openapi.load import load
    from specsync.openapi.validation import judge

    gc.disable()  # nothing of the document's tree becomes garbage before the process ends
    try:
        source = read_source(options.source, follow=options.external_refs == "follow")
        loaded = load(source.data)
        report = judge(loaded)
    except Unreadable as error:
        return fail("validate", str(error), _FAILED)
    except DocumentError as error:
        return fail("validate", f"{source.name}: {error.message}", _FAILED)
    finally:
        gc.enable()
    if options.output == "json":
        write(_as_json(report, source, loaded))
    else:
        write(_as_text(report, source, loaded, len(report.findings) if options.all else _MOST_SHOWN))
    return _VALID if report.valid else _INVALID


def _as_json(report: Report, source: SourceText, loaded: Loaded) -> bytes:
    found = {
        "source": source.name,
        "format": loaded.format,
        "title": loaded.title,
        "version": loaded.version,
        "valid": report.valid,
        "errors": report.errors,
        "warnings": report.warnings,
        "complete": report.complete,
        "findings": report.findings,
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


def _as_text(report: Report, source: SourceText, loaded: Loaded, most: int) -> bytes:
    from specsync.diffing.plain import plain
    from specsync.diffing.report.lines import find_lines
    from specsync.openapi.bundle import own_text

    shown = report.findings[:most]
    own = {finding.pointer for finding in shown if not finding.file}
    lines = find_lines(own_text(source.data), own) if own else {}
    name = "" if source.name == "-" else source.name
    text = []
    for finding in shown:
        line = None if finding.file else lines.get(finding.pointer)
        where = ":".join(part for part in (name, str(line or "")) if part)
        style, reset = (_STYLES[finding.severity], _RESET) if has_color() else ("", "")
        severity = f"{style}{finding.severity}{reset}"
        text.append(f"{where + ': ' if where else ''}{severity}: {plain(finding.place)}: {plain(finding.message)}")
    if report.external:
        many = report.external != 1
        what = f"reference{'s' if many else ''} out of the document {'were' if many else 'was'} not followed"
        text.append(f"note: {report.external} {what}: {'; '.join(map(plain, report.external_first[:_MOST_EXTERNAL]))}")
    more = report.errors + report.warnings - len(shown)
    if more > 0:
        next_step = "; --all shows them" if len(report.findings) > len(shown) else ""
        text.append(f"and {'' if report.complete else 'at least '}{more:,} more{next_step}")
    what = plain(f"{loaded.title} {loaded.version}".strip()) or "the document"
    verdict = "is valid" if report.valid else "is not valid"
    counted = f": {report.counted}" if report.findings else ""
    text.append(f"{what} ({loaded.format}) {verdict}{counted}")
    return "".join(f"{line}\n" for line in text).encode("utf-8", "replace")
