"""What a glimpse costs: `python -m runs.benchmark [--json FILE] [--plot FILE.png] [--repeats 5]`.

Ratios in one run on one machine: environment steps against `ap_gym`'s on the same work, the cost of a glimpse against
the size of the image, and what a training spends its time on.
"""

from __future__ import annotations

import importlib.util
import json
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
import tyro
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from agents.baselines import CNNConfig, WholeImageCNN
from agents.checkpoint import write_atomically
from glimpse_env.retina import Retina, glimpse, summed_area_table
from runs.environments import make_env
from runs.machine import machine_name
from runs.plots import cost_plot
from runs.recipes import RECIPES
from runs.timing import medians, seconds_of
from runs.trainer import Trainer, train_update

WIDTHS = (1, 16, 256, 4096)
SIZES = (60, 128, 256, 512, 1024, 2048)
TASKS = ("MNIST-v0", "ClutteredMNIST-v0", "ClutteredMNIST100-v0")
CNN_LIMIT = 1024
"""Largest canvas shown to the whole-image network: beyond, a pass takes seconds."""


class Figure(NamedTuple):
    """A line of the report: what was measured, its value and unit."""

    name: str
    value: float
    unit: str


def steps(env: Any, count: int) -> Callable[[], None]:
    """`count` steps of an environment with random actions drawn beforehand."""
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(8)]
    single = isinstance(env, gym.Env)
    env.reset(seed=0)

    def run() -> None:
        for number in range(count):
            _, _, terminated, truncated, _ = env.step(actions[number % len(actions)])
            if single and (terminated or truncated):
                env.reset()

    return run


