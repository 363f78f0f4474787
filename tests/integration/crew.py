"""Controllers and workers as processes of their own, to be hurt, and the objects that they work on."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from devcluster import ControlPlane
from tests.conftest import PROJECT, OperatorKubeconfig
from tests.integration.user import dependency
from tests.waiting import eventually

Role = Literal["controller", "worker", "run"]

# Short, so that takeovers are: the defaults are 5 s and 15 s.
QUICK = ("--heartbeat", "1s", "--lease-duration", "3s")
GROUP = "/apis/specsync.dev/v1alpha1"


class Member:
    """One process of the operator. `fault` is what `faulty.py` takes."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=PROJECT
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def identity(self) -> str:
        """Its id as a worker or a leader, which also ends its User-Agent."""
        return str([line for line in self.log() if line.get("event") == "started"][0]["identity"])  # noqa: RUF015

    def log(self) -> list[dict[str, Any]]:
        """What it has logged; what isn't an entry (a traceback) is {"text": …}."""
        entries = []
        for line in self._log.read_text(errors="replace").splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                entries.append({"text": line})
        return entries

    def says(self, event: str) -> bool:
        return any(event in str(entry.get("event")) for entry in self.log())

    def signal(self, signum: signal.Signals) -> None:
        self._process.send_signal(signum)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(timeout=10)

    def stop(self) -> int:
        """Ends it as Kubernetes does; its exit code."""
        self._process.terminate()
        return self._process.wait(timeout=40)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def frozen(self) -> bool:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return fields[0] == "T"

    def end_of_life(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait_killed(self, timeout: float = 60) -> None:
        """Waits till kill -9 has ended it, by a fault of its own."""
        code = eventually(
            self.end_of_life, until=lambda code: code is not None, timeout=timeout, what=f"the death of {self.name}"
        )
        assert code == -signal.SIGKILL, (code, self.log()[-3:])

    def close(self) -> None:
        """Ends it in whatever state it is."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=3)
        self._process.kill()
        self._process.wait(timeout=10)


class Crew:
    """Starts controllers and workers for one namespace of a control plane, and ends them all."""

    def __init__(self, cluster: ControlPlane, kubeconfig: OperatorKubeconfig, namespace: str, logs: Path) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._kubeconfig = kubeconfig
        self._logs = logs
        self._members: list[Member] = []

    def start(
        self,
        role: Role,
        *options: str,
        name: str = "",
        fault: str = "",
        timing: tuple[str, ...] = QUICK,
        environment: dict[str, str] | None = None,
    ) -> Member:
        """Starts a process; `name` begins a worker's id. Doesn't wait for it to be ready."""
        name = name or f"{role}-{len(self._members)}"
        program = ["-m", "tests.integration.faulty", fault] if fault else ["-m", "specsync.cli.main"]
        command = [sys.executable, *program, role, "--watch-namespace", self.namespace, "--probes-port", "0"]
        command += ["--log-format", "json", "--kubeconfig", str(self._kubeconfig_for(role)), *timing, *options]
        variables = os.environ | {"POD_NAME": name} | (environment or {})
        member = Member(name, command, variables, self._logs / f"{len(self._members)}-{name}.log")
        self._members.append(member)
        return member

    def _kubeconfig_for(self, role: Role) -> Path:
        # The whole operator in one process is for trying out, by somebody who may do all.
        return self.cluster.kubeconfig if role == "run" else self._kubeconfig(role)

    def wait_ready(self, *workers: Member) -> None:
        """Waits till workers have their Leases, and watch."""
        path = "/apis/coordination.k8s.io/v1/namespaces/specsync-system/leases"

        def leased() -> bool:
            for worker in workers:
                if not worker.running:
                    raise RuntimeError(f"{worker.name} has ended: {worker.log()[-3:]}")
            holders = {lease["metadata"]["name"] for lease in self.cluster.api.get(path)["items"]}
            return holders >= {worker.identity for worker in workers}

        eventually(leased, timeout=120, what="all workers to have their Leases")

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        # In good order where that is possible: a leader that was killed leaves its Lease to the next test.
        for member in self._members:
            member.signal(signal.SIGCONT)
            member.signal(signal.SIGTERM)
        for member in self._members:
            member.close()

    # What they work on

    def path(self, plural: str, name: str = "") -> str:
        prefix = "/api/v1" if plural in ("configmaps", "events") else GROUP
        return f"{prefix}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def all(self, plural: str) -> list[Any]:
        return list(self.cluster.api.get(self.path(plural))["items"])

    def get(self, plural: str, name: str) -> Any:
        return self.cluster.api.get(self.path(plural, name))

    def depend_on(self, name: str, document: Any, **spec: Any) -> None:
        """A Dependency on a document in a ConfigMap of the same name."""
        self.publish(name, document)
        self.depend_on_source(name, {"configMapRef": {"name": name, "key": "openapi.json"}}, **spec)

    def depend_on_source(self, name: str, source: Any, **spec: Any) -> None:
        self.cluster.api.request("POST", self.path("dependencies"), dependency(name, source, **spec))

    def publish(self, name: str, document: Any) -> None:
        """Creates or replaces the document."""
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {"openapi.json": json.dumps(document)},
        }
        self.cluster.api.request(
            "PATCH",
            self.path("configmaps", name) + "?fieldManager=test&force=true",
            body,
            content_type="application/apply-patch+yaml",
        )

    def annotate(self, name: str, key: str, value: str) -> None:
        body = {"metadata": {"annotations": {key: value}}}
        self.cluster.api.request(
            "PATCH", self.path("dependencies", name), body, content_type="application/merge-patch+json"
        )

    def request_sync(self, name: str, value: str) -> None:
        self.annotate(name, "specsync.dev/requestedAt", value)

    def jobs_of(self, name: str) -> list[Any]:
        return [job for job in self.all("syncjobs") if job["spec"]["target"]["name"] == name]

    def events_about(self, name: str) -> list[Any]:
        return [event for event in self.all("events") if event["involvedObject"]["name"] == name]

    def wait_for_result(self, name: str, result: str, *, job: str = "", timeout: float = 30) -> Any:
        """Waits till the Dependency's last sync (that of `job`, where it is given) has that result; its status."""

        def ended() -> Any:
            status = self.get("dependencies", name)["status"]
            last = status["lastSync"]
            assert last["result"] == result
            assert not job or last["job"] == job
            assert "activeJob" not in status
            return status

        return eventually(ended, timeout=timeout, what=f"{name} to be {result}")


def contract(title: str, *, version: str = "1", fields: int = 3) -> dict[str, Any]:
    """A small OpenAPI document. Fewer `fields` than before is a breaking change, one for each."""
    names = [f"field{number}" for number in range(fields)]
    schema = {"type": "object", "required": names, "properties": {name: {"type": "string"} for name in names}}
    answer = {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}}
    return {
        "openapi": "3.0.3",
        "info": {"title": title, "version": version},
        "paths": {"/things": {"get": {"operationId": "list", "responses": answer}}},
    }
