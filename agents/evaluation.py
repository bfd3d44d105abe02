"""The error of an agent, glimpse by glimpse."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from agents.loading import Agent
from agents.rollout import play

Gaze = Literal["learned", "random"]


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
def evaluate(
    agent: Agent,
    env: Any,
    episodes: int,
    *,
    gaze: Gaze = "learned",
    std: float = 0.0,
    seed: int = 0,
) -> Evaluation:
    """Play episodes 0 … episodes - 1 of `seed` and count the wrong answers.

    Args:
        agent: looks at the mean of its policy, unless `std` is positive.
        env: from `gym.make` or `gym.make_vec`, in any mode and on any backend; on torch it is fastest.
        episodes: how many; any number, whatever the width of the vector.
        gaze: "random" looks at uniform places instead.
        std: standard deviation of the locations.
        seed: of the environment, and of the locations drawn.

    Raises:
        ValueError: for fewer than one episode.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    training = agent.training
    agent.eval()
    device = next(agent.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    width, steps = getattr(env, "num_envs", 1), env.metadata["horizon"]
    shape = (steps - 1, width, 2)
    wrong = torch.zeros(steps, device=device, dtype=torch.int64)
    for first in range(0, episodes, width):
        numbers = np.arange(first, first + width)
        places = noise = None
        if gaze == "random":
            places = torch.rand(shape, generator=generator, device=device) * 2 - 1
        elif std:
            noise = torch.randn(shape, generator=generator, device=device)
        rollout = play(agent, env, numbers, seed=seed, std=std, noise=noise, places=places)
        counted = torch.from_numpy(numbers < episodes).to(device)
        wrong += ((rollout.answer.argmax(-1) != rollout.target) & counted).sum(1)
    agent.train(training)
    by_glimpse = [round(100 * count / episodes, 4) for count in wrong.tolist()]
    return Evaluation(by_glimpse[-1], by_glimpse, episodes)
