"""Traces: what an agent saw in an episode, where, and what it believed, as plain arrays to draw or to keep."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from agents import play
from agents.loading import Agent
from glimpse_env.retina import Retina, glimpse, summed_area_table
from runs.places import random_places
from runs.recipe import Gaze


class Trace(NamedTuple):
    """One episode of T glimpses.

    Attributes:
        episode: its number.
        canvas: (H, W, C) uint8, C is 1 or 3: the whole image, which the agent never saw.
        glimpses: (T, scales, C, height, width) float32 in [0, 1]: what it saw, finest first.
        path: (T, 2) float32 in [-1, 1]: where, x right, y down.
        beliefs: (T, K) float32: the probability it gave each class after each glimpse.
        target: the true class.
        names: of the K classes.
        retina: patch size and scales.
    """

    episode: int
    canvas: np.ndarray
    glimpses: np.ndarray
    path: np.ndarray
    beliefs: np.ndarray
    target: int
    names: tuple[str, ...]
    retina: Retina

    @property
    def correct(self) -> bool:
        """Whether the last answer is right."""
        return int(self.beliefs[-1].argmax()) == self.target


@torch.no_grad()
def record_episodes(
    agent: Agent, env: Any, episodes: np.ndarray, *, gaze: Gaze = "learned", seed: int = 0
) -> list[Trace]:
    """Play episodes and keep what there was to see.

    Args:
        agent: looks at the mean of its policy.
        env: a vector environment on torch in "Disabled" mode with one row for each episode (`runs.environments`).
        episodes: (N,) episode numbers.
        gaze: "random" looks at uniform places instead.
        seed: of the environment, and of the random places; 0 is that of `agents.evaluate`.

    Raises:
        ValueError: where the number of episodes is not that of the environment's rows, or an answer is not finite.
    """
    episodes = np.asarray(episodes, dtype=np.int64)
    if episodes.shape != (env.num_envs,):
        raise ValueError(f"episodes must be ({env.num_envs},), one for each row of env, got {episodes.shape}")
    training, device = agent.training, next(agent.parameters()).device
    agent.eval()
    steps = env.metadata["horizon"] - 1
    places = random_places(seed, episodes, steps, device) if gaze == "random" and steps else None
    rollout = play(agent, env, episodes, seed=seed, places=places)
    agent.train(training)
    if not bool(rollout.answer.isfinite().all()):
        raise ValueError("the agent's answers are not finite numbers: its training has diverged, train it anew")
    task = env.unwrapped.task
    canvases = env.unwrapped.canvases()
    paths = rollout.location.transpose(0, 1).cpu().numpy()
    beliefs = rollout.answer.float().softmax(-1).transpose(0, 1).cpu().numpy()
    traces = []
    for row, canvas in enumerate(canvases):
        table = np.repeat(summed_area_table(canvas.transpose(2, 0, 1)[None]), len(paths[row]), axis=0)
        seen = glimpse(table, paths[row], task.retina)
        traces.append(
            Trace(
                int(episodes[row]), canvas, seen, paths[row], beliefs[row],
                int(rollout.target[row]), tuple(task.names), task.retina,
            )
        )  # fmt: skip
    return traces
