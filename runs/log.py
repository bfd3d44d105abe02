"""What a training shows while it runs: the progress bar, TensorBoard's curves, and the gallery at every validation."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from agents import AttentionAgent, Rollout, evaluate, evaluate_reading
from glimpse_env.tasks import Classify
from runs.draws import fixed_gaze
from runs.environments import episodes_in, make_env
from runs.gallery import DRAWN, add_contents, add_memories, add_traces, spread
from runs.gaze_statistics import gaze_scalars
from runs.memory_statistics import memory_scalars
from runs.recollections import Recollection, recollect
from runs.summaries import LAYOUT, add_fixations, add_hparams, check_writable
from runs.traces import record_episodes
from runs.trainer import Trainer, learning_rate

VALIDATION_SEED = 2**40
"""Seed of the validation scenes, which no training scene takes."""

VALIDATION_EPISODES = 5_000
"""At most; no image is shown twice."""

BATCH = 250

RECOLLECTED = 4 * DRAWN
"""Validation episodes in which the memory is measured; every fourth is drawn."""

LOG_EVERY = 20
"""Updates between two points of a curve."""


class Log:
    """What one process, the first, shows and writes of a training.

    Args:
        folder: of the run.
        trainer: the training.
        device: of its agent.
        quiet: no progress bar.
        projector: hand what lies in the memory at the end to TensorBoard's projector.

    Raises:
        ValueError: where the folder cannot be written.
    """

    def __init__(
        self, folder: Path, trainer: Trainer, device: torch.device, *, quiet: bool, projector: bool = False
    ) -> None:
        check_writable(folder)
        self.trainer, self.device, self.projector, recipe = trainer, device, projector, trainer.recipe
        self.validation = make_env(recipe, "validation", BATCH, device)
        self.gallery = make_env(recipe, "validation", DRAWN, device)
        self.single = make_env(recipe, "validation", 1, device)
        self.gazes = "location" in self.validation.single_action_space.spaces
        done = trainer.update * recipe.batch
        self.writer = SummaryWriter(str(folder), purge_step=done + 1 if done else None, flush_secs=20)
        total = recipe.updates() * recipe.batch
        self.bar = tqdm(total=total, initial=done, unit=" episodes", disable=quiet, dynamic_ncols=True, mininterval=0.5)
        self.recent: float | None = None
        if not done:
            table = "\n".join(f"| {key} | {value} |" for key, value in recipe.to_dict().items())
            self.writer.add_text("recipe", f"| field | value |\n|---|---|\n{table}")
            add_hparams(self.writer, recipe.to_dict())
            self.writer.add_custom_scalars(LAYOUT)

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
        self.writer.add_scalar("time/time_elapsed", trainer.seconds, step)
        if self.gazes:
            steps = self.validation.metadata["horizon"]
            self.writer.add_scalar("rollout/ep_rew_mean", float(scalars["rollout/success_rate"]), step)
            self.writer.add_scalar("rollout/ep_len_mean", steps, step)
            self.writer.add_scalar("time/total_timesteps", step * steps, step)

    def validate(self) -> None:
        """The error on the validation split, and the gaze in the gallery's episodes; the best weights are kept."""
        trainer, recipe, env = self.trainer, self.trainer.recipe, self.validation
        step = trainer.update * recipe.batch
        episodes = min(VALIDATION_EPISODES, episodes_in(env))
        if self.gazes:
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
        memories = self._recollect(episodes)
        for tag, value in memory_scalars(memories).items():
            self.writer.add_scalar(tag, value, step)
        add_memories(self.writer, memories[:: RECOLLECTED // DRAWN], step)
        if self.projector and trainer.update == recipe.updates():
            add_contents(self.writer, memories, step)
        trainer.remember_best(error)
        if not self.bar.disable:
            self.bar.write(f"{step:>11,} episodes {trainer.seconds:6.0f} s   {words}")

    def _validate_gaze(self, episodes: int, step: int) -> float:
        """The error of the answer after the last glimpse, in percent; its curves and pictures."""
        trainer, recipe, env = self.trainer, self.trainer.recipe, self.validation
        places = fixed_gaze(recipe.gaze, VALIDATION_SEED, env, self.device) if recipe.gaze != "learned" else None
        seen: list[torch.Tensor] = []

        def witness(rollout: Rollout) -> None:
            seen.append(rollout.location)

        result = evaluate(trainer.agent, env, episodes, places=places, seed=VALIDATION_SEED, witness=witness)
        self.writer.add_scalar("eval/success_rate", 1 - result.error / 100, step)
        self.writer.add_scalar("eval/mean_reward", 1 - result.error / 100, step)
        self.writer.add_scalar("eval/mean_ep_length", env.metadata["horizon"], step)
        for glimpse, error in enumerate(result.error_by_glimpse, 1):
            self.writer.add_scalar(f"eval/error_by_glimpse/{glimpse}", error, step)
        if result.support_hit_rate is not None:
            self.writer.add_scalar("attention/support_hit_rate", result.support_hit_rate / 100, step)
        if env.metadata["horizon"] == 1:
            return result.error
        path = torch.cat(seen, 1)[:, :episodes].transpose(0, 1).cpu().numpy()
        for tag, value in gaze_scalars(env, path, VALIDATION_SEED).items():
            self.writer.add_scalar(tag, value, step)
        add_fixations(self.writer, path, step)
        if isinstance(env.unwrapped.task, Classify):
            traces = record_episodes(
                trainer.agent, self.gallery, spread(DRAWN, episodes), gaze=recipe.gaze, seed=VALIDATION_SEED
            )
            subtitle = f"{step:,} episodes · validation error {result.error:.2f} %"
            add_traces(self.writer, traces, step, recipe.name, subtitle)
        return result.error

    def _recollect(self, episodes: int) -> list[Recollection]:
        """What the agent remembers of some validation episodes; nothing where it has no memory."""
        agent, recipe, env = self.trainer.agent, self.trainer.recipe, self.single
        if not isinstance(agent, AttentionAgent) or agent.config.memory == "none":
            return []
        places = None
        if self.gazes and recipe.gaze != "learned":
            places = fixed_gaze(recipe.gaze, VALIDATION_SEED, env, self.device)
        agent.eval()
        memories = [
            recollect(agent, env, int(number), VALIDATION_SEED, places) for number in spread(RECOLLECTED, episodes)
        ]
        agent.train()
        return memories

    def close(self) -> None:
        """Leave the bar and the files complete."""
        self.bar.close()
        self.writer.close()
