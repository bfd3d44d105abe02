"""The table of how agents were trained, for `runs/RESULTS.md`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from agents.training.recipe import Recipe
from runs.recipes import RECIPES
from runs.tables.cells import table_row

HEAD = """
## How they were trained

The seed is in the weight file with the whole recipe.

| recipe | command | seed | episodes | validation error | wall time | machine |
|---|---|---|---|---|---|---|
"""


def command(recipe: Recipe) -> str:
    """What trains `recipe` again: the recipe of its name, and every field that differs from it."""
    known = RECIPES.get(recipe.name)
    if known is None:
        return "(custom)"
    own, other = ({**asdict(one), **asdict(one.agent), "arguments": one.env.arguments} for one in (recipe, known))
    changed = [
        f" --{name.replace('_', '-')} {' '.join(value) if isinstance(value, (list, tuple)) else value}"
        for name, value in own.items()
        if not isinstance(value, dict) and value != other.get(name)
    ]
    return f"`python -m runs.train {recipe.name}{''.join(changed)}`"


def training_row(name: str, recipe: Recipe, run: dict[str, Any]) -> str:
    """A line of the second table."""
    time = f"{run['seconds'] / 60:.1f} min"
    machine = f"{run['machine']}, {run['processes']} process{'es' * (run['processes'] > 1)}"
    error = f"return {-run['validation_error']:.2f}" if recipe.by_return() else f"{run['validation_error']:.2f}"
    return table_row(f"`{name}`", command(recipe), recipe.seed, f"{run['episodes']:,}", error, time, machine)
