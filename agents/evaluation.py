"""The error of an agent, glimpse by glimpse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.agent import AttentionAgent
from agents.loading import Agent
from agents.reading import bits_per_sequence, read
from agents.rollout import Rollout, play

Places = Callable[[np.ndarray], Tensor]
"""Episode numbers (N,) to the places (T - 1, N, D) to look at in them, in place of the policy's choice."""


class Evaluation(NamedTuple):
    """Errors in percent.

    Attributes:
        error: of the answer after the last glimpse.
        error_by_glimpse: of the answer after each glimpse.
        episodes: how many were played.
        support_hit_rate: share, in percent, of the lines an answer rests on that were looked at; None without a story.
    """

    error: float
    error_by_glimpse: list[float]
    episodes: int
    support_hit_rate: float | None = None


@contextmanager
def measuring(agent: Agent, episodes: int) -> Iterator[None]:
    """The agent as it is evaluated: without gradient or dropout; afterwards as it was.

    Raises:
        ValueError: for fewer than one episode.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    training = agent.training
    agent.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        agent.train(training)


def evaluate(
    agent: Agent,
    env: Any,
    episodes: int,
    *,
    places: Places | None = None,
    seed: int = 0,
    witness: Callable[[Rollout], None] | None = None,
) -> Evaluation:
    """Play episodes 0 … episodes - 1 of `seed`, each once, and count the wrong answers.

    Args:
        agent: looks at the mean of its policy: one gaze path an episode, no averaging.
        env: from `gym.make` or `gym.make_vec`, in any mode and on any backend; on torch it is fastest.
        episodes: how many; any number, whatever the width of the vector.
        places: where to look instead, for a control such as random gaze.
        seed: of the environment.
        witness: is shown every rollout, one after the other; the last may hold more episodes than are counted.

    Raises:
        ValueError: for fewer than one episode.
    """
    width, steps = getattr(env, "num_envs", 1), env.metadata["horizon"]
    wrong = torch.zeros(steps, device=next(agent.parameters()).device, dtype=torch.int64)
    hits = 0.0
    with measuring(agent, episodes):
        for first in range(0, episodes, width):
            numbers = np.arange(first, first + width)
            rollout = play(agent, env, numbers, seed=seed, places=places(numbers) if places else None)
            if witness is not None:
                witness(rollout)
            counted = torch.from_numpy(numbers < episodes).to(wrong.device)
            wrong += ((rollout.answer.argmax(-1) != rollout.target) & counted).sum(1)
            if rollout.support_hit is not None:
                hits += float((rollout.support_hit * counted).sum())
    by_glimpse = [round(100 * count / episodes, 4) for count in wrong.tolist()]
    rate = None if rollout.support_hit is None else 100 * hits / episodes
    return Evaluation(by_glimpse[-1], by_glimpse, episodes, rate)


class Score(NamedTuple):
    """How well episodes were read.

    Attributes:
        error: percent of wrong answers, or of wrong bits.
        bits: per sequence.
        wrong_episodes: percent of the episodes with any wrong answer.
        error_by_task: percent by the number that `info["task"]` gives, where it does.
        episodes: how many were read.
    """

    error: float
    bits: float
    wrong_episodes: float
    error_by_task: dict[int, float]
    episodes: int


def evaluate_reading(agent: AttentionAgent, env: Any, numbers: np.ndarray, *, seed: int = 0) -> Score:
    """Read episodes of `seed`, each once, and count the wrong answers.

    Args:
        agent: of an environment without a gaze.
        env: as `agents.read` takes it; its width divides the number of episodes, or some are read for nothing.
        numbers: (N,) of the episodes.
        seed: of the environment.

    Raises:
        ValueError: for fewer than one episode.
    """
    width, episodes = getattr(env, "num_envs", 1), len(numbers)
    answers = wrong = 0
    bits, failed, tasks = 0.0, [], []
    with measuring(agent, episodes):
        order = by_length(env, numbers, seed)
        for first in range(0, episodes, width):
            count = min(width, episodes - first)
            reading = read(agent, env, order[np.arange(first, first + width) % episodes], seed=seed)
            kept = reading.row < count
            right, row = reading.right()[kept], reading.row[kept]
            answers, wrong = answers + right.numel(), wrong + int((~right).sum())
            bits += float(bits_per_sequence(reading._replace(log_likelihood=reading.log_likelihood[kept]), episodes))
            bad = torch.zeros(count, dtype=torch.bool, device=row.device)
            bad[row[~right.reshape(len(row), -1).all(1)]] = True
            failed.append(bad.cpu())
            if "task" in reading.info:
                tasks.append(reading.info["task"].cpu()[:count])
    failures = torch.cat(failed)
    number = torch.cat(tasks) if tasks else torch.zeros(0, dtype=torch.int64)
    by_task = {int(task): 100 * float(failures[number == task].double().mean()) for task in number.unique()}
    wrong_episodes = 100 * float(failures.double().mean())
    return Score(100 * wrong / answers, bits, wrong_episodes, by_task, episodes)


def by_length(env: Any, numbers: np.ndarray, seed: int) -> np.ndarray:
    """These episode numbers (N,), the short ones first where the task tells, so that few steps are read in vain."""
    task = getattr(env.unwrapped, "task", None)
    if task is None:
        return numbers
    steps = task.lengths(task.backend.asarray(np.full(len(numbers), seed)), task.backend.asarray(numbers))
    return numbers[np.argsort(task.backend.to_numpy(steps), kind="stable")]
