"""Which episodes a training reads next: batches of alike lengths, more of the tasks that go badly.

Of twenty tasks read in equal shares, most are soon known, and go on taking their share of the time. With a recipe's
`choose` above 1, so many times the episodes are drawn, and those that are read are chosen among them without
replacement, in proportion to the running error of their task: a curriculum by the learner's own errors, as prioritized
level replay is one (Jiang, Grefenstette & Rocktäschel 2021). The choice is the Gumbel-top-k of Kool et al. 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents import Reading
from agents.evaluation import by_length
from runs.distributed import all_mean, rank, world_size
from runs.recipe import Recipe

LEAST = 0.05
"""Error that a task counts with at least, so that what is known is not forgotten."""

MEMORY = 200.0
"""Episodes of a task over which its running error is taken."""


@dataclass
class Curriculum:
    """What goes with a training from update to update.

    Attributes:
        error: (K,) float64 in [0, 1], the running error of the tasks of numbers 0 to K - 1; 1 of what was never read.
        drawn: (pool, batch) int64, the episodes of the present pool; None before the first.
    """

    error: Tensor
    drawn: Tensor | None = None

    @staticmethod
    def begin(recipe: Recipe, env: Any) -> Curriculum:
        """At the start of a training.

        Raises:
            ValueError: for a choice where episodes are of no numbered task, are looked at, or have no pool.
        """
        tasks = getattr(getattr(env.unwrapped, "task", None), "numbers", None)
        if recipe.choose != 1 and (recipe.choose < 1 or recipe.pool == 1 or recipe.env.id != "Babi-v0"):
            raise ValueError(
                "--choose, 1 or more, reads more of the tasks that go badly: it needs Babi-v0, and a --pool above 1"
            )
        return Curriculum(torch.ones(1 if tasks is None else int(tasks.max()) + 1, dtype=torch.float64))

    def episodes(self, recipe: Recipe, env: Any, update: int) -> np.ndarray:
        """The episodes (N,) int64 of an update, this process's share.

        With a pool, the episodes of several updates are drawn at its first, sorted by length and dealt out, the batches
        in a drawn order.
        """
        if recipe.pool == 1:
            first = update * recipe.batch + rank() * env.num_envs
            return np.arange(first, first + env.num_envs)
        pool, place = divmod(update, recipe.pool)
        if place == 0 or self.drawn is None:
            self.drawn = torch.from_numpy(self._draw(recipe, env, pool))
        return self.drawn[place].numpy()[rank() :: world_size()]  # dealt out, so that no process has all the long ones

    def learn(self, reading: Reading) -> None:
        """Count the answers of a batch, over all processes."""
        task, right = reading.info["task"][reading.row], reading.right().float()
        tally = torch.zeros(2, len(self.error), device=right.device)
        tally[0].index_add_(0, task, 1 - right)
        tally[1].index_add_(0, task, torch.ones_like(right))
        wrong, count = (all_mean(tally) * world_size()).cpu().double()
        keep = torch.exp(-count / MEMORY)
        self.error = torch.where(count > 0, keep * self.error + (1 - keep) * wrong / count.clamp(min=1), self.error)

    def _draw(self, recipe: Recipe, env: Any, pool: int) -> np.ndarray:
        """(pool, batch) episode numbers."""
        rng = np.random.default_rng((recipe.seed, pool))
        order = rng.permutation(recipe.pool)
        count = recipe.pool * recipe.batch
        numbers = np.arange(count * recipe.choose) + pool * count * recipe.choose
        if recipe.choose > 1:
            task = env.unwrapped.task
            seeds = torch.full((len(numbers),), recipe.seed, device=task.numbers.device)
            kind = task.kinds(seeds, torch.from_numpy(numbers).to(seeds.device)).cpu()
            likely = self.error.clamp(min=LEAST)[kind].log().numpy() + rng.gumbel(size=len(numbers))
            numbers = np.sort(numbers[np.argsort(-likely)[:count]])
        return by_length(env, numbers, recipe.seed).reshape(recipe.pool, recipe.batch)[order]

    def to_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"error": self.error, "drawn": self.drawn}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Curriculum:
        """Of a checkpoint."""
        drawn = values["drawn"]
        return Curriculum(values["error"].cpu(), None if drawn is None else drawn.cpu())
