"""/livez, /readyz and /metrics of real processes."""

import functools

import yaml
from prometheus_client.parser import text_string_to_metric_families

from devcluster import ControlPlane
from tests.conftest import OPERATOR_NAMESPACE, PROJECT
from tests.integration.crew import Crew, contract
from tests.integration.probing import Probed
from tests.waiting import eventually


def test_metrics_tell_how_it_goes_and_name_nobody(crew: Crew) -> None:
    controller, worker = Probed(), Probed()
    crew.start("controller", "--min-interval", "1s", *controller.options)
    crew.start("worker", *worker.options)
    crew.depend_on("secret-project", contract("shop", fields=3))
    crew.wait_for_result("secret-project", "Baseline")
    crew.publish("secret-project", contract("shop", version="2", fields=2))
    crew.request_sync("secret-project", "1")
    crew.wait_for_result("secret-project", "Changed")
    crew.request_sync("secret-project", "2")
    crew.wait_for_result("secret-project", "Unchanged")

    assert controller.is_alive()
    assert controller.is_ready()
    assert worker.is_alive()
    assert worker.is_ready()
    assert controller.metric("specsync_leader") == 1
    assert controller.metric("specsync_dependencies", health="healthy", suspended="false") == 1
    assert controller.metric("specsync_dependencies_not_ready") == 0
    assert controller.metric("specsync_jobs") >= 3
    assert controller.metric("specsync_schedule_lag_seconds_count") == 1
    assert controller.metric("specsync_api_requests_total", verb="create", code="201") >= 3
    assert worker.metric("specsync_claims_total") >= 3
    assert worker.metric("specsync_job_attempts_total", phase="Succeeded", result="Baseline") == 1
    assert worker.metric("specsync_job_attempts_total", phase="Succeeded", result="Changed") == 1
    assert worker.metric("specsync_stage_duration_seconds_count", stage="diff") == 1
    assert worker.metric("specsync_stages_total", stage="fetch", outcome="Succeeded") >= 3
    assert worker.metric("specsync_blob_bytes_total", operation="put") > 0
    assert worker.metric("specsync_children_started_total") >= 1
    assert worker.metric("specsync_build_info", role="worker") == 1
    assert min(controller.metric("specsync_tasks"), worker.metric("specsync_tasks")) > 1
    for served, lease in ((controller, "leader"), (worker, "worker")):
        renewals = functools.partial(served.metric, "specsync_lease_renew_duration_seconds_count", lease=lease)
        eventually(renewals, what=f"a renewal of the {lease}'s Lease")
    for served in (controller, worker):
        _, text = served.get("/metrics")
        assert "secret-project" not in text
        assert crew.namespace not in text
        assert len(list(text_string_to_metric_families(text))) > 20


def test_the_monitoring_folder_builds(cluster: ControlPlane) -> None:
    built = list(yaml.safe_load_all(cluster.kubectl("kustomize", PROJECT / "manifests" / "monitoring")))
    assert {each["kind"] for each in built} == {"PodMonitor", "PrometheusRule", "ConfigMap"}
    assert {each["metadata"]["namespace"] for each in built} == {OPERATOR_NAMESPACE}
    (monitor,) = [each for each in built if each["kind"] == "PodMonitor"]
    base = list(yaml.safe_load_all(cluster.kubectl("kustomize", PROJECT / "manifests" / "base")))
    for pod in [each["spec"]["template"] for each in base if each["kind"] == "Deployment"]:
        assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
        assert monitor["spec"]["podMetricsEndpoints"][0]["port"] in ports


def test_a_loop_that_stands_still_is_named_by_livez(crew: Crew) -> None:
    worker = Probed()
    crew.start("worker", *worker.options, fault="wedge@observe")
    eventually(worker.is_ready, timeout=30, what="the worker to be ready")
    status, text = eventually(lambda: worker.get("/livez"), until=lambda answer: answer[0] == 503, what="a 503")
    assert (status, text) == (503, "the observe loop stands still\n")


def test_a_process_that_may_not_list_is_alive_but_not_ready(crew: Crew) -> None:
    stranger = crew.cluster.service_account_kubeconfig("default", "default")
    controller = Probed()
    member = crew.start("controller", *controller.options, "--kubeconfig", str(stranger))
    eventually(lambda: member.says("watch failed"), timeout=30, what="the refused list in the log")
    status, _ = eventually(
        lambda: controller.get("/readyz"),
        until=lambda answer: "dependencies can't be watched: 403 Forbidden" in answer[1],
    )
    assert status == 503
    assert controller.is_alive()
