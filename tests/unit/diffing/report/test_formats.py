"""What each format says of small and of real-sized comparisons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema_rs
import msgspec
import pytest

from specsync.diffing import Comparison, compare
from specsync.diffing.comparison import Cause, Event, Location, OperationRef, Summary
from specsync.diffing.report.github import github
from specsync.diffing.report.html import html
from specsync.diffing.report.json import Report, json_report
from specsync.diffing.report.junit import junit
from specsync.diffing.report.lines import find_lines
from specsync.diffing.report.markdown import markdown
from specsync.diffing.report.places import Places, as_uri
from specsync.diffing.report.sarif import sarif
from specsync.diffing.report.source import Source, names
from specsync.diffing.report.text import text
from specsync.diffing.report.yaml import yaml_report
from specsync.diffing.witness import attach_witnesses
from tests.unit.diffing.documents import canonical, document
from tests.unit.diffing.report import hostile

SCHEMA = json.loads((Path(__file__).parents[4] / "docs" / "diff.schema.json").read_text())


def shop(*, limit: int, kinds: list[str], version: str) -> dict[str, Any]:
    """An API with one schema in two operations, a parameter, and what concerns no operation."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}
    responses = {"200": {"description": "", "content": content}}
    parameters = [{"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": limit}}]
    pet = {"type": "object", "properties": {"kind": {"type": "string", "enum": kinds}}}
    schemes = {f"key{version}": {"type": "apiKey", "name": "k", "in": "header"}}
    return document(
        {
            "/pets": {"get": {"parameters": parameters, "responses": responses}},
            "/pets/{id}": {"get": {"responses": responses}},
        },
        api_version=version,
        components={"schemas": {"Pet": pet}, "securitySchemes": schemes},
    )


OLD_TREE = shop(limit=100, kinds=["cat"], version="1")
NEW_TREE = shop(limit=50, kinds=["cat", "dog"], version="2")
OLD_TEXT, NEW_TEXT = (json.dumps(tree, indent=1).encode() for tree in (OLD_TREE, NEW_TREE))


@pytest.fixture(scope="module")
def compared() -> tuple[Comparison, Source, Source]:
    old, new = canonical(OLD_TREE), canonical(NEW_TREE)
    return compare(old, new), Source.of(old, "api/old.json"), Source.of(new, "api/new.json")


@pytest.fixture(scope="module")
def none() -> tuple[Comparison, Source, Source]:
    old = canonical(OLD_TREE)
    return compare(old, old), Source.of(old, "a.json"), Source.of(old, "a.json")


@pytest.fixture
def places(compared: Any) -> Places:
    return Places(compared[0], ("api/old.json", OLD_TEXT), ("api/new.json", NEW_TEXT), find_lines)


def test_json_fits_its_schema(compared: Any, none: Any) -> None:
    validator = jsonschema_rs.validator_for(SCHEMA)
    for report in (json_report(*compared), json_report(*none), json_report(*hostile.compared())):
        errors = [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(json.loads(report))]
        assert errors == []


def test_schema_describes_every_field_and_no_other() -> None:
    for struct, described in (
        (Report, SCHEMA),
        (Source, SCHEMA["$defs"]["source"]),
        (Summary, SCHEMA["$defs"]["summary"]),
        (Cause, SCHEMA["$defs"]["cause"]),
        (Event, SCHEMA["$defs"]["event"]),
        (Location, SCHEMA["$defs"]["location"]),
        (OperationRef, SCHEMA["$defs"]["operation"]),
    ):
        fields = {field.encode_name for field in msgspec.structs.fields(struct)}
        assert fields == set(described["properties"])


def test_json_says_null_where_no_operation_is_concerned(compared: Any) -> None:
    events = json.loads(json_report(*compared))["events"]
    assert [event["operation"] for event in events if event["id"].startswith("api-security-component")] == [None, None]
    assert all("operation" in event for event in events)


def test_text_groups_by_edit(compared: Any) -> None:
    assert text(compared[0]).splitlines()[:12] == [
        "1 breaking, 2 risky, 2 safe changes from 4 edits",
        "",
        "Breaking (1)",
        "  query parameter `limit`: maximum decreased from 100 to 50",
        "      GET /pets",
        "",
        "Risky (1)",
        "  schema Pet, kind: enum value dog added",
        "      GET /pets",
        "      GET /pets/{id}",
        "",
        "Safe (2)",
    ]


