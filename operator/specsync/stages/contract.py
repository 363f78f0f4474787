"""What a stage is: a function from the job's context, with the records so far, to its own output.

A stage may run again after a crash at any instant. So all that it writes is idempotent (content-addressed, or named
after the job), and each object that it creates is a pure function of the records so far. The runner, and only the
runner, records the output.
"""

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from specsync.blobs.store import BlobStore
from specsync.fetching.client import Fetcher
from specsync.kube.client import KubeClient
from specsync.kube.events import EventRecorder
from specsync.resources import Dependency, SyncJob
from specsync.resources.meta import FrozenStruct
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import Result, StageName, StageRecord

R = TypeVar("R")

Load = Callable[[], Awaitable[bytes]]


class StageError(Exception):
    """A stage that can't go on. `message` is for users: one sentence, with the next step."""

    def __init__(
        self, reason: Reason, message: str, *, retryable: bool = False, retry_after: float | None = None
    ) -> None:
        """`retryable`: another attempt may succeed as things are; `retry_after`: not before so many seconds."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retryable = retryable
        self.retry_after = retry_after


REFUSALS = frozenset(
    {
        Reason.EMPTY_DOCUMENT,
        Reason.HTML_DOCUMENT,
        Reason.NOT_PARSEABLE,
        Reason.NOT_OPENAPI,
        Reason.UNSUPPORTED_VERSION,
        Reason.LIMIT_EXCEEDED,
        Reason.UNRESOLVABLE_REFERENCE,
    }
)
"""What the engine says of a document that it can't use."""


class BaseMoved(Exception):
    """The Dependency's current snapshot is no longer the one that this job compared with: diff again."""


class Engine(Protocol):
    """CPU-heavy work, done in a child process. Content is loaded and sent only where the child lacks it."""

    async def call(self, operation: str, reply: type[R], parts: dict[str, Load], **arguments: Any) -> R:
        """Runs an operation of `stages.engine`; `parts` maps digests to their content.

        Raises StageError: a defect of the document, or ResourceExhausted where it killed the child.
        """
        ...

    async def release(self) -> None:
        """Gives the child process back, for others to use while this job waits for something; it keeps nothing."""
        ...


@dataclass(frozen=True)
class StageContext:
    """What a stage works with. `job.status` holds the records so far, and the pinned base."""

    client: KubeClient
    blobs: BlobStore
    fetcher: Fetcher
    engine: Engine
    events: EventRecorder
    user_agent: str
    max_document_bytes: int
    job: SyncJob
    dependency: Dependency
    # Records what a stage has decided before it does it: an output that `begun` finds after a crash. Raises ClaimLost.
    checkpoint: Callable[[FrozenStruct], Awaitable[None]]
    dashboard_url: str = ""

    @property
    def namespace(self) -> str:
        return self.job.metadata.namespace

    def output(self, stage: StageName, type_: type[R]) -> R:
        """What an earlier stage handed on."""
        record = self.job.status.record(stage)
        output = getattr(record, stage) if record else None
        if not isinstance(output, type_):
            # Only by an edit of the status by hand: the records are written in order.
            raise StageError(Reason.INTERNAL_ERROR, f"the record of stage {stage} is missing; create another SyncJob")
        return output

    def begun(self, stage: StageName, type_: type[R]) -> R | None:
        """What this stage itself recorded by `checkpoint` in an earlier run, None where it did not."""
        output = next((getattr(r, stage) for r in self.job.status.stages if r.name == stage), None)
        return output if isinstance(output, type_) else None


@dataclass(frozen=True)
class StageResult:
    """A stage's output. `ends` ends the pipeline here, with that result; the remaining stages are skipped."""

    output: FrozenStruct
    message: str | None = None
    ends: Result | None = None


@dataclass(frozen=True)
class Stage:
    """A stage as the runner knows it; `deadline` in seconds."""

    name: StageName
    run: Callable[[StageContext], Awaitable[StageResult]]
    deadline: float


def begun_record(stage: StageName, output: FrozenStruct, started: dt.datetime) -> StageRecord:
    """The checkpoint of a stage that has decided what to do, and has not done all of it."""
    return StageRecord(name=stage, state="Started", started=started, **{stage: output})  # type: ignore[arg-type]


def record_of(stage: StageName, result: StageResult, started: dt.datetime, finished: dt.datetime) -> StageRecord:
    """The checkpoint of a stage that is done."""
    return StageRecord(
        name=stage,
        state="Succeeded",
        started=started,
        finished=finished,
        message=result.message,
        **{stage: result.output},  # type: ignore[arg-type]
    )
