"""Gather runs for the table of Stable-Baselines3: `python -m runs.tables.sb3 runs/logs/<run> …`.

A run is a folder of `runs.train_sb3` or of `runs.train`. Each leaves a row in `runs/tables/sb3.json`, in place of the
one of the same learner on the same environment; `python -m runs.results` makes the table of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tyro

from agents.checkpoint import load_checked
from glimpse_env.tasks import TASKS
from runs.evaluate import evaluate_checkpoint
from runs.recipe import Recipe
from runs.tables.gathering import gather

ROWS = Path(__file__).parent / "sb3.json"

EPISODES = 2_000
"""Of the test split, as `runs.train_sb3` counts them."""

OURS = "this agent"

HEAD = """
## Beside Stable-Baselines3

The same environment, the same number of steps in it, one thread, one run each; error in percent of the first 2,000
episodes of the test split (bAbI has 1,000), the policy at its mode. PPO has no memory, RecurrentPPO (sb3-contrib) an
LSTM of 128 units; both are rewarded for the last answer alone and choose among the cells of a grid
(`runs/train_sb3.py`). This agent is told the target in training, and looks anywhere. Gathered by
`python -m runs.tables.sb3` from

    python -m runs.train_sb3 PPO Glimpse/ClutteredMNIST-v0 --steps 999424          # and RecurrentPPO
    python -m runs.train_sb3 PPO Glimpse/BabiGaze-v0 --steps 447744 --grid 20 \\
        --task-kwargs task=1 size=10k rename=True num_glimpses=3 scales=2          # and RecurrentPPO
    python -m runs.train cluttered --episodes 124928 --processes 1
    python -m runs.train babi-gaze-1 --begin None --arguments task=1 size=10k rename=True \\
        --episodes 149248 --processes 1

| environment | learner | steps | error | wall time | steps/s | machine |
|---|---|---|---|---|---|---|
"""


def row_of(folder: Path) -> dict[str, Any]:
    """What the table needs of a run.

    Raises:
        FileNotFoundError: where the folder holds no finished run.
        ValueError: for a run on an environment that is not of Glimpse.
    """
    if (folder / "agent.pt").is_file():
        values = load_checked(folder / "agent.pt")
        recipe, training = Recipe.from_dict(values["recipe"]), values["training"]
        if recipe.begin:
            raise ValueError(f"{folder} began with the weights of {recipe.begin}, whose steps nobody counted")
        if recipe.env.foreign() or "num_glimpses" not in TASKS[recipe.env.id].kwargs:
            raise ValueError(f"{folder} trained {recipe.name}: the table is of Glimpse's tasks with a gaze")
        report = evaluate_checkpoint(folder / "agent.pt", episodes=test_episodes(recipe), device="cpu")
        return {
            "id": f"Glimpse/{recipe.env.id}",
            "learner": OURS,
            "error": report["error"],
            "steps": training["episodes"] * report["glimpses"],
            "seconds": training["seconds"],
            "machine": training["machine"],
        }
    if not (folder / "metrics.json").is_file():
        raise FileNotFoundError(f"{folder} holds no finished run of runs.train_sb3 or runs.train")
    metrics = json.loads((folder / "metrics.json").read_text())
    if "error" not in metrics:
        raise ValueError(f"{folder} trained on {metrics.get('id')}, whose errors are not counted: it has no row here")
    return {key: metrics[key] for key in ("id", "learner", "error", "steps", "seconds", "machine")}


def test_episodes(recipe: Recipe) -> int | None:
    """How many are counted: all questions, or `EPISODES` scenes."""
    return None if "Babi" in recipe.env.id else EPISODES


def merged(rows: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the new ones in place of those of the same learner on the same environment, in order."""
    table = {(row["id"], row["learner"]): row for row in [*rows, *new]}
    return [table[key] for key in sorted(table, key=lambda key: (key[0], key[1] == OURS, key[1]))]


def sb3_table(rows: list[dict[str, Any]]) -> str:
    """The table in Markdown; nothing without rows."""
    lines = []
    for row in rows:
        time, pace = f"{row['seconds'] / 60:.1f} min", f"{row['steps'] / row['seconds']:,.0f}"
        steps, error = f"{row['steps']:,}", f"**{row['error']:.2f}**"
        lines.append(f"| `{row['id']}` | {row['learner']} | {steps} | {error} | {time} | {pace} | {row['machine']} |\n")
    return HEAD + "".join(lines) if lines else ""


def main(folders: tyro.conf.Positional[tuple[Path, ...]], /) -> None:
    """Gather finished runs for the table of Stable-Baselines3.

    Args:
        folders: Of runs.train_sb3 or runs.train.
    """
    print(sb3_table(gather(ROWS, folders, row_of, merged)))


if __name__ == "__main__":
    tyro.cli(main)
