"""YAML as OpenAPI means it, with the fast reader and the exact one alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsync.openapi.errors import DocumentError
from specsync.openapi.limits import Limits
from specsync.openapi.load import load
from specsync.openapi.yaml_events import read_exactly
from specsync.openapi.yaml_fast import read_fast

LIMITS = Limits()


def both(text: str) -> Any:
    """What load() makes of ``x``; the exact reader must see the same."""
    data = f"openapi: 3.0.0\n{text}".encode()
    tree = load(data).as_tree()
    assert repr(read_exactly(data, LIMITS)) == repr(tree)
    return tree.get("x")


def refused(text: str) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        load(f"openapi: 3.0.0\n{text}".encode())
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "on", "off", "yes", "no", "y", "N", "On", "YES", "2020-01-01", "2020-01-01T00:00:00Z", "1:30", "190:20:30",
        "1_000", "_1", "0x_1", "0b11", "0B1", "0X1F", "0O7", "-0x1", "1_0.5", ".inf", "-.Inf", ".NaN", "1e999", "=",
        "<<", "1.2.3", "0o8", "1e", "nan", "Infinity", "tRue",
    ],
)  # fmt: skip
def test_words_that_stay_strings(text: str) -> None:
    assert both(f"x: {text}\n") == text
    assert both(f"x: [{text}]\n") == [text]
    assert both(f"x:\n  - {text}\n") == [text]
    assert both(f"x: {{{text}: 1}}\n" if text != "<<" else 'x: {"<<": 1}\n') == {text: 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("False", False), ("TRUE", True), ("null", None), ("~", None), ("", None), ("Null", None),
        ("1", 1), ("-17", -17), ("+1", 1), ("017", 17), ("0o17", 15), ("0x1F", 31), ("1.5", 1.5), (".5", 0.5),
        ("1.", 1.0), ("1e3", 1000.0), ("-1E+2", -100.0),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("-9223372036854775809", -9223372036854775809), ("'1'", "1"), ('"true"', "true"), ("!!str 1", "1"),
        ("!!int '1'", 1), ("!!float 1", 1.0), ("!!null ''", None), ("! 1", "1"),
        ("!!timestamp 2020-01-01", "2020-01-01"),
        ("!!binary aGk=", "aGk="), ("!<tag:yaml.org,2002:str> 1", "1"), ("!!map {a: 1}", {"a": 1}),
        ("!!seq [1]", [1]), ("!!set {a, b}", {"a": None, "b": None}), ("!!omap [a: 1]", [{"a": 1}]),
        ('"\\ud83d\\ude00"', "😀"),
    ],
)  # fmt: skip
def test_values_of_the_core_schema(text: str, value: object) -> None:
    if "ud83d" in text:
        # A pair of surrogates is JSON's way; libyaml doesn't take it, yaml-rs does.
        assert load(f"openapi: 3.0.0\nx: {text}\n".encode()).as_tree()["x"] == value
        return
    read = both(f"x: {text}\n")
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "key",
    ["200", "404", "0", "7", "017", "0x1F", "+1", "1.50", "true", "True", "null", "~", "no", "1_000", "2020-01-01"],
)
def test_keys_are_strings_as_they_are_written(key: str) -> None:
    assert both(f"x:\n  {key}: v\n") == {key: "v"}
    assert both(f"x: {{{key}: v}}\n") == {key: "v"}
    assert both(f"x:\n- a:\n    {key}: {{{key}: v}}\n") == [{"a": {key: {key: "v"}}}]
    assert both(f"x:\n  ? {key}\n  : v\n") == {key: "v"}
    assert both(f"x:\n- {{? {key} : v}}\n") == [{key: "v"}]


def test_order_is_kept_when_keys_become_strings() -> None:
    assert list(both("x:\n  a: 1\n  200: 2\n  b: 3\n  404: 4\n")) == ["a", "200", "b", "404"]


def test_aliases_and_merge_keys() -> None:
    assert both("a: &a {b: 1}\nx: *a\n") == {"b": 1}
    assert both("a: &a {b: 1, c: 1}\nx:\n  c: 2\n  <<: *a\n") == {"b": 1, "c": 2}
    assert both("a: &a {b: 1}\nc: &c {b: 2, d: 2}\nx:\n  <<: [*a, *c]\n  e: 3\n") == {"b": 1, "d": 2, "e": 3}
    assert both("a: &a {b: 1}\nc: &c {<<: *a, d: 2}\nx: {<<: *c}\n") == {"b": 1, "d": 2}
    assert both("x: {<<: {a: 1}, b: 2}\n") == {"a": 1, "b": 2}
    assert both("a: &a 200\nx: {*a : 1}\n") == {"200": 1}
    assert both("a: &a 1\nb: &a 2\nx: *a\n") == 2
    assert both("x: |\n  <<: *no\n  &no !tag\n") == "<<: *no\n&no !tag\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("x:\n  a: 1\n  b: 2\n  a: 3\n", 5, 3, 'the key "a" at line 5, column 3 was there before, at line 3'),
        ("x: {200: 1, '200': 2}\n", 2, 13, 'the key "200"'),
        ("openapi: 3.0.0\n", 2, 1, 'the key "openapi"'),
        ("x: &x\n  y: *x\n", 3, 6, "inside the value that it stands for"),
        ("x: &x [*x]\n", 2, 8, "inside the value that it stands for"),
        ("x: *nobody\n", 2, 4, "without an anchor"),
        ("x: {<<: 1}\n", 2, 9, "merge key"),
        ("a: &a [1]\nx: {<<: *a}\n", 3, 9, "merge key"),
        ("x: !include other.yaml\n", 2, 4, "!include"),
        ("x: !Ref {a: 1}\n", 2, 4, "!Ref"),
        ("x: !!python/object:os.system 1\n", 2, 4, "python/object"),
        ("x: !!int a\n", 2, 4, "!!int"),
        ("x: {[a]: 1}\n", 2, 5, "as a key"),
        ("a: &a [1]\nx: {*a : 1}\n", 3, 5, "as a key"),
        ("---\na: 1\n", 3, 1, "several YAML documents"),
        ("---\nb\n", 3, 1, "several YAML documents"),
        ("x: " + "1" * 5000 + "\n", 2, 4, "digits"),
    ],
)
def test_refused_with_line_and_column(text: str, line: int, column: int, says: str) -> None:
    error = refused(text)
    assert error.reason == "NotParseable"
    assert says in error.message
    assert (error.line, error.column) == (line, column), error.message


def test_empty_documents_around_the_one_that_matters() -> None:
    for text in (b"---\n---\nopenapi: 3.0.0\n", b"openapi: 3.0.0\n---\n", b"--- # c\nopenapi: 3.0.0\n...\n---\n...\n"):
        assert load(text).format == "openapi-3.0"


@pytest.mark.parametrize(
    "text", ["%YAML 1.1\n---\nopenapi: 3.0.0\nx: yes\n", "%YAML 1.2\n---\nopenapi: 3.0.0\nx: yes\n"]
)
def test_the_version_directive_changes_nothing(text: str) -> None:
    assert load(text.encode()).as_tree()["x"] == "yes"


def test_line_ends_of_every_kind() -> None:
    for end in ("\n", "\r\n", "\r"):
        assert load(f"openapi: 3.0.0{end}info:{end}  title: t{end}".encode()).title == "t"


@pytest.mark.parametrize("mark", ["\u0085", "\u2028", "\u2029"])
def test_what_ended_lines_in_yaml_1_1_is_a_character_like_any_other(mark: str) -> None:
    text = f"a{mark}b"
    assert both(f"x: {mark}\n") == mark
    assert both(f"x: {text} # c{mark}d\n") == text
    assert both(f"x: |\n  {text}\n") == f"{text}\n"
    assert both(f'x: {{"{text}": "{text}"}}\n') == {text: text}
    assert both(f"y: &y {text}\nx: [*y, \ue000]\n") == [text, "\ue000"]


def test_the_exact_reader_stands_in_where_the_fast_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    class Panic(BaseException):
        """Like pyo3's, which isn't an Exception."""

    panics = []

    def panic(*args: object, **kwargs: object) -> object:
        panics.append(Panic())
        raise panics[-1]

    monkeypatch.setattr("yaml_rs.load", panic)
    assert load(b"openapi: 3.0.0\nx: 1\n").as_tree()["x"] == 1
    assert len(panics) == 1


def test_ordinary_documents_take_the_fast_way() -> None:
    text = """
