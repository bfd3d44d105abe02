"""Train an agent: `python -m runs.train RECIPE [--field value …] [--device auto] [--seed N] [--resume DIR]`."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from agents import evaluate
from agents.checkpoint import load_checked, save_atomically
from runs.distributed import all_mean, process_group, rank
from runs.environments import make_env, pick_device
from runs.pictures import contact_sheet
from runs.recipes import RECIPES, Recipe
from runs.report import report
from runs.traces import record_episodes
from runs.trainer import Trainer, learning_rate, share_of, train_update

LOGS = Path("runs/logs")

VALIDATION_SEED = 2**40
"""Seed of the validation scenes, which no training scene takes."""

VALIDATION_EPISODES = 5_000
"""At most; no image is shown twice."""

VALIDATION_BATCH = 500

GALLERY = 3
"""Validation episodes drawn for TensorBoard, always the same, so that its slider shows them improving."""

VALIDATIONS = 20
"""How often a training is validated; the weights with the least error are kept."""

LOG_EVERY = 20
"""Updates between two points of a TensorBoard curve."""

SAVE_SECONDS = 60.0
"""Between two checkpoints."""


def train(
    recipe: Recipe, folder: str | Path, *, device: str = "auto", resume: bool = False, quiet: bool = False
) -> dict[str, float]:
    """Train to the recipe's end and keep the weights of the least validation error.

    Writes `checkpoint.pt` (everything, to go on), `agent.pt` (the best weights), `metrics.json` and TensorBoard
    scalars to `folder`. Under `torchrun` every process calls this and plays its share of each batch.

    Args:
        recipe: what to train.
        folder: of this run.
        device: "auto", "cpu", "cuda", …
        resume: go on from the folder's checkpoint, exactly as if nothing had happened.
        quiet: no progress bar.

    Returns:
        `validation_error` in percent, `seconds` of training, `episodes`.

    Raises:
        ValueError: for a checkpoint of another recipe, or a batch that the processes cannot share.
        FileNotFoundError: where there is nothing to resume.
        KeyboardInterrupt: once the state is saved, where the training is interrupted (Ctrl-C, SIGTERM).
    """
    folder, where = Path(folder), pick_device(device)
    chief = rank() == 0
    with process_group(where), interruption() as interrupted:
        env = make_env(recipe, "train", share_of(recipe), where)
        trainer = Trainer.begin(recipe, env, where)
        if resume:
            values = load_checked(folder / "checkpoint.pt", where)
            if Recipe.from_dict(values["recipe"]) != recipe:
                raise ValueError(f"{folder} trained another recipe; resume it with its own, or train in a new folder")
            trainer.restore(values)
        log = Log(folder, trainer, quiet=quiet) if chief else None
        if log is not None:
            validation = make_env(recipe, "validation", VALIDATION_BATCH, where)
            gallery = make_env(recipe, "validation", GALLERY, where)
        updates = recipe.updates()
        every, began, saved = max(1, updates // VALIDATIONS), time.monotonic() - trainer.seconds, time.monotonic()
        stop = False
        while trainer.update < updates and not stop:
            rollout, scalars = train_update(trainer, env, where)
            trainer.seconds = time.monotonic() - began
            if log is not None:
                log.update(rollout, scalars)
                if trainer.update % every == 0 or trainer.update == updates:
                    log.validate(validation, gallery)
                    save_atomically(trainer.best_agent(), folder / "agent.pt")
                if time.monotonic() - saved > SAVE_SECONDS:
                    save_atomically(trainer.to_dict(), folder / "checkpoint.pt")
                    saved = time.monotonic()
            stop = bool(all_mean(torch.tensor(float(interrupted()), device=where)) > 0)  # all stop at one update
        if log is not None:
            save_atomically(trainer.to_dict(), folder / "checkpoint.pt")
            log.close()
    if stop:
        raise KeyboardInterrupt
    metrics = {"validation_error": trainer.best_error, "seconds": trainer.seconds, "episodes": updates * recipe.batch}
    if chief:
        (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    return metrics


@contextmanager
def interruption() -> Iterator[Any]:
    """A function that tells whether Ctrl-C or SIGTERM came: a training stops between updates, never within one."""
    came: list[int] = []
    handlers = {
        number: signal.signal(number, lambda n, _: came.append(n)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


class Log:
    """The progress bar and the TensorBoard curves of a training."""

    def __init__(self, folder: Path, trainer: Trainer, *, quiet: bool) -> None:
        self.trainer, recipe = trainer, trainer.recipe
        self.writer = SummaryWriter(str(folder), purge_step=trainer.update * recipe.batch, flush_secs=20)
        self.bar = tqdm(
            total=recipe.updates() * recipe.batch,
            initial=trainer.update * recipe.batch,
            unit=" episodes",
            disable=quiet,
            dynamic_ncols=True,
        )
        self.recent: float | None = None
        table = "\n".join(f"| {key} | {value} |" for key, value in recipe.to_dict().items())
        self.writer.add_text("recipe", f"| field | value |\n|---|---|\n{table}")

    def update(self, rollout: Any, scalars: dict[str, torch.Tensor]) -> None:
        """One update's numbers; most updates only move the bar, which costs no wait for a GPU."""
        trainer, recipe = self.trainer, self.trainer.recipe
        self.bar.update(recipe.batch)
        if trainer.update % LOG_EVERY:
            return
        step = trainer.update * recipe.batch
        error = 100 * float((rollout.answer[-1].argmax(-1) != rollout.target).float().mean())
        self.recent = error if self.recent is None else 0.9 * self.recent + 0.1 * error
        self.bar.set_description(f"{recipe.name}: error {self.recent:.1f} %", refresh=False)
        for key, value in scalars.items():
            self.writer.add_scalar(key, float(value), step)
        self.writer.add_scalar("rollout/success_rate", 1 - error / 100, step)
        self.writer.add_scalar("train/learning_rate", learning_rate(recipe, trainer.update), step)
        self.writer.add_scalar("time/fps", step / trainer.seconds, step)

    def validate(self, env: Any, gallery: Any) -> None:
        """The error on the validation split, and the gaze in the gallery's episodes; the best weights are kept."""
        trainer, recipe = self.trainer, self.trainer.recipe
        step = trainer.update * recipe.batch
        episodes = min(VALIDATION_EPISODES, len(env.unwrapped.task.labels))
        result = evaluate(trainer.agent, env, episodes, gaze=recipe.gaze, seed=VALIDATION_SEED)
        trainer.remember_best(result.error)
        self.writer.add_scalar("eval/success_rate", 1 - result.error / 100, step)
        if env.metadata["horizon"] > 1:
            traces = record_episodes(
                trainer.agent, gallery, np.arange(gallery.num_envs), gaze=recipe.gaze, seed=VALIDATION_SEED
            )
            self.writer.add_image("trace/gaze", contact_sheet(traces, recipe.name), step, dataformats="HWC")
        for glimpse, error in enumerate(result.error_by_glimpse, 1):
            self.writer.add_scalar(f"eval/error_by_glimpse/{glimpse}", error, step)
        if not self.bar.disable:
            self.bar.write(f"{step:>11,} episodes {trainer.seconds:6.0f} s   validation error {result.error:.2f} %")

    def close(self) -> None:
        """Leave the bar and the files complete."""
        self.bar.close()
        self.writer.close()


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
    """Processes that share each batch on the CPU; 0 is one a core, four at most. (On GPUs: torchrun.)"""
    quiet: bool = False
    """No progress bar."""