def environment_speed(repeats: int, bar: tqdm) -> list[Figure]:
    """Steps per second of the vector environments, NumPy, at several widths."""
    figures = []
    for name in TASKS:
        for width in WIDTHS:
            env, count = gym.make_vec(f"glimpse_env:Glimpse/{name}", num_envs=width), max(3, 512 // width)
            seconds = medians({name: steps(env, count)}, repeats=repeats, bar=bar)[name]
            figures.append(Figure(f"{name}, {width} at once", width * count / seconds, "steps/s"))
    return figures


def against_ap_gym(repeats: int, bar: tqdm) -> list[Figure]:
    """The same work: 28×28 images of two classes, 5×5 glimpses at one scale, relative moves, 16 steps."""
    if importlib.util.find_spec("ap_gym") is None:
        bar.write("ap_gym is not installed: skipped (pip install '.[bench]')")
        return []
    warnings.filterwarnings("ignore", module="ap_gym|gymnasium|datasets")
    import ap_gym  # noqa: F401

    images = np.random.default_rng(0).integers(0, 256, (800, 28, 28), dtype=np.uint8)
    kwargs: dict[str, Any] = {"images": images, "labels": np.arange(800) % 2, "patch": 5, "scales": 1, "split": "all"}
    kwargs |= {"num_glimpses": 16, "start": "random", "saccades": "relative"}
    ours = "glimpse_env:Glimpse/Classify-v0"
    figures = []
    for label, width, count in (("single", 0, 64), ("256 at once", 256, 16)):
        pair: dict[str, Any]
        if width:
            pair = {"peer": gym.make_vec("CircleSquare-v0", width), "ours": gym.make_vec(ours, width, **kwargs)}
        else:
            pair = {"peer": gym.make("CircleSquare-v0"), "ours": gym.make(ours, **kwargs)}
        # Ours is run more often, so that its time is measured as well as the peer's.
        more = 32 if width else 8
        calls = {"peer": steps(pair["peer"], count), "ours": steps(pair["ours"], more * count)}
        times = medians(calls, repeats=repeats, bar=bar)
        rate = {"peer": max(width, 1) * count / times["peer"], "ours": max(width, 1) * more * count / times["ours"]}
        figures += [
            Figure(f"ap_gym CircleSquare, {label}", rate["peer"], "steps/s"),
            Figure(f"Glimpse, same work, {label}", rate["ours"], "steps/s"),
            Figure(f"Glimpse / ap_gym, {label}", rate["ours"] / rate["peer"], "×"),
        ]
        pair["peer"].close()
    return figures


def look(table: np.ndarray, places: np.ndarray, retina: Retina) -> None:
    """A glimpse at each of the places, one after the other."""
    for place in places:
        glimpse(table, place, retina)


def cost_by_size(repeats: int, bar: tqdm) -> list[Figure]:
    """Time and memory of a glimpse, once the episode's table is built, against a whole-image network's."""
    retina, random = Retina((12, 12), 3), np.random.default_rng(0)
    tables = {}
    for size in SIZES:
        tables[size] = summed_area_table(random.integers(0, 256, (16, 1, size, size), dtype=np.uint8))
    places = random.uniform(-1, 1, (400, 16, 2)).astype(np.float32)
    calls = {str(size): partial(look, table, places, retina) for size, table in tables.items()}
    glimpses = medians(calls, repeats=repeats, bar=bar)
    figures = []
    for size in SIZES:
        each = glimpses[str(size)] / (400 * 16)
        figures.append(Figure(f"glimpse at {size}²", each * 1e6, "µs"))
        figures.append(Figure(f"memory of an episode at {size}²", tables[size][0].nbytes / 2**20, "MiB"))
        if size <= CNN_LIMIT:
            network = WholeImageCNN((1, 1, size, size), 10, CNNConfig(width=16)).eval()
            image = torch.rand(1, 1, size, size)
            with torch.no_grad():
                once = medians({"cnn": partial(network.layers, image)}, repeats=repeats, bar=bar)["cnn"]
            figures.append(Figure(f"whole-image CNN at {size}²", once * 1e6, "µs"))
    ratio = glimpses["1024"] / glimpses["60"]
    return [*figures, Figure("glimpse at 1024² / at 60²", ratio, "×")]


def training(repeats: int, bar: tqdm) -> list[Figure]:
    """The main job's update in one thread: its rate, the environment's share, the share of the matmul rate."""
    torch.set_num_threads(1)
    recipe, cpu = RECIPES["cluttered"], torch.device("cpu")
    env = make_env(recipe, "train", recipe.batch // 2, cpu)
    trainer = Trainer.begin(recipe, env, cpu)
    spent = [0.0]
    for name in ("reset", "step"):
        inner = getattr(env, name)

        def timed(*args: Any, inner: Any = inner, **kwargs: Any) -> Any:
            results: list[Any] = []
            spent[0] += seconds_of(lambda: results.append(inner(*args, **kwargs)))
            return results[0]

        setattr(env, name, timed)
    with FlopCounterMode(display=False) as counter:
        train_update(trainer, env, cpu)
    operations, matrix = counter.get_total_flops(), torch.randn(1024, 1024)
    shares: list[float] = []

    def update() -> None:
        spent[0] = 0.0
        total = seconds_of(lambda: [train_update(trainer, env, cpu) for _ in range(3)])
        shares.append(spent[0] / total)

    times = medians({"update": update, "matmul": lambda: matrix @ matrix}, repeats=repeats, bar=bar)
    rate, peak = operations / (times["update"] / 3), 2 * 1024**3 / times["matmul"]
    return [
        Figure("training, one process of one thread", env.num_envs * 3 / times["update"], "episodes/s"),
        Figure("environment's share of an update", 100 * float(np.median(shares)), "%"),
        Figure("measured matmul rate, one thread", peak / 1e9, "GFLOP/s"),
        Figure("arithmetic against the matmul rate", 100 * rate / peak, "%"),
    ]


def as_json(report: dict[str, list[Figure]]) -> bytes:
    """The report as one JSON object."""
    sections = {name: [figure._asdict() for figure in figures] for name, figures in report.items()}
    return (json.dumps({"machine": machine_name(), **sections}, indent=1) + "\n").encode()


def main(
    json: Path | None = None,
    plot: Path | None = None,
    repeats: int = 5,
) -> None:
    """Measure, print a table, and write it.

    Args:
        json: Write the figures there too.
        plot: Draw cost against image size there, as a PNG.
        repeats: Measured rounds of each figure, of which the median is taken.
    """
    torch.set_num_threads(1)
    sections = {
        "environment": environment_speed,
        "against ap_gym": against_ap_gym,
        "cost by image size": cost_by_size,
        "training": training,
    }
    print(f"{machine_name()}; one thread; medians of {repeats}\n")
    report: dict[str, list[Figure]] = {}
    rounds = (len(WIDTHS) * len(TASKS) + 2 + 1 + sum(size <= CNN_LIMIT for size in SIZES) + 1) * (repeats + 1)
    with tqdm(total=rounds, unit=" rounds", leave=False) as bar:
        for name, measure in sections.items():
            bar.set_description(name)
            report[name] = measure(repeats, bar)
            bar.write("\n".join([name, *(f"  {f.name:<42} {f.value:>14,.2f} {f.unit}" for f in report[name]), ""]))
    if json is not None:
        write_atomically(as_json(report), json)
    if plot is not None:
        write_atomically(draw(report["cost by image size"]), plot)


def draw(figures: list[Figure]) -> bytes:
    """The plot of cost against image size."""
    curves: dict[str, list[tuple[float, float]]] = {"one glimpse": [], "whole-image CNN": []}
    for figure in figures:
        if figure.unit == "µs":
            name = "one glimpse" if figure.name.startswith("glimpse") else "whole-image CNN"
            curves[name].append((float(figure.name.split()[-1].rstrip("²")), figure.value))
    return cost_plot("What it costs to see", curves, "canvas, pixels a side", "microseconds an image, one thread")


if __name__ == "__main__":
    tyro.cli(main)
