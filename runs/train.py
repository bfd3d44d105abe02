"""Train an agent: `python -m runs.train RECIPE [--field value …] [--device auto] [--seed N] [--resume DIR]`."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
import tyro

from agents.nearest import nearest
from agents.training.checkpoint import load_checked
from agents.training.distributed import rank
from agents.training.interruption import interruption
from agents.training.recipe import Recipe
from glimpse_env.free_memory import check_memory
from runs.command_line import INTERRUPTED, in_words, one_line_errors, run_script, say
from runs.environments import make_env, pick_device, task_name
from runs.folders import LOGS, claim, new_folder, remove_empty
from runs.launch import LOST, launch, processes_for
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


def main(*, launched: bool = False) -> None:
    """The command line; `launched` is one of the processes of `runs.launch`, which says how they ended."""
    table = {
        name: (f"{recipe.env.id}, {recipe.episodes:,} episodes", Options(recipe)) for name, recipe in RECIPES.items()
    }
    arguments = sys.argv[1:]
    if arguments and arguments[0].partition("=")[0] == "--env":
        arguments = ["join", *arguments]
    with one_line_errors():
        if arguments and not arguments[0].startswith("-") and arguments[0] not in table:
            hint = nearest(arguments[0], table) or ": --help names them all"
            raise ValueError(f"there is no recipe {arguments[0]!r}{hint}")
    options = tyro.extras.overridable_config_cli(
        table, args=arguments, config=(tyro.conf.AvoidSubcommands, tyro.conf.OmitArgPrefixes)
    )
    with one_line_errors(silent=rank() > 0):
        sys.exit(run(options, arguments[0], launched))


def run(options: Options, name: str, launched: bool) -> int:
    """Train as the options say, in several processes on a CPU; the exit status. `name` is of the recipe."""
    recipe, device = options.recipe, pick_device(options.device)
    recipe.check()
    processes = options.processes or (1 if task_name(recipe.env.id) is None else processes_for(recipe.batch))
    folder = options.folder or LOGS
    if options.resume:
        if recipe not in RECIPES.values():
            raise ValueError("--resume goes on with the recipe of the folder: give no other field beside it")
        folder = options.resume.parent if options.resume.name == "checkpoint.pt" else options.resume
        if folder.is_file():
            raise ValueError(f"{folder} cannot be resumed: give the folder of a training, or its checkpoint.pt")
        saved = load_checked(folder / "checkpoint.pt")
        recipe, processes = Recipe.from_dict(saved["recipe"]), saved.get("processes", processes)
    made = False
    try:
        if not options.resume and rank() == 0:  # the others write nothing
            made = not folder.exists() or options.folder is None
            folder = options.folder or new_folder(f"{recipe.name}-{recipe.seed}")
            claim(folder, overwrite=options.overwrite)
        if "WORLD_SIZE" not in os.environ and device.type == "cpu" and processes > 1:
            for split in ("train", "validation"):  # fetches the data once, and what is wrong is said once
                env = make_env(recipe, split, 1, device)
                if split == "train" and hasattr(env.unwrapped, "task"):
                    check_memory(env.unwrapped.task, recipe.batch)  # each process sees its own share alone
            return launch(processes, [*sys.argv[1:], *([] if options.resume else ["--folder", str(folder)])])
        if device.type == "cpu":
            torch.set_num_threads(1)
        metrics = train(
            recipe,
            folder,
            device=options.device,
            resume=bool(options.resume),
            quiet=options.quiet,
            projector=options.projector,
        )
    except KeyboardInterrupt:
        if not launched and rank() == 0:
            with interruption():  # a second Ctrl-C must not hide it
                say(f"\ninterrupted{how_to_go_on(recipe, name, folder) or ' before anything was saved'}")
        return INTERRUPTED
    except OSError as error:
        if launched and isinstance(error, ConnectionError):
            return LOST
        if isinstance(error, BrokenPipeError) or rank() > 0:
            raise
        raise OSError(in_words(error, folder) + how_to_go_on(recipe, name, folder)) from error
    finally:
        if made and not launched:
            remove_empty(folder)
    if rank() == 0:
        print(report(folder, metrics, by_return=recipe.by_return(), device=options.device))
    return 0


def how_to_go_on(recipe: Recipe, name: str, folder: Path) -> str:
    """The command that resumes the training in this folder; empty where there is no checkpoint."""
    if not (folder / "checkpoint.pt").is_file():
        return ""
    name = "join" if task_name(recipe.env.id) is None else name
    return f"; go on with: {sys.executable} -m runs.train {name} --resume {shlex.quote(str(folder))}"


if __name__ == "__main__":
    run_script(main)
