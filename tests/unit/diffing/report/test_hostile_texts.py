"""Documents are data: no format lets their texts act on a terminal, a page, a comment, a log or a parser."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
import yaml
import yaml_rs

from specsync.diffing.plain import plain
from specsync.diffing.report.github import github
from specsync.diffing.report.html import html
from specsync.diffing.report.json import json_report
from specsync.diffing.report.junit import junit
from specsync.diffing.report.markdown import escaped, markdown, prose
from specsync.diffing.report.places import Places
from specsync.diffing.report.sarif import sarif
from specsync.diffing.report.text import text
from specsync.diffing.report.yaml import yaml_report
from tests.unit.diffing.report.hostile import NASTY, compared, without_controls

COMPARISON, OLD, NEW = compared()
GROUPS = pytest.mark.parametrize("group", ["cause", "operation"])


def test_there_is_something_to_look_at() -> None:
    assert COMPARISON.summary.breaking > len(NASTY)
    assert len(COMPARISON.causes) > len(NASTY)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jx", "x"),
        ("\x1bcx", "x"),
        ("a\nb\r\n\tc", "a b c"),
        ("\u202eabc\u2066", "abc"),
        ("\x00\x7f\ufeff", ""),
        ("日本語 😀", "日本語 😀"),
    ],
)
def test_plain(given: str, shown: str) -> None:
    assert plain(given) == shown


@GROUPS
@pytest.mark.parametrize("color", [False, True])
def test_text_has_no_control_characters_but_its_own_colours(group: str, color: bool) -> None:
    shown = text(COMPARISON, color=color, group=group)
    if color:
        shown = re.sub(r"\x1b\[(?:31;1|33|32|2|1|0)m", "", shown)
    assert without_controls(shown)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.scripts = 0
        self.text = ""
        self._raw = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.scripts += tag == "script"
        self._raw = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._raw = False

    def handle_data(self, data: str) -> None:
        if not self._raw:
            self.text += data


@GROUPS
def test_html_has_our_elements_only(group: str) -> None:
    page = html(COMPARISON, OLD, NEW, group=group)
    found = _Page()
    found.feed(page)
    assert found.scripts == 1
    assert not found.tags & {"img", "a", "iframe", "link", "object", "base", "b "}
    assert found.attributes <= {
        *("lang", "charset", "http-equiv", "content", "name", "class", "id", "type", "checked", "hidden"),
        *("placeholder", "aria-label"),
    }
    assert without_controls(found.text)
    assert "<script>alert(1)</script>" in found.text
    assert "http" not in re.sub(r"evil|http-equiv", "", page.partition("<main>")[0].partition("<body>")[0])


def test_html_allows_its_own_script_only() -> None:
    page = html(COMPARISON, OLD, NEW)
    assert "default-src 'none'" in page
    assert "unsafe-inline" not in page


@GROUPS
def test_markdown_mentions_nobody_and_links_nowhere(group: str) -> None:
    comment = markdown(COMPARISON, OLD, NEW, group=group)
    assert without_controls(comment, "\n\u200b")
    live = re.sub(r"`[^`\n]*`", "code", comment.replace("\\`", ""))  # nothing is live in code
    assert not re.search(r"@\w", live)
    assert not re.search(r"#\d", live)
    assert "://" not in live
    assert not re.search(r"(?<!\\)[\[!](?!\s)", live)
    assert set(re.findall(r"<[^>]*>", live)) <= {"<br>", "<details>", "</details>", "<summary>", "</summary>"}
    for line in comment.splitlines():
        if line.startswith("| "):
            cells = re.sub(r"\\.", "", line).count("|")
            assert cells == 3, line


def test_markdown_fits_into_a_comment() -> None:
    assert len(markdown(COMPARISON, OLD, NEW, group="operation")) < 65_536


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("property `a`: removed", "property `a`: removed"),
        ("property `a|b`: removed", "property a\\|b: removed"),
        ("property `a`b`: x", "property \\`a\\`b\\`: x"),
        ("@name", "@\u200bname"),
        ("<b>", "&lt;b&gt;"),
    ],
)
def test_prose(given: str, written: str) -> None:
    assert prose(given) == written


def test_escaped_keeps_its_words() -> None:
    assert escaped("GET /pets/{id}") == "GET /pets/\\{id\\}"


@GROUPS
def test_junit_is_well_formed(group: str) -> None:
    root = ElementTree.fromstring(junit(COMPARISON, OLD, NEW, group=group))
    cases = root.findall("./testsuite/testcase")
    failed = root.findall("./testsuite/testcase/failure")
    assert root.get("tests") == str(len(cases))
    assert root.get("failures") == str(len(failed)) != "0"
    assert all(case.get("name") and case.get("classname") for case in cases)
    assert without_controls("".join(root.itertext()))


@GROUPS
def test_github_writes_one_command_a_line(group: str) -> None:
    places = Places(COMPARISON, ("old.json", b""), ("new,odd:name.json", b""), lambda *_: {})
    first, *lines = github(COMPARISON, places, group=group).splitlines()
    assert first.endswith("edits")
    for line in lines:
        assert re.match(r"::(error|warning|notice) [^:]*::", line), line
    assert any("file=new%2Codd%3Aname.json," in line for line in lines)


@GROUPS
def test_sarif_is_json_without_controls(group: str) -> None:
    places = Places(COMPARISON, ("old.json", b""), ("new.json", b""), lambda *_: {})
    log = json.loads(sarif(COMPARISON, OLD, NEW, places, group=group))
    assert all(without_controls(result["message"]["text"]) for result in log["runs"][0]["results"])


def test_yaml_says_what_json_says_to_every_reader() -> None:
    expected = json.loads(json_report(COMPARISON, OLD, NEW))
    written = yaml_report(COMPARISON, OLD, NEW)
    assert yaml.safe_load(written) == expected
    assert yaml_rs.loads(written, parse_datetime=False) == expected
