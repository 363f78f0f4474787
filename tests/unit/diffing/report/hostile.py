"""A pair of documents whose every name and value tries to be more than text."""

from __future__ import annotations

import json
from typing import Any

from specsync.diffing import Comparison, compare
from specsync.diffing.report.source import Source
from specsync.diffing.witness import attach_witnesses
from tests.unit.diffing.documents import canonical, document

NASTY = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\link",
    "\x9b2J",
    "a\nb\r\nc\td",
    "\u202edesrever\u202c",
    "nul\x00\x08\x7f\ufffe",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='x",
    "]]>&amp;&lt;",
    "@octocat and @org/team",
    "#1 and GH-2 and owner/repo#3",
    "https://evil.example/ www.evil.example",
    "[link](javascript:alert(1)) ![image](http://evil.example/x.png)",
    "`code` ``two`` `odd",
    "| pipe \\| escaped \\",
    "*bold* _under_ ~~gone~~ $x$",
    "::error file=x::gotcha",
    "%0A::warning::x",
    "100% {braces} {0} {at}",
    "true",
    "null",
    "12",
    "2001-01-01",
    "- item: value # comment",
    "",
    " ",
    "日本語 😀 é",
]


def pair() -> tuple[dict[str, Any], dict[str, Any]]:
    def api(names: list[str], kind: str, version: str) -> dict[str, Any]:
        properties = {name: {"type": kind, "enum": [name]} for name in names}
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}
        paths = {
            f"/{name}": {
                "get": {
                    "tags": [name],
                    "operationId": f"{name}{number}",
                    "parameters": [{"name": name, "in": "query", "schema": {"type": kind}}],
                    "responses": {"200": {"description": "", "content": content}},
                }
            }
            for number, name in enumerate(names)
        }
        schemas = {"schemas": {"Pet": {"type": "object", "properties": properties}}}
        tree = document(paths, components=schemas)
        tree["info"] = {"title": " ".join(NASTY[:12]), "version": version + NASTY[0] + NASTY[7]}
        return tree

    return api(NASTY, "string", "1"), api(NASTY[1:], "integer", "2")


def compared() -> tuple[Comparison, Source, Source]:
    old, new = (canonical(json.loads(json.dumps(tree))) for tree in pair())
    sources = Source.of(old, "old.json"), Source.of(new, "-")
    comparison = compare(old, new)
    attach_witnesses(old, new, comparison, seconds=5)
    assert any(event.witness is not None for event in comparison.events)
    return comparison, *sources


def without_controls(text: str, allowed: str = "\n") -> bool:
    return all(character in allowed or character.isprintable() for character in text)
