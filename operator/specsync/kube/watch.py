"""Watches kinds and feeds their stores: LIST, then WATCH from there, for as long as the process lives.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
import structlog

from specsync.kube import metrics
from specsync.kube.client import ApiError, KubeClient, error_of, path_of
from specsync.kube.connection import ConnectionError
from specsync.kube.core import PartialObject
from specsync.kube.loops import Loop, long_lived
from specsync.kube.store import Store

log = structlog.get_logger()

_ANSWER_SECONDS = 15.0  # until a watch begins
_SERVER_SECONDS = (240, 360)  # after which the server is to end a watch: not all at once
# Bookmarks come about once a minute: where nothing came for longer, the connection is dead.
_SILENCE_SECONDS = 75.0
_FIRST_PAUSE, _LAST_PAUSE = 0.2, 5.0  # seconds before a LIST or watch that failed is tried again
# Where the version that was asked for is of no use any more: expired, from the future (after a restore of etcd), or of
# a kind that is gone.
_LIST_ANEW = frozenset({400, 404, 410, 504})


@dataclass
class Watched:
    """One kind to watch, as far as its field selector reaches."""

    store: Store[Any]
    field_selector: str = ""


class Watcher:
    """Keeps the stores of a process up to date until it is cancelled."""

    def __init__(self, client: KubeClient, watched: Sequence[Watched], namespaces: Sequence[str] = ()) -> None:
        """Without `namespaces` all are watched; one that doesn't exist (yet) has nothing in it."""
        self._client = client
        self._streams = [_Stream(client, each, namespace) for each in watched for namespace in namespaces or (None,)]
        self.synced = asyncio.Event()  # set when the first LIST of every kind is in

    async def run(self) -> None:
        session = await self._client.open_session()
        try:
            async with asyncio.TaskGroup() as tasks:
                for stream in self._streams:
                    tasks.create_task(stream.follow(session))
                tasks.create_task(self._until_synced())
        finally:
            await session.close()

    def lacking(self) -> list[str]:
        """What keeps the stores from being up to date, for /readyz."""
        return sorted({stream.lacking for stream in self._streams} - {""})

    async def resync(self) -> None:
        """One consistent LIST of every kind, beside the watches. Raises ApiError."""
        for stream in self._streams:
            await stream.list()

    async def _until_synced(self) -> None:
        for stream in self._streams:
            await stream.listed.wait()
        self.synced.set()


class _Expired(Exception):
    """The server no longer has what came after our version: LIST anew."""


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Status(msgspec.Struct):
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""

    code: int = 0
    reason: str = ""
    message: str = ""


_events = msgspec.json.Decoder(_Event)
_statuses = msgspec.json.Decoder(_Status)
_metadata = msgspec.json.Decoder(PartialObject)


