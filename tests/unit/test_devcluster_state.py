"""The state folder and its lock, credentials, ports and the waiting of tests."""

import base64
import csv
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.components import LOOPBACK, Ports, free_port
from devcluster.credentials import Tokens, authority_of, kubeconfig, service_account_key, write_private
from devcluster.errors import DevclusterError
from devcluster.statefolder import StateFolder
from tests.waiting import eventually

PROJECT = Path(__file__).parent.parent.parent


def test_a_claimed_folder_has_an_owner_until_it_is_released(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    assert state.owner() is None
    state.claim()
    assert state.owner() == os.getpid()
    assert not state.is_up()
    with pytest.raises(DevclusterError, match=r"running in .* already"):
        StateFolder(tmp_path / "state").claim()
    state.ready.touch()
    assert state.is_up()
    state.release()
    assert state.owner() is None
    assert not state.is_up()


def test_a_folder_whose_owner_was_killed_is_free_and_is_emptied(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal\n"
        "from devcluster.statefolder import StateFolder\n"
        f"state = StateFolder(pathlib.Path({str(tmp_path / 'state')!r}))\n"
        "state.claim()\n"
        "state.etcd_data.mkdir()\n"
        "state.ready.touch()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(PROJECT)}, check=False)
    state = StateFolder(tmp_path / "state")
    assert state.ready.exists()
    assert state.owner() is None
    assert not state.is_up()
    state.claim()
    assert not state.is_up()
    assert not state.etcd_data.exists()
    state.release()


def test_a_folder_with_other_peoples_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "precious.txt").write_text("mine")
    with pytest.raises(DevclusterError, match="other files"):
        StateFolder(tmp_path).claim()
    assert (tmp_path / "logs" / "precious.txt").read_text() == "mine"


def test_releasing_keeps_the_logs_and_removes_credentials(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    state.claim()
    write_private(state.tokens, Tokens.new().as_auth_file())
    write_private(state.identities / "someone.kubeconfig", "secret")
    (state.logs / "etcd.log").write_text("log")
    state.release()
    assert (state.logs / "etcd.log").read_text() == "log"
    assert not state.tokens.exists()
    assert not state.identities.exists()


def test_service_account_keys_are_new_p256_keys() -> None:
    first, second = service_account_key(), service_account_key()
    assert first != second
    der = base64.b64decode("".join(first.splitlines()[1:-1]))
    assert der[0] == 0x30
    assert der[1] == len(der) - 2
    assert bytes.fromhex("06082a8648ce3d030107") in der  # the name of the curve


@pytest.mark.skipif(not shutil.which("openssl"), reason="a second opinion, where openssl is installed")
def test_openssl_reads_service_account_keys() -> None:
    read = subprocess.run(
        ["openssl", "ec", "-noout", "-text"], input=service_account_key(), capture_output=True, text=True, check=True
    )
    assert "P-256" in read.stdout


def test_token_file_names_both_users() -> None:
    tokens = Tokens.new()
    rows = list(csv.reader(tokens.as_auth_file().splitlines()))
    assert rows == [
        [tokens.admin, "devcluster-admin", "devcluster-admin", "system:masters"],
        [tokens.controller_manager, *["system:kube-controller-manager"] * 2],
    ]
    assert tokens.admin != tokens.controller_manager


def test_kubeconfig_verifies_the_server() -> None:
    config = json.loads(kubeconfig("https://127.0.0.1:1", "PEM", "token", "someone", "ns"))
    cluster = config["clusters"][0]["cluster"]
    assert base64.b64decode(cluster.pop("certificate-authority-data")) == b"PEM"
    assert cluster == {"server": "https://127.0.0.1:1"}
    assert config["contexts"][0]["context"]["namespace"] == "ns"


def test_the_authority_is_the_last_of_a_chain() -> None:
    def pem(name: str) -> str:
        return f"-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n"

    assert authority_of(pem("leaf") + pem("authority")) == pem("authority")
    assert authority_of(pem("authority")) == pem("authority")


def test_private_files_are_for_their_owner_only(tmp_path: Path) -> None:
    path = write_private(tmp_path / "secret", "old")
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_ports_differ_and_can_be_listened_on() -> None:
    ports = Ports.choose()
    assert ports.etcd != ports.api
    with socket.socket() as first, socket.socket() as second:
        first.bind((LOOPBACK, ports.etcd))
        second.bind((LOOPBACK, ports.api))


def test_a_port_in_use_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    free = free_port()
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        choices = iter([listener.getsockname()[1], free])
        monkeypatch.setattr("random.choice", lambda _ports: next(choices))
        assert free_port() == free


def test_eventually_returns_the_first_value_that_will_do() -> None:
    values = iter([0, 1, 2, 3])
    assert eventually(lambda: next(values), until=lambda value: value >= 2) == 2


def test_eventually_takes_errors_of_a_check_for_not_yet() -> None:
    answers: Iterator[dict[str, str]] = iter([{}, {"phase": "Done"}])
    assert eventually(lambda: next(answers)["phase"]) == "Done"


def test_eventually_shows_the_last_value() -> None:
    with pytest.raises(AssertionError, match=r"within 0\.01 s: the phase.*last value was 'Running'"):
        eventually(
            lambda: "Running", until=lambda phase: phase == "Done", timeout=0.01, interval=0.001, what="the phase"
        )


def test_eventually_shows_the_last_error() -> None:
    empty: dict[str, str] = {}
    with pytest.raises(AssertionError, match="last error was KeyError: 'phase'"):
        eventually(lambda: empty["phase"], timeout=0.01, interval=0.001)


def test_eventually_lets_other_errors_through() -> None:
    with pytest.raises(ZeroDivisionError):
        eventually(lambda: 1 / 0)
