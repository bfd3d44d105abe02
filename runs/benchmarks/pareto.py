"""Error against cost: what each further glimpse brings, beside other gazes and networks over whole images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from agents import AttentionAgent, BatchedEnv, collect, load_agent
from agents.loading import resized
from agents.spec import spec_of
from agents.training.checkpoint import find_checkpoint
from agents.training.recipe import Recipe
from runs.benchmarks.timing import Figure, medians
from runs.environments import make_env
from runs.evaluation import evaluate_checkpoint
from runs.progress import Progress

SCENES = 1000
"""Test scenes of each point."""


class Curve(NamedTuple):
    """A line of the plot.

    Attributes:
        canvas: what is looked at.
        name: of the line.
        weights: a pretrained agent.
        gaze: "" for the one that it was trained with.
    """

    canvas: str
    name: str
    weights: str
    gaze: str = ""


CURVES = (
    Curve("cluttered100", "agent", "cluttered100"),
    Curve("cluttered100", "its weights, random gaze", "cluttered100", "random"),
    Curve("cluttered100", "its weights, grid", "cluttered100", "grid"),
    Curve("cluttered100", "its weights, oracle gaze", "cluttered100", "oracle"),
    Curve("cluttered100", "trained for random gaze", "cluttered100-random"),
    Curve("cluttered100", "whole-image CNN", "paper-cnn-cluttered100"),
    Curve("megapixel", "agent", "megapixel"),
    Curve("megapixel", "its weights, random gaze", "megapixel", "random"),
    Curve("megapixel", "its weights, grid", "megapixel", "grid"),
    Curve("megapixel", "its weights, oracle gaze", "megapixel", "oracle"),
)


class Point(NamedTuple):
    """An agent after so many glimpses: its error in percent, and what it took."""

    glimpses: int
    error: float
    multiply_adds: float
    values: int


def points(curve: Curve, scenes: int = SCENES) -> list[Point]:
    """The points of a line, one for each number of glimpses.

    Multiply-adds of the first glimpse are those of episodes of one, and each further one takes as many as another. The
    values read are those of the patches, and of the overview once.
    """
    path = find_checkpoint(curve.weights)
    whole = evaluate_checkpoint(path, episodes=scenes, gaze=curve.gaze)
    count, agent = whole["glimpses"], load_agent(path)
    first = whole["multiply_adds"]
    if count > 1:
        first = evaluate_checkpoint(path, episodes=1, arguments=("num_glimpses=1",))["multiply_adds"]
    each = (whole["multiply_adds"] - first) / max(1, count - 1)
    sizes = {role: _values(agent, role) for role in ("glimpse", "overview")}
    return [
        Point(k, error, first + (k - 1) * each, sizes["overview"] + k * sizes["glimpse"])
        for k, error in enumerate(whole["error_by_glimpse"], 1)
    ]


def _values(agent: AttentionAgent, role: str) -> int:
    name = agent.spec.named(role)
    return 0 if name is None else agent.spec.observation[name].values


def decision(weights: str) -> tuple[Callable[[], object], int]:
    """What makes one whole decision, its scene included, on the CPU; and the bytes that its canvas takes."""
    agent = load_agent(weights)
    env = make_env(Recipe.from_dict(agent.trained["recipe"]), "test", 1, torch.device("cpu"), training=False)
    agent, batched = resized(agent, spec_of(env)), BatchedEnv(env, torch.device("cpu"))

    def decide() -> Any:
        with torch.no_grad():
            return collect(agent, batched, np.arange(1))

    return decide, env.unwrapped.task.row_bytes


def pareto(repeats: int, bar: Progress) -> list[Figure]:
    """Error, multiply-adds and values read of each line, glimpse by glimpse, and the time and memory of a decision."""
    figures = []
    for curve in CURVES:
        try:
            found = points(curve)
        except FileNotFoundError as error:
            bar.write(f"  left out, {curve.canvas}, {curve.name}: {error}")
            found = []
        for point in found:
            name = f"{curve.canvas}, {curve.name}, {point.glimpses} glimpse{'s' * (point.glimpses > 1)}"
            figures.append(Figure(f"{name}: error", point.error, "%"))
            figures.append(Figure(f"{name}: multiply-adds", point.multiply_adds / 1e6, "M"))
            figures.append(Figure(f"{name}: values read", float(point.values), ""))
        bar.update(repeats + 1)
    for weights in dict.fromkeys(curve.weights for curve in CURVES):
        try:
            decide, taken = decision(weights)
        except FileNotFoundError:
            continue
        seconds = medians({weights: partial(decide)}, repeats=repeats)[weights]
        figures.append(Figure(f"a decision of {weights}, its scene included", 1e3 * seconds, "ms"))
        figures.append(Figure(f"memory of a canvas of {weights}", taken / 2**20, "MiB"))
    return figures


def curves_of(figures: list[Figure], canvas: str) -> dict[str, list[tuple[float, float]]]:
    """The lines of a canvas as (millions of multiply-adds, percent wrong), for a plot; no error is below 0.1 there."""
    values = {figure.name: figure.value for figure in figures}
    lines: dict[str, list[tuple[float, float]]] = {}
    for name, value in values.items():
        head, _, what = name.rpartition(": ")
        if what == "error" and head.startswith(f"{canvas}, "):
            line = head.removeprefix(f"{canvas}, ").rpartition(", ")[0]
            lines.setdefault(line, []).append((values[f"{head}: multiply-adds"], max(value, 0.1)))
    return lines
