"""What a training of Stable-Baselines3 writes beside its own curves: the validation error, and a few episodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import TensorBoardOutputFormat

from runs.environments import episodes_in
from runs.sb3.environments import make_env
from runs.sb3.play import ModelResult, evaluate_model, play
from runs.traces.pictures import pictures_of
from runs.traces.tensorboard_media import DRAWN, add_traces
from runs.traces.trace import traces_of
from runs.validation import BATCH, VALIDATION_SEED

if TYPE_CHECKING:
    from runs.train_sb3 import Options

VALIDATIONS = 20
"""How often a training is validated."""

VALIDATION_EPISODES = 1_000
"""At most; no image or question is shown twice."""


class Validation(BaseCallback):
    """Now and then the error on the validation split, and the same few episodes as pictures or text.

    Args:
        options: of the training, on a Glimpse id.

    Attributes:
        results: of all validations, with the steps before each.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.name, self.quiet = f"{options.algorithm} · {options.id}", options.quiet
        self.env, self.drawn = (make_env(options, "validation", count) for count in (BATCH, DRAWN))
        self.every = self.due = max(1, options.steps // VALIDATIONS)
        self.results: list[tuple[int, ModelResult]] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self.due:  # just after an update
            self.due = self.num_timesteps + self.every
            self.validate()

    def _on_training_end(self) -> None:
        if not self.results or self.results[-1][0] != self.num_timesteps:
            self.validate()

    def validate(self) -> None:
        """Play, write and print."""
        model: Any = self.model
        result = evaluate_model(model, self.env, min(VALIDATION_EPISODES, episodes_in(self.env)), VALIDATION_SEED)
        for key, value in result.scalars.items():
            self.logger.record(key, value)
        words = f"validation error {result.error:.2f} %"
        traces = traces_of(
            play(model, self.drawn, np.arange(DRAWN), VALIDATION_SEED, beliefs=True), self.drawn, VALIDATION_SEED
        )
        for writer in (f.writer for f in self.logger.output_formats if isinstance(f, TensorBoardOutputFormat)):
            add_traces(writer, traces, self.num_timesteps, self.name, f"{self.num_timesteps:,} steps · {words}")
            for number, trace in enumerate(traces):
                if pictures_of(trace).animation is None:
                    writer.add_text(f"trace/{number}/text", pictures_of(trace).table(trace), self.num_timesteps)
        self.logger.dump(self.num_timesteps)
        self.results.append((self.num_timesteps, result))
        if not self.quiet:
            print(f"{self.num_timesteps:>11,} steps   {words}", flush=True)
