import re

import pytest

from specsync.diffing.witness.strings import matching

PATTERNS = [
    "^a",
    "b$",
    "^[a-z]+$",
    "^[A-Z]{3}$",
    r"^\d{4}-\d{2}$",
    ".*",
    "^(a|b)$",
    r"^[^@]+@[a-z]+\.com$",
    r"^\+?[0-9]{5,}$",
    r"[\w-]+",
    "^$",
    "^[0-9a-f]{8}-[0-9a-f]{4}$",
    "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$",
    r"^\/[^\/]*$",
    r"^\S+\s\w{2,3}?$",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_string_matches(pattern: str) -> None:
    found = matching(pattern)
    assert found is not None
    assert re.search(pattern, found)


@pytest.mark.parametrize(
    ("pattern", "result"),
    [("^[a-z]+$", "aaaaaa"), ("^x[0-9]*$", "x00000"), ("^[A-Z]{3}$", "AAA"), (".*", "aaaaaa"), ("^a{2,4}$", "aaaa")],
)
def test_string_is_drawn_out_where_it_may_be(pattern: str, result: str) -> None:
    assert matching(pattern, 6) == result


@pytest.mark.parametrize(
    "pattern",
    ["(", "[", "a)", "(?=a)", "(?i)a", r"(a)\1", r"\p{L}", "[[:alpha:]]", "[z-a]", "*a", "a" * 301, "a{2000}"],
)
def test_none_where_it_is_too_hard(pattern: str) -> None:
    assert matching(pattern) is None


def test_patterns_that_keep_matchers_busy_are_not_run() -> None:
    assert matching("^((a+)+)+$x", 200) is not None
