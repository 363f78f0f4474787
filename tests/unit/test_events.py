"""Events tell what happened, and are no condition of it: one that is refused is left out."""

import asyncio
from typing import Any

import pytest

from specsync.kube.client import ApiError, Conflict, Invalid, NotFound
from specsync.kube.events import EventRecorder
from specsync.resources.reasons import Reason
from tests.unit.objects import dependency


class Answering:
    def __init__(self, error: ApiError) -> None:
        self._error = error

    async def create(self, event: Any) -> Any:
        raise self._error


def record(error: ApiError) -> str:
    recorder = EventRecorder(Answering(error), "specsync-controller", "me")  # type: ignore[arg-type]
    return asyncio.run(recorder.record(dependency(), "Normal", Reason.RECOVERED, "a sync succeeded again", "uid/1"))


@pytest.mark.parametrize(
    "error",
    [
        Conflict(409, "AlreadyExists", "it exists"),
        NotFound(404, "NotFound", "the namespace is gone"),
        ApiError(403, "Forbidden", "exceeded quota: no events"),
        Invalid(422, "Invalid", "a policy refuses it"),
    ],
)
def test_an_event_that_is_there_or_is_refused_stops_nothing(error: ApiError) -> None:
    assert record(error).startswith("shop.")


@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_an_event_of_which_nobody_knows_is_written_again_by_who_repeats_its_work(status: int) -> None:
    with pytest.raises(ApiError):
        record(ApiError(status, "No", "no"))
