"""Train an agent: `python -m runs.train RECIPE [--field value …] [--device auto] [--seed N] [--resume DIR]`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
import tyro

from agents.training.checkpoint import load_checked
from agents.training.distributed import rank
from agents.training.recipe import Recipe
from runs.environments import make_env, pick_device, task_name
from runs.folders import LOGS, check_writable, claim, new_folder
from runs.launch import launch, processes_for
from runs.recipes import RECIPES
from runs.report import report
from runs.training import train


@dataclass(frozen=True)
class Options:
    """What `python -m runs.train` takes."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)
    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:1", …"""
    folder: Path | None = None
    """Where to write; None is runs/logs/<recipe>-<seed>-<time>."""
    overwrite: bool = False
    """Replace the run that --folder holds."""
    resume: Path | None = None
    """Folder of an interrupted training, or its checkpoint.pt, to go on with; its recipe comes from there."""
    processes: int = 0
    """Processes that share each batch on the CPU; 0 is one a core, four at most, and one in somebody else's
    environment. (On GPUs: torchrun.)"""
    quiet: bool = False
    """No progress bar."""
    projector: bool = False
    """Hand what lies in the memory at the end to TensorBoard's projector."""


def main() -> None:
    """The command line."""
    table = {
        name: (f"{recipe.env.id}, {recipe.episodes:,} episodes", Options(recipe)) for name, recipe in RECIPES.items()
    }
    arguments = sys.argv[1:]
    if arguments and arguments[0].partition("=")[0] == "--env":
        arguments = ["join", *arguments]
    options = tyro.extras.overridable_config_cli(
        table, args=arguments, config=(tyro.conf.AvoidSubcommands, tyro.conf.OmitArgPrefixes)
    )
    try:
        sys.exit(run(options))
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"error: {error}" if rank() == 0 else 1)


def run(options: Options) -> int:
    """Train as the options say, in several processes on a CPU; the exit status."""
    recipe, device = options.recipe, pick_device(options.device)
    recipe.check()
    processes = options.processes or (1 if task_name(recipe.env.id) is None else processes_for(recipe.batch))
    if options.resume:
        if recipe not in RECIPES.values():
            raise ValueError("--resume goes on with the recipe of the folder: give no other field beside it")
        folder = options.resume.parent if options.resume.name == "checkpoint.pt" else options.resume
        if folder.is_file():
            raise ValueError(f"{folder} cannot be resumed: give the folder of a training, or its checkpoint.pt")
        saved = load_checked(folder / "checkpoint.pt")
        recipe, processes = Recipe.from_dict(saved["recipe"]), saved.get("processes", processes)
        check_writable(folder)
    elif rank() == 0:
        folder = options.folder or new_folder(f"{recipe.name}-{recipe.seed}")
        claim(folder, overwrite=options.overwrite)
    else:
        folder = LOGS  # where only the first process writes
    if "WORLD_SIZE" not in os.environ and device.type == "cpu" and processes > 1:
        for split in ("train", "validation"):  # fetches the data once, and what is wrong is said once
            make_env(recipe, split, 1, device)
        return launch(processes, [*sys.argv[1:], *([] if options.resume else ["--folder", str(folder)])])
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        metrics = train(
            recipe,
            folder,
            device=options.device,
            resume=bool(options.resume),
            quiet=options.quiet,
            projector=options.projector,
        )
    except KeyboardInterrupt:
        if rank() == 0:
            name = "join" if task_name(recipe.env.id) is None else sys.argv[1]
            print(f"\ninterrupted; go on with: {sys.executable} -m runs.train {name} --resume {folder}")
        return 130
    if rank() == 0:
        print(report(folder, metrics, by_return=recipe.by_return(), device=options.device))
    return 0


if __name__ == "__main__":
    main()
