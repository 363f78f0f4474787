"""`specsync snapshot show|operations|findings|raw NAME`: what a SpecSnapshot holds."""

import argparse
import textwrap

import msgspec

from specsync.blobs.configmap import blob_name
from specsync.blobs.location import CONFIGMAP
from specsync.cli.blobstore import add_reading_arguments, readers_stores
from specsync.cli.reading import add_connection_arguments, find, run_reading
from specsync.cli.terminal import has_color, table_width, text_width, write
from specsync.diffing.plain import plain
from specsync.kube.client import KubeClient
from specsync.openapi.canonical import OperationSummary
from specsync.openapi.validation import Report
from specsync.resources import SpecSnapshot
from specsync.resources.blobref import BlobRef
from specsync.resources.dependency import DependencyStatus
from specsync.resources.meta import to_wire

_LABEL = 12  # columns of the names in `show`
_DOMAINS = 10  # domains named in `show`


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Show what a SpecSnapshot holds. show: what it is and where its content is; operations: the list of its "
        "operations; findings: where it breaks the OpenAPI specification; raw: the document as it was served, "
        "byte by byte; with the files that it refers to, where those were fetched, a tar archive."
    )
    parser.add_argument(
        "view",
        choices=("show", "operations", "findings", "raw"),
        metavar="show|operations|findings|raw",
        help="what to show",
    )
    parser.add_argument("name", metavar="NAME", help="the SpecSnapshot's name, or dep/NAME: that Dependency's latest")
    add_reading_arguments(parser)
    add_connection_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Returns the exit code: 0; 1 where it isn't there or can't be read; 2 for a wrong call."""

    async def read(client: KubeClient, namespace: str) -> bytes:
        snapshot = await find(client, SpecSnapshot, namespace, options.name, _current)
        stores, blobs = readers_stores(client, options), snapshot.spec.blobs
        if options.view == "raw":
            return await stores.get(namespace, blobs.raw)
        if options.view == "show":
            return _as_json(snapshot) if options.output == "json" else _description(snapshot).encode()
        if options.view == "findings":
            content = await stores.get(namespace, blobs.findings) if blobs.findings else None
            return _findings(snapshot, content, as_json=options.output == "json")
        content = await stores.get(namespace, blobs.operations)
        if options.output == "json":
            return msgspec.json.format(content, indent=2) + b"\n"
        return _table(msgspec.json.decode(content, type=list[OperationSummary])).encode()

    result = run_reading(options, read)
    if isinstance(result, int):
        return result
    write(result)
    return 0


def _current(status: DependencyStatus) -> str | None:
    return status.current.snapshot if status.current else None


def _as_json(snapshot: SpecSnapshot) -> bytes:
    found = {"name": snapshot.metadata.name, "namespace": snapshot.metadata.namespace, **to_wire(snapshot.spec)}
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


def _description(snapshot: SpecSnapshot) -> str:
    spec = snapshot.spec
    title = plain(f"{spec.title} {spec.version}".strip())
    lines = [f"\x1b[1m{title}\x1b[0m" if has_color() else title]
    lines += _field("Snapshot", f"{snapshot.metadata.name} of Dependency {spec.dependency}")
    lines += _field("Previous", spec.previous or "none: this was a first sync")
    lines += _field("Fetched", f"{spec.fetched_at:%Y-%m-%d %H:%M:%S} UTC")
    lines += _field("Format", spec.format)
    if spec.files > 1:
        lines += _field("Files", f"{spec.files}; specsync snapshot raw {snapshot.metadata.name} | tar t lists them")
    lines += _field("Operations", str(spec.operations))
    lines += _field("Domains", _domains(spec.domains))
    if spec.monitor is not None:
        part = [*spec.monitor.domains, *spec.monitor.endpoints]
        lines += _field("Monitor", f"a part of the contract: {', '.join(map(plain, part))}")
    lines += _field("Findings", str(spec.findings or "none"))
    lines += _field("Digests", f"canonical {spec.digests.canonical}")
    lines += _field("", f"raw       {spec.digests.raw}")
    places = [("raw", spec.blobs.raw), ("canonical", spec.blobs.canonical), ("operations", spec.blobs.operations)]
    if spec.blobs.findings is not None:
        places.append(("findings", spec.blobs.findings))
    for number, (content, ref) in enumerate(places):
        lines += _field("" if number else "Blobs", f"{content:<10} {_size(ref.size):>8}  {_place(ref)}")
    return "\n".join(lines) + "\n"


def _findings(snapshot: SpecSnapshot, content: bytes | None, *, as_json: bool) -> bytes:
    """A line for each: severity, place, message."""
    report = msgspec.json.decode(content, type=Report) if content else Report(format=snapshot.spec.format)
    if as_json:
        return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
    lines = [f"{each.severity}: {plain(each.place)}: {plain(each.message)}" for each in report.findings]
    more = report.errors + report.warnings - len(report.findings)
    if more > 0:
        lines.append(f"and {'' if report.complete else 'at least '}{more:,} more")
    return "".join(f"{line}\n" for line in [*lines, report.counted]).encode("utf-8", "replace")


def _domains(domains: list[str]) -> str:
    more = f" and {len(domains) - _DOMAINS} more" if len(domains) > _DOMAINS + 1 else ""
    return (", ".join(map(plain, domains[:_DOMAINS] if more else domains)) or "none") + more


def _field(name: str, text: str) -> list[str]:
    indent = " " * _LABEL
    return textwrap.wrap(
        text,
        text_width(),
        initial_indent=f"{name:<{_LABEL}}",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    ) or [name]


def _place(ref: BlobRef) -> str:
    return f"ConfigMap {blob_name(ref.key)}" if ref.backend == CONFIGMAP else f"{ref.backend}://… {ref.key}"


def _size(size: int) -> str:
    """In decimal units, as disks and downloads are measured."""
    if size < 1000:
        return f"{size} B"
    for unit in ("kB", "MB"):
        size_in_unit = size / (1000 if unit == "kB" else 1000**2)
        if size_in_unit < 1000:
            break
    return f"{size_in_unit:.1f} {unit}"


def _table(operations: list[OperationSummary]) -> str:
    """METHOD, PATH, DOMAIN, OPERATION: the last ones are cut, then dropped, where a terminal is too narrow."""
    rows = [("METHOD", "PATH", "DOMAIN", "OPERATION")]
    for operation in operations:
        name = (operation.operation_id or "") + (" (deprecated)" if operation.deprecated else "")
        rows.append((operation.method, plain(operation.path), plain(operation.domain), plain(name.strip())))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    most = table_width()
    lines = []
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        lines.append(line if most is None or len(line) <= most else line[: most - 1] + "…")
    return "\n".join(lines) + "\n"
