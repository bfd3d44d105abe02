"""Gather runs for the table of Stable-Baselines3: `python -m runs.tables.sb3 runs/logs/<run> …`.

A run is a folder of `runs.train_sb3` or of `runs.train`. Each has one row in `runs/tables/sb3.json`, by environment and
learner; `python -m runs.results` makes the table.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import tyro

from agents import EnvSpec
from agents.training.checkpoint import load_checked
from agents.training.recipe import Recipe
from runs.command_line import run_script
from runs.environments import episodes_in, make_env, task_name
from runs.evaluation import evaluate_checkpoint
from runs.tables.cells import table_row
from runs.tables.gathering import gather

ROWS = Path(__file__).parent / "sb3.json"

EPISODES = 2_000
"""Test episodes, at most, as in `runs.train_sb3`."""

OURS = "this agent"

HEAD = """
## Beside Stable-Baselines3

The same environment, the same number of steps in it, one thread, one run each; error in percent of the first 2,000
episodes of the test split (bAbI has 1,000), the policy at its mode. PPO has no memory, RecurrentPPO (sb3-contrib) an
LSTM of 128 units; both are rewarded for the last answer only and choose among the cells of a grid
(`runs/train_sb3.py`). This agent learns from the target, and may fixate any place. Gathered by
`python -m runs.tables.sb3` from

    python -m runs.train_sb3 PPO Glimpse/ClutteredMNIST-v0 --steps 999424          # and RecurrentPPO
    python -m runs.train_sb3 PPO Glimpse/BabiGaze-v0 --steps 447744 --grid 20 \\
        --task-kwargs task=1 size=10k rename=True num_glimpses=3 scales=2          # and RecurrentPPO
    python -m runs.train cluttered --episodes 124928 --processes 1
    python -m runs.train babi-gaze-1 --init-from None --arguments task=1 size=10k rename=True \\
        --episodes 149248 --processes 1

| environment | learner | steps | error | wall time | steps/s | machine |
|---|---|---|---|---|---|---|
"""


def row_of(folder: Path) -> dict[str, Any]:
    """What the table needs of a run.

    Raises:
        FileNotFoundError: where the folder holds no finished run.
        ValueError: for a run without a gaze, or on an environment that is not Glimpse's.
    """
    if (folder / "agent.pt").is_file():
        values = load_checked(folder / "agent.pt")
        recipe, spec, training = Recipe.from_dict(values["recipe"]), values["agent"]["spec"], values["training"]
        if recipe.init_from:
            raise ValueError(f"{folder} started from the weights of {recipe.init_from}, whose steps are not counted")
        name = task_name(recipe.env.id)
        if name is None or EnvSpec.from_dict(spec).named("place") is None:
            raise ValueError(f"{folder} trained {recipe.name}: the table is of Glimpse's tasks with a gaze")
        episodes = min(EPISODES, episodes_in(make_env(recipe, "test", 1, "cpu")))
        report = evaluate_checkpoint(folder / "agent.pt", episodes=episodes, device="cpu")
        return {
            "id": f"Glimpse/{name}",
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


def key_of(row: dict[str, Any]) -> tuple[str, bool, str]:
    """One row for each learner on each environment, this agent's last."""
    return row["id"], row["learner"] == OURS, row["learner"]


def sb3_table(rows: list[dict[str, Any]]) -> str:
    """The table in Markdown, empty without rows."""
    lines = []
    for row in rows:
        time, pace = f"{row['seconds'] / 60:.1f} min", f"{row['steps'] / row['seconds']:,.0f}"
        steps, error = f"{row['steps']:,}", f"**{row['error']:.2f}**"
        lines.append(table_row(f"`{row['id']}`", row["learner"], steps, error, time, pace, row["machine"]))
    return HEAD + "".join(lines) if lines else ""


def main(folders: tyro.conf.Positional[tuple[Path, ...]], /) -> None:
    """Gather finished runs for the table of Stable-Baselines3.

    Args:
        folders: Of runs.train_sb3 or runs.train.
    """
    print(sb3_table(gather(ROWS, folders, row_of, key_of)))


if __name__ == "__main__":
    run_script(partial(tyro.cli, main))