class _Stream:
    """One kind, in one namespace or in all."""

    def __init__(self, client: KubeClient, watched: Watched, namespace: str | None) -> None:
        self._client = client
        self._store = watched.store
        self._fields = watched.field_selector
        self._namespace = namespace
        self._decoder = msgspec.json.Decoder(watched.store.kind)
        self._version = ""  # the store is as of this one; empty where only a LIST can tell
        self._newest = 0  # the latest version that this server has told
        self._trouble = ""  # what was logged last
        self.kind: str = watched.store.kind.definition.plural
        self.listed = asyncio.Event()

    @property
    def lacking(self) -> str:
        """What keeps the store from being up to date; empty where nothing does."""
        if self._trouble:
            return f"{self.kind} can't be watched: {self._trouble}"
        return "" if self.listed.is_set() else f"the first list of {self.kind} is not in yet"

    async def follow(self, session: aiohttp.ClientSession) -> None:
        """Until cancelled. No trouble ends it: whatever is wrong is said in the log, and tried again."""
        failures = 0
        with long_lived(f"watch {self.kind}") as loop:
            while True:
                began = time.monotonic()
                try:
                    if not self._version:
                        self._version = await self.list()
                        self._recovered()
                    await self._watch(session, loop)
                    # The server ends each watch now and then; one that ends at once is no watch.
                    failures = failures + 1 if time.monotonic() - began < 1.0 else 0
                except _Expired:
                    self._version = ""
                    failures += 1
                except ApiError as error:
                    if error.status in _LIST_ANEW:
                        self._version = ""
                    failures = failures + 1 if time.monotonic() - began < _LAST_PAUSE else 1
                    self._failed(str(error))
                except Exception:
                    log.exception("watch failed unexpectedly, trying again", kind=self.kind)
                    self._version = ""
                    failures += 1
                if failures:
                    metrics.WATCH_RESTARTS.labels(self.kind).inc()
                    pause = min(_FIRST_PAUSE * 2 ** min(failures, 8), _LAST_PAUSE)
                    loop.advance(pause)
                    await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311

    async def _is_put_back(self) -> bool:
        """Whether the server, which was away, has come back with an earlier state: a watch from our version on would
        be silent until its versions have come so far again. Raises ApiError.
        """
        return int(self._version or 0) > int(await self._client.latest_version(self._store.kind, self._namespace) or 0)

    async def list(self) -> str:
        """Brings the store in line with a consistent LIST, and returns its resourceVersion. Raises ApiError."""
        before, newest = self._store.versions(self._namespace), self._newest
        listed, version = await self._client.list_as_of(self._store.kind, self._namespace, fields=self._fields)
        if newest > int(version or 0):
            # A consistent LIST is never older than what was seen before it began.
            log.warning("the API server was put back to an earlier state", kind=self.kind, namespace=self._namespace)
            self._store.start_over(listed, self._namespace)
        else:
            self._store.prune(listed, before)
        self._newest = int(version or 0)
        self.listed.set()
        return version

    async def _watch(self, session: aiohttp.ClientSession, loop: Loop) -> None:
        """One watch, until the server ends it. Raises _Expired, ApiError."""
        params = {
            "watch": "true",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(*_SERVER_SECONDS)),  # noqa: S311
        }
        if self._fields:
            params["fieldSelector"] = self._fields
        path = path_of(self._store.kind, self._namespace)
        silence = aiohttp.ClientTimeout(total=None, sock_read=_SILENCE_SECONDS)
        try:
            async with (
                asyncio.timeout(_ANSWER_SECONDS) as patience,
                session.get(path, params=params, timeout=silence) as response,
            ):
                if response.status >= 400:
                    raise error_of(response.status, None, await response.read())
                # Each time: that the last watch ended in good order says nothing of what was done to the server since.
                if await self._is_put_back():
                    raise _Expired
                patience.reschedule(None)
                loop.advance(_SILENCE_SECONDS)
                self._recovered()
                # Not by aiohttp's lines: most chunks hold several, and one may be longer than any buffer.
                rest = b""
                async for chunk in response.content.iter_any():
                    loop.advance(_SILENCE_SECONDS)
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        self._take(line)
        except (aiohttp.ClientError, TimeoutError, OSError, ConnectionError) as error:
            raise ApiError(0, "NoAnswer", f"the watch broke off ({type(error).__name__})") from error

    def _take(self, line: bytes) -> None:
        """One event. Raises _Expired, ApiError."""
        try:
            event = _events.decode(line)
            if event.type == "ERROR":
                status = _statuses.decode(event.object)
                if status.code == 410:
                    raise _Expired
                self._version = ""
                raise ApiError(status.code, status.reason, status.message)
            if event.type == "BOOKMARK":
                bookmark = _metadata.decode(event.object).metadata.resource_version
                if int(bookmark) < int(self._version):
                    raise _Expired  # the server was put back to an earlier state, and would be silent up to our version
                self._version = bookmark
                self._newest = max(self._newest, int(bookmark))
                return
            self._version = self._feed(event.type, event.object)
            self._newest = max(self._newest, int(self._version))
        except msgspec.DecodeError as error:
            # No event at all: a proxy's page, or a line that was cut off.
            raise ApiError(0, "NotUnderstood", f"a watch event that isn't understood: {error}") from error

    def _feed(self, type_: str, content: msgspec.Raw) -> str:
        """Takes an object into the store; its version."""
        try:
            obj = self._decoder.decode(content)
        except msgspec.ValidationError as error:
            # Written under an older schema, or the CRD was loosened by hand: leave it alone, but say so.
            log.error("object not understood", kind=self._store.kind.__name__, error=str(error))
            return _metadata.decode(content).metadata.resource_version
        if type_ != "DELETED":
            self._store.put(obj)
        elif self._fields:
            self._store.remove(obj)  # it may only have left the selector: what is gone for good, a GET says
        else:
            self._store.bury(obj)
        return str(obj.metadata.resource_version)

    def _failed(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("watch failed, trying again", kind=self.kind, namespace=self._namespace, error=trouble)
            self._trouble = trouble

    def _recovered(self) -> None:
        if self._trouble:
            log.info("watching again", kind=self.kind, namespace=self._namespace)
            self._trouble = ""
