"""The largest real documents that we have, served over HTTP and sent through: GitHub's 13 MB, Plaid's 3 MB of YAML."""

import datetime as dt
import lzma
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from devcluster.audit import AuditEntry
from tests.conftest import PROJECT
from tests.integration.crew import Crew
from tests.loopback import Loopback

FOLDER = Path(os.environ.get("SPECSYNC_CONFORMANCE_DIR") or PROJECT.parent / "shared" / "conformance") / "real"

# Dependency → what it finds first, and what it finds then.
VERSIONS = {
    "github": ("github-19.0.0.json.xz", "github-23.0.2.json.xz"),
    "plaid": ("plaid-60.yml.xz", "plaid-0.yml.xz"),
}


def missing() -> list[str]:
    return [name for names in VERSIONS.values() for name in names if not (FOLDER / name).exists()]


class Library:
    """Serves the documents: the first version of each until `turn_the_page`."""

    def __init__(self) -> None:
        self._documents = {
            name: [lzma.decompress((FOLDER / file).read_bytes()) for file in files] for name, files in VERSIONS.items()
        }
        self._page = 0
        self.host = ""

    def turn_the_page(self) -> None:
        self._page = 1

    def url(self, name: str) -> str:
        return f"http://{self.host}/{name}"

    def content(self, path: str) -> bytes:
        return self._documents[path.strip("/")][self._page]


@contextmanager
def open_library() -> Iterator[Library]:
    library = Library()
    with Loopback(lambda exchange: exchange.answer(200, library.content(exchange.path))) as server:
        library.host = server.address
        yield library


def send_through(crew: Crew, library: Library, timeout: float = 120) -> list[Any]:
    """Syncs both versions of all documents, side by side; the finished jobs, baselines first. Seconds."""
    for name in VERSIONS:
        crew.depend_on_source(name, {"url": library.url(name)})
    jobs = [_job(crew, crew.wait_for_result(name, "Baseline", timeout=timeout)) for name in VERSIONS]
    library.turn_the_page()
    for name in VERSIONS:
        crew.request_sync(name, "next")
    return jobs + [_job(crew, crew.wait_for_result(name, "Changed", timeout=timeout)) for name in VERSIONS]


def _job(crew: Crew, status: Any) -> Any:
    return crew.get("syncjobs", status["lastSync"]["job"])


def between_renewals(entries: Sequence[AuditEntry], worker: str) -> list[float]:
    """Seconds between the renewals of a worker's Lease, as the API server received them."""
    times = [
        dt.datetime.fromisoformat(entry.raw["requestReceivedTimestamp"])
        for entry in entries
        if (entry.verb, entry.resource, entry.name) == ("patch", "leases", worker) and entry.code == 200
    ]
    return [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
