"""The world of a desk: an API server in memory, a service that answers as planned, and a clock that is put forward."""

import asyncio
import contextlib
import copy
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar, cast

import msgspec

from specsync.alerting.pace import AlertTiming
from specsync.alerting.secrets import OutletMaker
from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.guard import Guard
from specsync.fetching.post import Answer, Poster, PostError
from specsync.fetching.responses import Headers
from specsync.kube.client import Conflict, Invalid, KubeClient, NotFound
from specsync.kube.core import PartialObject
from specsync.kube.events import EventRecorder
from specsync.kube.store import Store
from specsync.resources import AlertChannel, AlertDelivery, clock
from specsync.resources.meta import to_wire
from specsync.worker.desk import Desk, Post
from tests.unit.alerting.samples import channel
from tests.unit.objects import NOON

T = TypeVar("T")


class Api:
    """The API server, as far as desks use it: JSON Patch with its tests, names, versions."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}  # kind, name
        self.trouble: Callable[[str, str, str], None] = lambda *_: None  # verb, kind, name: raises what it answers
        self.history: list[tuple[str, dict[str, Any]]] = []  # kind, and the object as it was written
        self._version = 100

    def add(self, obj: Any) -> None:
        found = _plain(obj)
        found["metadata"].setdefault("uid", found["metadata"]["name"])
        self._put(type(obj).__name__, found)

    def status(self, kind: str, name: str) -> dict[str, Any]:
        return cast("dict[str, Any]", self.objects[kind, name]["status"])

    def names(self, kind: str) -> list[str]:
        return sorted(name for of, name in self.objects if of == kind)

    async def get(self, kind: type[T], namespace: str, name: str) -> T:
        await self._turn("get", kind, name)
        return msgspec.convert(copy.deepcopy(self._found(kind, name)), kind)

    async def get_metadata(self, kind: type[Any], namespace: str, name: str) -> PartialObject:
        await self._turn("get", kind, name)
        return msgspec.convert({"metadata": self._found(kind, name)["metadata"]}, PartialObject)

    async def list(self, kind: type[T], namespace: str, *, fields: str = "", page: int = 500) -> list[T]:
        await self._turn("list", kind, "")
        wanted = kind.definition.kind  # type: ignore[attr-defined]
        return [
            msgspec.convert(copy.deepcopy(each), kind)
            for (of, _), each in self.objects.items()
            if of == wanted and all(_fits(each, term) for term in fields.split(",") if term)
        ]

    async def create(self, obj: T) -> T:
        found = _plain(obj)
        await self._turn("create", type(obj), found["metadata"]["name"])
        key = (type(obj).__name__, found["metadata"]["name"])
        if key in self.objects:
            raise Conflict(409, "AlreadyExists", "it is there")
        found["metadata"]["uid"] = f"uid-of-{key[1]}"
        return msgspec.convert(self._put(key[0], found), type(obj))

    async def patch(
        self, kind: type[T], namespace: str, name: str, patch: Sequence[dict[str, Any]], *, subresource: str
    ) -> T:
        await self._turn("patch", kind, name)
        changed = copy.deepcopy(self._found(kind, name))
        for step in patch:
            *parents, last = step["path"].lstrip("/").split("/")
            place: Any = changed
            for parent in parents:
                place = place.get(parent) if isinstance(place, dict) else None
            if step["op"] == "add":
                place[last] = _plain(step["value"])
            elif (place.get(last) if isinstance(place, dict) else None) != _plain(step["value"]):
                raise Invalid(422, "Invalid", "the server rejected our request")
        return msgspec.convert(self._put(kind.__name__, changed), kind)

    async def update_status(self, obj: T) -> T:
        given = _plain(obj)
        name = given["metadata"]["name"]
        await self._turn("update", type(obj), name)
        found = copy.deepcopy(self._found(type(obj), name))
        if any(found["metadata"].get(key) != given["metadata"].get(key) for key in ("uid", "resourceVersion")):
            raise Conflict(409, "Conflict", "the object has been modified")
        return msgspec.convert(self._put(type(obj).__name__, found | {"status": given["status"]}), type(obj))

    async def _turn(self, verb: str, kind: type[Any], name: str) -> None:
        await asyncio.sleep(0)
        self.trouble(verb, kind.__name__, name)
        await asyncio.sleep(0)

    def _found(self, kind: type[Any], name: str) -> dict[str, Any]:
        try:
            return self.objects[kind.__name__, name]
        except KeyError:
            raise NotFound(404, "NotFound", "it isn't there") from None

    def _put(self, kind: str, found: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        found["metadata"]["resourceVersion"] = str(self._version)
        found.setdefault("status", {})
        if kind == "AlertDelivery":
            found["status"].setdefault("phase", "Pending")
        self.objects[kind, found["metadata"]["name"]] = found
        self.history.append((kind, found))
        return copy.deepcopy(found)


class Service:
    """The channel's service: what it is sent, and what it answers. `plan`: statuses; 0: no answer. Then 202."""

    def __init__(self, *plan: int) -> None:
        self.plan = list(plan)
        self.poison = ""  # the title of a message that it can't stand
        self.arrived: list[tuple[str, list[str], int]] = []  # id, titles, answer

    async def post(self, url: str, body: bytes, headers: dict[str, str], **_: Any) -> Answer:
        titles = sorted(message["title"] for message in msgspec.json.decode(body)["data"]["messages"])
        status = self.plan.pop(0) if self.plan else 500 if self.poison in titles else 202
        self.arrived.append((headers["webhook-id"], titles, status))
        if status == 0:
            raise PostError(FetchError(FetchReason.TIMEOUT, "it did not answer."), sent=True)
        return Answer(status=status, headers=Headers([]), body=b"")

    def ids(self, title: str) -> set[str]:
        """The ids under which a message arrived."""
        return {id_ for id_, titles, _ in self.arrived if title in titles}


