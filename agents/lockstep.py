"""Any glimpse environment as a batch of tensors on one device: single or vector, NumPy or torch."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor


class Lockstep:
    """The environment as `play` sees it: whole episodes side by side, tensors in, tensors out.

    Never steps past the last glimpse, so that the environment's autoreset mode does not matter.

    Args:
        env: from `gym.make` or `gym.make_vec`, with its number of steps in `metadata["horizon"]`.
        device: of the agent.

    Raises:
        ValueError: for an environment without a horizon, or a torch environment on another device.
    """

    def __init__(self, env: Any, device: torch.device) -> None:
        if "horizon" not in env.metadata:
            raise ValueError("the environment must tell its number of steps in metadata['horizon']; Glimpse's do")
        self.env, self.device = env, device
        self.horizon: int = env.metadata["horizon"]
        self.single = isinstance(env, gym.Env)
        self.num_envs: int = 1 if self.single else env.num_envs
        place: Any = getattr(getattr(env.unwrapped, "backend", None), "device", None)
        self.native = place is not None  # tensors, not NumPy arrays
        if self.native and place.type != device.type:
            raise ValueError(f"the environment is on {place} and the agent on {device}: make both on one")

    def reset(self, seed: int | None, episodes: np.ndarray) -> tuple[dict[str, Tensor], Tensor]:
        """The first observations and the targets of these episode numbers (N,), all of one seed."""
        if self.single:
            observation, info = self.env.reset(seed=seed, options={"episode": int(episodes[0])})
        else:
            seeds = None if seed is None else [seed] * self.num_envs
            observation, info = self.env.reset(seed=seeds, options={"episode": episodes})
        return self._tensors(observation), self._tensor(info["target"])

    def step(self, action: dict[str, Tensor]) -> dict[str, Tensor]:
        """The next observations; `action` has the batch first."""
        if self.native:
            return self.env.step(action)[0]
        arrays = {key: value.cpu().numpy() for key, value in action.items()}
        observation = self.env.step({key: value[0] for key, value in arrays.items()} if self.single else arrays)[0]
        return self._tensors(observation)

    def _tensors(self, observation: dict[str, Any]) -> dict[str, Tensor]:
        return observation if self.native else {key: self._tensor(value) for key, value in observation.items()}

    def _tensor(self, value: Any) -> Tensor:
        if self.native:
            return value
        tensor = torch.as_tensor(value, device=self.device)
        return tensor[None] if self.single else tensor
