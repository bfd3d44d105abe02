"""Train an agent: `python -m runs.train RECIPE [--field value …] [--device auto] [--seed N] [--resume DIR]`."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

import torch
import tyro

from agents.checkpoint import load_checked, save_atomically, write_atomically
from runs.distributed import all_mean, launch, process_group, processes_for, rank, world_size
from runs.environments import make_env, pick_device
from runs.log import Log
from runs.recipe import Recipe
from runs.recipes import RECIPES
from runs.report import report
from runs.summaries import check_writable
from runs.trainer import Trainer, share_of, train_update

LOGS = Path(__file__).parent / "logs"

VALIDATIONS = 20
"""How often a training is validated; the weights with the least error are kept."""

SAVE_SECONDS = 60.0
"""Between two checkpoints."""

ASK_EVERY = 10
"""Updates between which several processes agree on whether to stop."""


def train(
    recipe: Recipe,
    folder: str | Path,
    *,
    device: str = "auto",
    resume: bool = False,
    quiet: bool = False,
    projector: bool = False,
) -> dict[str, float]:
    """Train to the recipe's end and keep the weights of the least validation error.

    Writes `checkpoint.pt` (everything, to go on), `agent.pt` (the best weights), `metrics.json` and TensorBoard's
    curves and pictures to `folder`. With several processes (`runs.distributed`) each calls this and plays its share.

    Args:
        recipe: what to train.
        folder: of this run.
        device: "auto", "cpu", "cuda", …
        resume: go on from the folder's checkpoint, exactly as if nothing had happened.
        quiet: no progress bar.
        projector: hand what lies in the memory at the end to TensorBoard's projector.

    Returns:
        `validation_error` in percent (known to the first process), `seconds` of training, `episodes`.

    Raises:
        ValueError: for a checkpoint of another recipe, a batch that the processes cannot share, or a folder that cannot
            be written.
        FileNotFoundError: where there is nothing to resume.
        KeyboardInterrupt: once the state is saved, where the training is interrupted (Ctrl-C, SIGTERM).
    """
    folder, where = Path(folder), pick_device(device)
    with process_group(where), interruption() as interrupted:
        env = make_env(recipe, "train", share_of(recipe), where)
        trainer = Trainer.begin(recipe, env, where, restored=resume)
        if resume:
            values = load_checked(folder / "checkpoint.pt", where)
            if Recipe.from_dict(values["recipe"]) != recipe:
                raise ValueError(f"{folder} trained another recipe; resume it with its own, or train in a new folder")
            trainer.restore(values)
        log = Log(folder, trainer, where, quiet=quiet, projector=projector) if rank() == 0 else None
        updates = recipe.updates()
        every, began, saved = math.ceil(updates / VALIDATIONS), time.monotonic() - trainer.seconds, time.monotonic()
        stop = False
        while trainer.update < updates and not stop:
            scalars = train_update(trainer, env, where)
            trainer.seconds = time.monotonic() - began
            if log is not None:
                log.update(scalars)
                if trainer.update % every == 0 or trainer.update == updates:
                    log.validate()
                    save_atomically(trainer.best_agent(), folder / "agent.pt")
                if time.monotonic() - saved > SAVE_SECONDS:
                    save_atomically(trainer.to_dict(), folder / "checkpoint.pt")
                    saved = time.monotonic()
            if world_size() == 1:
                stop = interrupted()
            elif trainer.update % ASK_EVERY == 0:  # all stop after the same update
                stop = bool(all_mean(torch.tensor(float(interrupted()), device=where)) > 0)
        if log is not None:
            save_atomically(trainer.to_dict(), folder / "checkpoint.pt")
            log.close()
    if stop:
        raise KeyboardInterrupt
    metrics = {"validation_error": trainer.best_error, "seconds": trainer.seconds, "episodes": updates * recipe.batch}
    if rank() == 0:
        write_atomically((json.dumps(metrics, indent=1) + "\n").encode(), folder / "metrics.json")
    return metrics


@contextmanager
def interruption() -> Iterator[Callable[[], bool]]:
    """A function that tells whether Ctrl-C or SIGTERM came: a training stops between updates, never within one."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # only a main thread may handle signals
        return
    came: list[int] = []
    handlers = {
        number: signal.signal(number, lambda n, _: came.append(n)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class Options:
    """What `python -m runs.train` takes."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)
    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:1", …"""
    folder: Path | None = None
    """Where to write; None is runs/logs/<recipe>-<seed>-<time>."""
    resume: Path | None = None
    """Folder of an interrupted training, to go on with; its recipe comes from there."""
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
    processes = options.processes or (1 if recipe.env.foreign() else processes_for(recipe.batch))
    if options.resume:
        if recipe not in RECIPES.values():
            raise ValueError("--resume goes on with the recipe of the folder: give no other field beside it")
        saved = load_checked(options.resume / "checkpoint.pt")
        recipe, processes = Recipe.from_dict(saved["recipe"]), saved.get("processes", processes)
    folder = options.resume or options.folder or LOGS / f"{recipe.name}-{recipe.seed}-{datetime.now():%Y%m%d-%H%M%S}"
    check_writable(folder)
    if "WORLD_SIZE" not in os.environ and device.type == "cpu" and processes > 1:
        for split in ("train", "validation"):  # fetches the data once, and what is wrong is told once
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
            name = "join" if recipe.env.foreign() else sys.argv[1]
            print(f"\ninterrupted; go on with: {sys.executable} -m runs.train {name} --resume {folder}")
        return 130
    if rank() == 0:
        best = metrics["validation_error"]
        returns = recipe.env.foreign() and recipe.reward == "environment"
        words = f"return {-best:.4g}" if returns else f"error {best:.4g}"
        print(f"\n{metrics['seconds'] / 60:.1f} minutes of training, validation {words}")
        print(report(folder, device=options.device))
    return 0


if __name__ == "__main__":
    main()
