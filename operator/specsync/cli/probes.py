"""/livez, /readyz and /metrics over plain HTTP, as kubelets and Prometheus ask for them."""

import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version

from aiohttp import web
from prometheus_client import Info
from prometheus_client.aiohttp import make_aiohttp_handler

from specsync.kube.loops import standing_still

BUILD = Info("specsync_build", "What runs here; its value is always 1")


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
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self._port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        return _answer([f"the {name} loop stands still" for name in standing_still()])

    async def _readiness(self, _: web.Request) -> web.Response:
        return _answer(self._lacking())


def _answer(wrong: Sequence[str]) -> web.Response:
    return web.Response(status=503, text="".join(f"{line}\n" for line in wrong)) if wrong else web.Response(text="ok\n")
