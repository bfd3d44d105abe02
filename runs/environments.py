"""The vector environments that training and evaluation play in."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import torch

from runs.recipes import Recipe


def make_env(recipe: Recipe, split: str, batch: int, device: str | torch.device, **overrides: Any) -> Any:
    """The recipe's environment with tensors on `device`, `batch` episodes side by side.

    Training draws its images at random; the other splits show each image once, in order.
    """
    kwargs: dict[str, Any] = {**recipe.env.kwargs(), "split": split, **overrides}
    if split != "train":
        kwargs.setdefault("order", "sequential")
    name = recipe.env.id if "/" in recipe.env.id else f"glimpse_env:Glimpse/{recipe.env.id}"
    return gym.make_vec(
        name, num_envs=batch, backend="torch", device=str(device), autoreset_mode="Disabled", **kwargs
    )


def pick_device(name: str) -> torch.device:
    """The device called `name`; "auto" is the GPU where there is one.

    Raises:
        ValueError: for CUDA where there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"--device {name}: this machine has no CUDA device; use --device cpu or auto")
    return device
