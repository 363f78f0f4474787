"""Typed requests to the API server: get, list, create, patch, delete, each one HTTP request."""

import asyncio
import functools
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
import structlog

from specsync.kube import metrics
from specsync.kube.connection import ConnectionError, load_configuration, open_session
from specsync.kube.core import Lease, PartialObject
from specsync.kube.loops import sign_of_life
from specsync.kube.throttle import Throttle
from specsync.resources import clock
from specsync.resources.meta import API_VERSION

log = structlog.get_logger()

T = TypeVar("T")

JSON_PATCH = "application/json-patch+json"
STRATEGIC_MERGE = "application/strategic-merge-patch+json"
_METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_ONLY_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Verb = Literal["get", "list", "create", "update", "patch", "delete", "deletecollection"]
_METHODS: dict[Verb, str] = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
_READS = ("get", "list")

REQUEST_TIMEOUT = 15.0  # seconds, with the time that a request waits while the server is in trouble
_CONNECTIONS = 64  # at a time; what goes beyond waits
# 429 is sent before anything is carried out, so each request may be sent again: so often, within its time.
_ATTEMPTS = 4
_SOON = 2.0  # seconds: an answer that took longer may be old (this process was frozen), and tells no time
_COMPLAIN_EVERY = 60.0  # seconds, of a clock that differs
# Answers that speak of the server, or of our rights, not of the one object that was asked for.
_TROUBLE = frozenset({0, 401, 403, 429, 500, 502, 503, 504})


class ApiError(Exception):
    """The API server refused or failed a request; `status` is 0 where no answer came."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(": ".join(filter(None, (f"{status} {reason}", message))) if status else message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    @property
    def unknown(self) -> bool:
        """The request may have been carried out or not: no answer, or a server's fault."""
        return self.status == 0 or self.status >= 500 or self.status == 429

    @property
    def for_now(self) -> bool:
        """The same request may succeed soon: an unknown outcome, or a refusal of our rights, not of the object.

        So answers a server that has just started and hasn't read its roles yet, or before a token is renewed.
        """
        return self.unknown or self.status in (401, 403)


class NotFound(ApiError):
    """404."""


class Conflict(ApiError):
    """409: it exists already, or was changed meanwhile."""


class Invalid(ApiError):
    """422: a schema or CEL rule refused it, or a `test` operation of a JSON Patch failed."""


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _PageHead(msgspec.Struct):
    metadata: _ListMeta


