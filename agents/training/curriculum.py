"""Which episodes a training plays next: batches of alike lengths, more of the groups that go badly.

Of twenty tasks read in equal shares, most are soon known, and go on taking their share of the time. With a recipe's
`oversample` above 1, so many times the episodes are drawn, and those that are read are chosen among them without
replacement, in proportion to the running error of their group: a curriculum by the learner's own errors, as prioritized
level replay is one (Jiang, Grefenstette & Rocktäschel 2021). The choice is the Gumbel-top-k of Kool et al. 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.batched_env import BatchedEnv
from agents.training.distributed import all_mean, rank, world_size
from agents.training.recipe import Recipe
from agents.trajectory import Trajectory

LEAST = 0.05
"""Error that a group counts with at least, so that what is known is not forgotten."""

HORIZON = 200.0
"""Episodes of a group over which its running error is taken."""


@dataclass
class Curriculum:
    """What goes with a training from update to update.

    Attributes:
        error: (K,) float64 in [0, 1], the running error of groups 0 to K - 1; 1 of what was never read.
        drawn: (bucket_batches, batch) int64, the episodes of the present bucket; None before the first.
    """

    error: Tensor
    drawn: Tensor | None = None

    @staticmethod
    def begin(recipe: Recipe, env: BatchedEnv) -> Curriculum:
        """At the start of a training.

        Raises:
            ValueError: for oversampling where episodes have no groups, are acted in, or have no bucket.
        """
        groups = len(env.metadata.get("group_names", ()))
        if recipe.oversample != 1 and (
            recipe.oversample < 1 or recipe.bucket_batches == 1 or not groups or not env.read_ahead
        ):
            raise ValueError(
                "--oversample, 1 or more, reads more of the groups that go badly: it needs a task whose episodes have "
                "groups and are read ahead, such as bAbI's, and --bucket-batches above 1"
            )
        return Curriculum(torch.ones(max(1, groups), dtype=torch.float64, device=env.device))

    def episodes(self, recipe: Recipe, env: BatchedEnv, update: int) -> np.ndarray:
        """The episodes (N,) int64 of an update, this process's share: every `world size`-th.

        With buckets, the episodes of several updates are drawn at the first of them, sorted by length and dealt out,
        the batches in a drawn order.
        """
        if recipe.bucket_batches == 1:
            return np.arange(update * recipe.batch, (update + 1) * recipe.batch)[rank() :: world_size()]
        bucket, place = divmod(update, recipe.bucket_batches)
        if place == 0 or self.drawn is None:
            self.drawn = torch.from_numpy(self._draw(recipe, env, bucket))
        return self.drawn[place].numpy()[rank() :: world_size()]

    def update(self, env: BatchedEnv, trajectory: Trajectory) -> None:
        """Count the answers of a batch, over all processes."""
        assert trajectory.hits is not None
        wrong = (~trajectory.hits.all(-1) & trajectory.scored).sum(0).double()
        scored, group = trajectory.scored.sum(0).double(), trajectory.info[env.metadata["group_key"]]
        tally = torch.zeros(2, len(self.error), dtype=torch.float64, device=group.device)
        tally[0].index_add_(0, group, wrong)
        tally[1].index_add_(0, group, scored)
        wrong, count = all_mean(tally) * world_size()
        keep = torch.exp(-count / HORIZON)
        self.error = torch.where(count > 0, keep * self.error + (1 - keep) * wrong / count.clamp(min=1), self.error)

    def _draw(self, recipe: Recipe, env: BatchedEnv, bucket: int) -> np.ndarray:
        """(bucket_batches, batch) episode numbers."""
        rng = np.random.default_rng((recipe.seed, bucket))
        order = rng.permutation(recipe.bucket_batches)
        count = recipe.bucket_batches * recipe.batch
        numbers = np.arange(count * recipe.oversample) + bucket * count * recipe.oversample
        if recipe.oversample > 1:
            group = env.groups(recipe.seed, numbers)
            likely = self.error.clamp(min=LEAST).log().cpu().numpy()[group] + rng.gumbel(size=len(numbers))
            numbers = np.sort(numbers[np.argsort(-likely)[:count]])
        numbers = numbers[np.argsort(env.lengths(recipe.seed, numbers), kind="stable")]
        return numbers.reshape(recipe.bucket_batches, recipe.batch)[order]

    def to_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"error": self.error, "drawn": self.drawn}

    @staticmethod
    def from_dict(values: dict[str, Any], device: torch.device) -> Curriculum:
        """Of a checkpoint."""
        return Curriculum(values["error"].to(device), values["drawn"])
