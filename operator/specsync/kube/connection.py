"""How a process reaches the API server: one authenticated HTTP session, shared by our client and by kopf."""

import os
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

_SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class ConnectionError(Exception):
    """There is no usable way to an API server; the text says what to set."""


async def load_configuration(kubeconfig: str | None = None) -> Configuration:
    """The API server's address and credentials.

    In this order: `kubeconfig`, the environment's KUBECONFIG, the Pod's service account, ~/.kube/config.
    Raises ConnectionError where none of them is usable.
    """
    configuration = Configuration()
    path = kubeconfig or os.environ.get("KUBECONFIG")
    try:
        if not path and "KUBERNETES_SERVICE_HOST" in os.environ and _SERVICE_ACCOUNT_TOKEN.exists():
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            await config.load_kube_config(config_file=path, client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError, ValueError) as error:
        raise ConnectionError(
            f"no usable connection to a Kubernetes API server ({error}). "
            "Set KUBECONFIG to a kubeconfig file, or run in a Pod with a service account."
        ) from error
    return configuration


async def open_session(configuration: Configuration, user_agent: str, kubeconfig: str | None = None) -> Any:
    """An aiohttp session that authenticates each request; credentials that ran out are read again.

    The User-Agent carries the process's id, so that the API server's audit log says who wrote what.
    """

    async def authenticate(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        await _authorize(configuration, request)
        response = await handler(request)
        if response.status == 401:
            # An exec plugin's token ran out: the loader runs the plugin again.
            fresh = await load_configuration(kubeconfig)
            configuration.api_key = fresh.api_key
            response.release()
            await _authorize(configuration, request)
            response = await handler(request)
        return response

    # The library knows how to make a TLS context of a kubeconfig; the session is ours for the sake of
    # the middleware, and because kopf takes one.
    tls = RESTClientObject(configuration).ssl_context
    return aiohttp.ClientSession(
        base_url=configuration.host.rstrip("/") + "/",
        connector=aiohttp.TCPConnector(limit=0, ssl=tls),
        headers={"User-Agent": user_agent},
        middlewares=(authenticate,),
        proxy=configuration.proxy,
        read_bufsize=2**21,  # watch events can be longer than aiohttp's default line buffer
        auto_decompress=True,
    )


async def _authorize(configuration: Configuration, request: aiohttp.ClientRequest) -> None:
    settings: Any = await configuration.auth_settings()
    for setting in settings.values():
        if setting["in"] == "header" and setting["value"]:
            request.headers[setting["key"]] = setting["value"]
