"""How a process reaches the API server: authenticated HTTP sessions."""

import os
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_KUBECONFIG = "~/.kube/config"


class ConnectionError(Exception):
    """There is no usable way to an API server; the text says what to set."""


async def load_configuration(kubeconfig: str | None = None, context: str | None = None) -> Configuration:
    """The API server's address and credentials.

    In this order: `kubeconfig`, the environment's KUBECONFIG, the Pod's service account, ~/.kube/config. `context`
    names one of a kubeconfig; its current one by default. Raises ConnectionError where none of them is usable.
    """
    configuration = Configuration()
    path = _kubeconfig_path(kubeconfig, context)
    try:
        if path is None:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=path, context=context, client_configuration=configuration
            )
    except _UNUSABLE as error:
        raise _unusable(error) from error
    return configuration


def context_namespace(kubeconfig: str | None = None, context: str | None = None) -> str:
    """The namespace that kubectl would use: the context's, the Pod's own, else `default`. Raises ConnectionError."""
    path = _kubeconfig_path(kubeconfig, context)
    try:
        if path is None:
            return (_SERVICE_ACCOUNT / "namespace").read_text().strip()
        contexts, current = config.list_kube_config_contexts(config_file=path)  # type: ignore[no-untyped-call]
    except _UNUSABLE as error:
        raise _unusable(error) from error
    chosen = current if context is None else next((c for c in contexts if c["name"] == context), {})
    return str(chosen.get("context", {}).get("namespace") or "default")


_UNUSABLE = (config.ConfigException, OSError, ValueError, yaml.YAMLError)


def _unusable(error: Exception) -> ConnectionError:
    reason = " ".join(str(error).split()).rstrip(".")
    return ConnectionError(
        f"no usable connection to a Kubernetes API server ({reason}). "
        "Set KUBECONFIG to a kubeconfig file, or run in a Pod with a service account."
    )


def _kubeconfig_path(kubeconfig: str | None, context: str | None) -> str | None:
    """None for the Pod's service account. Raises ConnectionError where there is no such file."""
    path = kubeconfig or os.environ.get("KUBECONFIG")
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and (_SERVICE_ACCOUNT / "token").exists()
    if not path and in_pod and context is None:
        return None
    path = path or _KUBECONFIG
    # A KUBECONFIG may be a list of files, of which some may be missing.
    if not any(Path(part).expanduser().exists() for part in path.split(os.pathsep) if part):
        raise _unusable(FileNotFoundError(f"{path} doesn't exist"))
    return path


async def open_session(
    configuration: Configuration,
    user_agent: str,
    kubeconfig: str | None = None,
    context: str | None = None,
    *,
    connections: int = 0,
) -> Any:
    """An aiohttp session that authenticates each request; credentials that ran out are read again.

    The User-Agent carries the process's id, so that the API server's audit log says who wrote what. At most so many
    `connections` at a time, 0 for no limit. A request raises ConnectionError where the credentials can't be read.
    """

    async def authenticate(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        await _authorize(configuration, request)
        response = await handler(request)
        if response.status == 401:
            # The service account's token was replaced, or an exec plugin's ran out: the loader reads, or runs, again.
            response.release()
            fresh = await load_configuration(kubeconfig, context)
            configuration.api_key = fresh.api_key
            configuration.refresh_api_key_hook = fresh.refresh_api_key_hook  # the old one remembers the old token
            await _authorize(configuration, request)
            response = await handler(request)
        return response

    # The library knows how to make a TLS context of a kubeconfig; the session is ours for the sake of
    # the middleware.
    tls = RESTClientObject(configuration).ssl_context
    return aiohttp.ClientSession(
        base_url=configuration.host.rstrip("/") + "/",
        connector=aiohttp.TCPConnector(limit=connections, ssl=tls),
        headers={"User-Agent": user_agent},
        middlewares=(authenticate,),
        proxy=configuration.proxy,
        read_bufsize=2**21,  # watch events can be longer than aiohttp's default line buffer
        auto_decompress=True,
    )


async def _authorize(configuration: Configuration, request: aiohttp.ClientRequest) -> None:
    try:
        settings: Any = await configuration.auth_settings()
    except _UNUSABLE as error:  # the mounted token can't be read at this moment
        raise _unusable(error) from error
    for setting in settings.values():
        if setting["in"] == "header" and setting["value"]:
            request.headers[setting["key"]] = setting["value"]
