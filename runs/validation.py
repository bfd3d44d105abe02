"""What a validation measures and draws: the error, the gaze and the memory, and a few episodes, always the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from agents import EvalResult, Trajectory, evaluate
from agents.training.trainer import Trainer
from glimpse_env.notices import say_once
from glimpse_env.path_metrics import off_image
from runs.environments import episodes_in, sample_episodes
from runs.traces.memory_statistics import memory_scalars
from runs.traces.tensorboard_media import DRAWN, add_contents, add_fixations, add_traces, spread
from runs.traces.trace import record_traces

VALIDATION_SEED = 2**40
"""Seed of the validation scenes, which no training scene takes."""

VALIDATION_EPISODES = 5_000
"""At most; no image is shown twice."""

SHARE, FEWEST = 1 / 80, 200
"""So many of the training's episodes are a validation's at most, but for the fewest: twenty of them are a quarter."""

HIDDEN_EPISODES = 1_000
"""Of hidden texts, at most: what is not seen is inferred anew at every glimpse."""

EXTERNAL_EPISODES = 256
"""Of somebody else's environment, whose speed is unknown."""

ASTRAY = 0.1
"""Share of fixations off the image from which a user is told."""

BATCH = 250

WATCHED = 4 * DRAWN
"""Validation episodes in which the memory is measured; every fourth is drawn."""


class Validation:
    """Validates a training, again and again on the same episodes (elsewhere than in Glimpse: from the same seed).

    Args:
        trainer: the training.
        writer: of TensorBoard.
        make_env: from a split, a number of rows, and names as keyword arguments, to an environment.
        projector: hand what lies in the memory at the end to TensorBoard's projector.
    """

    def __init__(self, trainer: Trainer, writer: SummaryWriter, make_env: Callable[..., Any], projector: bool) -> None:
        self.trainer, self.writer, self.projector = trainer, writer, projector
        self.own = hasattr(trainer.env.env.unwrapped, "task")
        self.env = make_env("validation", BATCH if self.own else trainer.recipe.batch, **trainer.names)
        self.acts = self.env.metadata.get("interactive", True)
        self.watched = make_env("validation", WATCHED, **trainer.names) if self.own else None

    def __call__(self, step: int) -> tuple[float, str]:
        """What is to be least, and in words; everything else goes to TensorBoard at this step."""
        trainer, recipe, paths = self.trainer, self.trainer.recipe, []

        def observe(trajectory: Trajectory, kept: int) -> None:
            if "location" in trajectory.observations:
                paths.append(trajectory.path("location")[:kept].cpu().numpy())

        numbers = sample_episodes(self._count(), self._count() if not self.own else episodes_in(self.env))
        if self.acts:
            numbers = np.arange(len(numbers))
        result = evaluate(trainer.agent, self.env, numbers, seed=VALIDATION_SEED, gaze=recipe.gaze, observer=observe)
        error, words = self._least(result)
        for tag, value in self._scalars(result).items():
            self.writer.add_scalar(tag, value, step)
        if self.watched is None:
            return error, words
        if paths and self.env.metadata["horizon"] > 1:
            path = np.concatenate(paths)
            metrics = self.env.unwrapped.task.path_metrics(path, np.full_like(numbers, VALIDATION_SEED), numbers)
            for tag, value in metrics.items():
                self.writer.add_scalar(tag, value, step)
            share = off_image(path) if "attention/off_image" in metrics else 0.0  # at the edge, without any padding
            if share > ASTRAY and trainer.ends_with(error):
                say_once(
                    f"{recipe.name}: {share:.0%} of the fixations lie on the edge of the canvas: the "
                    "gaze has left the images, and has not learned where to look (--edge-weight 10 draws it back)"
                )
            add_fixations(self.writer, path, step)
        self._draw(step, words, last=trainer.ends_with(error))
        return error, words

    def _count(self) -> int:
        """Episodes to validate on."""
        if not self.own:
            return EXTERNAL_EPISODES
        hidden = self.acts and bool(self.env.metadata["words"])
        most = max(FEWEST, round(SHARE * self.trainer.recipe.episodes))
        return min(HIDDEN_EPISODES if hidden else VALIDATION_EPISODES, most, episodes_in(self.env))

    def _least(self, result: EvalResult) -> tuple[float, str]:
        """Minus the mean return where that is learned, bits per sequence, or the error in percent; and in words."""
        words = [] if result.error is None else [f"error {result.error:.2f} %"]
        if self.trainer.recipe.by_return() or result.error is None:
            return -result.mean_return, ", ".join([f"validation return {result.mean_return:.4g}", *words])
        if self.trainer.agent.spec.action["answer"].role == "bits":
            return result.bits, f"validation: {result.bits:.4f} bits a sequence"
        return result.error, f"validation error {result.error:.2f} %"

    def _scalars(self, result: EvalResult) -> dict[str, float]:
        """The figures by TensorBoard's tags."""
        scalars = {"eval/mean_reward": result.mean_return, "eval/mean_ep_length": result.mean_length}
        if result.error is not None:
            scalars["eval/success_rate"] = 1 - result.error / 100
        if not self.acts:
            scalars["eval/bits_per_sequence"] = result.bits
        task = getattr(self.env.unwrapped, "task", None)
        if getattr(task, "schedule", None) is None:  # of a walk, no answer is due at most steps
            scalars |= {f"eval/error_by_glimpse/{t}": error for t, error in enumerate(result.error_by_step, 1)}
        if len(result.error_by_group) > 1:
            scalars |= {f"eval/error_by_task/{group}": error for group, error in result.error_by_group.items()}
        return scalars | {f"attention/{name}_rate": value for name, value in result.metrics.items()}

    def _draw(self, step: int, words: str, *, last: bool) -> None:
        """The same few episodes as pictures and text, and what their memories did in numbers."""
        trainer, recipe = self.trainer, self.trainer.recipe
        numbers = spread(WATCHED, episodes_in(self.env))
        traces = record_traces(trainer.agent, self.watched, numbers, seed=VALIDATION_SEED, gaze=recipe.gaze)
        if not traces:
            return
        for tag, value in memory_scalars(traces).items():
            self.writer.add_scalar(tag, value, step)
        shown = traces[:: WATCHED // DRAWN]
        add_traces(self.writer, shown, step, recipe.name, f"{step:,} episodes · {words}")
        if self.projector and last:
            add_contents(self.writer, traces, step)