class _Page(_PageHead):
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
        open_session: Callable[..., Awaitable[aiohttp.ClientSession]],
        session: aiohttp.ClientSession,
        field_manager: str,
    ) -> None:
        self.open_session = open_session  # for who needs one of its own: watches hold their connections
        self._session = session
        self._field_manager = field_manager
        self._reads, self._writes, self._leases = Throttle("reads"), Throttle("writes"), Throttle("leases")
        self._decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}
        self._date, self._ahead, self._complained = "", 0.0, -_COMPLAIN_EVERY

    @classmethod
    async def connect(
        cls, user_agent: str, field_manager: str, kubeconfig: str | None = None, context: str | None = None
    ) -> "KubeClient":
        """Raises ConnectionError where no way to a server is configured; doesn't contact it yet."""
        configuration = await load_configuration(kubeconfig, context)
        opener = functools.partial(open_session, configuration, user_agent, kubeconfig, context)
        return cls(opener, await opener(connections=_CONNECTIONS), field_manager)

    async def close(self) -> None:
        await self._session.close()

    async def get(self, kind: type[T], namespace: str, name: str) -> T:
        """Raises NotFound, ApiError."""
        return self._decode(kind, await self._request("get", path_of(kind, namespace, name)))

    async def get_metadata(self, kind: type[Any], namespace: str, name: str) -> PartialObject:
        """Only the metadata: 5 ms where the object is a ConfigMap of 700 KiB. Raises NotFound, ApiError."""
        body = await self._request("get", path_of(kind, namespace, name), accept=_METADATA_ONLY)
        return self._decode(PartialObject, body)

    async def list_as_of(
        self, kind: type[T], namespace: str | None = None, *, fields: str = "", labels: str = "", page: int = 500
    ) -> tuple[list[T], str]:
        """What `list` gives, and the resourceVersion that it is of: from there a watch goes on."""
        items: list[T] = []
        params = {"limit": str(page)}
        if fields:
            params["fieldSelector"] = fields
        if labels:
            params["labelSelector"] = labels
        while True:
            answer = self._decode(_Page, await self._request("list", path_of(kind, namespace), params=params))
            decoder = self._decoder(kind)
            for item in answer.items:
                try:
                    items.append(decoder.decode(item))
                except msgspec.ValidationError as error:
                    log.error("object not understood", kind=kind.__name__, error=str(error))
            params["continue"] = answer.metadata.continue_
            if not params["continue"]:
                return items, answer.metadata.resource_version

    async def list(
        self, kind: type[T], namespace: str | None = None, *, fields: str = "", labels: str = "", page: int = 500
    ) -> list[T]:
        """All objects of a kind in a namespace (None: in all), read consistently from etcd, page by page.

        One that isn't understood (of an older schema, or by a CRD that was loosened by hand) is left out and logged.
        """
        items, _ = await self.list_as_of(kind, namespace, fields=fields, labels=labels, page=page)
        return items

    async def latest_version(self, kind: type[Any], namespace: str | None = None) -> str:
        """The resourceVersion that a LIST would be of now. Raises ApiError."""
        body = await self._request("list", path_of(kind, namespace), params={"limit": "1"}, accept=_METADATA_ONLY_LIST)
        return self._decode(_PageHead, body).metadata.resource_version

    async def create(self, obj: T) -> T:
        """Raises Conflict where the name is taken, Invalid where a rule refuses it, ApiError."""
        kind = type(obj)
        namespace = obj.metadata.namespace  # type: ignore[attr-defined]
        body = await self._request("create", path_of(kind, namespace), msgspec.json.encode(obj), "application/json")
        return self._decode(kind, body)

    async def update_status(self, obj: T) -> T:
        """Replaces the status of an object as it was seen: a compare-and-swap on its resourceVersion.

        A PUT, which costs the API server less than a patch. Raises Conflict where the object was changed since, or is
        another one of that name, NotFound, Invalid, ApiError.
        """
        meta = obj.metadata  # type: ignore[attr-defined]
        seen = {
            "name": meta.name,
            "namespace": meta.namespace,
            "uid": meta.uid,
            "resourceVersion": meta.resource_version,
        }
        kind = type(obj)
        # What is said of all but the status is ignored there, so nothing is.
        body = {
            "apiVersion": API_VERSION,
            "kind": kind.definition.kind,  # type: ignore[attr-defined]
            "metadata": seen,
            "status": obj.status,  # type: ignore[attr-defined]
        }
        path = path_of(kind, meta.namespace, meta.name, "status")
        return self._decode(kind, await self._request("update", path, msgspec.json.encode(body), "application/json"))

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
        return self._decode(kind, await self._request("patch", path, msgspec.json.encode(patch), content_type))

    async def delete(self, kind: type[Any], namespace: str, name: str, uid: str | None = None) -> None:
        """Deletes in the background; with `uid` only that very object. One that isn't there is fine."""
        options: dict[str, Any] = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            await self._request(
                "delete", path_of(kind, namespace, name), msgspec.json.encode(options), "application/json"
            )
        except (NotFound, Conflict):
            return

    async def delete_collection(self, kind: type[Any], namespace: str, fields: str) -> None:
        """Deletes all objects that a field selector matches, in one request."""
        await self._request("deletecollection", path_of(kind, namespace), params={"fieldSelector": fields})

    def _decode(self, kind: type[T], body: bytes) -> T:
        try:
            return self._decoder(kind).decode(body)
        except msgspec.DecodeError as error:
            # A proxy's page, or an object of another schema.
            raise ApiError(0, "NotUnderstood", f"a {kind.__name__} that isn't understood: {error}") from error

    def _decoder(self, kind: type[T]) -> "msgspec.json.Decoder[T]":
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.json.Decoder(kind)
        return decoder

    async def _request(
        self,
        verb: Verb,
        path: str,
        body: bytes | None = None,
        content_type: str | None = None,
        *,
        params: dict[str, str] | None = None,
        accept: str = "application/json",
    ) -> bytes:
        """One request, in its turn, and again where the server had no time for it. Raises ApiError."""
        query = dict(params or {})
        if verb in ("create", "update", "patch"):
            query["fieldManager"] = self._field_manager
        headers = {"Accept": accept}
        if content_type:
            headers["Content-Type"] = content_type
        lease = path.startswith(_LEASES)
        throttle = self._reads if verb in _READS else self._leases if lease else self._writes
        ends = time.monotonic() + REQUEST_TIMEOUT
        for attempt in range(1, _ATTEMPTS + 1):
            wait = 0.0 if lease else await throttle.turn(ends - time.monotonic() - 1.0)
            if wait:
                raise ApiError(0, "NoAnswer", "the API server is in trouble and isn't asked now", retry_after=wait)
            try:
                answer = await self._send(verb, path, query, body, headers, ends - time.monotonic())
            except asyncio.CancelledError:
                if lease:
                    # Who renews has only the time that the Lease has: a server that needs longer is in trouble.
                    metrics.requests(verb, 0).inc()
                    throttle.failed("no answer from the API server in the time that a Lease has", None)
                raise
            except ApiError as error:
                if error.status not in _TROUBLE:
                    throttle.succeeded()
                    raise
                throttle.failed(str(error), error.retry_after)
                if error.status != 429 or lease or attempt == _ATTEMPTS:
                    raise
            else:
                throttle.succeeded()
                return answer
        raise AssertionError("unreachable")

    async def _send(
        self, verb: Verb, path: str, query: dict[str, str], body: bytes | None, headers: dict[str, str], within: float
    ) -> bytes:
        """One HTTP request within so many seconds. Raises ApiError."""
        started = time.perf_counter()
        try:
            async with (
                asyncio.timeout(within),
                self._session.request(_METHODS[verb], path, params=query, data=body, headers=headers) as response,
            ):
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError, ConnectionError) as error:
            metrics.requests(verb, 0).inc()
            sign_of_life()
            raise ApiError(0, "NoAnswer", f"no answer from the API server ({_cause(error)})") from error
        took = time.perf_counter() - started
        metrics.requests(verb, response.status).inc()
        metrics.durations(verb).observe(took)
        sign_of_life()
        if response.status >= 400:
            raise error_of(response.status, response.headers.get("Retry-After"), answer)
        self._read_clock(response.headers.get("Date", ""), took)  # not an error's: who stands in between may say that
        return answer

    def _read_clock(self, date: str, took: float) -> None:
        """Takes the API server's time from an answer that came soon enough to tell it."""
        if date == self._date or took > _SOON:
            return
        self._date = date
        try:
            ahead = clock.correct(parsedate_to_datetime(date), took)
        except (ValueError, TypeError):  # none, or one without a zone: no API server's
            return
        metrics.CLOCK.set(ahead)
        # Not each time: API servers that differ among each other answer in turns.
        if abs(ahead - self._ahead) > _SOON and time.monotonic() - self._complained > _COMPLAIN_EVERY:
            log.warning("clock differs from the API server's, whose time counts", seconds=round(ahead))
            self._ahead, self._complained = ahead, time.monotonic()


_LEASES = Lease.api[0] + "/"


def _cause(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    return str(error) if isinstance(error, ConnectionError) else type(error).__name__


_KNOWN = frozenset(HTTPStatus)


def error_of(status: int, retry_after: str | None, body: bytes) -> ApiError:
    """What an answer of 400 or above says, as an exception."""
    try:
        answer = json.loads(body)
        reason, message = str(answer.get("reason", "")), str(answer.get("message", ""))
    except (ValueError, AttributeError):
        reason, message = "", body[:200].decode(errors="replace").strip()
    if not reason:
        reason = HTTPStatus(status).phrase if status in _KNOWN else ""
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    kind = {404: NotFound, 409: Conflict, 422: Invalid}.get(status, ApiError)
    return kind(status, reason, message, seconds)
