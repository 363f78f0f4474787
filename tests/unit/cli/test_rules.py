"""`specsync rules`, and the page of rules in the documentation."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from specsync.cli.main import main
from specsync.diffing import rulesdoc
from specsync.diffing.rules import RULES


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["rules", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_table_has_every_rule(capfd: Any) -> None:
    assert run() == 0
    head, *lines = capfd.readouterr().out.splitlines()
    assert head.split() == ["ID", "SEVERITY", "KIND", "TEXT"]
    assert [line.split()[0] for line in lines] == list(RULES)
    assert all(line.split()[1] == RULES[line.split()[0]].severity for line in lines)


def test_json_has_every_rule(capfd: Any) -> None:
    assert run("-o", "json") == 0
    rows = json.loads(capfd.readouterr().out)
    assert [row["id"] for row in rows] == list(RULES)
    assert set(rows[0]) == {"id", "severity", "direction", "area", "kind", "origin", "text"}


def test_rules_can_be_searched(capfd: Any) -> None:
    assert run("ENUM", "removed", "--severity", "breaking", "-o", "json") == 0
    rows = json.loads(capfd.readouterr().out)
    assert "request-property-enum-value-removed" in {row["id"] for row in rows}
    assert all(row["severity"] == "breaking" and "enum" in str(row).lower() for row in rows)
    assert run("no-such-rule") == 1
    assert "no rule has these words" in capfd.readouterr().err


def test_page_tells_of_drift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    page = tmp_path / "rules.md"
    monkeypatch.setattr(sys, "argv", ["rulesdoc", "--page", str(page), "--check"])
    assert rulesdoc.main() == 1
    assert "out of date" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["rulesdoc", "--page", str(page)])
    assert rulesdoc.main() == 0
    monkeypatch.setattr(sys, "argv", ["rulesdoc", "--page", str(page), "--check"])
    assert rulesdoc.main() == 0
    text = page.read_text()
    assert all(f"| `{id_}` | {rule.severity} |" in text for id_, rule in RULES.items())
