"""The world of the claim protocol's model: an API server with one job, and what the runner needs besides it."""

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from specsync.kube.client import ApiError, Conflict, NotFound
from specsync.resources import Dependency, SyncJob
from specsync.resources.meta import ObjectMeta
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import AlertOutput, FetchOutput, ParseOutput, SyncJobSpec, Target
from specsync.stages.contract import Stage, StageContext, StageError, StageResult

NO_ANSWER = ApiError(0, "NoAnswer", "no answer")


@dataclass
class Request:
    """A write or a GET that waits for the model's decision. `job` is what is written, None for a GET."""

    sender: str
    job: SyncJob | None
    answer: "asyncio.Future[SyncJob]"


@dataclass
class Server:
    """One job, as JSON, and a PUT of its status as the API server does it. `history` has each one that was written."""

    job: dict[str, Any] | None = None
    requests: list[Request] = field(default_factory=list)
    late: list[Request] = field(default_factory=list)
    history: list[tuple[str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)  # sender, before, after
    created: int = 0
    guarded: bool = True  # whether it compares resourceVersions, as it does

    def create(self, trigger: str) -> None:
        self.created += 1
        job = SyncJob(
            metadata=ObjectMeta(name="job", namespace="ns", uid=f"uid-{self.created}", resource_version="1"),
            spec=SyncJobSpec(target=Target(name="api"), trigger=cast(Any, trigger)),
        )
        self.job = _with_defaults(msgspec.json.decode(msgspec.json.encode(job)))

    def read(self) -> SyncJob:
        if self.job is None:
            raise NotFound(404, "NotFound", "it is gone")
        return msgspec.convert(copy.deepcopy(self.job), SyncJob)

    def carry_out(self, request: Request) -> SyncJob:
        """Raises NotFound, Conflict."""
        if request.job is None:
            return self.read()
        if self.job is None:
            raise NotFound(404, "NotFound", "it is gone")
        seen, stored = request.job.metadata, self.job["metadata"]
        if self.guarded and (seen.uid, seen.resource_version) != (stored["uid"], stored["resourceVersion"]):
            raise Conflict(409, "Conflict", "the object has been modified")
        changed = copy.deepcopy(self.job)
        changed["status"] = msgspec.json.decode(msgspec.json.encode(request.job.status))
        changed["metadata"]["resourceVersion"] = str(int(self.job["metadata"]["resourceVersion"]) + 1)
        _with_defaults(changed)
        self.history.append((request.sender, self.job, changed))
        self.job = changed
        return self.read()


def _with_defaults(job: dict[str, Any]) -> dict[str, Any]:
    """As the schema has them."""
    job["spec"].setdefault("cancel", False)
    job.setdefault("status", {}).setdefault("phase", "Pending")
    return job


class Client:
    """The KubeClient of one process."""

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self._name = name

    async def get(self, kind: type[Any], namespace: str, name: str) -> Any:
        return dependency() if kind is Dependency else await self._ask(None)

    async def update_status(self, job: SyncJob) -> SyncJob:
        return await self._ask(job)

    async def patch(self, kind: type[Any], namespace: str, name: str, patch: Any) -> SyncJob:
        """The leader's addition of an owner: not a write of the status, so it is none that the model is about."""
        return await self._ask(None)

    async def _ask(self, job: SyncJob | None) -> SyncJob:
        answer: asyncio.Future[SyncJob] = asyncio.get_running_loop().create_future()
        request = Request(self._name, job, answer)
        self._server.requests.append(request)
        try:
            return await answer
        except asyncio.CancelledError:
            # Whoever asked was stopped: the request may be on its way.
            if request in self._server.requests:
                self._server.requests.remove(request)
                if request.job is not None:
                    self._server.late.append(request)
            raise


def dependency() -> Dependency:
    metadata = {"name": "api", "namespace": "ns", "uid": "dep"}
    return msgspec.convert({"metadata": metadata, "spec": {"source": {"url": "https://example.com/api"}}}, Dependency)


class Children:
    """No child processes: the model's stages need none."""

    @contextlib.asynccontextmanager
    async def for_job(self) -> AsyncIterator[Any]:
        async def nothing(*_: object) -> None: ...

        yield SimpleNamespace(reserve=nothing, release=nothing)


def stages(fails: Callable[[], bool]) -> tuple[Stage, ...]:
    """Three stages that do nothing; each fails when the model says so, for a reason that may pass."""

    def stage(name: Any, result: StageResult) -> Stage:
        async def run(context: StageContext) -> StageResult:
            if fails():
                raise StageError(Reason.SERVER_ERROR, "the server answered 500", retryable=True)
            return result

        return Stage(name, run, deadline=1e9)

    return (
        stage("fetch", StageResult(FetchOutput(source_digest="sha256:1"))),
        stage("parse", StageResult(ParseOutput(format="openapi-3.0", title="A", version="1"))),
        stage("alert", StageResult(AlertOutput(), ends="Changed")),
    )
