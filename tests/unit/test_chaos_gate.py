"""The proxy that cuts networks: what is cut is cut for all, also for who is just connecting."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from tests.chaos.gate import Gate, GateLoop


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        yield listener


def connect(gate: Gate) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gate.port), timeout=10)


def arrives(client: socket.socket, server: socket.socket) -> bool:
    client.sendall(b"x")
    with server.accept()[0] as accepted:
        return accepted.recv(1) == b"x"


def has_ended(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_it_is_open_at_first_and_after_a_cut(server: socket.socket) -> None:
    with GateLoop() as loop:
        gate = loop.gate(lambda: int(server.getsockname()[1]))
        with connect(gate) as before:
            assert arrives(before, server)
            gate.cut("refuse")
            assert has_ended(before)
        with pytest.raises(ConnectionRefusedError):
            connect(gate)
        gate.open()
        with connect(gate) as after:
            assert arrives(after, server)


def test_who_connects_while_it_is_cut_does_not_slip_through(server: socket.socket) -> None:
    cuts = []
    with GateLoop() as loop:

        def target() -> int:
            cuts.append(asyncio.ensure_future(gate._break(listen=False)))  # between its accept and its connect
            return int(server.getsockname()[1])

        gate = loop.gate(target)
        with connect(gate) as client:
            client.sendall(b"x")
            assert has_ended(client)