openapi: 3.0.3
info: {title: t, version: 1.0.0_beta}
paths:
  /a_1/{b_2}:
    get:
      description: |
        Bold **text**, &nbsp; ![image](x.png), R&D *and* more! !important - "!x"
        * item_1: v10_a
      responses:
        200: {description: "a_1: 2"}
        default: {$ref: '#/components/responses/E_1'}
components:
  responses:
    E_1: {description: 'x'}
"""
    assert read_fast(text.encode(), LIMITS) == read_exactly(text.encode(), LIMITS)
    assert read_fast(text.encode(), LIMITS) is not None


PIECES = st.sampled_from(
    ["a", "b", "200", "-", "- ", "? ", ": ", ":", ", ", "[", "]", "{", "}", "&a ", "*a", "!t ", "!!str ", "<<", "'",
     '"', "\n", "\n  ", "\n    ", "\n- ", "#", " # c", "|", ">-", "---\n", "...\n", "1_0", "0x1F", "yes", "~",
     ".5", "1e3",
     "\t", "%", "@", "é", "=", "0b1", "-0x1", "_1", "017", ".nan", "a: ", "a: 1\n", "b:\n  "]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30).map("".join))
def test_both_readers_agree(text: str) -> None:
    data = text.encode()
    try:
        fast = read_fast(data, LIMITS)
    except DocumentError:
        fast = None
    if fast is None:
        return
    try:
        exact = read_exactly(data, LIMITS)
    except DocumentError:
        return  # libyaml is the stricter or the older one: YAML 1.1
    assert repr(fast) == repr(exact)
