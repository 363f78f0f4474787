"""What the commands that read from the cluster share: their flags, and errors in one line with the next step."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from specsync.blobs.store import BlobError, BlobStoreError
from specsync.cli.terminal import fail
from specsync.kube.client import ApiError, KubeClient, NotFound
from specsync.kube.connection import ConnectionError, context_namespace
from specsync.resources import Dependency
from specsync.resources.dependency import DependencyStatus
from specsync.resources.meta import Resource

R = TypeVar("R", bound=Resource)

_VERIFY = "kubectl annotate --overwrite dep/NAME specsync.dev/requestedAt=verify-$(date +%s)"

# `dep/petstore` in place of an object's name: the latest one of that Dependency.
_OF_DEPENDENCY = ("dep/", "dependency/", "dependencies/")


def add_connection_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--namespace", help="namespace (default: that of the kubeconfig's context)")
    parser.add_argument("--kubeconfig", metavar="FILE", help="kubeconfig file (default: as kubectl)")
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig (default: its current one)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="format (default: text)")


def run_reading(options: argparse.Namespace, read: Callable[[KubeClient, str], Awaitable[bytes]]) -> bytes | int:
    """Calls `read` with a client and the namespace; returns what it made, or the exit code of a failure told."""
    command: str = options.command
    try:
        namespace = options.namespace or context_namespace(options.kubeconfig, options.context)
        return asyncio.run(_connected(options, namespace, read))
    except ConnectionError as error:
        return fail(command, str(error), 2)
    except NothingYet as error:
        return fail(command, str(error))
    except BlobStoreError as error:
        return fail(command, _store_error(error))
    except BlobError as error:
        return fail(command, f"{error}. Ask for another sync that looks at it, and stores the latest anew: {_VERIFY}")
    except ApiError as error:
        return fail(command, _api_error(error))
    except msgspec.DecodeError as error:
        return fail(command, f"what is there isn't as this version writes it ({error}). Use the operator's version.")


async def _connected(
    options: argparse.Namespace, namespace: str, read: Callable[[KubeClient, str], Awaitable[bytes]]
) -> bytes:
    client = await KubeClient.connect("specsync-cli", "specsync-cli", options.kubeconfig, options.context)
    try:
        return await read(client, namespace)
    finally:
        await client.close()


class NothingYet(Exception):
    """What was asked for isn't there; the text says what to do."""


async def find(
    client: KubeClient, kind: type[R], namespace: str, name: str, latest: Callable[[DependencyStatus], str | None]
) -> R:
    """The object of that name, or where `name` is dep/NAME the one that `latest` finds in its status.

    Raises NothingYet, ApiError.
    """
    for prefix in _OF_DEPENDENCY:
        if name.startswith(prefix):
            name = await _latest(client, kind, namespace, name.removeprefix(prefix), latest)
    return await _get(client, kind, namespace, name)


async def _latest(
    client: KubeClient,
    kind: type[R],
    namespace: str,
    dependency: str,
    latest: Callable[[DependencyStatus], str | None],
) -> str:
    found = latest((await _get(client, Dependency, namespace, dependency)).status)
    if found is None:
        raise NothingYet(
            f"Dependency {dependency} has no {kind.definition.kind} yet; see: "
            f"kubectl describe dep {dependency} -n {namespace}"
        )
    return found


async def _get(client: KubeClient, kind: type[R], namespace: str, name: str) -> R:
    definition = kind.definition
    if not name:
        raise NothingYet(f"a name is missing; list what is there with: kubectl get {definition.short_name}")
    try:
        return await client.get(kind, namespace, name)
    except NotFound as error:
        if f'"{name}" not found' not in error.message:
            raise
        raise NothingYet(
            f"{definition.kind} {name} doesn't exist in namespace {namespace}; list what is there with: "
            f"kubectl get {definition.short_name} -n {namespace}"
        ) from None


def _store_error(error: BlobStoreError) -> str:
    return (
        f"{error}. An object store is read with your own credentials: give its address as --blob-store or "
        "SPECSYNC_BLOB_STORE (whoever runs the operator knows it), and the credentials by the environment."
    )


def _api_error(error: ApiError) -> str:
    match error.status:
        case 0:
            return f"{error.message}. Is the cluster up? Try: kubectl get namespaces"
        case 401:
            return "the API server doesn't accept the kubeconfig's credentials. Log in again, or use another --context."
        case 403:
            return f"{error.message}. Ask for the role view in that namespace."
        case 404:
            return (
                "this cluster doesn't know specsync's kinds. "
                "Install them: kubectl apply --server-side -k manifests/base"
            )
        case _:
            return f"the API server answered {error}. Try again."
