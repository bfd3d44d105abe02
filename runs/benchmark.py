"""What a glimpse costs: `python -m runs.benchmark [--json FILE] [--plot FILE.png] [--repeats 5] [--only memory]`.

Ratios in one run on one machine: environment steps against `ap_gym`'s on the same work, the cost of a glimpse against
the size of the image, and what a training spends its time on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import tyro

from agents.nearest import nearest
from agents.training.checkpoint import write_atomically
from agents.training.machine import machine_name
from runs.benchmarks.cost_plot import cost_plot
from runs.benchmarks.environments import TASKS, WIDTHS, against_ap_gym, environment_speed
from runs.benchmarks.memories import memories
from runs.benchmarks.pareto import CURVES, curves_of, pareto
from runs.benchmarks.sizes import CNN_LIMIT, SIZES, cost_by_size
from runs.benchmarks.timing import Figure
from runs.benchmarks.training import training
from runs.command_line import one_line_errors, run_script
from runs.progress import Progress
from runs.traces.encoding import encode_png

SECTIONS: dict[str, tuple[Callable[[int, Progress], list[Figure]], int]] = {
    "environment": (environment_speed, len(WIDTHS) * len(TASKS)),
    "against ap_gym": (against_ap_gym, 2),
    "cost by image size": (cost_by_size, 3 + sum(size <= CNN_LIMIT for size in SIZES)),
    "training": (training, 1),
    "memory": (memories, 1),
    "pareto": (pareto, len(CURVES)),
}
"""What measures each section, and how many rounds it takes at each repetition."""


def as_json(report: dict[str, list[Figure]]) -> bytes:
    """The report as one JSON object."""
    sections = {name: [figure._asdict() for figure in figures] for name, figures in report.items()}
    return (json.dumps({"machine": machine_name(), **sections}, indent=1) + "\n").encode()


def main(json: Path | None = None, plot: Path | None = None, repeats: int = 5, only: str | None = None) -> None:
    """Measure, print a table, and write it.

    Args:
        json: Write the figures there too.
        plot: Draw cost against image size there, or with `--only pareto` error against cost, as a PNG.
        repeats: Measured rounds of each figure, of which the median is taken.
        only: One section, by its name; None is all of them.
    """
    with one_line_errors():
        if only is not None and only not in SECTIONS:
            hint = nearest(only, SECTIONS) or f"; it must be one of {', '.join(SECTIONS)}"
            raise ValueError(f"--only {only!r} is no section{hint}")
        chosen = SECTIONS if only is None else {only: SECTIONS[only]}
        drawn = only if only in PLOTS else "cost by image size"
        if plot is not None and drawn not in chosen:
            raise ValueError(f"--plot draws {' or '.join(map(repr, PLOTS))}, and --only leaves both out")
    torch.set_num_threads(1)
    print(f"{machine_name()}; one thread a process; medians of {repeats}\n")
    report: dict[str, list[Figure]] = {}
    rounds = sum(count for _, count in chosen.values()) * (repeats + 1)
    with Progress(total=rounds, unit=" rounds", leave=False) as bar:
        for name, (measure, _) in chosen.items():
            bar.set_description(name)
            report[name] = measure(repeats, bar)
            bar.write("\n".join([name, *(f"  {f.name:<42} {f.value:>14,.2f} {f.unit}" for f in report[name]), ""]))
    with one_line_errors():
        if json is not None:
            write_atomically(as_json(report), json)
        if plot is not None:
            write_atomically(encode_png(PLOTS[drawn](report[drawn])), plot)


def draw_sizes(figures: list[Figure]) -> np.ndarray:
    """The plot of cost against image size."""
    curves: dict[str, list[tuple[float, float]]] = {"one glimpse": [], "whole-image CNN": []}
    for figure in figures:
        if figure.unit == "µs":
            name = "one glimpse" if figure.name.startswith("glimpse") else "whole-image CNN"
            curves[name].append((float(figure.name.split()[-1].rstrip("²")), figure.value))
    return cost_plot("What it costs to see", curves, "canvas, pixels a side", "microseconds an image, one thread")


def draw_pareto(figures: list[Figure]) -> np.ndarray:
    """The plots of error against multiply-adds, one canvas below the other."""
    plots = []
    for canvas in dict.fromkeys(curve.canvas for curve in CURVES):
        if curves := curves_of(figures, canvas):
            ticks = round_numbers([x for line in curves.values() for x, _ in line])
            axes = "millions of multiply-adds a decision", "percent wrong"
            plots.append(cost_plot(f"What each further glimpse brings: {canvas}", curves, *axes, ticks))
    return np.concatenate(plots)


def round_numbers(values: list[float]) -> list[float]:
    """The numbers of one digit from the least of these to the largest."""
    powers = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
    numbers = (digit * 10.0**power for power in powers for digit in (1, 2, 3, 4, 5, 7))
    return [number for number in numbers if min(values) <= number <= max(values)]


PLOTS: dict[str, Callable[[list[Figure]], np.ndarray]] = {"cost by image size": draw_sizes, "pareto": draw_pareto}
"""What draws a section."""


if __name__ == "__main__":
    run_script(partial(tyro.cli, main))
