"""Reading an audit log that somebody else is writing."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from devcluster.audit import AuditLog


def entry(uri: str, verb: str = "get", stage: str = "ResponseComplete", **more: Any) -> dict[str, Any]:
    return {
        "stage": stage,
        "verb": verb,
        "requestURI": uri,
        "user": {"username": "someone"},
        "userAgent": "specsync/worker-1",
        "responseStatus": {"code": 200},
        **more,
    }


class Server:
    """Writes an entry for each request, as the API server does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def write(self, record: dict[str, Any]) -> None:
        with self.path.open("a") as log:
            log.write(json.dumps(record) + "\n")

    def knock(self, uri: str) -> None:
        self.write(entry(uri))


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "audit.log")


@pytest.fixture
def log(server: Server) -> AuditLog:
    return AuditLog(server.path, server.knock)


def test_entries_since_a_mark(server: Server, log: AuditLog) -> None:
    server.write(entry("/before"))
    mark = log.mark()
    server.write(entry("/after"))
    assert [found.uri for found in log.entries(mark)] == ["/after"]
    assert [found.uri for found in log.entries()] == ["/before", "/after"]


def test_fields_of_an_entry(server: Server, log: AuditLog) -> None:
    target = {
        "apiGroup": "specsync.dev",
        "resource": "syncjobs",
        "subresource": "status",
        "namespace": "team",
        "name": "a",
    }
    server.write(entry("/x", "patch", objectRef=target, requestObject=[{"op": "test"}], responseObject={"a": 1}))
    [found] = log.entries()
    assert (found.verb, found.group, found.resource, found.subresource) == (
        "patch",
        "specsync.dev",
        "syncjobs",
        "status",
    )
    assert (found.namespace, found.name, found.code, found.user) == ("team", "a", 200, "someone")
    assert found.user_agent == "specsync/worker-1"
    assert found.request == [{"op": "test"}]
    assert found.response == {"a": 1}
    assert found.is_write


@pytest.mark.parametrize("verb", ["get", "list", "watch"])
def test_reading_is_no_write(server: Server, log: AuditLog, verb: str) -> None:
    server.write(entry("/x", verb, "ResponseStarted" if verb == "watch" else "ResponseComplete"))
    [found] = log.entries()
    assert not found.is_write


def test_a_watch_counts_once_from_its_start(server: Server, log: AuditLog) -> None:
    server.write(entry("/watch", "watch", "ResponseStarted"))
    server.write(entry("/exec", "create", "ResponseStarted"))
    server.write(entry("/exec", "create"))
    server.write(entry("/watch", "watch"))
    assert [found.uri for found in log.entries()] == ["/watch", "/exec"]


def test_waits_for_the_entry_of_its_own_request(server: Server) -> None:
    late: list[threading.Timer] = []

    def knock(uri: str) -> None:
        def write_in_two_halves() -> None:
            line = json.dumps(entry(uri)) + "\n"
            with server.path.open("a") as log:
                log.write(json.dumps(entry("/slow")) + "\n" + line[:40])
                log.flush()
                log.write(line[40:])

        late.append(threading.Timer(0.05, write_in_two_halves))
        late[-1].start()

    found = AuditLog(server.path, knock).entries()
    assert [one.uri for one in found] == ["/slow"]
    for timer in late:
        timer.join()