def test_text_groups_by_operation(compared: Any) -> None:
    assert text(compared[0], group="operation", width=50).splitlines()[1:8] == [
        "",
        "GET /pets",
        "  breaking  query parameter `limit`: maximum",
        "              decreased from 100 to 50",
        "  risky     response 200 property `kind`: enum",
        "              value dog added",
        "",
    ]


def test_text_tells_of_like_changes_of_endpoints_once() -> None:
    old, new = document({}), document({f"/p{number}": {"get": {"responses": {}}} for number in range(3)})
    shown = text(compare(canonical(old), canonical(new))).splitlines()
    assert shown[2:] == ["Safe (3)", "  endpoint added", "      GET /p0", "      GET /p1", "      GET /p2"]


def test_text_stays_within_its_width(compared: Any) -> None:
    assert max(map(len, text(hostile.compared()[0], width=60).splitlines())) < 80
    assert max(map(len, text(compared[0], width=45).splitlines()[1:])) <= 45


def test_no_changes_in_every_format(none: Any) -> None:
    comparison, old, new = none
    places = Places(comparison, ("a.json", OLD_TEXT), ("a.json", OLD_TEXT), find_lines)
    assert text(comparison) == "No changes\n"
    assert "No changes" in markdown(comparison, old, new)
    assert "No changes" in html(comparison, old, new)
    assert "events: []" in yaml_report(comparison, old, new)
    assert github(comparison, places) == "No changes\n"
    assert json.loads(sarif(comparison, old, new, places))["runs"][0]["results"] == []
    root = ElementTree.fromstring(junit(comparison, old, new))
    assert (root.get("tests"), root.get("failures")) == ("1", "0")


def test_names() -> None:
    one, two = (Source(source=f"{n}.json", title="Pets", version=n, format="", digest="") for n in ("1", "2"))
    other = Source(source="-", title="", version="", format="", digest="")
    assert names(one, two) == "Pets 1 → 2"
    assert names(one, one) == "Pets 1"
    assert names(one, other) == "Pets 1 → -"


def test_markdown_folds_what_is_safe(compared: Any) -> None:
    comment = markdown(*compared)
    assert comment.startswith("### API changes: Pets 1 → 2\n\n🔴 1 breaking, 🟠 2 risky, 🟢 2 safe changes")
    assert "| query parameter `limit`: maximum decreased from 100 to 50 | GET /pets |" in comment
    assert comment.index("Breaking (1)") < comment.index("<details><summary>🟢 Safe (2)")


def test_markdown_says_how_much_does_not_fit() -> None:
    old = document({f"/{'long' * 60}/{number}": {"get": {"responses": {}}} for number in range(300)})
    comparison = compare(canonical(old), canonical(document({})))
    sources = [Source.of(canonical(old), name) for name in ("a", "b")]
    comment = markdown(comparison, *sources, group="operation")
    assert len(comment) < 65_536
    assert "more breaking rows that don't fit here" in comment
    assert comment.count("<details>") == comment.count("</details>") == 1


def test_html_has_each_edit_with_its_rule_and_place(compared: Any) -> None:
    page = html(*compared)
    for event in compared[0].events:
        assert f"<code>{event.id}</code>" in page
        assert f"<code>{event.location.new or event.location.old}</code>" in page
    for cause in compared[0].causes:
        assert cause.fingerprint in page
    assert '<label class="chip breaking"><input type="checkbox" id="show-breaking" checked>Breaking <b>1</b>' in page


def test_html_by_operation(compared: Any) -> None:
    page = html(*compared, group="operation")
    assert '<span class="m">GET</span> <span>/pets/{id}</span>' in page
    assert "The whole API" in page


