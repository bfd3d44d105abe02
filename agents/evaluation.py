"""How well an agent does: errors, returns, lengths."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.batched_env import BatchedEnv
from agents.collect import collect
from agents.trajectory import Trajectory

Observer = Callable[[Trajectory, int], None]
"""Is shown every batch of episodes, and how many of its rows count."""


class EvalResult(NamedTuple):
    """What episodes came to.

    Attributes:
        error: percent of wrong answers among those that are scored, each part of an answer by itself (bits, say);
            100 where none was scored; None without a target.
        bits: per sequence, mean over episodes of the sum of -log2 p(target) over the scored answers (Graves et al.
            2014, section 4).
        wrong_episodes: percent of the episodes with any wrong scored answer, or without any scored one; None without
            a target.
        error_by_step: percent of wrong answers at each step, where the agent acts; an episode that has ended counts
            with its last answer.
        error_by_part: percent of wrong episodes by the parts of an answer that `metadata["part_families"]` names.
        error_by_group: percent of wrong episodes by the number that `info` gives under `metadata["group_key"]`.
        mean_return: mean over episodes of the sum of their rewards.
        mean_length: mean number of steps.
        cross_entropy: mean over episodes of the sum of -log p(target) over all decisions, in nats: over every
            step where the agent acts, over the scored answers alone where episodes are read ahead.
        metrics: mean of each of `metadata["episode_metrics"]`.
        episodes: how many.
    """

    error: float | None
    bits: float
    wrong_episodes: float | None
    error_by_step: list[float]
    error_by_part: dict[str, float]
    error_by_group: dict[int, float]
    mean_return: float
    mean_length: float
    cross_entropy: float
    metrics: dict[str, float]
    episodes: int


@contextmanager
def evaluating(agent: Any) -> Iterator[None]:
    """The agent as it is evaluated: without gradient or dropout; afterwards as it was."""
    training = agent.training
    agent.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        agent.train(training)


def play(
    agent: Any, env: Any, episodes: np.ndarray, *, seed: int = 0, gaze: str = "learned", watch: bool = False
) -> Iterator[tuple[Trajectory, int]]:
    """Episodes (N,) in order, as many side by side as `env` has rows, each action the likeliest.

    `gaze` is "learned", or a scripted one of the environment's; `watch` keeps what the memory did.

    Yields:
        a trajectory, and how many of its rows count: the last one is filled up with the first episodes.

    Raises:
        ValueError: for no episodes, or a gaze that the environment does not have.
    """
    if not len(episodes):
        raise ValueError("episodes must be at least 1")
    batched = BatchedEnv(env, next(agent.parameters()).device)
    rows = batched.num_envs
    for first in range(0, len(episodes), rows):
        chosen = episodes[np.arange(first, first + rows) % len(episodes)]
        given = batched.given_actions(gaze, seed, chosen)
        with evaluating(agent):
            trajectory = collect(agent, batched, chosen, seed=seed, given=given, watch=watch)
        yield trajectory, min(rows, len(episodes) - first)


def evaluate(
    agent: Any,
    env: Any,
    episodes: int | np.ndarray,
    *,
    seed: int = 0,
    gaze: str = "learned",
    observer: Observer | None = None,
) -> EvalResult:
    """Play or read episodes of `seed`, each once, and count what was right.

    Args:
        agent: takes the likeliest action at every step: one path an episode, no averaging.
        env: from `gym.make` or `gym.make_vec`, on any backend; on torch it is fastest.
        episodes: their numbers (N,), or how many from 0 on; any number, whatever the width of the vector.
        seed: of the environment.
        gaze: "learned", or a scripted one of the environment's, such as "random".
        observer: is shown every batch, in order.

    Raises:
        ValueError: for no episodes, or a gaze that the environment does not have.
    """
    numbers = np.arange(episodes) if isinstance(episodes, (int, np.integer)) else np.asarray(episodes)
    batched = BatchedEnv(env, next(agent.parameters()).device)
    if batched.read_ahead:  # alike lengths side by side, so that few steps are read in vain
        numbers = numbers[np.argsort(batched.lengths(seed, numbers), kind="stable")]
    tally = _Tally(batched, len(numbers))
    for trajectory, kept in play(agent, env, numbers, seed=seed, gaze=gaze):
        tally.add(trajectory, kept)
        if observer is not None:
            observer(trajectory, kept)
    return tally.result()


class _Tally:
    """Sums over batches of episodes, and means over all."""

    def __init__(self, env: BatchedEnv, episodes: int) -> None:
        self.env, self.episodes = env, episodes
        self.wrong = self.answers = 0
        self.means = dict.fromkeys(("bits", "nats", "return", "length"), 0.0)
        self.by_step = torch.zeros(env.horizon, dtype=torch.float64)
        self.failed: list[Tensor] = []
        self.parts: dict[str, tuple[int, ...]] = env.metadata.get("part_families", {})
        self.wrong_parts = dict.fromkeys(self.parts, 0)
        self.groups: list[Tensor] = []
        self.metrics = dict.fromkeys(env.metadata.get("episode_metrics", ()), 0.0)

    def add(self, trajectory: Trajectory, kept: int) -> None:
        """Count the first `kept` rows in."""
        scored, alive = trajectory.scored[:, :kept], trajectory.alive[:, :kept]
        likelihood = trajectory.log_likelihood[:, :kept]
        for name, value in (
            ("bits", -likelihood[scored].sum() / (math.log(2) * self.episodes)),
            ("nats", -likelihood[alive].sum() / self.episodes),
            ("return", trajectory.reward[:, :kept].double().sum() / self.episodes),
            ("length", trajectory.length[:kept].double().sum() / self.episodes),
        ):
            self.means[name] += float(value)
        for name in self.metrics:
            self.metrics[name] += float(trajectory.info[name][:kept].sum())
        if trajectory.hits is None:
            return
        wrong = ~trajectory.hits[:, :kept] & scored[..., None]
        self.wrong += int(wrong.sum())
        self.answers += int(scored.sum()) * wrong.shape[-1]
        silent = ~scored.any(0)
        self.failed.append((wrong.any(-1).any(0) | silent).cpu())
        for name, parts in self.parts.items():
            self.wrong_parts[name] += int((wrong[..., list(parts)].any(-1).any(0) | silent).sum())
        if trajectory.steps is None:
            missed = (~trajectory.hits[:, :kept]).double().mean(-1)
            moments = torch.arange(self.env.horizon, device=missed.device)[:, None].minimum(trajectory.last()[:kept])
            self.by_step += missed.gather(0, moments).sum(1).cpu()
        key = self.env.metadata.get("group_key", "")
        if key:
            self.groups.append(trajectory.info[key][:kept].cpu())

    def result(self) -> EvalResult:
        """Means over all episodes."""
        known, episodes = bool(self.failed), self.episodes
        failed = torch.cat(self.failed).double() if known else torch.zeros(0).double()
        group = torch.cat(self.groups) if self.groups else torch.zeros(0, dtype=torch.int64)
        acts = known and not self.env.read_ahead
        return EvalResult(
            (100 * self.wrong / self.answers if self.answers else 100.0) if known else None,
            self.means["bits"],
            100 * float(failed.mean()) if known else None,
            [round(100 * count / episodes, 4) for count in self.by_step.tolist()] if acts else [],
            {name: 100 * count / episodes for name, count in self.wrong_parts.items()},
            {int(number): 100 * float(failed[group == number].mean()) for number in group.unique()},
            self.means["return"],
            self.means["length"],
            self.means["nats"],
            {name: total / episodes for name, total in self.metrics.items()},
            episodes,
        )
