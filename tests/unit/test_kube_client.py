"""How the client takes an API server's answers, against a server over HTTP that answers as it is told."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from specsync.kube import client as client_module
from specsync.kube import connection
from specsync.kube.client import ApiError, KubeClient
from specsync.kube.core import ConfigMap, Lease, LeaseSpec
from specsync.resources import clock
from specsync.resources.meta import ObjectMeta, now

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "ns"}}
Scenario = Callable[[KubeClient], Awaitable[None]]


class Server:
    """Answers with `answers` one by one, the last one for ever; remembers what it was asked."""

    def __init__(self, *answers: tuple[int, dict[str, str], Any]) -> None:
        self._answers = list(answers)
        self.token = ""
        self.silent = False
        self.asked: list[tuple[str, str]] = []

    async def serve(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path))
        if self.silent:
            await asyncio.sleep(60)
        if self.token and request.headers.get("Authorization") != f"bearer {self.token}":
            return web.Response(status=401)
        status, headers, body = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(body, str):
            return web.Response(status=status, headers=headers, text=body)
        return web.json_response(body, status=status, headers=headers)

    def run(self, scenario: Scenario, *, token: str = "") -> None:
        async def serving() -> None:
            application = web.Application()
            application.router.add_route("*", "/{path:.*}", self.serve)
            runner = web.AppRunner(application, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            configuration = Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")
            if token:
                configuration.api_key = {"BearerToken": f"bearer {token}"}

            async def open_session(**options: Any) -> Any:
                return await connection.open_session(configuration, "specsync-test", **options)

            client = KubeClient(open_session, await open_session(), "specsync-test")
            try:
                await scenario(client)
            finally:
                await client.close()
                await runner.cleanup()

        asyncio.run(serving())


async def read(client: KubeClient) -> None:
    assert (await client.get(ConfigMap, "ns", "a")).metadata.name == "a"


@pytest.fixture
def same_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process's clock is right at first, and again afterwards."""
    monkeypatch.setattr(clock, "_offset", dt.timedelta(0))


def told(ahead: float) -> dict[str, str]:
    """The header of a server whose clock is so many seconds ahead."""
    return {"Date": format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead), usegmt=True)}


def ahead_after(*dates: dict[str, str]) -> float:
    """Seconds that `now` is ahead of this machine's clock after answers with these headers."""

    async def reads(client: KubeClient) -> None:
        for _ in dates:
            await read(client)

    Server(*((200, date, MAP) for date in dates)).run(reads)
    return (now() - dt.datetime.now(dt.UTC)).total_seconds()


@pytest.mark.usefixtures("same_clock")
@pytest.mark.parametrize("ahead", [7200, -7200])
def test_the_time_is_the_api_servers(ahead: int) -> None:
    assert ahead_after(told(ahead)) == pytest.approx(ahead, abs=3)
    assert ahead_after(told(ahead), told(0)) == pytest.approx(0, abs=3)


@pytest.mark.usefixtures("same_clock")
@pytest.mark.parametrize("date", [{}, {"Date": "yesterday"}, {"Date": "Tue, 24 Nov 2026 13:20:12 -0000"}])
def test_a_clock_that_is_right_is_left_alone(date: dict[str, str]) -> None:
    assert ahead_after(date) == pytest.approx(0, abs=1)


@pytest.mark.usefixtures("same_clock")
def test_an_error_page_of_who_stands_in_between_tells_no_time() -> None:
    async def refused(client: KubeClient) -> None:
        with pytest.raises(ApiError):
            await read(client)

    Server((502, told(7200), "<html>bad gateway</html>")).run(refused)
    assert (now() - dt.datetime.now(dt.UTC)).total_seconds() == pytest.approx(0, abs=1)


@pytest.mark.usefixtures("same_clock")
def test_api_servers_that_differ_among_each_other_fill_no_log() -> None:
    with capture_logs() as logs:
        ahead_after(*(told(ahead) for ahead in (60, 0) * 10))
    assert len([entry for entry in logs if "clock differs" in entry["event"]]) == 1


@pytest.mark.usefixtures("same_clock")
def test_an_answer_that_was_long_under_way_tells_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_SOON", 0.0)
    assert ahead_after(told(-60)) == pytest.approx(0, abs=1)


def test_429_is_asked_again_when_the_server_said() -> None:
    server = Server((429, {"Retry-After": "1"}, {"reason": "TooManyRequests"}), (200, {}, MAP))
    server.run(read)
    assert len(server.asked) == 2


