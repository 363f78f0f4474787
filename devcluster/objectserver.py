"""A real S3 server on a folder, as a plain process: versitygw. It ends with its owner, even when that is killed."""

import secrets
import shutil
import signal
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from devcluster.building import Say, build, cached
from devcluster.components import LOOPBACK, free_port
from devcluster.deadline import wait_until
from devcluster.errors import DevclusterError
from devcluster.gomodules import VERSITYGW
from devcluster.processes import Processes

_NAME = "versitygw"


def find_object_server(*, may_build: bool = True, say: Say = print) -> Path:
    """The program from PATH, else the cache, else built now (minutes, said beforehand).

    Raises DevclusterError where it is in neither and can't be built, or `may_build` is False.
    """
    if found := shutil.which(_NAME):
        return Path(found)
    folder = cached(VERSITYGW)
    if folder is None:
        if not may_build:
            raise DevclusterError(
                "The S3 server is not built yet. Build it once with `python -m devcluster build --object-server`."
            )
        folder = build(VERSITYGW, say)
    return folder / _NAME


class ObjectServer:
    """Runs while entered, with one bucket: the folder `files / bucket`, where each object is a file.

    `files` may be on a small file system of its own, to be full some time. The metadata that S3 has beside the bytes
    is kept in files too, for not every file system has extended attributes.
    """

    bucket = "specsync"
    region = "us-east-1"

    def __init__(self, state: Path, files: Path | None = None, program: Path | None = None) -> None:
        self._program = program or find_object_server(may_build=False)
        self._state = state
        self._files = files or state / "files"
        self._port = free_port()
        self.access_key, self.secret_key = f"key-{secrets.token_hex(4)}", secrets.token_hex(16)
        self._processes: Processes | None = None

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def settings(self) -> dict[str, str]:
        """What a client needs, by the names that S3 tools know."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    @property
    def folder(self) -> Path:
        """Where the bucket's objects are, as files."""
        return self._files / self.bucket

    def __enter__(self) -> "ObjectServer":
        self.folder.mkdir(parents=True, exist_ok=True)
        (self._state / "metadata").mkdir(parents=True, exist_ok=True)
        self._processes = Processes(self._state)
        try:
            self.start()
        except BaseException:
            self._processes.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owned().close()

    def start(self) -> None:
        """Starts it (again), on the same port, and waits till it answers."""
        command: list[str | Path] = [
            self._program,
            "--port",
            f"{LOOPBACK}:{self._port}",
            "--region",
            self.region,
            "--quiet",
        ]
        command += ["--access", self.access_key, "--secret", self.secret_key]  # of no worth beyond this server
        command += ["posix", "--sidecar", self._state / "metadata", self._files]
        self._owned().start(_NAME, command)
        wait_until(self._answers, what=f"the S3 server (its log is {self._owned().log(_NAME)})", timeout=20)

    def kill(self) -> None:
        """SIGKILL, as by the OOM killer; `start` brings it back with all that it has acknowledged."""
        self._owned().kill(_NAME)

    def freeze(self) -> None:
        """It takes connections and answers none."""
        self._owned().signal(_NAME, signal.SIGSTOP)

    def thaw(self) -> None:
        self._owned().signal(_NAME, signal.SIGCONT)

    def _answers(self) -> bool:
        if not self._owned().is_running(_NAME):
            raise DevclusterError(f"The S3 server ended at once: {self._owned().log(_NAME).read_text()[-500:]}")
        try:
            urllib.request.urlopen(self.endpoint, timeout=2)  # noqa: S310 - our own address
        except urllib.error.HTTPError:
            return True  # a refusal of who shows no credentials
        except OSError:
            return False
        return True

    def _owned(self) -> Processes:
        if self._processes is None:
            raise DevclusterError("The S3 server isn't started: use it in a `with`.")
        return self._processes
