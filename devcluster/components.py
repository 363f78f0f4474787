"""The command lines of etcd, kube-apiserver and kube-controller-manager, and the ports that they listen on."""

import random
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from devcluster.binaries import Binaries
from devcluster.statefolder import StateFolder

Component = Literal["etcd", "kube-apiserver", "kube-controller-manager"]
LOOPBACK = "127.0.0.1"

# Below the range from which systems take ports for outgoing connections (Linux: 32768, macOS: 49152), so that
# nobody's connection takes the port of a server while that is being restarted.
_PORTS = range(20000, 32000)

# What the product's ground needs; all else (nodes, pods, volumes …) has nothing to do here.
CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
)


@dataclass(frozen=True)
class Ports:
    etcd: int
    api: int

    @classmethod
    def choose(cls) -> "Ports":
        """Two ports of the loopback address that are free at this moment."""
        etcd = free_port()
        return cls(etcd=etcd, api=free_port(taken=etcd))


def free_port(taken: int | None = None) -> int:
    """A port of the loopback address that is free at this moment and isn't `taken`."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311 - a port is no secret
        if port == taken:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port


def etcd_command(binaries: Binaries, state: StateFolder, ports: Ports, *, fsync: bool) -> list[str | Path]:
    """etcd with one member. Without `fsync` data survives a kill of etcd, but not a crash of the machine."""
    url = f"http://{LOOPBACK}:{ports.etcd}"
    return [
        binaries.etcd,
        f"--data-dir={state.etcd_data}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls=http://{LOOPBACK}:0",
        # A lone member elects itself after one election timeout: 0.1 s instead of 1 s at each start.
        "--heartbeat-interval=20",
        "--election-timeout=200",
        f"--unsafe-no-fsync={'false' if fsync else 'true'}",
    ]


def api_server_command(binaries: Binaries, state: StateFolder, ports: Ports, *, audit: bool) -> list[str | Path]:
    """The API server. It makes its own serving certificate, with an authority, in the folder `pki`."""
    command: list[str | Path] = [
        binaries.kube_apiserver,
        f"--etcd-servers=http://{LOOPBACK}:{ports.etcd}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        f"--secure-port={ports.api}",
        # The `kubernetes` Service can have no loopback address as its endpoint.
        "--endpoint-reconciler-type=none",
        f"--cert-dir={state.pki}",
        f"--token-auth-file={state.tokens}",
        "--authorization-mode=RBAC",
        # Some distributions have it on: setting blockOwnerDeletion then needs a right of its own.
        "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={state.service_account_key}",
        f"--service-account-signing-key-file={state.service_account_key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--profiling=false",
    ]
    if audit:
        command += [
            f"--audit-policy-file={state.audit_policy}",
            f"--audit-log-path={state.audit_log}",
            "--audit-log-maxsize=0",
        ]
    return command


def controller_manager_command(binaries: Binaries, state: StateFolder) -> list[str | Path]:
    """The controller manager, each controller with its own service account as in an ordinary cluster."""
    return [
        binaries.kube_controller_manager,
        f"--kubeconfig={state.controller_manager_kubeconfig}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={state.service_account_key}",
        "--leader-elect=false",
        # Each deleted namespace costs some 60 requests; at the default of 20 a second they would pile up in tests.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--secure-port=0",
        "--profiling=false",
    ]
