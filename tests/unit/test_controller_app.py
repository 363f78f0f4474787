"""The controller's queue: who waits for long is looked at now and then all the same."""

import asyncio
from typing import Any

import pytest

from specsync.controller import app
from specsync.controller.app import Controller, ControllerSettings


def test_who_waits_for_hours_is_looked_at_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's clock stands still while the machine sleeps, and knows nothing of a clock that was set."""
    monkeypatch.setattr(app, "_LONGEST_WAIT", 0.01)
    looks: list[str] = []

    async def reconcile(namespace: str, name: str) -> float:
        looks.append(name)
        return 6 * 3600.0

    async def scenario() -> None:
        nobody: Any = None
        controller = Controller(nobody, ControllerSettings(namespace="specsync-system"), "me")
        monkeypatch.setattr(controller._reconciler, "reconcile", reconcile)
        controller._queue.add(("ns", "shop"))
        working = asyncio.create_task(controller._reconcile_keys())
        async with asyncio.timeout(10):
            while len(looks) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    asyncio.run(scenario())
