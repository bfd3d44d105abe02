"""The benchmark: timings by a clock of the test's own, the plot, the report. No test asserts a duration."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import gymnasium as gym
import numpy as np
import pytest
from tqdm import tqdm

from agents.training.checkpoint import find_checkpoint
from runs.benchmark import as_json, draw_pareto, draw_sizes, main, round_numbers
from runs.benchmarks.cost_plot import cost_plot
from runs.benchmarks.environments import contender, memory, steps
from runs.benchmarks.memories import memories
from runs.benchmarks.pareto import Curve, curves_of, decision, points
from runs.benchmarks.sizes import cost_by_size
from runs.benchmarks.timing import Figure, medians
from runs.benchmarks.training import measure
from runs.evaluation import evaluate_checkpoint
from runs.recipes import RECIPES
from runs.traces.layout import GROUND, OTHER, TRUTH, Colour


@pytest.fixture
def bar() -> Iterator[tqdm]:
    with tqdm(file=io.StringIO()) as bar:
        yield bar


class Clock:
    """Time that passes by calls alone; `called` are their names."""

    def __init__(self) -> None:
        self.now, self.called = 7.0, ""

    def takes(self, name: str, durations: list[float]):
        """A call that takes these seconds, one after the other."""
        left = iter(durations)

        def call() -> None:
            self.called += name
            self.now += next(left)

        return call


def test_calls_take_turns_and_the_first_round_does_not_count(monkeypatch: pytest.MonkeyPatch, bar: tqdm) -> None:
    clock = Clock()
    monkeypatch.setattr("runs.benchmarks.timing.time", SimpleNamespace(perf_counter=lambda: clock.now))
    calls = {"a": clock.takes("a", [1000.0, 5.0, 1.0, 3.0]), "b": clock.takes("b", [0.0, 2.0, 80.0, 4.0])}
    assert medians(calls, repeats=3, bar=bar) == {"a": 3.0, "b": 4.0}
    assert bar.n == 4
    assert clock.called == "abababab"


def rows_of(picture: np.ndarray, colour: Colour, columns: slice) -> np.ndarray:
    """Which rows of a picture have this colour in these columns."""
    return np.flatnonzero((picture[:, columns] == colour).all(-1).any(-1))


def test_a_steeper_curve_rises_higher() -> None:
    flat, start, end = [(60.0, 2.0), (600.0, 2.0)], slice(90, 200), slice(500, 660)
    picture = cost_plot("cost", {"flat": flat, "steep": [(60.0, 2.0), (600.0, 900.0)]}, "size", "time")
    assert np.ptp(rows_of(picture, TRUTH, start)) == np.ptp(rows_of(picture, TRUTH, end))
    assert rows_of(picture, OTHER, end).min() < rows_of(picture, OTHER, start).min() - 100
    assert rows_of(picture, OTHER, end).min() < rows_of(picture, TRUTH, end).min() - 100


@pytest.mark.parametrize("curves", [{}, {"none": []}, {"a": [(1.0, 2.0)], "b": [(2.0, 0.0)]}, {"a": [(-1.0, 2.0)]}])
def test_values_without_a_logarithm_are_refused(curves: dict[str, list[tuple[float, float]]]) -> None:
    with pytest.raises(ValueError, match="positive"):
        cost_plot("cost", curves, "size", "time")


def test_names_do_not_cover_each_other_and_no_curve_is_left_out() -> None:
    alike = {name: [(1.0, 5.0), (2.0, 5.0)] for name in "abcde"}
    picture = cost_plot("cost", alike, "size", "time")
    written = (picture[70:, 678:720] != GROUND).any(-1).any(-1)
    assert np.count_nonzero(np.diff(written.astype(int)) == 1) == 5
    with pytest.raises(ValueError, match="colours for 5 curves, got 6"):
        cost_plot("cost", {**alike, "f": [(1.0, 1.0)]}, "size", "time")


def test_what_each_further_glimpse_brings_is_a_curve_for_each_canvas() -> None:
    figures = []
    for canvas, error in (("cluttered100", 4.0), ("megapixel", 0.0)):
        for glimpses in (1, 2):
            head = f"{canvas}, agent, {glimpses} glimpse{'s' * (glimpses > 1)}"
            figures += [
                Figure(f"{head}: error", error / glimpses, "%"),
                Figure(f"{head}: multiply-adds", glimpses, "M"),
            ]
    assert curves_of(figures, "cluttered100") == {"agent": [(1, 4.0), (2, 2.0)]}
    assert curves_of(figures, "megapixel") == {"agent": [(1, 0.1), (2, 0.1)]}
    assert draw_pareto(figures).shape[0] == 2 * draw_pareto(figures[:4]).shape[0]


def test_an_axis_is_marked_at_round_numbers() -> None:
    assert round_numbers([0.39, 3.1]) == pytest.approx([0.4, 0.5, 0.7, 1, 2, 3])
    assert round_numbers([26.5, 41.0]) == [30, 40]


def test_the_points_of_a_trained_agent() -> None:
    """Each further glimpse costs as much, and the last point is the whole decision."""
    found = points(Curve("cluttered", "agent", "cluttered"), scenes=20)
    whole = evaluate_checkpoint(find_checkpoint("cluttered"), episodes=20)
    assert [point.glimpses for point in found] == list(range(1, 9))
    assert (found[-1].error, round(found[-1].multiply_adds)) == (whole["error"], whole["multiply_adds"])
    assert [point.values for point in found] == [3 * 12 * 12 * number for number in range(1, 9)]
    decide, taken = decision("cluttered")
    assert decide().reward.shape == (8, 1)
    assert taken >= 60 * 60


def test_the_report_is_one_json_object() -> None:
    report = json.loads(as_json({"cost": [Figure("glimpse at 60²", 4.5, "µs")], "none": []}))
    assert report.pop("machine")
    assert report == {"cost": [{"name": "glimpse at 60²", "value": 4.5, "unit": "µs"}], "none": []}


def test_the_reports_plot_has_a_curve_for_glimpses_and_one_for_the_network() -> None:
    figures = [Figure("glimpse at 60²", 4.0, "µs"), Figure("glimpse at 120²", 4.0, "µs")]
    figures += [Figure("memory of an episode at 60²", 900.0, "MiB"), Figure("glimpse at 120² / at 60²", 1.0, "×")]
    figures += [Figure("whole-image CNN at 60²", 5.0, "µs"), Figure("whole-image CNN at 120²", 50.0, "µs")]
    curves = {"one glimpse": [(60.0, 4.0), (120.0, 4.0)], "whole-image CNN": [(60.0, 5.0), (120.0, 50.0)]}
    expected = cost_plot("What it costs to see", curves, "canvas, pixels a side", "microseconds an image, one thread")
    np.testing.assert_array_equal(draw_sizes(figures), expected)


@pytest.mark.parametrize("width", [None, 2])
def test_the_steps_measured_are_as_many_as_said(width: int | None, noise_digits: None) -> None:
    name, episode = "glimpse_env:Glimpse/MNIST-v0", 7
    env = gym.make(name).unwrapped if width is None else gym.make_vec(name, width)
    counts = {method: Mock(wraps=getattr(env, method)) for method in ("step", "reset")}
    for method, counted in counts.items():
        setattr(env, method, counted)
    run = steps(env, 2 * episode)
    run()
    run()
    made = {method: counted.call_count for method, counted in counts.items()}
    assert made == {"step": 4 * episode, "reset": 5 if width is None else 1}


def test_the_memory_of_a_batch_is_at_least_that_of_its_canvases(noise_digits: None) -> None:
    env = gym.make_vec("glimpse_env:Glimpse/MNIST-v0", num_envs=64, size=40)
    assert 64 * 40 * 40 < memory(env) < 64 * 40 * 40 * 80


def test_contenders_step_in_processes_of_their_own() -> None:
    with contender(True, 0, 3) as call:
        assert medians({"ours": call}, repeats=1)["ours"] > 0


@pytest.mark.filterwarnings("ignore")  # of PyTorch, about itself
def test_the_memories_section_measures_ours_plain_and_compiled(monkeypatch: pytest.MonkeyPatch, bar: tqdm) -> None:
    monkeypatch.setattr("runs.benchmarks.memories.medians", lambda calls, **_: dict.fromkeys(calls, 2.0))
    figures = {figure.name: figure.value for figure in memories(3, bar)}
    assert figures["DNC, 256×64, 4 reads, batch 32"] == 4.0  # eight steps in two seconds
    assert figures["DNC compiled, 256×64, 4 reads, batch 32"] == 4.0
    assert figures["DNC, 64 slots, batch 32"] == 250.0


def test_the_cost_of_a_glimpse_and_of_the_network(monkeypatch: pytest.MonkeyPatch, bar: tqdm) -> None:
    for name, value in (("SIZES", (60, 1024)), ("CNN_LIMIT", 60), ("GLIMPSES", 3), ("LENGTH", 99), ("MANY", 1)):
        monkeypatch.setattr(f"runs.benchmarks.sizes.{name}", value)
    figures = {figure.name: figure.value for figure in cost_by_size(1, bar)}
    assert {"glimpse at 1024²", "whole-image CNN at 60²", "the same, 1 episodes at once"} <= set(figures)
    assert all(value > 0 for value in figures.values())


def test_a_training_spends_a_share_of_its_time_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, noise_digits: None
) -> None:
    monkeypatch.setattr("runs.benchmarks.training.UPDATES", 1)
    monkeypatch.setitem(RECIPES, "cluttered", replace(RECIPES["cluttered"], batch=16))
    spent = measure(1)
    assert 0 < spent.environment < 1
    assert spent.arithmetic > 0
    assert spent.episodes > 0


def test_an_unknown_section_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--only 'memories' is no section: did you mean memory"):
        main(only="memories")
    with pytest.raises(SystemExit, match="and --only leaves both out"):
        main(plot=tmp_path / "cost.png", only="memory")
