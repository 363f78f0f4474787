"""Build the programs of a pinned Go module into the cache, once per version, whoever asks first."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.gomodules import GoModule

Say = Callable[[str], None]


def cache_folder() -> Path:
    """The folder of built programs: SPECSYNC_DEVCLUSTER_CACHE, or specsync/devcluster of the user's cache."""
    if chosen := os.environ.get("SPECSYNC_DEVCLUSTER_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "specsync" / "devcluster"


def cached(module: GoModule) -> Path | None:
    """The folder with the module's programs, or None when they aren't built yet."""
    folder = cache_folder() / module.title
    return folder if all((folder / name).is_file() for name in module.programs) else None


def build(module: GoModule, say: Say) -> Path:
    """The folder with the module's programs, built now if they aren't there. `say` gets lines of progress.

    Two processes that ask at once build once: the second waits. A build that is interrupted leaves nothing
    that a later one could take for whole. Raises DevclusterError when Go is missing or the build fails.
    """
    if folder := cached(module):
        return folder
    require_go(module)
    target = cache_folder() / module.title
    with _lock(target, say):
        if folder := cached(module):
            return folder
        for leftover in target.parent.glob(f"{target.name}.building-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f"{target.name}.building-", dir=target.parent) as building:
            programs = Path(building) / "programs"
            _install(module, programs, say)
            shutil.rmtree(target, ignore_errors=True)
            programs.rename(target)
    return target


def require_go(module: GoModule) -> None:
    """Raise DevclusterError, with the way out, unless `go` is here and new enough for the module."""
    ways_out = f"Install Go {module.go_version} or later (https://go.dev/doc/install), or {module.instead}."
    if not shutil.which("go"):
        raise DevclusterError(f"Building {module.title} needs Go, and there is no `go` on the PATH. {ways_out}")
    # In the module's folder, for there an older Go fetches the toolchain that the go.mod names, if it may.
    probe = subprocess.run(
        ["go", "env", "GOVERSION"],
        cwd=module.folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    found = probe.stdout.strip().removeprefix("go")
    if probe.returncode != 0 or _numbers(found) < _numbers(module.go_version):
        reason = f"this Go is {found}" if found else (probe.stderr.strip() or "`go env` failed")
        raise DevclusterError(f"Building {module.title} needs Go {module.go_version}: {reason}. {ways_out}")


def _install(module: GoModule, into: Path, say: Say) -> None:
    say(
        f"Building {', '.join(module.programs)} ({module.version}) from source, once: {module.minutes} on two "
        f"cores, into {into.parent.parent / module.title}"
    )
    into.mkdir()
    environment = _environment() | {"GOBIN": str(into)}
    say(f"{module.title}: fetching its modules")
    total = _fetch(module, environment)
    command = ["go", "install", "-v", "-trimpath", f"-ldflags={module.ldflags()}", *module.tools]
    progress = Progress(module.title, total, say)
    last_lines: list[str] = []
    with subprocess.Popen(
        command, cwd=module.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr
            for line in process.stderr:
                last_lines = [*last_lines[-19:], line.rstrip()]
                progress.package_done()
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise DevclusterError(f"Building {module.title} failed:\n" + "\n".join(last_lines))
    for tool, program in zip(module.tools, module.programs, strict=True):
        (into / module.built_name(tool)).rename(into / program)
    progress.finished()


def _fetch(module: GoModule, environment: dict[str, str]) -> int:
    """Fetch the modules that the programs are made of, no others, and return the number of packages."""
    listing = subprocess.run(
        ["go", "list", "-deps", *module.tools],
        cwd=module.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode != 0:
        raise DevclusterError(
            f"The Go modules of {module.title} cannot be fetched. Is the module proxy (`go env GOPROXY`) "
            f"reachable from here?\n{listing.stderr.strip()[-2000:]}"
        )
    return listing.stdout.count("\n")


class Progress:
    """Counts compiled packages and says so: every second on a terminal, every half minute in a log."""

    def __init__(self, title: str, total: int, say: Say) -> None:
        self._title, self._total, self._say = title, total, say
        self._done = 0
        self._start = self._last = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def package_done(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._last < (1 if self._terminal else 30):
            return
        self._last = now
        line = f"{self._title}: {self._done} of at most {self._total} packages, {self._elapsed()}"
        if self._terminal:
            sys.stderr.write(f"\r\033[K{line}")
            sys.stderr.flush()
        else:
            self._say(line)

    def finished(self) -> None:
        if self._terminal:
            sys.stderr.write("\r\033[K")
        self._say(f"{self._title}: built in {self._elapsed()}")

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        return f"{minutes}:{seconds:02} min"


@contextmanager
def _lock(target: Path, say: Say) -> Iterator[None]:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another process is building {target.name}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _environment() -> dict[str, str]:
    """The caller's environment without what would change the result: flags, workspaces, cross-compiling."""
    changes_result = {"GOFLAGS", "GOWORK", "GOOS", "GOARCH", "GOBIN", "GO111MODULE"}
    kept = {key: value for key, value in os.environ.items() if key not in changes_result}
    return kept | {"CGO_ENABLED": "0", "GOWORK": "off"}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
