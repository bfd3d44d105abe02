"""Any glimpse environment as a batch of tensors on one device: single or vector, NumPy or torch."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor


class Story(NamedTuple):
    """N whole episodes that took no heed of the answers. Time comes first; T is the length of the longest.

    Attributes:
        observations: (T, N, …) each; zero after an episode's end.
        target: (T, N, …), the right answer to each observation.
        scored: (T, N) bool, whether it counts.
        info: what `reset` told, (N, …).
    """

    observations: dict[str, Tensor]
    target: Tensor
    scored: Tensor
    info: dict[str, Tensor]


class Lockstep:
    """The environment as the agent's rollouts see it: whole episodes side by side, tensors in, tensors out.

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

    def reset(self, seed: int | None, episodes: np.ndarray) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The first observations and infos of these episode numbers (N,), all of one seed."""
        if self.single:
            observation, info = self.env.reset(seed=seed, options={"episode": int(episodes[0])})
        else:
            seeds = None if seed is None else [seed] * self.num_envs
            observation, info = self.env.reset(seed=seeds, options={"episode": episodes})
        return self._tensors(observation), self._tensors(info)

    def step(self, action: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The next observations, and infos; `action` has the batch first."""
        observation, _, info = self._step(action)
        return observation, info

    def record(self, seed: int | None, episodes: np.ndarray) -> Story:
        """Whole episodes, with answers that say nothing: for tasks whose observations do not depend on them."""
        mode = self.env.metadata.get("autoreset_mode")
        if not self.single and mode != AutoresetMode.NEXT_STEP:
            raise ValueError(f'episodes of several lengths are read with autoreset_mode="NextStep", got {mode}')
        observation, info = self.reset(seed, episodes)
        space = self.env.action_space if self.single else self.env.single_action_space
        shape = (self.num_envs, *(space["answer"].shape or ()))
        action = {"answer": torch.zeros(shape, dtype=torch.int64, device=self.device)}
        alive = torch.ones(self.num_envs, dtype=torch.bool, device=self.device)
        seen, targets, scored = [], [], []
        for _ in range(self.horizon):
            seen.append({key: value * _like(alive, value) for key, value in observation.items()})
            observation, ended, step_info = self._step(action)
            if "target" in info:  # one for the whole episode, scored at its end
                targets.append(info["target"])
                scored.append(alive & ended)
            else:
                targets.append(step_info["target"])
                scored.append(alive & step_info["scored"])
            alive = alive & ~ended
            if self.device.type == "cpu" and not alive.any():  # elsewhere, to look would be to wait
                break
        observations = {key: torch.stack([step[key] for step in seen]) for key in seen[0]}
        return Story(observations, torch.stack(targets), torch.stack(scored), info)

    def _step(self, action: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor, dict[str, Tensor]]:
        """The next observations, which episodes ended (N,) bool, and infos."""
        if self.native:
            observation, _, terminated, truncated, info = self.env.step(action)
            return observation, terminated | truncated, info
        arrays = {key: value.cpu().numpy() for key, value in action.items()}
        arrays = {key: value[0] for key, value in arrays.items()} if self.single else arrays
        observation, _, terminated, truncated, info = self.env.step(arrays)
        return self._tensors(observation), self._tensor(terminated | truncated), self._tensors(info)

    def _tensors(self, values: dict[str, Any]) -> dict[str, Tensor]:
        if self.native:
            return values
        kept = {key: value for key, value in values.items() if not isinstance(value, dict) and key[0] != "_"}
        return {key: self._tensor(value) for key, value in kept.items() if np.asarray(value).dtype != object}

    def _tensor(self, value: Any) -> Tensor:
        if self.native:
            return value
        tensor = torch.as_tensor(value, device=self.device)
        return tensor[None] if self.single else tensor


def _like(rows: Tensor, value: Tensor) -> Tensor:
    """(N,) bool in the type and number of dimensions of `value` (N, …)."""
    return rows.reshape(-1, *[1] * (value.dim() - 1)).to(value.dtype)
