"""What a training shows while it runs: the progress bar, and TensorBoard's curves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter

from agents.training.optimizers import learning_rate
from agents.training.trainer import Trainer
from glimpse_env.free_memory import memory_in_words
from runs.progress import Progress
from runs.traces.tensorboard_media import LAYOUT, add_hparams
from runs.validation import Validation

LOG_EVERY = 20
"""Updates between two points of a curve."""


class TrainingLog:
    """What one process, the first, shows and writes of a training: see `agents.training.loop.Log`.

    Args:
        folder: of the run.
        trainer: the training.
        make_env: from a split, a number of rows, and names as keyword arguments, to an environment.
        quiet: no progress bar.
        projector: hand what lies in the memory at the end to TensorBoard's projector.

    Raises:
        ValueError: where the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        trainer: Trainer,
        make_env: Callable[..., Any],
        *,
        quiet: bool,
        projector: bool = False,
    ) -> None:
        self.folder = folder
        self.trainer, recipe = trainer, trainer.recipe
        done = trainer.update * recipe.batch
        self.writer = SummaryWriter(str(folder), purge_step=done + 1 if done else None, flush_secs=20)
        self.validation = Validation(trainer, self.writer, make_env, projector)
        total = recipe.updates() * recipe.batch
        self.bar = Progress(
            total=total, initial=done, unit=" episodes", disable=quiet, dynamic_ncols=True, mininterval=0.5
        )
        self.recent: float | None = None
        if trainer.data["source"] and not quiet:
            self.bar.write(f"data: {trainer.data['source']}")
        task = getattr(trainer.env.env.unwrapped, "task", None)  # of Glimpse's own environments
        if task is not None and not quiet and (words := memory_in_words(task, recipe.batch)):
            self.bar.write(words)
        if not done:
            table = "\n".join(f"| {key} | {value} |" for key, value in {**recipe.to_dict(), **trainer.data}.items())
            self.writer.add_text("recipe", f"| field | value |\n|---|---|\n{table}")
            add_hparams(self.writer, recipe.to_dict())
            self.writer.add_custom_scalars(LAYOUT)

    def update(self, scalars: dict[str, torch.Tensor]) -> None:
        """One update's numbers. Most updates only move the bar, which costs no wait for a GPU."""
        trainer, recipe = self.trainer, self.trainer.recipe
        self.bar.update(recipe.batch)
        if trainer.update % LOG_EVERY:
            return
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f"{self.folder} was removed or renamed while a training wrote to it: resume it where it lies now"
            )
        step = trainer.update * recipe.batch
        known = "rollout/success_rate" in scalars
        now = 100 * (1 - float(scalars["rollout/success_rate"])) if known else float(scalars["rollout/ep_rew_mean"])
        self.recent = now if self.recent is None else 0.9 * self.recent + 0.1 * now
        words = f"error {self.recent:.1f} %" if known else f"return {self.recent:.3g}"
        self.bar.set_description(f"{recipe.name}: {words}", refresh=False)
        for key, value in scalars.items():
            self.writer.add_scalar(key, float(value), step)
        self.writer.add_scalar("train/learning_rate", learning_rate(recipe, trainer.update), step)
        self.writer.add_scalar("time/fps", step / trainer.seconds, step)
        self.writer.add_scalar("time/time_elapsed", trainer.seconds, step)
        self.writer.add_scalar("time/total_timesteps", step * float(scalars["rollout/ep_len_mean"]), step)

    def validate(self) -> float:
        """Validate; what is to be least."""
        trainer = self.trainer
        step = trainer.update * trainer.recipe.batch
        error, words = self.validation(step)
        self.writer.flush()  # a full disk is told of now
        if not self.bar.disable:
            self.bar.write(f"{step:>11,} episodes {trainer.seconds:6.0f} s   {words}")
            if trainer.ends_with(error) and trainer.update < trainer.recipe.updates():
                self.bar.write(f"no progress in {trainer.recipe.patience} validations: the training ends (--patience)")
        return error

    def close(self) -> None:
        """Leave the bar and the files complete."""
        self.bar.close()
        self.writer.close()
