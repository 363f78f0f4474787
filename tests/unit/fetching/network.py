"""Tests in a network namespace of their own: it has the addresses that a test wants, and leads nowhere else."""

import functools
import importlib
import json
import os
import shutil
import struct
import subprocess
import sys
from asyncio import DatagramProtocol, DatagramTransport
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[3]
NAME_SERVER = "127.0.0.53"
_TIMEOUT = 240.0


def in_own_network(*addresses: str, dns: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Runs a test function of a module in a process whose loopback interface has ``addresses`` (with their length).

    With ``dns``, the system's resolver asks `NAME_SERVER` there. The function's parameters must be JSON, no fixtures.
    Skips where namespaces aren't permitted.
    """

    def decorated(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(**parameters: Any) -> None:
            why = _why_not()
            if why:
                pytest.skip(why)
            inside = [sys.executable, "-m", __name__, test.__module__, test.__name__, json.dumps(parameters)]
            done = subprocess.run(
                [*_unshare(), "sh", "-euc", _set_up(addresses, dns=dns), "sh", *inside],
                capture_output=True,
                text=True,
                cwd=PROJECT,
                timeout=_TIMEOUT,
                env=os.environ | {"PYTHONPATH": str(PROJECT)},
                check=False,
            )
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

        return run

    return decorated


def _unshare() -> list[str]:
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *as_root, "--net", "--mount", "--"]


def _set_up(addresses: Sequence[str], *, dns: bool = False) -> str:
    lines = ["ip link set lo up", *(f"ip address add {address} dev lo" for address in addresses)]
    if dns:
        lines += [
            "file=$(mktemp)",
            f"echo 'nameserver {NAME_SERVER}' > $file",
            "mount --bind $file /etc/resolv.conf",
            "rm $file",
        ]
    return "\n".join([*lines, 'exec "$@"'])


@functools.cache
def _why_not() -> str | None:
    if sys.platform != "linux" or shutil.which("unshare") is None or shutil.which("ip") is None:
        return "needs Linux with the commands unshare (util-linux) and ip (iproute2)"
    command = [*_unshare(), "sh", "-euc", _set_up([], dns=True), "sh", "true"]
    tried = subprocess.run(command, capture_output=True, check=False)
    return "may make no network namespace here" if tried.returncode else None


class NameServer(DatagramProtocol):
    """A DNS server: for each name its addresses in turn, the last for ever. Counts the questions for each name.

    To be used with ``loop.create_datagram_endpoint(…, local_addr=(NAME_SERVER, 53))``.
    """

    def __init__(self, **answers: Sequence[str | list[str]]) -> None:
        self.asked: list[str] = []
        self._answers = {
            name.replace("_", "."): [[turn] if isinstance(turn, str) else turn for turn in turns]
            for name, turns in answers.items()
        }

    def connection_made(self, transport: Any) -> None:
        self._transport: DatagramTransport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answers a question (RFC 1035, section 4.1): A records, nothing for other types, NXDOMAIN for other names."""
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        question = data[12 : at + 5]
        name, (kind, _) = ".".join(labels).lower(), struct.unpack("!HH", data[at + 1 : at + 5])
        turns = self._answers.get(name)
        found: list[str] = []
        if turns is not None and kind == 1:
            self.asked.append(name)
            found = turns.pop(0) if len(turns) > 1 else turns[0]
        flags = 0x8180 if turns is not None else 0x8183
        records = [struct.pack("!HHHIH", 0xC00C, 1, 1, 0, 4) + IPv4Address(address).packed for address in found]
        head = data[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
        self._transport.sendto(head + question + b"".join(records), addr)


if __name__ == "__main__":
    module, name, parameters = sys.argv[1:]
    vars(importlib.import_module(module))[name].__wrapped__(**json.loads(parameters))