def test_a_write_that_failed_on_the_server_is_the_callers_to_repeat() -> None:
    """It may have been carried out: only who asked knows whether it may be done twice."""
    server = Server((503, {"Retry-After": "7"}, {"reason": "ServiceUnavailable", "message": "shutting down"}))

    async def write(client: KubeClient) -> None:
        with pytest.raises(ApiError, match="503 ServiceUnavailable: shutting down") as raised:
            await client.create(ConfigMap(metadata=ObjectMeta(name="a", namespace="ns")))
        assert raised.value.unknown
        assert raised.value.retry_after == 7.0

    server.run(write)
    assert len(server.asked) == 1


def test_while_the_server_wants_to_be_left_alone_nobody_asks_it_but_for_leases() -> None:
    server = Server((503, {"Retry-After": "30"}, {}))

    async def many(client: KubeClient) -> None:
        for _ in range(20):
            with pytest.raises(ApiError):
                await client.get(ConfigMap, "ns", "a")
        lease = Lease(metadata=ObjectMeta(name="l", namespace="ns"), spec=LeaseSpec())
        for _ in range(3):
            with pytest.raises(ApiError, match="503 Service Unavailable"):
                await client.create(lease)

    server.run(many)
    assert [method for method, _ in server.asked] == ["GET", "POST", "POST", "POST"]


def trouble(sort: str) -> float | None:
    return REGISTRY.get_sample_value("specsync_api_trouble", {"sort": sort})


def test_leases_that_can_be_read_and_not_written_are_trouble() -> None:
    """As where etcd is full: each look at the other workers succeeds, each renewal fails."""
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "l", "namespace": "ns"},
        "spec": {},
    }
    full = {"message": "etcdserver: mvcc: database space exceeded"}
    server = Server(*[(200, {}, lease), (500, {}, full)] * 5)

    async def beat(client: KubeClient) -> None:
        for _ in range(5):
            await client.get(Lease, "ns", "l")
            with pytest.raises(ApiError, match="space exceeded"):
                await client.patch(Lease, "ns", "l", [])
        assert (trouble("leases"), trouble("reads")) == (1, 0)

    server.run(beat)


def test_renewals_that_get_no_answer_in_their_time_are_trouble() -> None:
    async def beat(client: KubeClient) -> None:
        server.silent = True
        for _ in range(5):
            assert trouble("leases") == 0
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await client.patch(Lease, "ns", "l", [])
        assert trouble("leases") == 1

    server = Server((200, {}, MAP))
    server.run(beat)


def test_a_page_of_somebody_in_between_is_no_object() -> None:
    async def misread(client: KubeClient) -> None:
        with pytest.raises(ApiError, match="isn't understood") as raised:
            await client.get(ConfigMap, "ns", "a")
        assert raised.value.unknown

    Server((200, {}, "<html>please log in</html>")).run(misread)


def test_nobody_there_is_an_error_like_any_other() -> None:
    async def nobody(_: KubeClient) -> None:
        configuration = Configuration(host="http://127.0.0.1:1")

        async def open_session(**options: Any) -> Any:
            return await connection.open_session(configuration, "specsync-test", **options)

        client = KubeClient(open_session, await open_session(), "specsync-test")
        try:
            with pytest.raises(ApiError, match="no answer from the API server") as raised:
                await client.get(ConfigMap, "ns", "a")
            assert raised.value.unknown
        finally:
            await client.close()

    Server((200, {}, MAP)).run(nobody)


@contextmanager
def mounted_token(monkeypatch: pytest.MonkeyPatch, token: str) -> Iterator[None]:
    """What the loader reads when it is asked anew: as of a service account, which also remembers it for a minute."""

    async def load(*_: Any) -> Configuration:
        fresh = Configuration()

        def remembered(configuration: Configuration) -> None:
            configuration.api_key = {"BearerToken": f"bearer {token}"}

        remembered(fresh)
        fresh.refresh_api_key_hook = remembered
        return fresh

    monkeypatch.setattr(connection, "load_configuration", load)
    yield


def test_a_token_that_was_replaced_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server((200, {}, MAP))
    server.token = "new"

    async def twice(client: KubeClient) -> None:
        await read(client)
        await read(client)

    with mounted_token(monkeypatch, "new"):
        server.run(twice, token="old")
    assert len(server.asked) == 3, "refused, again with the new one; then the new one at once"


def test_credentials_that_cannot_be_read_at_the_moment_are_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def load(*_: Any) -> Configuration:
        raise connection.ConnectionError("no usable connection to a Kubernetes API server (token file missing)")

    monkeypatch.setattr(connection, "load_configuration", load)
    server = Server((200, {}, MAP))
    server.token = "new"

    async def refused(client: KubeClient) -> None:
        with pytest.raises(ApiError, match="token file missing") as raised:
            await client.get(ConfigMap, "ns", "a")
        assert raised.value.unknown

    server.run(refused, token="old")
