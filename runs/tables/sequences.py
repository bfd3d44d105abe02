"""Gather how soon memories learn a task of bits: `python -m runs.tables.sequences runs/logs/<run> …`.

A run is a folder of `runs.train`; its TensorBoard curves show when it first reached `SOLVED`. Each recipe and seed has
a row in `runs/tables/sequences.json`; `python -m runs.results` makes the table.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents import EnvSpec
from agents.training.checkpoint import load_checked
from agents.training.recipe import Recipe
from runs.command_line import run_script
from runs.tables.cells import table_row
from runs.tables.gathering import gather

ROWS = Path(__file__).parent / "sequences.json"
SOLVED = 0.01  # bits per sequence

HEAD = """
### How soon a memory has it

Sequences read until the validation (1,000 sequences, twenty times in a training) is first at 0.01 bits per sequence;
the median over seeds, and all of them; a training may be stopped there. Gathered by `python -m runs.tables.sequences`
from `python -m runs.train <recipe> --seed 1 --processes 1`, and so on.

| recipe | seeds | solved | sequences, median | seed by seed | read at most | bits at the end, median |
|---|---|---|---|---|---|---|
"""


def row_of(folder: Path) -> dict[str, Any]:
    """What the table needs of a run.

    Raises:
        FileNotFoundError: where the folder holds no run, or one that was stopped before it solved its task.
        ValueError: for a run on a task whose answers are not bits.
    """
    if not (folder / "agent.pt").is_file():
        raise FileNotFoundError(f"{folder} holds no run of runs.train")
    values = load_checked(folder / "agent.pt")
    recipe = Recipe.from_dict(values["recipe"])
    if EnvSpec.from_dict(values["agent"]["spec"]).action["answer"].role != "bits":
        raise ValueError(f"{folder} trained {recipe.name}, whose answers are not bits: it has no row here")
    log = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    if "eval/bits_per_sequence" not in log.Tags()["scalars"]:
        raise FileNotFoundError(f"{folder} has lost its curves (events.out.tfevents…)")
    curve = log.Scalars("eval/bits_per_sequence")
    solved = next((point.step for point in curve if point.value <= SOLVED), None)
    if solved is None and not (folder / "metrics.json").is_file():
        raise FileNotFoundError(f"{folder} was stopped before its task was solved: go on with --resume")
    row = {"recipe": recipe.name, "seed": recipe.seed, "read": curve[-1].step}
    return {**row, "solved": solved, "bits": curve[-1].value}


def key_of(row: dict[str, Any]) -> tuple[str, int]:
    """One row for each recipe and seed."""
    return row["recipe"], row["seed"]


def sequences_table(rows: list[dict[str, Any]]) -> str:
    """The table in Markdown, empty without rows; a seed that never solved its task needs infinitely many sequences."""
    lines = []
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        runs = [row for row in rows if row["recipe"] == recipe]
        needed = [np.inf if row["solved"] is None else row["solved"] for row in runs]
        each = " · ".join(f"{value:,.0f}" if np.isfinite(value) else "–" for value in needed)
        middle = float(np.median(needed))
        median = f"**{middle:,.0f}**" if np.isfinite(middle) else "not reached"
        bits, most = np.median([row["bits"] for row in runs]), max(row["read"] for row in runs)
        solved = sum(np.isfinite(needed))
        lines.append(table_row(f"`{recipe}`", len(runs), solved, median, each, f"{most:,}", f"{bits:.3g}"))
    return HEAD + "".join(lines) if lines else ""


def main(folders: tyro.conf.Positional[tuple[Path, ...]], /) -> None:
    """Gather finished runs for the table of sequences.

    Args:
        folders: Of runs.train.
    """
    print(sequences_table(gather(ROWS, folders, row_of, key_of)))


if __name__ == "__main__":
    run_script(partial(tyro.cli, main))
