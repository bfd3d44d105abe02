"""What a validation measures and draws: the error, the gaze and the memory, and the gallery's episodes."""

from __future__ import annotations

import torch
from torch.utils.tensorboard import SummaryWriter

from agents import AttentionAgent, Foreign, Rollout, evaluate, evaluate_reading
from glimpse_env.tasks import Classify
from glimpse_env.tasks.babi_gaze import BabiGaze
from runs.environments import episodes_in, make_env, sample_episodes
from runs.foreign import evaluate_foreign
from runs.gallery import DRAWN, add_contents, add_memories, add_traces, spread
from runs.places import fixed_gaze
from runs.recording.gaze_statistics import gaze_scalars
from runs.recording.memory_statistics import memory_scalars
from runs.recording.recollections import Recollection, recollect
from runs.recording.traces import record_episodes
from runs.summaries import add_fixations
from runs.trainer import Trainer

VALIDATION_SEED = 2**40
"""Seed of the validation scenes, which no training scene takes."""

VALIDATION_EPISODES = 5_000
"""At most; no image is shown twice."""

HIDDEN_EPISODES = 1_000
"""Of hidden stories, at most: a map is read anew at every glimpse."""

BATCH = 250

FOREIGN_EPISODES = 256
"""Of somebody else's environment, whose speed is unknown."""

RECOLLECTED = 4 * DRAWN
"""Validation episodes in which the memory is measured; every fourth is drawn."""


class Validation:
    """Validates a training, again and again on the same episodes (elsewhere than in Glimpse: from the same seed).

    Args:
        trainer: the training.
        device: of its agent.
        writer: of TensorBoard.
        projector: hand what lies in the memory at the end to TensorBoard's projector.
    """

    def __init__(self, trainer: Trainer, device: torch.device, writer: SummaryWriter, projector: bool) -> None:
        self.trainer, self.device, self.writer, self.projector = trainer, device, writer, projector
        recipe = trainer.recipe
        foreign = recipe.env.foreign()
        self.env = make_env(recipe, "validation", recipe.batch if foreign else BATCH, device)
        self.gazes = not foreign and "location" in self.env.single_action_space.spaces
        if not foreign:
            self.gallery = make_env(recipe, "validation", DRAWN, device)
            self.single = make_env(recipe, "validation", 1, device)

    def __call__(self, step: int) -> tuple[float, str]:
        """What is to be least, and in words; everything else goes to TensorBoard at this step."""
        if isinstance(self.env, Foreign):
            return self._foreign(self.env, step)
        hidden = isinstance(self.env.unwrapped.task, BabiGaze)
        episodes = min(HIDDEN_EPISODES if hidden else VALIDATION_EPISODES, episodes_in(self.env))
        error, words = self._gaze(episodes, step) if self.gazes else self._reading(episodes, step)
        memories = self._recollect(episodes_in(self.env))
        for tag, value in memory_scalars(memories).items():
            self.writer.add_scalar(tag, value, step)
        add_memories(self.writer, memories[:: RECOLLECTED // DRAWN], step)
        if self.projector and self.trainer.update == self.trainer.recipe.updates():
            add_contents(self.writer, memories, step)
        return error, words

    def _reading(self, episodes: int, step: int) -> tuple[float, str]:
        """The share of wrong answers in percent, or bits per sequence."""
        agent, writer = self.trainer.agent, self.writer
        assert isinstance(agent, AttentionAgent)
        numbers = sample_episodes(episodes, episodes_in(self.env))
        score = evaluate_reading(agent, self.env, numbers, seed=VALIDATION_SEED)
        writer.add_scalar("eval/bits_per_sequence", score.bits, step)
        writer.add_scalar("eval/success_rate", 1 - score.error / 100, step)
        if len(score.error_by_task) > 1:
            for task, of_task in score.error_by_task.items():
                writer.add_scalar(f"eval/error_by_task/{task}", of_task, step)
        if agent.form.bits:
            return score.bits, f"validation: {score.bits:.4f} bits a sequence"
        return score.error, f"validation error {score.error:.2f} %"

    def _gaze(self, episodes: int, step: int) -> tuple[float, str]:
        """The error of the answer after the last glimpse, in percent."""
        agent, recipe, env, writer = self.trainer.agent, self.trainer.recipe, self.env, self.writer
        places = fixed_gaze(recipe.gaze, VALIDATION_SEED, env, self.device) if recipe.gaze != "learned" else None
        seen: list[torch.Tensor] = []

        def witness(rollout: Rollout) -> None:
            seen.append(rollout.location)

        result = evaluate(agent, env, episodes, places=places, seed=VALIDATION_SEED, witness=witness)
        words = f"validation error {result.error:.2f} %"
        writer.add_scalar("eval/success_rate", 1 - result.error / 100, step)
        writer.add_scalar("eval/mean_reward", 1 - result.error / 100, step)
        writer.add_scalar("eval/mean_ep_length", env.metadata["horizon"], step)
        for glimpse, error in enumerate(result.error_by_glimpse, 1):
            writer.add_scalar(f"eval/error_by_glimpse/{glimpse}", error, step)
        if result.support_hit_rate is not None:
            writer.add_scalar("attention/support_hit_rate", result.support_hit_rate / 100, step)
        if env.metadata["horizon"] == 1:
            return result.error, words
        path = torch.cat(seen, 1)[:, :episodes].transpose(0, 1).cpu().numpy()
        for tag, value in gaze_scalars(env, path, VALIDATION_SEED).items():
            writer.add_scalar(tag, value, step)
        add_fixations(writer, path, step)
        if isinstance(env.unwrapped.task, Classify):
            numbers = spread(DRAWN, episodes_in(env))
            traces = record_episodes(agent, self.gallery, numbers, gaze=recipe.gaze, seed=VALIDATION_SEED)
            add_traces(writer, traces, step, recipe.name, f"{step:,} episodes · {words}")
        return result.error, words

    def _recollect(self, total: int) -> list[Recollection]:
        """What the agent remembers of some validation episodes; nothing where it has no memory."""
        agent, recipe, env = self.trainer.agent, self.trainer.recipe, self.single
        if not isinstance(agent, AttentionAgent) or agent.config.memory == "none":
            return []
        places = None
        if self.gazes and recipe.gaze != "learned":
            places = fixed_gaze(recipe.gaze, VALIDATION_SEED, env, self.device)
        agent.eval()
        numbers = spread(RECOLLECTED, total)
        memories = [recollect(agent, env, int(number), VALIDATION_SEED, places) for number in numbers]
        agent.train()
        return memories

    def _foreign(self, env: Foreign, step: int) -> tuple[float, str]:
        """Minus the mean return where that is learned, else the error in percent."""
        recipe, agent = self.trainer.recipe, self.trainer.agent
        score = evaluate_foreign(recipe, agent, env, FOREIGN_EPISODES, gaze=recipe.gaze, begin=VALIDATION_SEED)
        self.writer.add_scalar("eval/mean_reward", score.mean_return, step)
        words = f"validation return {score.mean_return:.4g}"
        if score.error is not None:
            self.writer.add_scalar("eval/success_rate", 1 - score.error / 100, step)
            words += f", error {score.error:.2f} %"
        for glimpse, error in enumerate(score.error_by_glimpse, 1):
            self.writer.add_scalar(f"eval/error_by_glimpse/{glimpse}", error, step)
        by_return = recipe.reward == "environment" or score.error is None
        return -score.mean_return if by_return else float(score.error or 0.0), words
