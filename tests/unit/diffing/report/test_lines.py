"""The lines of JSON pointers in JSON and YAML texts."""

from __future__ import annotations

import json

import pytest
import yaml

from specsync.diffing.report.lines import find_lines
from tests.unit.diffing.report import hostile

YAML = b"""\
openapi: 3.1.0
info: {title: Pets, version: '1'}
# paths: nothing
paths:
  /pets:
    get:
      description: |
        A text with
          get: and keys: in it

        paths:
      parameters:
      - name: limit
        in: query
        schema: {type: integer}
      -   $ref: '#/components/parameters/page'
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema:
                type: array
                items:
                  - type: string
                  -
                    type: integer
  "/pets/{id}": # one
    delete:
      responses:
        204: {description: gone}
components:
  schemas:
    a/b~c:
      type: object
"""


@pytest.mark.parametrize(
    ("pointer", "line"),
    [
        ("/paths", 4),
        ("/paths/~1pets/get", 6),
        ("/paths/~1pets/get/parameters/0/in", 14),
        ("/paths/~1pets/get/parameters/0/schema/type", 15),
        ("/paths/~1pets/get/parameters/1", 16),
        ("/paths/~1pets/get/responses/200/content/application~1json/schema/type", 23),
        ("/paths/~1pets/get/responses/200/content/application~1json/schema/items/1/type", 27),
        ("/paths/~1pets~1{id}/delete", 29),
        ("/paths/~1pets~1{id}/delete/responses/204", 31),
        ("/components/schemas/a~1b~0c/type", 35),
        ("/components/schemas/a~1b~0c/nothing", 34),
    ],
)
def test_yaml(pointer: str, line: int) -> None:
    assert find_lines(YAML, {pointer}) == {pointer: line}
    assert find_lines(YAML.replace(b"\n", b"\r\n"), {pointer}) == {pointer: line}


def test_what_is_not_there_has_no_line() -> None:
    assert find_lines(YAML, {"/nothing/here"}) == {}
    assert find_lines(b'{"paths": {}}', {"/paths"}) == {}


@pytest.mark.parametrize("indent", [1, 4])
def test_every_pointer_of_json_is_found(indent: int) -> None:
    tree, _ = hostile.pair()
    tree["x"] = [[1, [2, {"a": [], "b": {}}], 3], '[{"', {"é\\": {"": 0}}]
    text = json.dumps(tree, indent=indent, ensure_ascii=False)
    lines = text.split("\n")
    found = find_lines(text.encode(), set(_pointers(tree)))
    assert set(found) == set(_pointers(tree))
    for pointer, line in found.items():
        name = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        if not name.isdigit():
            assert lines[line - 1].strip().startswith(json.dumps(name, ensure_ascii=False) + ":"), pointer


def test_nearly_every_pointer_of_yaml_is_found() -> None:
    tree = yaml.safe_load(YAML)
    written = yaml.safe_dump(tree).encode()
    pointers = {pointer for pointer in _pointers(tree) if "204" not in pointer}
    found = find_lines(written, pointers)
    lines = written.decode().split("\n")
    for pointer in pointers:
        name = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        assert name.isdigit() or name in lines[found[pointer] - 1], pointer


def _pointers(value: object, at: str = "") -> list[str]:
    children: list[tuple[object, object]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    found = []
    for key, child in children:
        pointer = f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}"
        found += [pointer, *_pointers(child, pointer)]
    return found


@pytest.mark.parametrize("line", ["  x" + " " * 200_000 + "y", "  a: " + "!a " * 60_000, "  - x" + " |" * 60_000])
def test_long_lines_take_no_longer_than_short_ones(line: str) -> None:
    assert find_lines(f"info:\n{line}\npaths:\n  /a: {{}}\n".encode(), {"/paths/~1a"}) == {"/paths/~1a": 4}
