"""/livez and /readyz over plain HTTP, as kubelets ask for them."""

from collections.abc import Callable

from aiohttp import web


class Probes:
    """Serves the two paths on all addresses of the Pod while entered."""

    def __init__(self, ready: Callable[[], bool], port: int) -> None:
        self._ready = ready
        self._port = port
        application = web.Application()
        application.router.add_get("/livez", self._live)
        application.router.add_get("/readyz", self._readiness)
        self._runner = web.AppRunner(application, access_log=None)

    async def __aenter__(self) -> "Probes":
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self._port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readiness(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n") if self._ready() else web.Response(status=503, text="not ready\n")
