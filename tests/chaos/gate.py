"""A TCP proxy between one process and the API server, by which that one's network can be cut."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, Literal

Cut = Literal["refuse", "silence", "reset"]
CUTS: tuple[Cut, ...] = ("refuse", "silence", "reset")

_HOST = "127.0.0.1"


class Gate:
    """Open at first. All its methods may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, target: Callable[[], int]) -> None:
        """`target` is the API server's port."""
        self._loop = loop
        self._target = target
        self._connections: set[asyncio.StreamWriter] = set()
        self._flow = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self.port = 0
        self._do(self._listen())

    def cut(self, how: Cut) -> None:
        """`refuse`: nothing listens, connections break. `silence`: nothing goes through. `reset`: once, now.

        What was sent in silence arrives when the gate opens again, as in a real network.
        """
        if how == "silence":
            self._loop.call_soon_threadsafe(self._flow.clear)
        else:
            self._do(self._break(listen=how == "reset"))

    def open(self) -> None:
        self._do(self._listen())

    async def close(self) -> None:
        """Ends it; in the gates' own loop."""
        self._flow.set()
        await self._break(listen=False)

    async def _listen(self) -> None:
        self._flow.set()
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accept, _HOST, self.port, backlog=200)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _break(self, *, listen: bool) -> None:
        if not listen and self._listener is not None:
            self._listener.close()
            self._listener = None
        for writer in list(self._connections):
            sock: socket.socket | None = writer.get_extra_info("socket")
            if sock is not None:
                # Linger 0: a reset instead of an orderly end.
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flow.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection(_HOST, self._target())
        except OSError:
            writer.close()
            return
        if self._listener is None:  # cut meanwhile
            writer.transport.abort()
            far_writer.close()
            return
        self._connections |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._connections -= {writer, far_writer}

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._flow.wait()
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)


class GateLoop:
    """The thread that all gates run in, while entered."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._gates: list[Gate] = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="gates")

    def gate(self, target: Callable[[], int]) -> Gate:
        gate = Gate(self._loop, target)
        self._gates.append(gate)
        return gate

    def __enter__(self) -> "GateLoop":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        async def close_all() -> None:
            for gate in self._gates:
                await gate.close()
            if others := asyncio.all_tasks() - {asyncio.current_task()}:
                # They end by themselves, now that their connections have; a cancelled one is shown as an error.
                _, left = await asyncio.wait(others, timeout=5)
                for task in left:
                    task.cancel()

        asyncio.run_coroutine_threadsafe(close_all(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
