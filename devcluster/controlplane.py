"""A control plane: started, used, hurt for fault tests, and stopped by one object that owns it."""

import http.client
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote

from devcluster import audit, components, credentials
from devcluster.api import ApiClient, ApiError
from devcluster.audit import AuditLog
from devcluster.binaries import Binaries, find_binaries
from devcluster.components import LOOPBACK, Component, Ports
from devcluster.crds import install_crds
from devcluster.deadline import wait_until
from devcluster.errors import DevclusterError, KubectlError
from devcluster.processes import Processes
from devcluster.statefolder import StateFolder

_READY_WITHIN = 60.0
_ATTEMPTS = 3

Check = Callable[[], bool]
T = TypeVar("T")


class ControlPlane:
    """etcd, kube-apiserver and kube-controller-manager on free ports of the loopback address.

    `state` is an empty or new folder for data, keys and logs. `audit` writes an audit log. `fsync=False` is
    faster and safe against kill -9, not against a crash of the machine. `crds` are files or folders with
    CustomResourceDefinitions that are there from the start. All processes end with this one, also when it is
    killed. Use it as a context manager, or call `start` and `stop`.
    """

    def __init__(
        self,
        state: Path,
        binaries: Binaries | None = None,
        *,
        audit: bool = False,
        fsync: bool = False,
        crds: Sequence[Path] = (),
    ) -> None:
        self.state = StateFolder(state)
        self.binaries = binaries or find_binaries()
        self._audit = audit
        self._fsync = fsync
        self._crds = crds
        self._tokens = credentials.Tokens.new()
        self._ports: Ports | None = None
        self._processes: Processes | None = None
        self._api: ApiClient | None = None

    def __enter__(self) -> "ControlPlane":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- life ---

    def start(self) -> None:
        """Start everything; returns when the API server is ready and the garbage collector collects.

        Raises DevclusterError, with the end of the log, when a component ends or isn't ready in a minute.
        """
        self.state.claim()
        try:
            for attempt in range(_ATTEMPTS):
                try:
                    self._start_on(Ports.choose())
                    break
                except DevclusterError as error:
                    # Somebody else took a port between our look and the server's start.
                    if "address already in use" not in str(error) or attempt == _ATTEMPTS - 1:
                        raise
                    self._close_processes()
                    self.state.clear()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all processes and remove data and credentials; logs stay. Can be called again."""
        self._close_processes()
        self.state.release()

    def _start_on(self, ports: Ports) -> None:
        self._ports = ports
        self._api = None
        self._processes = Processes(self.state.logs)
        self._write_inputs()
        self.start_component("etcd")
        self.start_component("kube-apiserver")
        self._write_kubeconfig(self.state.kubeconfig, self._tokens.admin, "devcluster-admin")
        if self._crds:
            install_crds(self.kubectl, self.api, self._crds)
        self.start_component("kube-controller-manager")
        self.state.ready.touch()

    def _write_inputs(self) -> None:
        credentials.write_private(self.state.service_account_key, credentials.service_account_key())
        credentials.write_private(self.state.tokens, self._tokens.as_auth_file())
        self.state.audit_policy.write_text(audit.POLICY)

    def _close_processes(self) -> None:
        if self._processes:
            self._processes.close()

    # --- single components ---

    def start_component(self, name: Component) -> None:
        """Start a component that isn't running, on the same port and data as before, and wait till it is ready."""
        match name:
            case "etcd":
                command = components.etcd_command(self.binaries, self.state, self.ports, fsync=self._fsync)
                self.processes.start(name, command)
                self._wait_for(name, lambda: _is_healthy(self.ports.etcd), "become healthy")
            case "kube-apiserver":
                command = components.api_server_command(self.binaries, self.state, self.ports, audit=self._audit)
                self.processes.start(name, command)
                # It writes certificate and key, in this order, before it listens.
                self._wait_for(name, self._serves_tls, "listen")
                self._api = ApiClient(self.url, self.authority, self._tokens.admin)
                self._wait_for(name, self.api.is_ready, "become ready")
            case "kube-controller-manager":
                self._write_kubeconfig(
                    self.state.controller_manager_kubeconfig,
                    self._tokens.controller_manager,
                    "system:kube-controller-manager",
                )
                command = components.controller_manager_command(self.binaries, self.state)
                self.processes.start(name, command)
                self._wait_for_garbage_collector()

    def kill(self, name: Component) -> None:
        """End a component with SIGKILL; returns when it is gone. It stays away until `start_component`."""
        self.processes.kill(name)

    def restart(self, name: Component) -> None:
        """Kill a component and start it again; returns when it is ready."""
        self.kill(name)
        self.start_component(name)

    def signal(self, name: Component, signum: signal.Signals) -> None:
        """Send a component a signal, as SIGSTOP and SIGCONT to freeze and thaw it."""
        self.processes.signal(name, signum)

    def failed_component(self) -> str | None:
        """A sentence about a component that has ended, with the end of its log; None while all run."""
        names: tuple[Component, ...] = ("etcd", "kube-apiserver", "kube-controller-manager")
        for name in names:
            if not self.processes.is_running(name):
                return self._epitaph(name)
        return None

    # --- use ---

    @property
    def ports(self) -> Ports:
        return _started(self._ports)

    @property
    def processes(self) -> Processes:
        return _started(self._processes)

    @property
    def api(self) -> ApiClient:
        """A client with all rights."""
        return _started(self._api)

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self.ports.api}"

    @property
    def authority(self) -> str:
        """The certificate, as PEM, that the API server's own is to be verified with."""
        return credentials.authority_of(self.state.serving_certificate.read_text())

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig with all rights."""
        return self.state.kubeconfig

    @property
    def audit_log(self) -> AuditLog:
        """The audit log. Raises DevclusterError when the control plane was made without `audit=True`."""
        if not self._audit:
            raise DevclusterError("This control plane has no audit log. Make it with audit=True.")
        return AuditLog(self.state.audit_log, self.api.get)

    def environment(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """What to set for a child process so that kubectl, and this one, uses this control plane."""
        return environment(self.state, self.binaries, kubeconfig or self.kubeconfig)

    def kubectl(
        self,
        *arguments: str | Path,
        namespace: str | None = None,
        stdin: str | None = None,
        kubeconfig: Path | None = None,
        timeout: float = 60,
    ) -> str:
        """Run kubectl, as the administrator or by `kubeconfig`, and return its standard output.

        `timeout` is seconds. Raises KubectlError with its standard error when it ends with another code than 0,
        DevclusterError when time is up.
        """
        words = [str(argument) for argument in arguments]
        if namespace:
            words = ["--namespace", namespace, *words]
        try:
            outcome = subprocess.run(
                [self.binaries.kubectl, *words],
                env=os.environ | self.environment(kubeconfig),
                input="" if stdin is None else stdin,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DevclusterError(f"`kubectl {' '.join(words)}` took longer than {timeout:g} s.") from None
        if outcome.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(words)}", outcome.returncode, outcome.stdout, outcome.stderr)
        return outcome.stdout

    def install_crds(self, *paths: Path) -> list[str]:
        """Apply the CustomResourceDefinitions in files or folders and return their names.

        Returns when all are established, are listed by discovery and are watched by the garbage collector.
        """
        names = install_crds(self.kubectl, self.api, paths)
        # It looks for new kinds every 30 s only (measured: garbage stays for 41 s); at its start it finds them.
        self.restart("kube-controller-manager")
        return names

    def create_namespace(self, name: str | None = None) -> str:
        """Create a namespace (`test-…`, if no name is given) and return its name."""
        name = name or f"test-{secrets.token_hex(4)}"
        self.api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def service_account_kubeconfig(self, namespace: str, name: str, *, lifetime: int = 86400) -> Path:
        """A kubeconfig for an existing ServiceAccount: it may what RBAC grants to it, and nothing more.

        `lifetime` of its token is seconds, at least 600.
        """
        path = f"/api/v1/namespaces/{quote(namespace)}/serviceaccounts/{quote(name)}/token"
        token = self.api.request("POST", path, {"spec": {"expirationSeconds": lifetime}})["status"]["token"]
        user = f"system:serviceaccount:{namespace}:{name}"
        file = self.state.identities / f"{namespace}.{name}.kubeconfig"
        return self._write_kubeconfig(file, token, user, namespace)

    # --- readiness ---

    def _write_kubeconfig(self, path: Path, token: str, user: str, namespace: str = "default") -> Path:
        text = credentials.kubeconfig(self.url, self.authority, token, user, namespace)
        return credentials.write_private(path, text)

    def _wait_for(self, name: Component, ready: Check, what: str, timeout: float = _READY_WITHIN) -> None:
        def ready_or_dead() -> bool:
            if not self.processes.is_running(name):
                raise DevclusterError(self._epitaph(name))
            return ready()

        try:
            wait_until(ready_or_dead, what=f"{name} to {what}", timeout=timeout)
        except DevclusterError as error:
            raise DevclusterError(f"{error} Its log is {self.processes.log(name)}") from None

    def _serves_tls(self) -> bool:
        return self.state.serving_key.exists() and _accepts(self.ports.api)

    def _wait_for_garbage_collector(self) -> None:
        """Wait till an object whose owner doesn't exist is collected: then all kinds are watched."""
        orphan = f"devcluster-{secrets.token_hex(4)}"
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": orphan, "uid": secrets.token_hex(8)}
        body = {"metadata": {"name": orphan, "ownerReferences": [owner]}}
        collection = "/api/v1/namespaces/default/configmaps"
        self._wait_for("kube-controller-manager", self._has_default_account, "serve the default namespace")
        self.api.request("POST", collection, body)
        self._wait_for("kube-controller-manager", lambda: self._is_gone(f"{collection}/{orphan}"), "collect garbage")

    def _has_default_account(self) -> bool:
        return not self._is_gone("/api/v1/namespaces/default/serviceaccounts/default")

    def _is_gone(self, path: str) -> bool:
        try:
            self.api.get(path)
        except ApiError as error:
            if error.status == 404:
                return True
            raise
        return False

    def _epitaph(self, name: Component) -> str:
        lines = self.processes.log(name).read_text(errors="replace").splitlines()[-15:]
        return f"{name} ended with code {self.processes.exit_code(name)}. The end of its log:\n" + "\n".join(lines)


def environment(state: StateFolder, binaries: Binaries, kubeconfig: Path) -> dict[str, str]:
    """What to set so that kubectl is ours and uses this kubeconfig, without the user's own caches and settings."""
    path = os.environ.get("PATH", os.defpath)
    return {
        "KUBECONFIG": str(kubeconfig),
        "KUBECACHEDIR": str(state.kubectl_cache),
        "KUBERC": "off",
        "PATH": f"{binaries.kubectl.parent}{os.pathsep}{path}",
    }


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def _is_healthy(etcd_port: int) -> bool:
    """Whether etcd has a leader, so that it can answer."""
    connection = http.client.HTTPConnection(LOOPBACK, etcd_port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _started(part: T | None) -> T:
    if part is None:
        raise DevclusterError("The control plane has not been started. Call start() first.")
    return part
