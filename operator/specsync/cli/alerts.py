"""`specsync alerts explain NAME`: who is told of a ChangeSet and why; `ack` and `resolve`: that somebody knows."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from specsync.alerting.explaining import by_channel, heading
from specsync.alerting.history import EarlierChange, acknowledged_causes, earlier_than
from specsync.alerting.routing import Situation, Verdict, route_change
from specsync.alerting.selecting import BlobEvent, Causes, blob_events
from specsync.blobs.store import BlobError
from specsync.cli.blobstore import add_reading_arguments, readers_stores
from specsync.cli.reading import add_connection_arguments, find, run_reading
from specsync.cli.terminal import write
from specsync.kube.client import ApiError, KubeClient
from specsync.resources import AlertChannel, AlertDelivery, AlertPreference, ChangeSet, Dependency
from specsync.resources.changeset import Triage
from specsync.resources.dependency import DependencyStatus
from specsync.resources.meta import FrozenStruct, ObjectMeta, now, to_wire

_MERGE = "application/merge-patch+json"


class _UserInfo(FrozenStruct, frozen=True, kw_only=True):
    username: str = ""


class _ReviewStatus(FrozenStruct, frozen=True, kw_only=True):
    user_info: _UserInfo = _UserInfo()


class _SelfSubjectReview(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """https://kubernetes.io/docs/reference/access-authn-authz/authentication/#self-subject-review"""

    api: ClassVar[tuple[str, str]] = ("apis/authentication.k8s.io/v1", "selfsubjectreviews")
    api_version: str = "authentication.k8s.io/v1"
    kind: str = "SelfSubjectReview"
    metadata: ObjectMeta = ObjectMeta()
    status: Annotated[_ReviewStatus, Meta()] = _ReviewStatus()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Say who is told of a ChangeSet and why, or that you know of it."
    parser.add_argument(
        "action",
        choices=("explain", "ack", "resolve"),
        help="explain: for each channel, why it gets it or not, and what became of it; ack: you know, so nobody is "
        "reminded, nor alerted of the same changes again; resolve: it is dealt with",
    )
    parser.add_argument("name", metavar="NAME", help="the ChangeSet's name, or dep/NAME: that Dependency's latest")
    parser.add_argument("--note", default="", metavar="TEXT", help="ack, resolve: what there is to say")
    parser.add_argument("--by", metavar="NAME", help="ack, resolve: who (default: as the cluster knows you)")
    add_reading_arguments(parser)
    add_connection_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Returns the exit code: 0; 1 where it isn't there or can't be read or written; 2 for a wrong call."""

    async def work(client: KubeClient, namespace: str) -> bytes:
        change_set = await find(client, ChangeSet, namespace, options.name, _latest)
        if options.action != "explain":
            field = "acknowledged" if options.action == "ack" else "resolved"
            return await _triage(client, change_set, field, options)
        whole = await _whole(client, change_set, options)
        return await _explain(client, Causes(change_set, whole), options.output)

    result = run_reading(options, work)
    if isinstance(result, int):
        return result
    write(result)
    return 0


def _latest(status: DependencyStatus) -> str | None:
    return status.last_change.change_set if status.last_change else None


async def _triage(client: KubeClient, change_set: ChangeSet, field: str, options: argparse.Namespace) -> bytes:
    by = (options.by or await _who_am_i(client))[:128]
    meta = change_set.metadata
    triage = Triage(by=by, at=now(), note=options.note[:1024])
    patch = {"spec": {field: {"note": None, **to_wire(triage)}}}  # without an earlier one's note
    written = await client.patch(ChangeSet, meta.namespace, meta.name, patch, content_type=_MERGE)
    if options.output == "json":
        return msgspec.json.format(msgspec.json.encode(getattr(written.spec, field)), indent=2) + b"\n"
    return f"ChangeSet {meta.name} is {field} by {by}.\n".encode()


async def _who_am_i(client: KubeClient) -> str:
    try:
        review = await client.create(_SelfSubjectReview())
    except ApiError:
        return os.environ.get("USER") or "somebody"
    return review.status.user_info.username or "somebody"


async def _whole(client: KubeClient, change_set: ChangeSet, options: argparse.Namespace) -> list[BlobEvent] | None:
    """All events, where the ChangeSet holds only the first ones; without them, scopes can't be judged wholly."""
    spec = change_set.spec
    if spec.blob is None:
        return None
    try:
        return blob_events(await readers_stores(client, options).get(change_set.metadata.namespace, spec.blob))
    except (ApiError, BlobError) as error:
        print(f"specsync alerts: {error}; judged by the first {len(spec.events)} events.", file=sys.stderr)
        return None


async def _explain(client: KubeClient, causes: Causes, output: str) -> bytes:
    change_set = causes.change_set
    meta, spec = change_set.metadata, change_set.spec
    dependency = await client.get(Dependency, meta.namespace, spec.dependency)
    channels = await client.list(AlertChannel, meta.namespace)
    preferences = await client.list(AlertPreference, meta.namespace)
    changes = await client.list(EarlierChange, meta.namespace, fields=f"spec.dependency={spec.dependency}", page=20)
    known = acknowledged_causes(earlier_than(meta.name, changes))
    at = meta.creation_timestamp or now()
    verdicts = route_change(causes, Situation(dependency, channels, preferences, known, at))
    told = await client.list(AlertDelivery, meta.namespace, fields=f"spec.changeSet={meta.name}")
    if output == "json":
        found = {"changeSet": meta.name, "verdicts": [_as_data(v, told) for v in verdicts]}
        return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"
    return "\n".join([*heading(change_set), "", *by_channel(verdicts, told, channels, now()), ""]).encode()


def _as_data(verdict: Verdict, told: Sequence[AlertDelivery]) -> dict[str, Any]:
    return {
        "channel": verdict.channel,
        "preference": verdict.preference,
        "topic": verdict.topic,
        "gets": verdict.route is not None,
        "why": verdict.why,
        "deliveries": [d.metadata.name for d in told if d.spec.channel == verdict.channel],
    }
