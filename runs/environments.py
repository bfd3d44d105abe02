"""The vector environments that training and evaluation play in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from agents import CNNConfig
from agents.loading import Agent
from glimpse_env.tasks import TASKS, Classify
from glimpse_env.tasks.babi import BabiTask
from glimpse_env.tasks.sequence import SequenceTask
from runs.distributed import local_rank, world_size
from runs.foreign import make_foreign
from runs.recipe import Recipe

VARIETY = ("overhang", "rename")
"""Arguments that make training more various: never in validation or test."""


def make_env(recipe: Recipe, split: str, batch: int, device: str | torch.device, **overrides: Any) -> Any:
    """The recipe's environment with tensors on `device`, `batch` episodes side by side.

    Training draws its images and stories at random; the other splits show each once, in order. Tasks that make their
    episodes up have no splits: there the seed tells training from test.
    """
    if recipe.env.foreign():
        return make_foreign(recipe, batch)
    kwargs = split_kwargs(recipe.env.id, split, {**recipe.env.kwargs(), **overrides})
    env = make_vec(recipe.env.id, batch, device, **kwargs)
    check_whole(recipe, env)
    return env


def split_kwargs(name: str, split: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a split of the task `name`: variety in training alone, and elsewhere each episode in order."""
    if not issubclass(TASKS[name].task, SequenceTask):
        kwargs = {"order": "random" if split == "train" else "sequential", **kwargs, "split": split}
    return kwargs if split == "train" else {key: value for key, value in kwargs.items() if key not in VARIETY}


def episodes_in(env: Any) -> int:
    """How many episodes show all there is to show, each once; 1,000 where the task makes them up."""
    task = getattr(env.unwrapped, "task", None)
    return len(task.labels) if isinstance(task, Classify) else len(task.rows) if isinstance(task, BabiTask) else 1000


def sample_episodes(episodes: int, total: int, *, more: bool = False) -> np.ndarray:
    """Episode numbers: all of `total` where that is no more than `episodes`, else as many drawn from all of them.

    With `more`, there are episodes beyond `total`, so that none need be left out.

    Raises:
        ValueError: for fewer than one.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    if episodes >= total:
        return np.arange(episodes if more else total)
    return np.sort(np.random.default_rng(0).choice(total, episodes, replace=False))


def make_canvas_env(recipe: Recipe, agent: Agent, images: str | Path, batch: int, device: str | torch.device) -> Any:
    """An environment that shows the user's own canvases, each once, to an agent trained elsewhere.

    Raises:
        ValueError: where the canvases do not have the channels or classes that the agent knows.
    """
    scales, channels, *patch = agent.form.shape
    env = make_vec(
        "Classify-v0",
        batch,
        device,
        images=str(images),
        split="all",
        order="sequential",
        classes=agent.form.answers,
        patch=tuple(patch),
        scales=scales,
        num_glimpses=recipe.env.glimpses(),
        start=recipe.env.start or "centre",
    )
    found = env.single_observation_space["glimpse"].shape[1]
    if found != channels:
        raise ValueError(f"{images} has {found} channels and the agent was trained on {channels}")
    check_whole(recipe, env)
    return env


def check_whole(recipe: Recipe, env: Any) -> None:
    """Refuse to show a whole-image network less, or more, than the whole image."""
    if not isinstance(recipe.agent, CNNConfig):
        return
    canvas, patch = env.unwrapped.task.scene.size, env.single_observation_space["glimpse"].shape[2:]
    if canvas != patch or canvas[0] % 2 or canvas[1] % 2:
        raise ValueError(
            f"a whole-image network sees {patch[0]}×{patch[1]} pixels and the canvas has {canvas[0]}×{canvas[1]}: "
            "set --patch to the size of the canvas, an even number"
        )


def make_vec(name: str, batch: int, device: str | torch.device, **kwargs: Any) -> Any:
    """`gym.make_vec` on torch, for whole episodes: those of one length side by side, others each to its own end."""
    lockstep = "num_glimpses" in TASKS[name].kwargs
    return gym.make_vec(
        f"glimpse_env:Glimpse/{name}",
        num_envs=batch,
        backend="torch",
        device=str(device),
        autoreset_mode="Disabled" if lockstep else "NextStep",
        **kwargs,
    )


def pick_device(name: str) -> torch.device:
    """The device called `name`; "auto" is the GPU where there is one; under `torchrun` each process has its own.

    Raises:
        ValueError: for an unknown device, or CUDA where there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"--device {name}: unknown; use auto, cpu, cuda or cuda:1") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"--device {name}: this machine has no CUDA device; use --device cpu or auto")
    return torch.device("cuda", local_rank()) if device == torch.device("cuda") and world_size() > 1 else device
