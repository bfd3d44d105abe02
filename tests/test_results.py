"""The tables of what is recalled."""

from __future__ import annotations

from runs.recipes import RECIPES
from runs.tables.recall import MEMN2N, PUBLISHED, RULES, by_task, recall_row

RUN = {"episodes": 1000, "machine": "a machine", "seconds": 120.0}


def test_the_published_means_are_those_of_their_rows() -> None:
    assert len(RULES) == len(MEMN2N) == 20
    assert round(sum(MEMN2N) / 20, 1) == 12.4
    assert set(PUBLISHED) <= set(RECIPES)


def test_a_figure_no_better_than_a_one_line_rule_is_told() -> None:
    report = {"error": 10.0, "error_by_task": {str(task): 10.0 for task in range(1, 21)}}
    lines = by_task("babi-1k", [report]).splitlines()[7:]
    assert [line.split("|")[1].strip() for line in lines] == [str(task) for task in range(1, 21)]
    told = [task for task, line in enumerate(lines, 1) if "no better" in line]
    assert told == [task for task, rule in enumerate(RULES, 1) if rule <= 10]


def test_bits_are_told_apart_from_percent() -> None:
    percent = recall_row(
        "a", {"error": 1.5, "wrong_answers": 1.5, "wrong_episodes": 2.0, "unit": "percent"}, "none", 7, RUN
    )
    assert "**1.50** |" in percent
    bits = recall_row(
        "a", {"error": 0.01, "wrong_answers": 1.5, "wrong_episodes": 2.0, "unit": "bits per sequence"}, "none", 7, RUN
    )
    assert "**0.0100** bits" in bits
    assert "2.0 min" in bits


def test_several_seeds_give_mean_and_deviation() -> None:
    reports = [{"error": e, "error_by_task": {"1": e, "2": 2 * e}} for e in (2.0, 4.0)]
    table = by_task("babi-1k", reports)
    assert "3.00 ± 1.41" in table  # the deviation of a sample of two
    assert "0.5 tasks above 5 %" in table
    assert "| 2 | 6.0 ± 2.8 |" in table
