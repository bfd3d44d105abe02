"""The tables of `runs/RESULTS.md` about what is recalled, and evaluations outside the training's settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agents.training.recipe import EnvConfig
from runs.evaluation import evaluate_checkpoint
from runs.recipes import RECIPES
from runs.results import RESULTS, Tables, updated
from runs.tables import sequences
from runs.tables.gathering import merged
from runs.tables.recall import LONGER, MEMN2N, PUBLISHED, RULES, by_task, recall_row
from runs.tables.walks import walk_row
from runs.tables.words import word_row
from runs.training import train

RUN = {"episodes": 1000, "machine": "a machine", "seconds": 120.0}


def test_the_published_means_are_those_of_their_rows() -> None:
    assert len(RULES) == len(MEMN2N) == 20
    assert round(sum(MEMN2N) / 20, 1) == 12.4
    assert set(PUBLISHED) <= set(RECIPES)
    assert set(LONGER) <= {name.partition("-")[0] for name in RECIPES}


def test_a_figure_no_better_than_a_one_line_rule_is_marked() -> None:
    report = {"error": 10.0, "error_by_task": {str(task): 10.0 for task in range(1, 21)}}
    lines = by_task("babi-1k", [report]).splitlines()[7:]
    assert [line.split("|")[1].strip() for line in lines] == [str(task) for task in range(1, 21)]
    marked = [task for task, line in enumerate(lines, 1) if "no better" in line]
    assert marked == [task for task, rule in enumerate(RULES, 1) if rule <= 10]


def test_bits_and_percent_are_distinguished() -> None:
    report, run = {"error": 1.5, "wrong_episodes": 2.0}, {**RUN, "init_from": "b/c.pt"}
    percent = recall_row("a", {**report, "unit": "percent"}, "none", 7, RUN)
    assert "| **1.50** |" in percent
    assert "| 1,000 | a machine, 2.0 min |" in percent
    bits = recall_row("a", {**report, "unit": "bits per sequence"}, "none", 7, run)
    assert "| **1.5000** bits |" in bits
    assert "| 1,000, begun with `c` | a machine, 2.0 min |" in bits


def test_errors_by_kind_of_question_and_the_recall_have_a_line() -> None:
    report = {"gaze": "learned", "error": 4.5, "error_by_group": {"what": 3.0, "where": 6.0}}
    assert walk_row("a", report) == "| `a` | learned | **4.50** | what 3.0 · where 6.0 | – |\n"
    assert walk_row("a", {**report, "recall_hit_rate": 81.25}).endswith("| 81.2 |\n")
    assert walk_row("a", {"gaze": "learned", "error": 4.5}) == ""


def test_lines_of_some_weights_replace_their_own_and_leave_all_others() -> None:
    text = (
        "# Results\n\n| recipe | error |\n|---|---|\n| `a` | 1 |\n| `b` | 2 |\n\n## More\n\n| x |\n|---|\n| `b` | 7 |\n"
    )
    head = "\nAnything.\n\n| recipe | error |\n|---|---|\n"
    assert updated(text, head, "| `a` | 9 |\n") == text.replace("| `a` | 1 |", "| `a` | 9 |")
    assert updated(text, head, "| `c` | 3 |\n") == text.replace("| `b` | 2 |\n", "| `b` | 2 |\n| `c` | 3 |\n")
    assert updated(text, "| x |\n|---|\n", "| `b` | 8 |\n") == text.replace("| `b` | 7 |", "| `b` | 8 |")
    with pytest.raises(ValueError, match="no table"):
        updated(text, "| recipe | bits |\n|---|---|\n", "| `a` | 9 |\n")
    committed = RESULTS.read_text()
    for head in Tables().lines():
        assert updated(committed, head, "") == committed


def test_several_seeds_give_mean_and_deviation() -> None:
    reports = [{"error": e, "error_by_task": {"1": e, "2": 2 * e}} for e in (2.0, 4.0)]
    table = by_task("babi-1k", reports)
    assert "3.00 ± 1.41" in table  # the deviation of a sample of two
    assert "0.5 tasks above 5 %" in table
    assert "| 2 | 6.0 ± 2.8 |" in table


def test_a_seed_that_never_solves_its_task_needs_infinitely_many_sequences() -> None:
    rows = [
        {"recipe": "copy-none", "seed": 1, "read": 900, "solved": None, "bits": 60.0},
        *(
            {"recipe": "copy-ntm", "seed": n, "read": 900, "solved": s, "bits": 0.5}
            for n, s in enumerate((300, None, 700))
        ),
    ]
    text = sequences.sequences_table(merged(rows, [{**rows[1], "solved": 500}], sequences.key_of))
    assert "| `copy-none` | 1 | 0 | not reached | – | 900 | 60 |" in text
    assert "| `copy-ntm` | 3 | 2 | **700** | 500 · – · 700 | 900 | 0.5 |" in text
    assert sequences.sequences_table([]) == ""


def test_a_training_has_a_row_and_is_evaluated_on_longer_sequences(tmp_path: Path) -> None:
    env = EnvConfig("Copy-v0", arguments=("bits=3", "min_length=1", "max_length=1"))
    recipe = replace(RECIPES["copy-ntm"], name="toy", env=env, batch=16, episodes=16 * 8, lr=1e-2)
    recipe = replace(recipe, agent=replace(recipe.agent, width=16, memory_options=("slots=8", "width=6")))
    train(recipe, tmp_path, device="cpu", quiet=True)
    row = sequences.row_of(tmp_path)
    assert (row["recipe"], row["seed"], row["read"], row["solved"]) == ("toy", 1, 128, None)
    assert 0 < row["bits"] < 4
    short, longer = (
        evaluate_checkpoint(tmp_path / "agent.pt", arguments=arguments, episodes=50, device="cpu")
        for arguments in ((), ("min_length=4", "max_length=4"))
    )
    assert longer["bits"] > 2 * short["bits"]
    with pytest.raises(ValueError, match="does not fit the agent"):
        evaluate_checkpoint(tmp_path / "agent.pt", arguments=("bits=4",), device="cpu")
    for wrong, answer in (
        ("max_lenght=4", "did you mean max_length"),
        ("backend=numpy", "--arguments: backend cannot"),
    ):
        with pytest.raises(ValueError, match=answer):
            evaluate_checkpoint(tmp_path / "agent.pt", arguments=(wrong,), device="cpu")
    assert longer["arguments"] == ["min_length=4", "max_length=4"]
    more = evaluate_checkpoint(tmp_path / "agent.pt", memory_options=("slots=12",), episodes=50, device="cpu")
    assert more["memory_options"] == ["slots=12"]
    assert more["bits"] != short["bits"]  # blank slots are looked up, too
    with pytest.raises(ValueError, match="does not fit a memory with width=7"):
        evaluate_checkpoint(tmp_path / "agent.pt", memory_options=("width=7",), device="cpu")
    with pytest.raises(ValueError, match="name=value"):
        evaluate_checkpoint(tmp_path / "agent.pt", arguments=("bits",), device="cpu")
    with pytest.raises(FileNotFoundError, match="holds no run"):
        sequences.row_of(tmp_path / "elsewhere")
    (tmp_path / "metrics.json").unlink()
    with pytest.raises(FileNotFoundError, match="stopped before its task was solved"):
        sequences.row_of(tmp_path)


def test_words_have_a_line_with_the_rules_that_need_no_agent() -> None:
    report = {"glimpses": 5, "error": 4.0, "error_random_gaze": 9.5, "cheap_controls": {"a": 30.0, "b c": 20.25}}
    assert word_row("w", report, 1234) == "| `w` | 5 | **4.00** | 9.50 | – | a 30.0 · b c 20.2 | 1,234 |\n"
    known = word_row("w", {**report, "hit_rate": 50.0, "hit_rate_random_gaze": 10.0}, 1234)
    assert "| 50.0 (10.0) |" in known
