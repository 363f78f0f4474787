"""Typed requests to the API server: get, list, create, patch, delete, each one HTTP request."""

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
import structlog

from specsync.kube.connection import load_configuration, open_session
from specsync.kube.core import PartialObject
from specsync.resources.meta import API_VERSION

log = structlog.get_logger()

T = TypeVar("T")

JSON_PATCH = "application/json-patch+json"
STRATEGIC_MERGE = "application/strategic-merge-patch+json"
_METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

REQUEST_TIMEOUT = 15.0  # seconds


class ApiError(Exception):
    """The API server refused or failed a request; `status` is 0 where no answer came."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}" if status else message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    @property
    def unknown(self) -> bool:
        """The request may have been carried out or not: no answer, or a server's fault."""
        return self.status == 0 or self.status >= 500 or self.status == 429


class NotFound(ApiError):
    """404."""


class Conflict(ApiError):
    """409: it exists already, or was changed meanwhile."""


class Invalid(ApiError):
    """422: a schema or CEL rule refused it, or a `test` operation of a JSON Patch failed."""


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _Page(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw]


def path_of(kind: type[Any], namespace: str | None = None, name: str = "", subresource: str = "") -> str:
    """The path of a kind's collection or object below the server's address."""
    if hasattr(kind, "api"):
        prefix, plural = kind.api
    else:
        prefix, plural = f"apis/{API_VERSION}", kind.definition.plural
    parts = [prefix]
    if namespace:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(plural)
    if name:
        parts.append(quote(name, safe=""))
    if subresource:
        parts.append(subresource)
    return "/".join(parts)


class KubeClient:
    """One process's client. `field_manager` marks its writes in managedFields."""

    def __init__(
        self,
        open_session: Callable[[], Awaitable[aiohttp.ClientSession]],
        session: aiohttp.ClientSession,
        field_manager: str,
    ) -> None:
        self.open_session = open_session  # for who needs one of its own: kopf closes the session that it gets
        self._session = session
        self._field_manager = field_manager
        self._decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}

    @classmethod
    async def connect(
        cls, user_agent: str, field_manager: str, kubeconfig: str | None = None, context: str | None = None
    ) -> "KubeClient":
        """Raises ConnectionError where no way to a server is configured; doesn't contact it yet."""
        configuration = await load_configuration(kubeconfig, context)
        opener = functools.partial(open_session, configuration, user_agent, kubeconfig, context)
        return cls(opener, await opener(), field_manager)

    async def close(self) -> None:
        await self._session.close()

    async def get(self, kind: type[T], namespace: str, name: str) -> T:
        """Raises NotFound, ApiError."""
        return self._decode(kind, await self._request("GET", path_of(kind, namespace, name)))

    async def get_metadata(self, kind: type[Any], namespace: str, name: str) -> PartialObject:
        """Only the metadata: 5 ms where the object is a ConfigMap of 700 KiB. Raises NotFound, ApiError."""
        body = await self._request("GET", path_of(kind, namespace, name), accept=_METADATA_ONLY)
        return self._decode(PartialObject, body)

    async def list(
        self, kind: type[T], namespace: str | None = None, *, fields: str = "", labels: str = "", page: int = 500
    ) -> list[T]:
        """All objects of a kind in a namespace (None: in all), read consistently from etcd, page by page.

        One that isn't understood (of an older schema, or by a CRD that was loosened by hand) is left out and logged.
        """
        items: list[T] = []
        params = {"limit": str(page)}
        if fields:
            params["fieldSelector"] = fields
        if labels:
            params["labelSelector"] = labels
        while True:
            answer = self._decode(_Page, await self._request("GET", path_of(kind, namespace), params=params))
            for item in answer.items:
                try:
                    items.append(self._decode(kind, item))
                except msgspec.ValidationError as error:
                    log.error("object not understood", kind=kind.__name__, error=str(error))
            params["continue"] = answer.metadata.continue_
            if not params["continue"]:
                return items

    async def create(self, obj: T) -> T:
        """Raises Conflict where the name is taken, Invalid where a rule refuses it, ApiError."""
        kind = type(obj)
        namespace = obj.metadata.namespace  # type: ignore[attr-defined]
        body = await self._request("POST", path_of(kind, namespace), msgspec.json.encode(obj), "application/json")
        return self._decode(kind, body)

    async def patch(
        self,
        kind: type[T],
        namespace: str,
        name: str,
        patch: Sequence[dict[str, Any]] | dict[str, Any],
        *,
        subresource: str = "",
        content_type: str = JSON_PATCH,
    ) -> T:
        """Applies a JSON Patch (RFC 6902), or a patch of another `content_type`.

        Raises NotFound, Invalid (also where a `test` operation fails), Conflict, ApiError.
        """
        path = path_of(kind, namespace, name, subresource)
        return self._decode(kind, await self._request("PATCH", path, msgspec.json.encode(patch), content_type))

    async def delete(self, kind: type[Any], namespace: str, name: str, uid: str | None = None) -> None:
        """Deletes in the background; with `uid` only that very object. One that isn't there is fine."""
        options: dict[str, Any] = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            await self._request(
                "DELETE", path_of(kind, namespace, name), msgspec.json.encode(options), "application/json"
            )
        except (NotFound, Conflict):
            return

    async def delete_collection(self, kind: type[Any], namespace: str, fields: str) -> None:
        """Deletes all objects that a field selector matches, in one request."""
        await self._request("DELETE", path_of(kind, namespace), params={"fieldSelector": fields})

    def _decode(self, kind: type[T], body: bytes | msgspec.Raw) -> T:
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.json.Decoder(kind)
        result: T = decoder.decode(body)
        return result

    async def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str | None = None,
        *,
        params: dict[str, str] | None = None,
        accept: str = "application/json",
    ) -> bytes:
        query = dict(params or {})
        if method in ("POST", "PATCH"):
            query["fieldManager"] = self._field_manager
        headers = {"Accept": accept}
        if content_type:
            headers["Content-Type"] = content_type
        try:
            async with (
                asyncio.timeout(REQUEST_TIMEOUT),
                self._session.request(method, path, params=query, data=body, headers=headers) as response,
            ):
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, "NoAnswer", f"no answer from the API server ({type(error).__name__})") from error
        if response.status >= 400:
            raise _error(response.status, response.headers.get("Retry-After"), answer)
        return answer


def _error(status: int, retry_after: str | None, body: bytes) -> ApiError:
    try:
        answer = json.loads(body)
        reason, message = str(answer.get("reason", "")), str(answer.get("message", ""))
    except (ValueError, AttributeError):
        reason, message = "", body[:200].decode(errors="replace")
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    kind = {404: NotFound, 409: Conflict, 422: Invalid}.get(status, ApiError)
    return kind(status, reason, message, seconds)