def main() -> None:
    """The command line."""
    table = {
        name: (f"{recipe.env.id}, {recipe.episodes:,} episodes", Options(recipe)) for name, recipe in RECIPES.items()
    }
    options = tyro.extras.overridable_config_cli(table, config=(tyro.conf.AvoidSubcommands, tyro.conf.OmitArgPrefixes))
    recipe, folder = options.recipe, options.resume or options.folder
    try:
        if options.resume:
            recipe = Recipe.from_dict(load_checked(options.resume / "checkpoint.pt")["recipe"])
        device = pick_device(options.device)
        if folder is None:
            name = f"{recipe.name}-{recipe.seed}-{datetime.now():%Y%m%d-%H%M%S}"
            folder = Path(os.environ.setdefault("GLIMPSE_RUN", str(LOGS / name)))  # one name for all processes
        processes = options.processes or min(os.cpu_count() or 1, 4)
        if "WORLD_SIZE" not in os.environ and device.type == "cpu" and processes > 1:
            share_processes(processes)
        torch.set_num_threads(1 if "WORLD_SIZE" in os.environ and device.type == "cpu" else os.cpu_count() or 1)
        metrics = train(recipe, folder, device=options.device, resume=bool(options.resume), quiet=options.quiet)
    except KeyboardInterrupt:
        if rank() == 0:
            print(f"\ninterrupted; go on with: python -m runs.train {recipe.name} --resume {folder}", file=sys.stderr)
        sys.exit(130)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    if rank() == 0:
        print(
            f"\n{metrics['seconds'] / 60:.1f} minutes of training, validation error {metrics['validation_error']:.2f} %"
        )
        print(report(folder, device=options.device))


def share_processes(processes: int) -> None:
    """Start this command again under `torchrun`, which never returns."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", "runs.train"]
    os.execve(sys.executable, [sys.executable, *launcher, *sys.argv[1:]], {**os.environ, "OMP_NUM_THREADS": "1"})


if __name__ == "__main__":
    main()
