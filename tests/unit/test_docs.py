"""The pages that people write by hand keep up with the code."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from specsync.cli import operate
from specsync.resources.reasons import Reason

PROJECT = Path(__file__).parent.parent.parent
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]

# Reasons that call for nothing.
_ALL_IS_WELL = {
    Reason.BASELINE_CREATED,
    Reason.BREAKING_CHANGE,
    Reason.CONTRACT_CHANGED,
    Reason.RECOVERED,
    Reason.RUNNING,
    Reason.SUCCEEDED,
    Reason.SYNCED,
    Reason.SYNCING,
}
# Shown by their state of health or as an Event, and described there.
_ELSEWHERE = {Reason.DEGRADED, Reason.UNHEALTHY, Reason.PAUSED, Reason.SYNC_FAILED, Reason.TARGET_DELETED}


def test_operations_lists_every_flag() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    operate.add_arguments(parser)
    page = (PROJECT / "docs" / "operations.md").read_text()
    flags = {option for action in parser._actions for option in action.option_strings}
    assert {flag for flag in flags if f"| `{flag}" not in page} == set()


def test_troubleshooting_knows_every_reason() -> None:
    page = (PROJECT / "docs" / "troubleshooting.md").read_text()
    unknown = {reason.value for reason in set(Reason) - _ALL_IS_WELL - _ELSEWHERE if f"`{reason.value}`" not in page}
    assert unknown == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_readme_shows_what_specsync_diff_prints() -> None:
    page = (PROJECT / "README.md").read_text()
    shown = re.search(r"^\$ (specsync diff .*)\n((?:.*\n)*?)```", page, re.MULTILINE)
    assert shown
    words = [Path(sys.executable).parent / "specsync", *shown[1].split()[1:]]
    outcome = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert shown[2] == outcome.stdout
