"""The parse stage where judging takes too much: Lenient goes on with another child process, Strict doesn't."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from specsync.blobs.store import digest_of
from specsync.resources.dependency import DependencySpec
from specsync.resources.reasons import Reason
from specsync.resources.source import Source
from specsync.resources.syncjob import FetchOutput, Judgement, ParseOutput
from specsync.stages import parse
from specsync.stages.contract import Load, StageContext, StageError
from specsync.stages.engine import Normalized
from specsync.worker.children import ChildPool

PATHS = ",".join(f'"/{number}/{{a}}":{{"get":{{"responses":{{"200":{{}}}}}}}}' for number in range(100_000))
SLOW = f'{{"openapi":"3.0.3","info":{{"title":"Slow","version":"1"}},"paths":{{{PATHS}}}}}'.encode()


def context_of(validation: Any, engine: Any) -> StageContext:
    """As much of a context as the stage looks at where there are no findings to store."""
    spec = DependencySpec(source=Source(url="https://a.example/"), validation=validation)
    fetched = FetchOutput(source_digest="", raw_digest=digest_of(SLOW))
    context = SimpleNamespace(
        engine=engine, dependency=SimpleNamespace(spec=spec), output=lambda *_: fetched, namespace="n"
    )
    return cast(StageContext, context)


async def read_slow() -> bytes:
    return SLOW


@pytest.fixture(autouse=True)
def document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "raw_part", lambda *_: {digest_of(SLOW): read_slow})


async def with_engine(validation: str) -> tuple[Judgement | None, Normalized]:
    """What the stage says of the judgement, and what another call on the same engine gives afterwards."""
    pool = ChildPool(1, 1024**3)
    try:
        async with asyncio.timeout(60), pool.for_job() as engine:
            result = await parse.run(context_of(validation, engine))
            digest = digest_of(SLOW)
            parts: dict[str, Load] = {digest: read_slow}
            normalized = await engine.call("normalize", Normalized, parts, raw=digest)
            assert isinstance(result.output, ParseOutput)
            assert pool.started == 2
            return result.output.validation, normalized
    finally:
        await pool.close()


def cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judging ends by its time limit, in the middle: the document takes longer."""
    monkeypatch.setattr(parse, "_JUDGING", 0.05)


def test_lenient_goes_on_without_a_judgement(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_short(monkeypatch)
    judgement, normalized = asyncio.run(with_engine("Lenient"))
    assert judgement == Judgement(judged=False)
    assert normalized.operations == 100_000


def test_strict_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_short(monkeypatch)
    with pytest.raises(StageError) as failed:
        asyncio.run(with_engine("Strict"))
    assert failed.value.reason == Reason.RESOURCE_EXHAUSTED
    assert "spec.validation is Strict" in failed.value.message


class FailingEngine:
    """Parses, but can't judge."""

    def __init__(self, reason: Reason) -> None:
        self._reason = reason

    async def call(self, operation: str, *_: Any, **__: Any) -> ParseOutput:
        if operation == "validate":
            raise StageError(self._reason, "no")
        return ParseOutput(format="openapi-3.0", title="t", version="1")


@pytest.mark.parametrize("reason", [Reason.RESOURCE_EXHAUSTED, Reason.INTERNAL_ERROR])
def test_a_judgement_that_fails_fails_strict_only(reason: Reason) -> None:
    result = asyncio.run(parse.run(context_of("Lenient", FailingEngine(reason))))
    assert isinstance(result.output, ParseOutput)
    assert result.output.validation == Judgement(judged=False)
    with pytest.raises(StageError) as failed:
        asyncio.run(parse.run(context_of("Strict", FailingEngine(reason))))
    assert failed.value.reason == reason


def test_what_the_blobs_say_goes_through() -> None:
    with pytest.raises(StageError):
        asyncio.run(parse.run(context_of("Lenient", FailingEngine(Reason.BLOB_MISSING))))
