"""The soak run's verdicts: what grows is called so, whatever else is noisy or was not seen."""

import pytest

from bench.soak import COLUMNS, heading, line, slope, verdicts


def rows(**columns: list[float]) -> list[list[float]]:
    """Nine minutes in which all columns stay at 100, but those named here."""
    return [[columns.get(what.split()[0], [100.0] * 9)[minute] for _, what in COLUMNS] for minute in range(9)]


def judged(lines: list[str], name: str) -> str:
    (found,) = [each for each in lines if each.startswith(f"  {name}:")]
    return found


def test_a_column_that_stays_is_flat_and_one_that_rises_grew() -> None:
    lines = verdicts(rows(tasks=[10.0, 20, 30, 40, 50, 60, 70, 80, 90]))
    assert judged(lines, "spared worker tasks").endswith("50.0 → 80.0, +600.0 an hour: grew by 60%")
    assert judged(lines, "spared worker fds").endswith("100.0 → 100.0, +0.0 an hour: flat")
    assert lines[-1] == "Grew by more than 5%: spared worker tasks, spared controller tasks."


def test_of_a_run_in_which_nothing_grows_it_says_so() -> None:
    assert verdicts(rows())[-1] == "Grew by more than 5%: nothing."


def test_growth_from_nothing_is_growth() -> None:
    lines = verdicts(rows(deliveries=[0.0, 0, 0, 0, 0, 0, 5, 6, 7]))
    assert judged(lines, "objects deliveries").endswith("grew by 6")


def test_minutes_in_which_nothing_could_be_seen_count_for_nothing() -> None:
    lines = verdicts(rows(jobs=[100.0, 100, 100, -1, 100, 100, 100, -1, 100]))
    assert judged(lines, "objects jobs").endswith("100.0 → 100.0, +0.0 an hour: flat")
    assert judged(verdicts(rows(jobs=[-1.0] * 9)), "objects jobs").endswith("not seen")


def test_two_minutes_are_too_short() -> None:
    assert verdicts(rows()[:2]) == ["Too short for a comparison: that takes three minutes."]


def test_the_slope_is_of_an_hour() -> None:
    assert slope([1.0, 2.0, -1.0, 4.0]) == pytest.approx(60)


def test_the_heading_stands_above_its_columns() -> None:
    whose, what = heading().split("\n")
    assert whose.index("spared controller") > what.index("own MB")
    assert len(line("1", ["0"] * len(COLUMNS))) == len(what)
