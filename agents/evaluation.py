"""The error of an agent, glimpse by glimpse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.loading import Agent
from agents.rollout import play

Places = Callable[[np.ndarray], Tensor]
"""Episode numbers (N,) to the places (T - 1, N, 2) to look at in them, in place of the policy's choice."""


class Evaluation(NamedTuple):
    """Errors in percent.

    Attributes:
        error: of the answer after the last glimpse.
        error_by_glimpse: of the answer after each glimpse.
        episodes: how many were played.
    """

    error: float
    error_by_glimpse: list[float]
    episodes: int


@torch.no_grad()
def evaluate(agent: Agent, env: Any, episodes: int, *, places: Places | None = None, seed: int = 0) -> Evaluation:
    """Play episodes 0 … episodes - 1 of `seed`, each once, and count the wrong answers.

    Args:
        agent: looks at the mean of its policy: one gaze path an episode, no averaging.
        env: from `gym.make` or `gym.make_vec`, in any mode and on any backend; on torch it is fastest.
        episodes: how many; any number, whatever the width of the vector.
        places: where to look instead, for a control such as random gaze.
        seed: of the environment.

    Raises:
        ValueError: for fewer than one episode.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    training = agent.training
    agent.eval()
    width, steps = getattr(env, "num_envs", 1), env.metadata["horizon"]
    wrong = torch.zeros(steps, device=next(agent.parameters()).device, dtype=torch.int64)
    for first in range(0, episodes, width):
        numbers = np.arange(first, first + width)
        rollout = play(agent, env, numbers, seed=seed, places=places(numbers) if places else None)
        counted = torch.from_numpy(numbers < episodes).to(wrong.device)
        wrong += ((rollout.answer.argmax(-1) != rollout.target) & counted).sum(1)
    agent.train(training)
    by_glimpse = [round(100 * count / episodes, 4) for count in wrong.tolist()]
    return Evaluation(by_glimpse[-1], by_glimpse, episodes)
