"""`specsync changes NAME`: what a ChangeSet holds, worst first."""

import argparse
import sys
from collections import Counter
from typing import Any

import msgspec

from specsync.blobs.store import BlobError, BlobStore
from specsync.cli.blobstore import add_reading_arguments, readers_stores
from specsync.cli.reading import add_connection_arguments, find, run_reading
from specsync.cli.terminal import has_color, text_width, write
from specsync.diffing import Comparison
from specsync.diffing.plain import plain
from specsync.diffing.report import text
from specsync.kube.client import ApiError, KubeClient
from specsync.resources import ChangeSet
from specsync.resources.changeset import ChangeSetSpec, SnapshotPointer
from specsync.resources.dependency import DependencyStatus
from specsync.resources.meta import to_wire

_FEW = 3  # operations named for each cause, unless all are asked for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Show what a ChangeSet holds: what was edited in the contract, worst first."
    parser.add_argument("name", metavar="NAME", help="the ChangeSet's name, or dep/NAME: that Dependency's latest")
    parser.add_argument(
        "--all", action="store_true", help=f"name all operations that a change reaches, not only {_FEW}"
    )
    add_reading_arguments(parser)
    add_connection_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Returns the exit code: 0; 1 where it isn't there or can't be read; 2 for a wrong call."""

    async def read(client: KubeClient, namespace: str) -> bytes:
        change_set = await find(client, ChangeSet, namespace, options.name, _latest)
        comparison = await _comparison(readers_stores(client, options), namespace, change_set.spec)
        if options.output == "json":
            return _as_json(change_set, comparison)
        most = sys.maxsize if options.all else _FEW
        report = text(comparison, color=has_color(), width=text_width(), operations=most)
        return (_heading(change_set.spec) + report).encode()

    result = run_reading(options, read)
    if isinstance(result, int):
        return result
    write(result)
    return 0


def _latest(status: DependencyStatus) -> str | None:
    return status.last_change.change_set if status.last_change else None


async def _comparison(stores: BlobStore, namespace: str, spec: ChangeSetSpec) -> Comparison:
    """The whole comparison: from the blob where the ChangeSet itself holds a part only."""
    if spec.blob is not None:
        try:
            return msgspec.json.decode(await stores.get(namespace, spec.blob), type=Comparison)
        except (ApiError, BlobError) as error:
            shown = f"{len(spec.causes)} causes and {len(spec.events)} events that the ChangeSet itself holds"
            print(f"specsync changes: {error}; these are the {shown}.", file=sys.stderr)
    found: dict[str, Any] = to_wire(spec)
    # What the resource leaves out of a cause.
    events = Counter(event.cause for event in spec.events)
    for cause in found.get("causes", []):
        cause |= {"events": events[cause["fingerprint"]], "location": {}, "operations": cause.get("operations", 0)}
    for event in found.get("events", []):
        event.setdefault("location", {})
        if "witness" in event:  # its value stands there as JSON text
            event["witness"]["value"] = msgspec.json.decode(event["witness"]["value"])
    return msgspec.convert({"causes": [], "events": [], **found}, Comparison)


def _as_json(change_set: ChangeSet, comparison: Comparison) -> bytes:
    spec = change_set.spec
    found = {
        "name": change_set.metadata.name,
        "namespace": change_set.metadata.namespace,
        "dependency": spec.dependency,
        "from": spec.from_,
        "to": spec.to,
        "summary": comparison.summary,
        "causes": comparison.causes,
        "events": comparison.events,
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


def _heading(spec: ChangeSetSpec) -> str:
    return f"Dependency {spec.dependency}: {_version(spec.from_)} → {_version(spec.to)}\n"


def _version(pointer: SnapshotPointer) -> str:
    version = plain(pointer.version)
    return f"{version} ({pointer.snapshot})" if version else pointer.snapshot
