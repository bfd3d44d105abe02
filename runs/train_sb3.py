"""Train with Stable-Baselines3: `python -m runs.train_sb3 PPO|A2C|RecurrentPPO ID [--steps N] [--envs N] …`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import tyro

from agents.training.interruption import interruption
from runs.command_line import INTERRUPTED, one_line_errors, run_script, say
from runs.folders import LOGS, claim, new_folder, remove_empty


@dataclass(frozen=True)
class Options:
    """What `python -m runs.train_sb3` takes."""

    algorithm: tyro.conf.Positional[Literal["PPO", "A2C", "RecurrentPPO"]]
    """Of Stable-Baselines3; RecurrentPPO is sb3-contrib's."""
    id: tyro.conf.Positional[str]
    """Of the environment: Glimpse/ClutteredMNIST-v0, or any other registered one."""
    steps: int = 1_000_000
    """Steps of the environment to train for, all rows together."""
    envs: int = 256
    """Episodes side by side."""
    action: Literal["grid", "box"] = "grid"
    """Grid: MultiDiscrete, the cell to fixate and an answer. Box: a place and a score for each answer."""
    grid: tuple[int, ...] = (9,)
    """Cells along each dimension of a location: one number, or one for each."""
    task_kwargs: tuple[str, ...] = ()
    """Arguments of the environment, as task=1 size=10k."""
    options: tuple[str, ...] = ()
    """Arguments of the algorithm, as learning_rate=3e-4 n_epochs=8."""
    seed: int = 1
    """Of the weights, the episodes and the actions drawn."""
    folder: Path | None = None
    """Where to write; None is runs/logs/<algorithm>-<environment>-<seed>-<time>."""
    overwrite: bool = False
    """Replace the run that --folder holds."""
    device: str = "cpu"
    """"auto", "cpu", "cuda", … A network this small is fastest on the CPU."""
    test_episodes: int = 2_000
    """Episodes of the test split that are counted at the end, at most as many as it has."""
    quiet: bool = False
    """Print nothing during the training."""


def main() -> None:
    """The command line."""
    options = tyro.cli(Options)
    options = replace(options, id=options.id.removeprefix("glimpse_env:"))
    name = options.id.replace("/", "-")
    folder, made = options.folder or LOGS, options.folder is None or not options.folder.exists()
    if options.device == "cpu":
        torch.set_num_threads(1)
    try:
        with one_line_errors():
            from runs.sb3.training import train  # says what to install where Stable-Baselines3 is missing

            folder = options.folder or new_folder(f"{options.algorithm}-{name}-{options.seed}")
            claim(folder, overwrite=options.overwrite)
        with one_line_errors(place=folder):
            metrics = train(options, folder)
    except KeyboardInterrupt:
        with interruption():  # a second Ctrl-C must not hide it
            saved = (folder / "model.zip").is_file()
            say(f"\ninterrupted{f'; the model as it was is {folder}/model.zip' if saved else ' before training'}")
        sys.exit(INTERRUPTED)
    finally:
        if made:
            remove_empty(folder)
    known = "error" in metrics
    result = f"test error {metrics['error']:.2f} %" if known else f"mean reward {metrics['mean_reward']:.1f}"
    pace = metrics["steps"] / metrics["seconds"]
    print(f"{metrics['steps']:,} steps in {metrics['seconds'] / 60:.1f} minutes ({pace:,.0f} a second): {result}")
    print(f"  model, metrics and logs  {folder}")


if __name__ == "__main__":
    run_script(main)
