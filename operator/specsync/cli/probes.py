"""/livez, /readyz and /metrics over plain HTTP, as kubelets and Prometheus ask for them."""

import asyncio
import os
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version

from aiohttp import web
from prometheus_client import Gauge, Info
from prometheus_client.aiohttp import make_aiohttp_handler

from specsync.kube.loops import standing_still

BUILD = Info("specsync_build", "What runs here; its value is always 1")
TASKS = Gauge("specsync_tasks", "Tasks of the event loop; a number that grows for hours is a leak")


class ProbesError(Exception):
    """The port can't be served; the text says what to do."""


class Probes:
    """Serves the three paths on all addresses of the Pod while entered."""

    def __init__(self, lacking: Callable[[], Sequence[str]], port: int, role: str) -> None:
        """`lacking` names what is still missing before this process can do its work; `role` is its command."""
        BUILD.info({"version": version("specsync"), "python": platform.python_version(), "role": role})
        self._lacking = lacking
        self._port = port
        application = web.Application()
        application.router.add_get("/livez", self._live)
        application.router.add_get("/readyz", self._readiness)
        application.router.add_get("/metrics", make_aiohttp_handler())
        self._runner = web.AppRunner(application, access_log=None)

    async def __aenter__(self) -> "Probes":
        """Raises ProbesError."""
        loop = asyncio.get_running_loop()
        TASKS.set_function(lambda: len(asyncio.all_tasks(loop)))
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, port=self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            why = os.strerror(error.errno) if error.errno else "it is refused"
            text = f"port {self._port} can't be served ({why}): give another as --probes-port, or 0 for none"
            raise ProbesError(text) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        return _answer([f"the {name} loop stands still" for name in standing_still()])

    async def _readiness(self, _: web.Request) -> web.Response:
        return _answer(self._lacking())


def _answer(wrong: Sequence[str]) -> web.Response:
    return web.Response(status=503, text="".join(f"{line}\n" for line in wrong)) if wrong else web.Response(text="ok\n")
