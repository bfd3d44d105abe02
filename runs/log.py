"""The progress bar and the TensorBoard curves of a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from agents import AttentionAgent, evaluate, evaluate_reading
from runs.draws import fixed_gaze
from runs.environments import episodes_in, make_env
from runs.pictures import contact_sheet
from runs.traces import record_episodes
from runs.trainer import Trainer, learning_rate

VALIDATION_SEED = 2**40
"""Seed of the validation scenes, which no training scene takes."""

VALIDATION_EPISODES = 5_000
"""At most; no image is shown twice."""

BATCH = 250

GALLERY = 3
"""Validation episodes drawn for TensorBoard, always the same, so that its slider shows them improving."""

LOG_EVERY = 20
"""Updates between two points of a curve."""


class Log:
    """What one process, the first, shows and writes of a training.

    Args:
        folder: of the run.
        trainer: the training.
        device: of its agent.
        quiet: no progress bar.
    """

    def __init__(self, folder: Path, trainer: Trainer, device: torch.device, *, quiet: bool) -> None:
        self.trainer, self.device, recipe = trainer, device, trainer.recipe
        self.validation = make_env(recipe, "validation", BATCH, device)
        self.gallery = make_env(recipe, "validation", GALLERY, device)
        done = trainer.update * recipe.batch
        self.writer = SummaryWriter(str(folder), purge_step=done + 1 if done else None, flush_secs=20)
        total = recipe.updates() * recipe.batch
        self.bar = tqdm(total=total, initial=done, unit=" episodes", disable=quiet, dynamic_ncols=True, mininterval=0.5)
        self.recent: float | None = None
        if not done:
            table = "\n".join(f"| {key} | {value} |" for key, value in recipe.to_dict().items())
            self.writer.add_text("recipe", f"| field | value |\n|---|---|\n{table}")

    def update(self, scalars: dict[str, torch.Tensor]) -> None:
        """One update's numbers. Most updates only move the bar, which costs no wait for a GPU."""
        trainer, recipe = self.trainer, self.trainer.recipe
        self.bar.update(recipe.batch)
        if trainer.update % LOG_EVERY:
            return
        step = trainer.update * recipe.batch
        error = 100 * (1 - float(scalars["rollout/success_rate"]))
        self.recent = error if self.recent is None else 0.9 * self.recent + 0.1 * error
        self.bar.set_description(f"{recipe.name}: error {self.recent:.1f} %", refresh=False)
        for key, value in scalars.items():
            self.writer.add_scalar(key, float(value), step)
        self.writer.add_scalar("train/learning_rate", learning_rate(recipe, trainer.update), step)
        self.writer.add_scalar("time/fps", step / trainer.seconds, step)

    def validate(self) -> None:
        """The error on the validation split, and the gaze in the gallery's episodes; the best weights are kept."""
        trainer, recipe, env = self.trainer, self.trainer.recipe, self.validation
        step = trainer.update * recipe.batch
        episodes = min(VALIDATION_EPISODES, episodes_in(env))
        if "location" in env.single_action_space.spaces:
            error = self._validate_gaze(episodes, step)
            words = f"validation error {error:.2f} %"
        else:
            assert isinstance(trainer.agent, AttentionAgent)
            score = evaluate_reading(trainer.agent, env, episodes, seed=VALIDATION_SEED)
            in_bits = trainer.agent.form.bits
            error = score.bits if in_bits else score.error
            words = f"validation: {score.bits:.4f} bits a sequence" if in_bits else f"validation error {error:.2f} %"
            self.writer.add_scalar("eval/bits_per_sequence", score.bits, step)
            self.writer.add_scalar("eval/success_rate", 1 - score.error / 100, step)
            if len(score.error_by_task) > 1:
                for task, of_task in score.error_by_task.items():
                    self.writer.add_scalar(f"eval/error_by_task/{task}", of_task, step)
        trainer.remember_best(error)
        if not self.bar.disable:
            self.bar.write(f"{step:>11,} episodes {trainer.seconds:6.0f} s   {words}")

    def _validate_gaze(self, episodes: int, step: int) -> float:
        """The error of the answer after the last glimpse, in percent; its curves and pictures."""
        trainer, recipe, env = self.trainer, self.trainer.recipe, self.validation
        places = fixed_gaze(recipe.gaze, VALIDATION_SEED, env, self.device) if recipe.gaze != "learned" else None
        result = evaluate(trainer.agent, env, episodes, places=places, seed=VALIDATION_SEED)
        self.writer.add_scalar("eval/success_rate", 1 - result.error / 100, step)
        if result.support_hit_rate is not None:
            self.writer.add_scalar("attention/support_hit_rate", result.support_hit_rate / 100, step)
        for glimpse, error in enumerate(result.error_by_glimpse, 1):
            self.writer.add_scalar(f"eval/error_by_glimpse/{glimpse}", error, step)
        if env.metadata["horizon"] > 1 and trainer.agent.form.kind == "image":
            traces = record_episodes(
                trainer.agent, self.gallery, np.arange(GALLERY), gaze=recipe.gaze, seed=VALIDATION_SEED
            )
            sheet = contact_sheet(traces, recipe.name, f"{step:,} episodes · validation error {result.error:.2f} %")
            self.writer.add_image("trace/gaze", sheet, step, dataformats="HWC")
        return result.error

    def close(self) -> None:
        """Leave the bar and the files complete."""
        self.bar.close()
        self.writer.close()
