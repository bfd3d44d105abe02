"""What a training of Stable-Baselines3 writes beside its own curves: the validation error, and traces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import TensorBoardOutputFormat

from runs.environments import episodes_in
from runs.gallery import DRAWN, add_traces
from runs.sb3.play import Verdict, judge, record_model, tell_episode
from runs.validation import VALIDATION_SEED

VALIDATION_EPISODES = 1_000
"""At most; no image or question is shown twice."""


class Validation(BaseCallback):
    """Now and then the error on the validation split, and the same few episodes as a picture or as text.

    Args:
        name: of the run, for the pictures.
        env: of the validation split, see `runs.sb3.play.play`.
        gallery: the same with `DRAWN` rows, drawn where the task shows images of several glimpses.
        teller: makes the same as a single environment that tells its episodes; None where it cannot.
        every: steps between two validations.
        quiet: print nothing.

    Attributes:
        verdicts: of all validations, the steps before each.
    """

    def __init__(
        self,
        name: str,
        env: VectorEnv,
        gallery: VectorEnv,
        teller: Callable[[], gym.Env] | None,
        every: int,
        *,
        quiet: bool = False,
    ) -> None:
        super().__init__()
        self.name, self.env, self.gallery, self.every, self.quiet = name, env, gallery, every, quiet
        self.teller = teller() if teller else None
        self.verdicts: list[tuple[int, Verdict]] = []
        self.due = every

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self.due:  # just after an update
            self.due = self.num_timesteps + self.every
            self.validate()

    def _on_training_end(self) -> None:
        if not self.verdicts or self.verdicts[-1][0] != self.num_timesteps:
            self.validate()

    def validate(self) -> Verdict:
        """Play, write and print."""
        model: Any = self.model
        verdict = judge(model, self.env, min(VALIDATION_EPISODES, episodes_in(self.env)), VALIDATION_SEED)
        scalars = {
            "eval/success_rate": 1 - verdict.wrong_episodes / 100,
            "eval/mean_reward": verdict.reward,
            "eval/mean_ep_length": verdict.length,
            "attention/saccade_length": verdict.saccade_length,
            "attention/support_hit_rate": None if verdict.support_hit_rate is None else verdict.support_hit_rate / 100,
        }
        for key, value in scalars.items():
            if value is not None:
                self.logger.record(key, value)
        self._trace(verdict)
        self.logger.dump(self.num_timesteps)
        self.verdicts.append((self.num_timesteps, verdict))
        if not self.quiet:
            print(f"{self.num_timesteps:>11,} steps   validation error {verdict.error:.2f} %", flush=True)
        return verdict

    def _trace(self, verdict: Verdict) -> None:
        """The gallery's episodes, as they are played now."""
        model: Any = self.model
        drawn = "glimpse" in self.env.single_observation_space.spaces and self.env.metadata["horizon"] > 1  # type: ignore[attr-defined]
        for writer in (f.writer for f in self.logger.output_formats if isinstance(f, TensorBoardOutputFormat)):
            if drawn:
                traces = record_model(model, self.gallery, np.arange(DRAWN), VALIDATION_SEED)
                told = f"{self.num_timesteps:,} steps · validation error {verdict.error:.2f} %"
                add_traces(writer, traces, self.num_timesteps, self.name, told)
            if self.teller is not None:
                for episode in range(DRAWN):
                    text = tell_episode(model, self.teller, episode, VALIDATION_SEED)
                    block = "\n".join("    " + line for line in text.splitlines())  # Markdown's preformatted text
                    writer.add_text(f"trace/{episode}/text", block, self.num_timesteps)
