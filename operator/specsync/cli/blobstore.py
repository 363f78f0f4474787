"""Where blobs are: the flags of the operator, and those of the commands that read as a user."""

import argparse
import os

from specsync.blobs.location import StorePlan
from specsync.blobs.registry import BlobStores
from specsync.blobs.store import BlobStoreError
from specsync.cli.flags import duration
from specsync.controller.sweep import SHORTEST_GRACE
from specsync.kube.client import KubeClient
from specsync.resources.reasons import Reason

VARIABLE = "SPECSYNC_BLOB_STORE"


def add_blob_arguments(parser: argparse.ArgumentParser) -> None:
    """For the operator."""
    parser.add_argument(
        "--blob-store",
        action="append",
        default=[],
        metavar="URL",
        help="where documents and change lists go: configmap (default), s3://BUCKET/PREFIX, gs://…, az://… or "
        "file:///FOLDER; given again: another place that is read too",
    )
    parser.add_argument(
        "--blob-store-secret",
        metavar="NAME",
        help="Secret in the operator's namespace with settings and credentials of the object store, such as "
        "AWS_ACCESS_KEY_ID; else the environment or the Pod's identity",
    )
    parser.add_argument(
        "--blob-store-timeout", type=duration, default=30.0, metavar="DURATION", help="for one request to it (30s)"
    )
    parser.add_argument(
        "--blob-grace",
        type=duration,
        default=86400.0,
        metavar="DURATION",
        help="sweep objects that nothing refers to after this time (24h)",
    )


def store_plan(options: argparse.Namespace) -> StorePlan:
    """Raises ValueError, which says what to write."""
    if getattr(options, "blob_grace", SHORTEST_GRACE) < SHORTEST_GRACE:
        raise ValueError("--blob-grace must be at least 1h: a job needs its blobs before anything refers to them")
    found = options.blob_store or [text for text in os.environ.get(VARIABLE, "").split() if text]
    return StorePlan.parse(found)


def operators_stores(client: KubeClient, plan: StorePlan, options: argparse.Namespace) -> BlobStores:
    """The stores as one of the operator's identities."""
    return BlobStores.planned(
        client, plan, options.namespace, options.blob_store_secret, timeout=options.blob_store_timeout
    )


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """For the commands that read content as the user who calls them."""
    parser.add_argument(
        "--blob-store",
        action="append",
        default=[],
        metavar="URL",
        help="the operator's object store, where content is in one: s3://BUCKET/PREFIX and the like, read with your "
        f"own credentials from the environment (AWS_…); default: {VARIABLE}",
    )


def readers_stores(client: KubeClient, options: argparse.Namespace) -> BlobStores:
    """The stores as the user. Raises BlobStoreError for a flag that can't be used."""
    try:
        plan = store_plan(options)
    except ValueError as error:
        raise BlobStoreError(Reason.BLOB_STORE_REFUSED, str(error)) from None
    return BlobStores.planned(client, plan)