class Outlets(OutletMaker):
    """The real ones, but that they lead to the service."""

    def __init__(self, api: Api, service: Service) -> None:
        client = cast(KubeClient, api)
        super().__init__(client, Guard(), timeout=5.0, user_agent="test", apprise_schemes=frozenset())
        self._poster = cast(Poster, service)


class World:
    """One namespace with the channel `team`, served by one desk at a time."""

    def __init__(self, *plan: int, give_up_after: float = 3 * 86400.0, window: float = 0.0, secret: str = "") -> None:
        self.api, self.service = Api(), Service(*plan)
        spec = {"secretRef": {"name": secret}} if secret else {}
        team = channel("team", webhook={"url": "https://hooks.example.com/"}, **spec)
        sender = {"sender": {"worker": "w", "epoch": 1}}
        self.api.add(msgspec.convert(_plain(team) | {"status": sender}, AlertChannel))
        self.channels: Store[AlertChannel] = Store(AlertChannel)
        self.deliveries: Store[AlertDelivery] = Store(AlertDelivery, owner=lambda d: d.spec.channel)
        self._timing = AlertTiming(window=window, give_up_after=give_up_after)

    def __enter__(self) -> "World":
        self._offset = clock._offset
        clock._offset = NOON + dt.timedelta(minutes=1) - dt.datetime.now(dt.UTC)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        clock._offset = self._offset

    def later(self, seconds: float, desk: Desk | None = None) -> None:
        """Puts the clock forward."""
        clock._offset += dt.timedelta(seconds=seconds)
        if desk is not None:
            desk.wake.set()

    @contextlib.asynccontextmanager
    async def desk(self, *, worker: str = "w") -> AsyncIterator[Desk]:
        """A desk that runs, of a worker that has just taken the channel, with stores as a watch fills them."""
        found = await self.api.get(AlertChannel, "ns", "team")
        self.channels.put(found)
        for other in await self.api.list(AlertChannel, "ns"):
            self.channels.put(other)
        client = cast(KubeClient, self.api)
        events = EventRecorder(client, "worker", worker)
        post = Post(
            client=client,
            channels=self.channels,
            deliveries=self.deliveries,
            outlets=Outlets(self.api, self.service),
            events=events,
            timing=self._timing,
            worker=worker,
            safe=lambda: True,
            pause=lambda _: None,
        )
        desk = Desk(post, found)
        self.deliveries.on_change.append(lambda _: desk.wake.set())
        task = asyncio.create_task(desk.run())
        try:
            yield desk
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self.deliveries = Store(AlertDelivery, owner=lambda d: d.spec.channel)

    async def enqueue(self, *deliveries: AlertDelivery) -> None:
        """More deliveries, while a desk is at work."""
        for each in deliveries:
            self.api.add(each)
            self.deliveries.put(await self.api.get(AlertDelivery, "ns", each.metadata.name))

    def phases(self) -> dict[str, str]:
        return {name: self.api.status("AlertDelivery", name)["phase"] for name in self.api.names("AlertDelivery")}

    def marked(self) -> set[str]:
        """The deliveries that say that they may have come twice."""
        found = self.api.names("AlertDelivery")
        return {name for name in found if self.api.status("AlertDelivery", name).get("possiblyDuplicated")}


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.001)


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(to_wire(value)))


def _fits(obj: dict[str, Any], term: str) -> bool:
    path, _, value = term.replace("!=", "=!").partition("=")
    actual: Any = obj
    for part in path.split("."):
        actual = actual.get(part, "")
    return bool(actual != value[1:] if value.startswith("!") else actual == value)
