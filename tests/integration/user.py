"""A user with kubectl, in a namespace of their own."""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from devcluster import ControlPlane, KubectlError
from tests.waiting import eventually

_PLURALS = {
    "dep": "/apis/specsync.dev/v1alpha1/namespaces/{}/dependencies",
    "sjob": "/apis/specsync.dev/v1alpha1/namespaces/{}/syncjobs",
    "snap": "/apis/specsync.dev/v1alpha1/namespaces/{}/specsnapshots",
    "chg": "/apis/specsync.dev/v1alpha1/namespaces/{}/changesets",
    "achan": "/apis/specsync.dev/v1alpha1/namespaces/{}/alertchannels",
    "apref": "/apis/specsync.dev/v1alpha1/namespaces/{}/alertpreferences",
    "adel": "/apis/specsync.dev/v1alpha1/namespaces/{}/alertdeliveries",
    "cm": "/api/v1/namespaces/{}/configmaps",
    "events": "/api/v1/namespaces/{}/events",
}


def dependency(name: str, source: Any, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "specsync.dev/v1alpha1",
        "kind": "Dependency",
        "metadata": {"name": name},
        "spec": {"source": source, **spec},
    }


def sync_job(name: str | None, target: str, **spec: Any) -> dict[str, Any]:
    """Without a name, one by generateName."""
    return {
        "apiVersion": "specsync.dev/v1alpha1",
        "kind": "SyncJob",
        "metadata": {"name": name} if name else {"generateName": f"{target}-"},
        "spec": {"target": {"name": target}, **spec},
    }


class User:
    """What a user types, and looks at."""

    def __init__(self, cluster: ControlPlane, namespace: str) -> None:
        self._cluster = cluster
        self.namespace = namespace
        self._requests = itertools.count(1)

    def kubectl(self, *words: str, stdin: Any = None) -> str:
        """The output; `stdin` is an object or a list of them. Raises KubectlError."""
        if isinstance(stdin, list):
            stdin = {"apiVersion": "v1", "kind": "List", "items": stdin}
        text = None if stdin is None else json.dumps(stdin)
        return self._cluster.kubectl(*words, namespace=self.namespace, stdin=text)

    def specsync(self, *words: str) -> str:
        """The output of a command of specsync that talks to the cluster, as its administrator."""
        program = Path(sys.executable).parent / "specsync"
        command = [str(program), *words, "-n", self.namespace, "--kubeconfig", str(self._cluster.kubeconfig)]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert outcome.returncode == 0, outcome.stderr
        return outcome.stdout

    def refused(self, *words: str, stdin: Any = None) -> str:
        """What kubectl says where it is refused."""
        try:
            output = self.kubectl(*words, stdin=stdin)
        except KubectlError as error:
            return error.stderr
        raise AssertionError(f"kubectl {' '.join(words)} was not refused: {output}")

    def apply(self, *objects: Any) -> None:
        self.kubectl("apply", "-f", "-", stdin=list(objects))

    def depend_on(self, name: str, url: str, **spec: Any) -> None:
        """Applies a Dependency on a URL."""
        self.apply(dependency(name, {"url": url}, **spec))

    def patch(self, what: str, **spec: Any) -> None:
        """Changes fields of an object's spec."""
        self.kubectl("patch", what, "--type=merge", "-p", json.dumps({"spec": spec}))

    def create_job(self, target: str, name: str | None = None, **spec: Any) -> str:
        """A job of the user's own; its name."""
        output = self.kubectl("create", "-f", "-", "-o", "name", stdin=sync_job(name, target, **spec))
        return output.strip().split("/", 1)[1]

    def wait(self, what: str, condition: str, timeout: int = 60) -> None:
        """`kubectl wait --for=condition=…`, or another `--for` that has its `=`."""
        word = condition if "=" in condition or condition == "delete" else f"condition={condition}"
        self.kubectl("wait", what, f"--for={word}", f"--timeout={timeout}s")

    def get(self, what: str) -> Any:
        """An object by `dep/name`."""
        kind, name = what.split("/")
        return self._cluster.api.get(f"{_PLURALS[kind].format(self.namespace)}/{name}")

    def all(self, kind: str) -> list[Any]:
        return list(self._cluster.api.get(_PLURALS[kind].format(self.namespace))["items"])

    def names(self, kind: str) -> set[str]:
        return {each["metadata"]["name"] for each in self.all(kind)}

    def eventually_names(self, kind: str, names: set[str]) -> None:
        """Waits till there are these objects of a kind, and no more."""
        eventually(lambda: self.names(kind), until=names.__eq__, timeout=60, what=f"only {names} of {kind} to be left")

    def blobs(self) -> set[str]:
        """The names of the ConfigMaps that hold blobs."""
        return {name for name in self.names("cm") if name.startswith("specsync-blob-")}

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """Type, reason and message of each Event about an object, by when it was written."""
        about = [event for event in self.all("events") if event["involvedObject"]["name"] == name]
        about.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
        return [(event["type"], event["reason"], event["message"]) for event in about]

    def reasons(self, name: str) -> list[str]:
        return [reason for _, reason, _ in self.events(name)]

    def condition(self, what: str, type_: str) -> Any:
        """A condition of an object; LookupError where it hasn't got it."""
        conditions = self.get(what)["status"]["conditions"]
        return {each["type"]: each for each in conditions}[type_]

    def request_sync(self, name: str) -> str:
        """Asks for a sync by the annotation; the annotation's value."""
        value = str(next(self._requests))
        self.kubectl("annotate", "--overwrite", f"dep/{name}", f"specsync.dev/requestedAt={value}")
        return value

    def sync(self, name: str, result: str, timeout: float = 60) -> Any:
        """Asks for a sync, waits for its end, which must be that one, and returns its job."""
        value = self.request_sync(name)

        def handled() -> Any:
            status = self.get(f"dep/{name}")["status"]
            request = status["lastHandledRequest"]
            return request if request["value"] == value and "activeJob" not in status else None

        request = eventually(handled, timeout=timeout, what=f"the requested sync of {name} to end")
        job = self.get(f"sjob/{request['job']}")
        assert request["outcome"] == result, job["status"]
        return job

    def status_when(self, name: str, check: Callable[[Any], object], timeout: float = 30) -> Any:
        """The status of a Dependency, once it is as `check` wants it."""
        return eventually(lambda: self.get(f"dep/{name}")["status"], until=check, timeout=timeout)
