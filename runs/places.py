"""The random numbers of a training's gaze, as a pure function of (seed, episode), like the scenes.

So the same episode explores alike in one process or in several, and a resumed training needs no generator's state.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents import Places
from agents.lockstep import Lockstep
from glimpse_env.draws import draw_words, uniform
from glimpse_env.tasks.babi_gaze import BabiGaze

BACK = {"last": 1, "scan": 2}
"""Lines from one glimpse of a story to the next, of gazes that choose nothing."""

GAZE_STREAM = 2
"""Streams 0 and 1 belong to the environment."""


def uniform_numbers(seed: int, episodes: np.ndarray, steps: int, device: torch.device, motion: int) -> Tensor:
    """(steps, N, motion) float32 in [0, 1)."""
    numbers = torch.from_numpy(episodes).to(device)
    words = draw_words(torch.full_like(numbers, seed), numbers, motion * steps, GAZE_STREAM)
    return uniform(words).reshape(len(episodes), steps, motion).transpose(0, 1).contiguous()


def gaze_noise(seed: int, episodes: np.ndarray, steps: int, device: torch.device, motion: int = 2) -> Tensor:
    """(steps, N, motion) standard normal numbers (Box & Muller 1958)."""
    numbers = uniform_numbers(seed, episodes, steps, device, motion + motion % 2)
    radius = torch.sqrt(-2 * torch.log1p(-numbers[..., 0::2]))
    angle = 2 * math.pi * numbers[..., 1::2]
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1).flatten(-2)[..., :motion]


def random_places(seed: int, episodes: np.ndarray, steps: int, device: torch.device, motion: int = 2) -> Tensor:
    """(steps, N, motion) locations, uniform over the canvas or the story."""
    return uniform_numbers(seed, episodes, steps, device, motion) * 2 - 1


def fixed_places(gaze: str, seed: int, env: Any, episodes: np.ndarray, device: torch.device) -> Tensor:
    """(steps, N, motion) where a control looks in these episodes: "random" places, or of a story the "last" lines, or
    a "scan" of every second line from the last one on.

    Raises:
        ValueError: for lines where there is no story.
    """
    (motion,) = env.single_action_space["location"].shape
    steps = env.metadata["horizon"] - 1
    if gaze == "random":
        return random_places(seed, episodes, steps, device, motion)
    task = env.unwrapped.task
    if not isinstance(task, BabiGaze):
        raise ValueError(f'gaze "{gaze}" looks at the lines of a story: it needs BabiGaze-v0')
    if task.start != "last":
        raise ValueError(f'gaze "{gaze}" begins at the last line: it needs start="last", got {task.start!r}')
    numbers = torch.from_numpy(episodes).to(device)
    count = task.counts[task.pick(torch.full_like(numbers, seed), numbers)]
    line = (count - 1 - BACK[gaze] * torch.arange(1, steps + 1, device=device)[:, None]).clamp(min=0)
    return task.centre(line, count)[..., None]


def fixed_gaze(gaze: str, seed: int, env: Any, device: torch.device) -> Places:
    """A control's gaze for `agents.evaluate`: the same in the same episode, however many are played at once."""
    return lambda episodes: fixed_places(gaze, seed, env, episodes, device)


def told_lines(env: Any, seed: int, device: torch.device, episodes: int = 8192) -> Tensor:
    """Lines (…, words) int64 that are found by looking at random in `episodes` episodes, before any training.

    The same in every process: each looks at all of them.
    """
    lockstep = Lockstep(env, device)
    found = []
    for first in range(0, episodes, lockstep.num_envs):
        numbers = np.arange(first, first + lockstep.num_envs)
        observation, info = lockstep.reset(seed, numbers)
        found.append(observation["tokens"][: episodes - first])
        answer = torch.zeros_like(info["target"])
        for location in fixed_places("random", seed, env, numbers, device):
            observation, _ = lockstep.step({"location": location, "answer": answer})
            found.append(observation["tokens"][: episodes - first])
    return torch.cat(found)
