"""Watches kinds and feeds their stores. kopf does the watching (list, reconnect, 410, backoff) and no more."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import kopf
import msgspec
import structlog

from specsync.kube.client import ApiError, KubeClient
from specsync.kube.store import Store
from specsync.resources.meta import GROUP, VERSION

log = structlog.get_logger()

# Deletions that a watch missed in a gap are found by a LIST this often, in seconds.
RESYNC_SECONDS = 600.0


@dataclass
class Watched:
    """One kind to watch, as far as its field selector reaches."""

    store: Store[Any]
    field_selector: str = ""


class Watcher:
    """Keeps the stores of a process up to date until it is cancelled."""

    def __init__(self, client: KubeClient, watched: Sequence[Watched], namespaces: Sequence[str] = ()) -> None:
        self._client = client
        self._watched = watched
        self._namespaces = namespaces
        self.synced = asyncio.Event()  # set when the first LIST of every kind is in

    async def run(self, take_signals: Callable[[], None] = lambda: None) -> None:
        """`take_signals` is called whenever kopf has taken the process's signal handlers, to take them back."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(take_signals))
            tasks.create_task(self._resync_regularly())

    async def resync(self) -> None:
        """One consistent LIST of every kind. Raises ApiError."""
        for watched in self._watched:
            before = watched.store.versions()
            listed = []
            for namespace in self._namespaces or (None,):
                listed += await self._client.list(watched.store.kind, namespace, fields=watched.field_selector)
            watched.store.prune(listed, before)
        self.synced.set()

    async def _resync_regularly(self) -> None:
        while True:
            try:
                await self.resync()
                pause = RESYNC_SECONDS
            except ApiError as error:
                log.warning("list failed, trying again", error=str(error))
                pause = 2.0
            await asyncio.sleep(pause)

    async def _watch(self, take_signals: Callable[[], None]) -> None:
        # kopf's operator ends on lasting API trouble (a LIST that fails for a minute): start it again.
        for backoff in itertools.chain((1.0, 2.0), itertools.repeat(5.0)):
            try:
                tasks = await kopf.spawn_tasks(
                    registry=self._registry(),
                    settings=_settings(self._watched),
                    standalone=True,
                    clusterwide=not self._namespaces,
                    namespaces=list(self._namespaces),
                )
                take_signals()
                others = asyncio.all_tasks() - set(tasks)
                await kopf.run_tasks(tasks, ignored=others)
                log.warning("watching ended, starting again", seconds=backoff)
            except Exception as error:
                log.warning("watching failed, starting again", error=repr(error), seconds=backoff)
            await asyncio.sleep(backoff)

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            session = await self._client.open_session()
            base = str(session._base_url or "").rstrip("/")
            return kopf.AiohttpSession(server=base, aiohttp_session=session)

        for watched in self._watched:
            kopf.on.event(GROUP, VERSION, watched.store.kind.definition.plural, registry=registry)(_feeder(watched))
        return registry


def _feeder(watched: Watched) -> Any:
    store = watched.store

    async def feed(event: Any, **_: Any) -> None:
        try:
            obj = msgspec.convert(event["object"], store.kind)
        except msgspec.ValidationError as error:
            # Written under an older schema, or the CRD was loosened by hand: leave it alone, but say so.
            log.error("object not understood", kind=store.kind.__name__, error=str(error))
            return
        if event["type"] == "DELETED":
            if watched.field_selector:
                store.remove(obj)  # it may only have left the selector: what is gone for good, a GET says
            else:
                store.bury(obj)
        else:
            store.put(obj)

    return feed


def _settings(watched: Sequence[Watched]) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.process.ultimate_exiting_timeout = None
    settings.watching.server_timeout = 300
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = 500
    settings.queueing.idle_timeout = 0.2
    # kopf's own series grows to 21 s, which would be 21 s of blindness after an outage.
    settings.networking.error_backoffs = _Backoffs()
    for w in watched:
        if w.field_selector:
            settings.watching.field_selectors[GROUP, VERSION, w.store.kind.definition.plural] = w.field_selector
    return settings


class _Backoffs:
    """Endless, and iterable as often as kopf likes."""

    def __iter__(self) -> Any:
        return itertools.chain((0.5, 1.0, 2.0), itertools.repeat(5.0))


def quiet_kopf() -> None:
    """kopf logs each event at INFO; only its warnings are of interest."""
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)  # it is cancelled at the end, on purpose
    for name in ("kopf", "kopf.objects", "kopf.activities"):
        logging.getLogger(name).setLevel(logging.WARNING)
