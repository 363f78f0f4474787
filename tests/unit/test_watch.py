"""Watching, against a server that does what API servers do at their worst: the store ends up right all the same."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from specsync.kube import watch
from specsync.kube.client import KubeClient
from specsync.kube.store import Store
from specsync.kube.watch import Watched, Watcher
from specsync.resources import SyncJob

UNFINISHED = "status.phase!=Succeeded"
PATH = "/apis/specsync.dev/v1alpha1/syncjobs"


def job(name: str, version: int, namespace: str = "ns") -> dict[str, Any]:
    return {
        "apiVersion": "specsync.dev/v1alpha1",
        "kind": "SyncJob",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "resourceVersion": str(version)},
        "spec": {"target": {"name": "shop"}},
        "status": {"phase": "Pending"},
    }


def event(type_: str, obj: dict[str, Any]) -> bytes:
    return json.dumps({"type": type_, "object": obj}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    return event("BOOKMARK", {"kind": "SyncJob", "metadata": {"resourceVersion": str(version)}})


def gone(code: int = 410) -> bytes:
    return event("ERROR", {"kind": "Status", "code": code, "reason": "Expired", "message": "too old"})


@dataclass
class Answers:
    """What the server holds, and how it answers one watch after the other; then it keeps them open."""

    listed: list[dict[str, Any]] = field(default_factory=list)
    later: list[dict[str, Any]] | None = None  # in place of `listed` from the second list on, which is of version 40
    list_status: list[int] = field(default_factory=list)
    watches: list[int | list[bytes]] = field(default_factory=list)  # a status, or lines after which the watch ends
    lists: list[dict[str, str]] = field(default_factory=list)
    watched: list[dict[str, str]] = field(default_factory=list)
    cut: bool = False  # the first watch's connection is cut at the end of its lines, in the middle of one
    paths: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        if "watch" in request.query:
            return await self._watch(request)
        if request.query["limit"] == "1":  # only asks where the server is: beyond all that it has told, or put back
            return web.json_response(
                {"metadata": {"resourceVersion": "99" if self.later is None else "40"}, "items": []}
            )
        self.lists.append(dict(request.query))
        status = self.list_status.pop(0) if self.list_status else 200
        if status != 200:
            return web.json_response({"kind": "Status", "code": status, "reason": "No"}, status=status)
        again = self.later is not None and len(self.lists) > 1
        items = [job for job in (self.later if again else self.listed) or [] if _is_in(job, request.path)]
        return web.json_response({"metadata": {"resourceVersion": "40" if again else "10"}, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        self.watched.append(dict(request.query))
        lines = self.watches.pop(0) if self.watches else None
        if isinstance(lines, int):
            return web.json_response({"kind": "Status", "code": lines, "reason": "No"}, status=lines)
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for line in lines or []:
            await response.write(line)
        if lines is None:
            await asyncio.sleep(60)
        if self.cut and len(self.watched) == 1 and request.transport is not None:
            await response.write(event("ADDED", job("half", 99))[:40])
            request.transport.close()
        return response


def _is_in(job: dict[str, Any], path: str) -> bool:
    return "/namespaces/" not in path or f"/namespaces/{job['metadata']['namespace']}/" in path


@dataclass
class Watching:
    answers: Answers
    store: Store[SyncJob]
    watcher: Watcher

    def names(self) -> set[str]:
        return {job.metadata.name for job in self.store}

    async def until(self, check: Callable[[], object]) -> None:
        async with asyncio.timeout(15):
            while not check():  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@asynccontextmanager
async def watching(answers: Answers, fields: str = UNFINISHED, *namespaces: str) -> AsyncIterator[Watching]:
    app = web.Application()
    app.router.add_get("/{path:.*}", answers.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def open_session(**_: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(base_url=f"http://127.0.0.1:{port}/")

    client = KubeClient(open_session, await open_session(), "test")
    store: Store[SyncJob] = Store(SyncJob)
    watcher = Watcher(client, [Watched(store, fields)], namespaces)
    task = asyncio.ensure_future(watcher.run())
    try:
        yield Watching(answers, store, watcher)
        assert not task.done(), "no trouble ends it"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()
        await runner.cleanup()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(watch, "_LAST_PAUSE", 0.01)


def run(answers: Answers, body: Callable[[Watching], Awaitable[None]], *namespaces: str, fields: str = "") -> None:
    async def main() -> None:
        async with watching(answers, fields, *namespaces) as found:
            await body(found)

    asyncio.run(main())


def test_a_watch_goes_on_from_the_list_and_then_from_what_it_saw_last() -> None:
    answers = Answers([job("a", 5)], watches=[[event("ADDED", job("b", 11)), bookmark(15)], [bookmark(20)]])

    async def body(found: Watching) -> None:
        await found.until(lambda: len(answers.watched) == 3)
        assert found.names() == {"a", "b"}
        assert [query["resourceVersion"] for query in answers.watched] == ["10", "15", "20"]
        assert {query["fieldSelector"] for query in (*answers.watched, *answers.lists)} == {UNFINISHED}
        assert {query["allowWatchBookmarks"] for query in answers.watched} == {"true"}
        assert len(answers.lists) == 1, "the server's ending a watch costs no LIST"

    run(answers, body, fields=UNFINISHED)


@pytest.mark.parametrize("expired", [[gone()], 410, 404, 504, [gone(500)]])
def test_where_the_version_is_of_no_use_any_more_all_is_listed_anew_and_ghosts_go(expired: Any) -> None:
    later = [job("a", 5), job("b", 11), job("c", 30)]
    answers = Answers([job("a", 5), job("ghost", 6)], later, watches=[[event("ADDED", job("b", 11))], expired])

    async def body(found: Watching) -> None:
        await found.until(lambda: len(answers.watched) == 3)
        assert found.names() == {"a", "b", "c"}
        assert answers.watched[-1]["resourceVersion"] == "40"

    run(answers, body)


@pytest.mark.parametrize("sign", [gone(), 504, bookmark(7), 503, None])
def test_a_server_that_was_put_back_to_a_backup_is_believed(sign: Any) -> None:
    seen = [event("MODIFIED", job("a", 95)), event("ADDED", job("b", 96))]
    # Without any sign the watch is silent: it ended in good order, and the next one begins at once.
    watches = [seen] if sign is None else [seen, sign if isinstance(sign, int) else [sign]]
    answers = Answers([job("a", 5)], [job("a", 6), job("c", 7)], watches=watches)

    async def body(found: Watching) -> None:
        await found.until(lambda: answers.watched and answers.watched[-1]["resourceVersion"] == "40")
        assert found.names() == {"a", "c"}
        known = found.store.get("ns", "a")
        assert known is not None
        assert known.metadata.resource_version == "6"

    run(answers, body)


def test_a_watch_that_is_silent_for_longer_than_bookmarks_take_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_SILENCE_SECONDS", 0.2)
    answers = Answers([job("a", 5)])

    async def body(found: Watching) -> None:
        await found.until(lambda: len(answers.watched) == 2)
        assert answers.watched[1]["resourceVersion"] == "10"
        assert len(answers.lists) == 1

    run(answers, body)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_who_is_refused_tries_again_from_where_it_was(status: int) -> None:
    answers = Answers([job("a", 5)], watches=[status, status, [event("ADDED", job("b", 11))]])

    async def body(found: Watching) -> None:
        await found.until(lambda: len(answers.watched) == 4)
        assert found.names() == {"a", "b"}
        assert [query["resourceVersion"] for query in answers.watched] == ["10", "10", "10", "11"]
        assert len(answers.lists) == 1

    run(answers, body)


def test_a_kind_that_is_not_there_yet_is_waited_for() -> None:
    answers = Answers([job("a", 5)], list_status=[404, 403, 500])

    async def body(found: Watching) -> None:
        assert found.watcher.lacking() == ["the first list of syncjobs is not in yet"]
        await found.until(found.watcher.synced.is_set)
        assert found.names() == {"a"}
        assert found.watcher.lacking() == []

    run(answers, body)


def test_a_connection_that_is_cut_in_the_middle_of_an_event_loses_none() -> None:
    whole = [event("ADDED", job("a", 11)), event("ADDED", job("half", 99))]
    answers = Answers([], watches=[whole[:1], whole], cut=True)

    async def body(found: Watching) -> None:
        await found.until(lambda: found.names() == {"a", "half"})
        # From the first event on, or where the end was noticed before it was read, from before that.
        assert answers.watched[1]["resourceVersion"] in ("10", "11")

    run(answers, body)


def test_a_connection_on_which_nothing_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_SILENCE_SECONDS", 0.2)
    answers = Answers([job("a", 5)])
    run(answers, lambda found: found.until(lambda: len(answers.watched) >= 3))


def test_a_job_that_leaves_the_selector_may_come_back_and_a_deleted_one_does_not() -> None:
    left, back = event("DELETED", job("a", 11)), event("ADDED", job("a", 12))

    async def is_back(found: Watching) -> None:
        await found.until(lambda: len(found.answers.watched) == 2)
        assert found.names() == {"a"}

    async def is_gone(found: Watching) -> None:
        await found.until(lambda: len(found.answers.watched) == 2)
        assert found.names() == set()

    run(Answers([job("a", 5)], watches=[[left, back]]), is_back, fields=UNFINISHED)
    run(Answers([job("a", 5)], watches=[[left, back]]), is_gone)


def test_an_object_that_is_not_understood_is_left_out_and_the_rest_goes_on() -> None:
    strange = job("strange", 11) | {"spec": {"target": "shop"}}
    answers = Answers([job("a", 5)], watches=[[event("ADDED", strange), event("ADDED", job("b", 12))], [b"<html>\n"]])

    async def body(found: Watching) -> None:
        await found.until(lambda: len(answers.watched) == 3)
        assert found.names() == {"a", "b"}
        assert [query["resourceVersion"] for query in answers.watched] == ["10", "12", "12"]

    run(answers, body)


def test_events_that_come_in_pieces_and_larger_than_any_buffer_are_taken_whole() -> None:
    large = job("large", 12) | {"padding": "x" * 5_000_000}
    line = event("ADDED", large) + event("ADDED", job("b", 13))
    pieces = [line[start : start + 1_000_003] for start in range(0, len(line), 1_000_003)]
    answers = Answers([], watches=[pieces])
    run(answers, lambda found: found.until(lambda: found.names() == {"large", "b"}))


def test_only_the_namespaces_that_are_asked_for_are_watched() -> None:
    answers = Answers([])

    async def body(found: Watching) -> None:
        await found.until(lambda: len(answers.watched) == 2)
        prefix = PATH.removesuffix("/syncjobs")
        assert set(answers.paths) == {f"{prefix}/namespaces/{name}/syncjobs" for name in ("one", "two")}

    run(answers, body, "one", "two")


def test_a_list_of_one_namespace_takes_nothing_from_another() -> None:
    answers = Answers([job("a", 5, namespace="two")])

    async def body(found: Watching) -> None:
        await found.until(found.watcher.synced.is_set)
        await found.watcher.resync()
        assert found.names() == {"a"}

    run(answers, body, "one", "two")