@pytest.mark.parametrize(("fails", "failures"), [("breaking", 1), ("risky", 2), ("safe", 4)])
def test_junit_fails_from_a_severity_on(compared: Any, fails: Any, failures: int) -> None:
    root = ElementTree.fromstring(junit(*compared, fails=fails))
    assert root.get("failures") == str(failures)
    assert root.get("tests") == "4"
    worst = root.find("./testsuite/testcase")
    assert worst is not None
    assert worst.get("name") == "GET /pets: query parameter `limit`: maximum decreased from 100 to 50"
    assert worst.get("classname") == "breaking.request-parameter-max-decreased"


def test_github_annotates_lines_of_the_newer_file(compared: Any, places: Places) -> None:
    line = 1 + NEW_TEXT[: NEW_TEXT.index(b'"maximum"')].count(b"\n")
    annotations = github(compared[0], places).splitlines()
    assert annotations[1] == (
        f"::error file=api/new.json,line={line},title=breaking%3A request-parameter-max-decreased::"
        "GET /pets: query parameter `limit`: maximum decreased from 100 to 50"
    )
    assert annotations[2].endswith(
        "::schema Pet, kind: enum value dog added, in 2 operations: GET /pets, GET /pets/{id}"
    )


def test_github_annotates_the_older_file_for_what_is_gone(compared: Any, places: Places) -> None:
    (removed,) = [line for line in github(compared[0], places).splitlines() if "component-removed" in line]
    line = 1 + OLD_TEXT[: OLD_TEXT.index(b'"key1"')].count(b"\n")
    assert removed.startswith(f"::notice file=api/old.json,line={line},")


def test_sarif_has_rules_levels_and_places(compared: Any, places: Places) -> None:
    comparison, old, new = compared
    (run,) = json.loads(sarif(comparison, old, new, places))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note", "note"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["partialFingerprints"]["specsyncChange/v1"]
        (location,) = result["locations"]
        assert location["physicalLocation"]["region"]["startLine"] > 1
        assert location["logicalLocations"][0]["fullyQualifiedName"].startswith("/")
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "api/new.json"}


def test_sarif_by_operation_has_a_result_for_each_event(compared: Any, places: Places) -> None:
    comparison, old, new = compared
    (run,) = json.loads(sarif(comparison, old, new, places, group="operation"))["runs"]
    assert [result["partialFingerprints"]["specsyncChange/v1"] for result in run["results"]] == [
        event.fingerprint for event in comparison.events
    ]


def test_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert as_uri("a b/ä#.json") == "a%20b/%C3%A4%23.json"
    assert as_uri(str(tmp_path / "in.json")) == "in.json"
    assert as_uri("/elsewhere/x y.json") == "file:///elsewhere/x%20y.json"
    assert as_uri("https://api.example.com/openapi.json") == "https://api.example.com/openapi.json"
    assert as_uri("-") == ""


@pytest.mark.parametrize("group", ["cause", "operation"])
def test_each_format_shows_the_value_that_proves_a_break(group: str) -> None:
    def api(limit: int) -> dict[str, Any]:
        schema = {"type": "object", "properties": {"name": {"type": "string", "maxLength": limit}}}
        body = {"content": {"application/json": {"schema": schema}}}
        return document({"/pets": {"post": {"requestBody": body, "responses": {}}}})

    trees = api(4), api(2)
    before, after = (canonical(tree) for tree in trees)
    comparison = compare(before, after)
    attach_witnesses(before, after, comparison, seconds=10)
    old, new = Source.of(before, "old.json"), Source.of(after, "new.json")
    texts = [json.dumps(tree, indent=1).encode() for tree in trees]
    places = Places(comparison, ("old.json", texts[0]), ("new.json", texts[1]), find_lines)
    written = {
        "text": text(comparison, group=group),
        "markdown": markdown(comparison, old, new, group=group),
        "html": html(comparison, old, new, group=group).replace("&quot;", '"'),
        "junit": junit(comparison, old, new, group=group).replace("&quot;", '"'),
        "github": github(comparison, places, group=group),
        "sarif": sarif(comparison, old, new, places, group=group).decode().replace('\\"', '"'),
        "json": json_report(comparison, old, new).decode().replace(" ", ""),
    }
    assert {name for name, shown in written.items() if '{"name":"aaa"}' not in shown.replace("\n", "")} == set()
    assert "request body" in written["markdown"]
    assert "is refused now" in written["github"]
