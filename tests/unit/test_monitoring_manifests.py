"""manifests/monitoring asks for metrics, labels and fields that there are."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from specsync.cli.metricsdoc import Described, described
from tests.conftest import PROJECT

MONITORING = PROJECT / "manifests" / "monitoring"
RULES = yaml.safe_load((MONITORING / "rules.yaml").read_text())["spec"]["groups"][0]["rules"]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
PANELS = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]

# What Prometheus adds to each series, by the PodMonitor.
TARGET_LABELS = {"namespace", "pod", "job"}
SUFFIXES = {"histogram": ("_bucket", "_count", "_sum")}


def known() -> dict[str, Described]:
    """By the name of the series."""
    return {metric.name + suffix: metric for metric in described() for suffix in SUFFIXES.get(metric.type_, ("",))}


def check(expression: str) -> None:
    assert expression.count("(") == expression.count(")")
    series, names = known(), re.findall(r"\b(?:specsync|process)_\w+", expression)
    assert names
    for name in names:
        assert name in series or name.startswith("process_"), f"{name} is no metric"
    labels = {"le"} | TARGET_LABELS | {label for name in names if name in series for label in series[name].labels}
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        assert set(re.split(r",\s*", grouped)) <= labels, grouped
    for matched in re.findall(r"(\w+)\s*=~?\s*\"", expression):
        assert matched in labels, matched
    if "histogram_quantile" not in expression and "rate(" not in expression and "increase(" not in expression:
        assert all(series[name].type_ == "gauge" for name in names if name in series), "a counter needs a rate"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerts(rule: Any) -> None:
    check(rule["expr"])
    assert re.fullmatch(r"Specsync[A-Za-z]+", rule["alert"])
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description"}
    used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    grouped = re.search(r"by \(([^)]*)\)", rule["expr"])
    assert used <= set(re.split(r",\s*", grouped.group(1)) if grouped else ())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerts_join_no_series_of_different_processes(rule: Any) -> None:
    """An operator on two vectors gives nothing where only one has the Pod: a worker has no series of the controller."""
    rooms = {known()[name].room for name in re.findall(r"\bspecsync_\w+", rule["expr"])}
    assert len(rooms) == 1 or not re.search(r"\)\s*(?:[-+*/]|and\b)\s*(?:sum|max|min)", rule["expr"])


@pytest.fixture(scope="module")
def at_start() -> list[Any]:
    """The series of a process in which nothing has happened yet: one of its own, for in this one much has."""
    program = (
        "import prometheus_client, specsync.cli.metricsdoc as rooms; rooms.described();"
        "print(prometheus_client.generate_latest().decode())"
    )
    text = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


@pytest.mark.parametrize(
    "counted",
    [found for rule in RULES for found in re.findall(r"increase\((\w+)(?:\{([^}]*)\})?\[", rule["expr"])],
    ids=lambda found: found[0],
)
def test_what_an_alert_counts_is_there_before_it_happens(at_start: list[Any], counted: tuple[str, str]) -> None:
    name, matchers = counted
    wanted = dict(re.findall(r'(\w+)="([^"]*)"', matchers))
    found = [each for each in at_start if each.name == name and wanted.items() <= each.labels.items()]
    assert found, "increase() of a series that begins with 1 is 0"
    assert {each.value for each in found} == {0.0}


@pytest.mark.parametrize(("title", "expression"), PANELS)
def test_dashboard(title: str, expression: str) -> None:
    check(expression)


def test_every_metric_has_a_use_or_is_for_looking_closer() -> None:
    text = json.dumps([RULES, DASHBOARD])
    unused = {metric.name for metric in described() if metric.name not in text}
    assert len(unused) < len(described()) / 2, unused


def test_kube_state_metrics_reads_fields_that_there_are() -> None:
    (definition,) = [
        crd
        for crd in map(yaml.safe_load, (path.read_text() for path in (PROJECT / "crds").glob("*.yaml")))
        if crd["spec"]["names"]["kind"] == "Dependency"
    ]
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    (resource,) = yaml.safe_load((MONITORING / "kube-state-metrics.yaml").read_text())["spec"]["resources"]
    for metric in resource["metrics"]:
        each = metric["each"][metric["each"]["type"].lower()]
        below = field(schema, each.get("path", []))
        for path in (*each.get("labelsFromPath", {}).values(), each.get("valueFrom", [])):
            field(below, path)


def field(schema: Any, path: list[str]) -> Any:
    for name in path:
        schema = schema.get("items", schema)["properties"][name]
    return schema.get("items", schema)


def test_metrics_are_named_by_prometheus_conventions() -> None:
    assert list(unconventional(described())) == []


def unconventional(metrics: list[Described]) -> Iterator[str]:
    """https://prometheus.io/docs/practices/naming/"""
    for metric in metrics:
        if not re.fullmatch(r"specsync(_[a-z0-9]+)+", metric.name):
            yield f"{metric.name}: no such name"
        if (metric.type_ == "counter") != metric.name.endswith("_total"):
            yield f"{metric.name}: _total is for counters"
        if metric.type_ == "histogram" and not metric.name.endswith(("_seconds", "_bytes")):
            yield f"{metric.name}: without a unit"
        if set(metric.labels) & {"namespace", "name", "dependency", "job", "url", "host", "pod"}:
            yield f"{metric.name}: a label without bounds"
        if not metric.meaning or metric.meaning.endswith("."):
            yield f"{metric.name}: say what it means, without a full stop"
