"""The folder in which one control plane keeps everything: data, keys, logs, kubeconfigs and who owns it."""

import fcntl
import os
import shutil
from pathlib import Path
from typing import IO

from devcluster.deadline import wait_until
from devcluster.errors import DevclusterError

DEFAULT_STATE = Path(__file__).parent.parent / ".run" / "devcluster"


class StateFolder:
    """Paths in a state folder, and its lock: whoever holds that owns the control plane in the folder.

    A lock and not a process id, for the system frees it whatever way the owner ends, and ids are given again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.kubeconfig = self.path / "kubeconfig"
        self.ready = self.path / "ready"
        self.controller_manager_kubeconfig = self.path / "pki" / "controller-manager.kubeconfig"
        self.pki = self.path / "pki"
        self.serving_certificate = self.pki / "apiserver.crt"
        self.serving_key = self.pki / "apiserver.key"
        self.service_account_key = self.pki / "service-account.key"
        self.tokens = self.pki / "tokens.csv"
        self.etcd_data = self.path / "etcd"
        self.audit_policy = self.path / "audit-policy.yaml"
        self.audit_log = self.path / "audit.log"
        self.logs = self.path / "logs"
        self.detached_log = self.path / "devcluster.log"
        self.identities = self.path / "identities"
        self.kubectl_cache = self.path / "kubectl-cache"
        self._lock_path = self.path / "devcluster.lock"
        self._lock: IO[str] | None = None

    def prepare(self) -> None:
        """Make the folder. Raises DevclusterError if it holds files that aren't ours, which we would remove."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._lock_path.exists() and any(self.path.iterdir()):
            raise DevclusterError(
                f"{self.path} holds other files. Give an empty or new folder for the control plane's state."
            )
        self._lock_path.touch()

    def claim(self) -> None:
        """Take the lock and make the folder fresh. Raises DevclusterError if it is owned, or isn't ours."""
        self.prepare()
        lock = self._lock_path.open("a+")
        try:
            # Not at the first refusal: `owner` of another process holds the lock for a moment.
            wait_until(lambda: _try_lock(lock, fcntl.LOCK_EX), what="the lock", timeout=0.5)
        except DevclusterError:
            lock.close()
            raise DevclusterError(
                f"A control plane is running in {self.path} already. Stop it with `python -m devcluster down`."
            ) from None
        self._lock = lock
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self.clear()

    def release(self) -> None:
        """Remove data and credentials, keep the logs, and give the lock back."""
        for file in (self.ready, self.kubeconfig):
            file.unlink(missing_ok=True)
        for folder in (self.etcd_data, self.pki, self.identities, self.kubectl_cache):
            shutil.rmtree(folder, ignore_errors=True)
        if self._lock:
            self._lock.close()
            self._lock = None

    def owner(self) -> int | None:
        """The process id of the owner, None when nobody owns a control plane in this folder."""
        try:
            lock = self._lock_path.open()
        except FileNotFoundError:
            return None
        with lock:
            return None if _try_lock(lock, fcntl.LOCK_SH) else int(lock.read() or 0) or None

    def is_up(self) -> bool:
        """Whether a control plane is running here and is ready."""
        return self.owner() is not None and self.ready.exists()

    def clear(self) -> None:
        """Remove what an earlier control plane left here."""
        for entry in (
            self.ready,
            self.kubeconfig,
            self.etcd_data,
            self.pki,
            self.logs,
            self.identities,
            self.kubectl_cache,
            self.audit_log,
        ):
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)
        for folder in (self.pki, self.logs, self.identities):
            folder.mkdir(mode=0o700)


def _try_lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
