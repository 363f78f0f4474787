"""What the tour shows, chapter by chapter. Each chapter checks what it showed; TourFailed says what was wrong."""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from tour.cluster import NAMESPACE, Cluster
from tour.operator import OPERATOR_NAMESPACE
from tour.shell import Shell, TourFailed, shown_path
from tour.terminal import Terminal

KINDS = (
    *("dependencies", "syncjobs", "specsnapshots", "changesets"),
    *("alertchannels", "alertpreferences", "alertdeliveries"),
)
PUBLISHED_WITHIN = 90.0  # seconds in which the API server is to publish a changed OpenAPI document
ORDERS = "/apis/tour.specsync.dev/v1/namespaces/{namespace}/orders"


class Story:
    """The chapters, in their order."""

    def __init__(self, cluster: Cluster, shell: Shell, terminal: Terminal) -> None:
        self._cluster = cluster
        self._shell = shell
        self._terminal = terminal

    def install(self) -> None:
        """The kinds and the rights. The operator itself is started by the caller."""
        self._terminal.chapter("Install the kinds and the operator's rights")
        self._terminal.say(
            "This is what a cluster's administrator applies once: seven kinds, and for controller and worker a service "
            "account each with the rights that it needs and no more."
        )
        self._shell.show("kubectl apply --server-side -k tour/manifests")
        names = " ".join(f"crd/{kind}.specsync.dev" for kind in KINDS)
        self._shell.read(f"kubectl wait --for=condition=Established --timeout=60s {names}")
        self._shell.show("kubectl api-resources --api-group=specsync.dev")

    def watch_contracts(self) -> None:
        self._terminal.chapter("Watch two contracts")
        self._terminal.say(
            "The contracts are the API server's own OpenAPI documents: real ones, large, and they change when we "
            "change the cluster. A team has a namespace, and an identity that may read them."
        )
        self._shell.show(f"kubectl create namespace {NAMESPACE}")
        self._shell.read(f"kubectl label namespace {NAMESPACE} app.kubernetes.io/part-of=specsync-tour")
        self._shell.show("kubectl apply -f tour/manifests/reader.yaml")
        self._terminal.say("Credentials stand in Secrets, which specsync reads at the moment of use.")
        self._shell.show(
            "kubectl create secret generic openapi-token \\\n"
            '    --from-literal=bearerToken="$(kubectl create token openapi-reader --duration=24h)"'
        )
        if self._cluster.authority.exists():
            authority = shown_path(self._cluster.authority)
            self._shell.show(f"kubectl create secret generic openapi-ca --from-file=ca.crt={authority}")
        self._terminal.say("A Dependency says where a contract is. This one is Swagger 2.0, several megabytes:")
        self._shell.show(self._apply_dependency("kubernetes-api", "/openapi/v2"))
        self._terminal.say("And one is OpenAPI 3.0, a part of the same API:")
        self._shell.show(self._apply_dependency("apps-api", "/openapi/v3/apis/apps/v1"))

    def baseline(self) -> None:
        self._terminal.chapter("The baseline")
        self._terminal.say("The first sync takes a snapshot, which later ones are compared with.")
        self._shell.show("kubectl wait --for=condition=Ready --timeout=120s dep --all", timeout=130)
        self._shell.show("kubectl get dep")
        self._terminal.say("All kinds together: the Dependencies, the jobs, and what they found.")
        self._shell.show("kubectl get specsync")
        self._terminal.say("What is in a snapshot, and where it is kept:")
        self._shell.show("kubectl specsync snapshot show dep/kubernetes-api")
        self._shell.show("kubectl specsync snapshot operations dep/apps-api | head -n 12")
        self._check_baseline("kubernetes-api", "swagger-2.0", 500)
        self._check_baseline("apps-api", "openapi-3.0", 50)
        self._terminal.good("Both contracts are snapshots now, and hold the documents byte by byte.")

    def safe_change(self) -> None:
        self._terminal.chapter("The contract changes: something new")
        self._terminal.say("A CustomResourceDefinition adds endpoints to the Kubernetes API, and to its document.")
        self._shell.show("kubectl apply -f tour/manifests/orders-v1.yaml")
        self._wait_for_document(lambda document: ORDERS in document["paths"])
        self._terminal.say(
            "specsync would see it at its next scheduled sync. An annotation asks for one now, which suits Git and CI."
        )
        self._shell.show("kubectl annotate --overwrite dep --all specsync.dev/requestedAt=orders-v1")
        for name, outcome in (("kubernetes-api", "Changed"), ("apps-api", "Unchanged")):
            self._shell.show(
                f"kubectl wait dep/{name} --timeout=60s \\\n"
                f"    --for=jsonpath='{{.status.lastHandledRequest.outcome}}'={outcome}",
                timeout=70,
            )
        self._terminal.say("The apps API was not touched. What is new in the other one breaks nobody:")
        self._shell.show("kubectl get chg")
        self._shell.show("kubectl specsync changes dep/kubernetes-api")
        found = self._changes()
        added = [
            e for e in found["events"] if e["id"] == "endpoint-added" and e["operation"]["path"].startswith(ORDERS)
        ]
        self._expect(found["summary"]["breaking"] == 0, f"nothing breaks, not {found['summary']}")
        self._expect(len(added) >= 7, f"at least 7 added endpoints of orders, not {len(added)}")
        self._terminal.good("One change set with safe changes only.")

    def breaking_change(self) -> None:
        self._terminal.chapter("The contract changes: something is gone")
        self._terminal.say("In the next version of that definition a property is missing that every answer had:")
        self._shell.show("diff tour/manifests/orders-v1.yaml tour/manifests/orders-v2.yaml", codes=(1,))
        self._shell.show("kubectl apply -f tour/manifests/orders-v2.yaml")
        self._wait_for_document(lambda document: "currency" not in json.dumps(_order_schema(document)))
        self._terminal.say("A SyncJob is the other way to sync now, with a name to wait for.")
        self._shell.show(_CREATE_JOB)
        self._shell.show(
            "kubectl wait --for=condition=Finished --timeout=60s sjob/kubernetes-api-orders-v2", timeout=70
        )
        self._shell.show("kubectl get sjob kubernetes-api-orders-v2")
        self._terminal.say("The job, the snapshot that it took and the change set that it found bear the same name.")
        self._shell.show("kubectl get chg -o wide")
        self._shell.show("kubectl specsync changes kubernetes-api-orders-v2")
        self._wait_for_status()
        self._terminal.say("Events on the Dependency tell the same where people look first:")
        self._shell.show("kubectl describe dep kubernetes-api | sed -n '/^Events:/,$p'", hang="Message")
        self._shell.show("kubectl get dep")
        self._check_breaking()
        self._terminal.good("A breaking change, found, explained and told once.")

    def clean_up(self, installed_before: bool) -> None:
        """Removes what is the tour's own from a cluster that goes on after it."""
        self._terminal.note("Removing the tour's namespace, its roles and its CustomResourceDefinition …")
        for command in (
            f"kubectl delete namespace {NAMESPACE} --ignore-not-found --wait=false",
            "kubectl delete crd orders.tour.specsync.dev --ignore-not-found --wait=false",
            "kubectl delete clusterrole,clusterrolebinding specsync-tour-openapi-reader --ignore-not-found",
        ):
            try:
                self._shell.read(command)
            except TourFailed as error:
                self._terminal.bad(str(error))
        if not installed_before:
            self._terminal.note("specsync's kinds and roles stay. To remove them: kubectl delete -k tour/manifests")

    def make_room(self) -> bool:
        """Clears what an earlier tour left; returns whether specsync's kinds were there before. Raises TourFailed."""
        running = self._shell.succeeds(f"kubectl get deployment specsync-worker -n {OPERATOR_NAMESPACE}")
        if running and not self._cluster.owned:
            raise TourFailed(
                f"specsync is deployed in {self._cluster.context} already, and would compete with the tour's operator: "
                "use it as it is (docs/operations.md), or take the tour without CLUSTER"
            )
        installed = self._shell.succeeds("kubectl get crd dependencies.specsync.dev")
        if self._shell.succeeds(f"kubectl get namespace {NAMESPACE}"):
            selector = "app.kubernetes.io/part-of=specsync-tour"
            if not self._shell.read(f"kubectl get namespace -l {selector} -o name"):
                raise TourFailed(f"namespace {NAMESPACE} exists and isn't an earlier tour's: remove it, or rename it")
            self._terminal.note(f"Removing namespace {NAMESPACE}, which an earlier tour left …")
            self._shell.read(f"kubectl delete namespace {NAMESPACE} --ignore-not-found", timeout=120)
        self._shell.read("kubectl delete crd orders.tour.specsync.dev --ignore-not-found", timeout=120)
        return installed

    # --- what the chapters are made of ---

    def _apply_dependency(self, name: str, path: str) -> str:
        lines = [
            "kubectl apply -f - <<EOF",
            "apiVersion: specsync.dev/v1alpha1",
            "kind: Dependency",
            "metadata:",
            f"  name: {name}",
            "spec:",
            "  source:",
            f"    url: {self._cluster.server}{path}",
            "    secretRef:",
            "      name: openapi-token",
        ]
        if self._cluster.authority.exists():
            lines += ["    certSecretRef:", "      name: openapi-ca"]
        return "\n".join([*lines, "  interval: 1h", "EOF"])

    def _wait_for_document(self, published: Callable[[dict[str, Any]], bool]) -> None:
        """The API server publishes its OpenAPI document some seconds after the change."""
        end = time.monotonic() + PUBLISHED_WITHIN
        while not published(self._shell.read_json("kubectl get --raw /openapi/v2")):
            if time.monotonic() > end:
                raise TourFailed(f"the API server's OpenAPI document was not updated within {PUBLISHED_WITHIN:g} s")
            time.sleep(0.5)

    def _wait_for_status(self) -> None:
        """The leader folds what the job found into the Dependency's status a moment after the job's end."""
        job = "kubernetes-api-orders-v2"
        self._shell.read(
            f"kubectl wait --for=jsonpath='{{.status.lastSync.job}}'={job} --timeout=30s dep/kubernetes-api"
        )

    def _check_baseline(self, name: str, format_: str, operations: int) -> None:
        status = self._shell.read_json(f"kubectl get dep {name} -o json")["status"]
        self._expect(status["lastSync"]["result"] == "Baseline", f"the first sync of {name} makes a baseline")
        snapshot = self._shell.read_json(f"kubectl specsync snapshot show dep/{name} -o json")
        self._expect(snapshot["format"] == format_, f"{name} is {format_}, not {snapshot['format']}")
        self._expect(
            snapshot["operations"] >= operations, f"{name} has {operations} operations, not {snapshot['operations']}"
        )
        raw = self._shell.read(f"kubectl specsync snapshot raw dep/{name}")
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        self._expect(digest == snapshot["digests"]["raw"], f"the snapshot of {name} is the document as it was served")
        listed = self._shell.read_json(f"kubectl specsync snapshot operations dep/{name} -o json")
        self._expect(len(listed) == snapshot["operations"], f"all operations of {name} are listed")

    def _check_breaking(self) -> None:
        found = self._changes()
        causes = [c for c in found["causes"] if c["severity"] == "breaking" and "currency" in c["summary"]]
        self._expect(bool(causes), "the removed property is a breaking change")
        self._expect(causes[0]["operations"] >= 6, f"it reaches 6 operations, not {causes[0]['operations']}")
        dependency = self._shell.read_json("kubectl get dep kubernetes-api -o json")
        breaking = dependency["status"]["lastChange"]["breaking"]
        self._expect(breaking == found["summary"]["breaking"] > 0, "the Dependency shows the breaking changes")
        events = self._shell.read_json("kubectl get events -o json")["items"]
        about = [e["reason"] for e in events if e["involvedObject"]["name"] == "kubernetes-api"]
        for reason in ("BaselineCreated", "ContractChanged", "BreakingChange"):
            self._expect(about.count(reason) == 1, f"one Event {reason}, not {about.count(reason)}")

    def _changes(self) -> Any:
        return self._shell.read_json("kubectl specsync changes dep/kubernetes-api -o json")

    def _expect(self, true: bool, what: str) -> None:
        if not true:
            raise TourFailed(f"Expected: {what}")


_CREATE_JOB = """\
kubectl create -f - <<EOF
apiVersion: specsync.dev/v1alpha1
kind: SyncJob
metadata:
  name: kubernetes-api-orders-v2
spec:
  target:
    name: kubernetes-api
EOF"""


def _order_schema(document: dict[str, Any]) -> Any:
    return document["definitions"].get("dev.specsync.tour.v1.Order", "currency")
