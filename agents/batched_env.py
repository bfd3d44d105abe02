"""Any environment as a batch of tensors on one device: single or vector, NumPy or torch."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker
from torch import Tensor

from agents.external_env import generator_seed
from agents.spec import spec_of

BUCKET = 16
"""Steps to which the length of a batch is rounded up on a device, so that few shapes occur."""


class Step(NamedTuple):
    """What a step leads to; N rows.

    Attributes:
        observation: (N, …) by part.
        reward: (N,) float32.
        ended: (N,) bool, terminated or truncated.
        info: (N, …).
    """

    observation: dict[str, Tensor]
    reward: Tensor
    ended: Tensor
    info: dict[str, Tensor]


class Whole(NamedTuple):
    """N whole episodes that were read ahead. Time comes first; T is the length of the longest, or a little more.

    Attributes:
        observations: (T, N, …) by part; zero after an episode's end.
        target: (T, N, …), the right answer to each observation.
        scored: (T, N) bool, whether it counts.
        worth: (T, N) float32, what each right part of an answer earns.
        length: (N,) int64.
        info: what `reset` gives, (N, …).
    """

    observations: dict[str, Tensor]
    target: Tensor
    scored: Tensor
    worth: Tensor
    length: Tensor
    info: dict[str, Tensor]


class BatchedEnv:
    """The environment as `agents.collect` meets it: whole episodes side by side, tensors in, tensors out.

    Args:
        env: from `gym.make` or `gym.make_vec`, with the number of its steps in `metadata["horizon"]`; other people's in
            `agents.ExternalEnv`.
        device: of the agent.

    Attributes:
        read_ahead: whether `whole` gives its episodes at once: observations do not depend on actions, and an action is
            an answer alone.
        numbered: whether its episodes are functions of (seed, episode number), as those of environments that know
            their `lengths`; each row of any other is seeded by both.

    Raises:
        ValueError: for an environment without a horizon, one that hides how its episodes end, or a torch environment on
            another device.
    """

    def __init__(self, env: Any, device: torch.device) -> None:
        if "horizon" not in env.metadata:
            raise ValueError(
                "the environment must give its number of steps in metadata['horizon']: Glimpse's do; wrap others in "
                "agents.ExternalEnv"
            )
        self.env, self.device = env, device
        self.metadata = env.metadata
        self.horizon: int = env.metadata["horizon"]
        self.single = isinstance(env, gym.Env)
        self.num_envs: int = 1 if self.single else env.num_envs
        place: Any = getattr(getattr(env.unwrapped, "backend", None), "device", None)
        self.numbered = hasattr(env.unwrapped, "lengths")
        self.native = place is not None  # tensors, not NumPy arrays
        if self.native and place.type != device.type:
            raise ValueError(f"the environment is on {place} and the agent on {device}: make both on one device")
        answers = tuple(spec_of(env).action) == ("answer",)
        self.read_ahead = answers and not env.metadata.get("interactive", True) and _is_bare(env)
        if not self.read_ahead and env.metadata.get("autoreset_mode") == AutoresetMode.SAME_STEP:
            raise ValueError('an environment that resets within a step hides how its episodes end: use "NextStep"')

    def reset(self, seed: int, episodes: np.ndarray) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The first observations and infos of these episode numbers (N,), all of one seed."""
        seeds = [seed if self.numbered else generator_seed(seed, int(episode)) for episode in episodes]
        if self.single:
            observation, info = self.env.reset(seed=seeds[0], options={"episode": int(episodes[0])})
        else:
            observation, info = self.env.reset(seed=seeds, options={"episode": episodes} if self.numbered else None)
        return self._tensors(observation), self._tensors(info)

    def step(self, actions: dict[str, Tensor]) -> Step:
        """One step of every row, of actions (N, …) by part."""
        if self.native:
            observation, reward, terminated, truncated, info = self.env.step(actions)
            return Step(observation, reward, terminated | truncated, info)
        arrays = {key: value.cpu().numpy() for key, value in actions.items()}
        arrays = {key: value[0] for key, value in arrays.items()} if self.single else arrays
        observation, reward, terminated, truncated, info = self.env.step(arrays)
        ended = self._tensor(np.logical_or(terminated, truncated))
        return Step(self._tensors(observation), self._tensor(np.float32(reward)), ended, self._tensors(info))

    def digest(self) -> str:
        """A hash of the data that its episodes show; "" of an environment that has none, or does not tell."""
        return self.env.unwrapped.digest() if hasattr(self.env.unwrapped, "digest") else ""

    def whole(self, seed: int, episodes: np.ndarray) -> Whole:
        """Whole episodes (N,) of a seed; only where `read_ahead`.

        Raises:
            ValueError: where more answers are scored than the environment says.
        """
        longest = int(self.lengths(seed, episodes).max())
        if self.device.type != "cpu":
            longest = min(self.horizon, -(-longest // BUCKET) * BUCKET)
        whole = self.env.unwrapped.whole(seed, episodes, longest)
        most = self.metadata["max_answers"]
        if self.device.type == "cpu" and int(whole.scored.sum(1).max()) > most:
            raise ValueError(f"more answers of an episode are scored than the {most} that metadata['max_answers'] says")
        columns = (whole.target, whole.scored, whole.worth)
        target, scored, worth = (self._batch(value).transpose(0, 1) for value in columns)
        observations = {name: self._batch(value).transpose(0, 1) for name, value in whole.observations.items()}
        info = {name: self._batch(value) for name, value in whole.info.items()}
        return Whole(observations, target, scored, worth, self._batch(whole.length), info)

    def lengths(self, seed: int, episodes: np.ndarray) -> np.ndarray:
        """(N,) int64, steps of these episodes, without playing them; `horizon` where the environment cannot say."""
        lengths = getattr(self.env.unwrapped, "lengths", None)
        return np.full(len(episodes), self.horizon) if lengths is None else lengths(seed, episodes)

    def longest(self, seed: int, episodes: np.ndarray) -> int:
        """Steps of the longest of these episodes (N,), where they differ and are played step by step; else
        `horizon`, without asking the device."""
        known = self.read_ahead or self.metadata.get("even", True)
        return self.horizon if known else int(self.lengths(seed, episodes).max())

    def groups(self, seed: int, episodes: np.ndarray) -> np.ndarray:
        """(N,) int64, the group of each of these episodes, without playing them."""
        return self.env.unwrapped.groups(seed, episodes)

    def scripted_gaze(self, name: str, seed: int, episodes: np.ndarray) -> Tensor:
        """(T, N, D) places of a scripted gaze in these episodes.

        Raises:
            ValueError: for a gaze that the environment does not have.
        """
        if name not in self.metadata.get("gazes", ()):
            known = ", ".join(self.metadata.get("gazes", ())) or "none"
            raise ValueError(f"the environment has no scripted gaze {name!r}; it has {known}")
        return torch.as_tensor(self.env.unwrapped.scripted_gaze(name, seed, episodes), device=self.device)

    def given_actions(self, gaze: str, seed: int, episodes: np.ndarray) -> dict[str, Tensor]:
        """The part of the actions that a gaze gives, as `collect` takes it; nothing for the gaze "learned".

        Raises:
            ValueError: for a gaze that the environment does not have, or an action without one place or motion.
        """
        if gaze == "learned":
            return {}
        places = self.scripted_gaze(gaze, seed, episodes)
        moving = [name for name, part in spec_of(self.env).action.items() if part.role in ("place", "motion")]
        if len(moving) != 1:
            raise ValueError(f"gaze {gaze!r} is for an action with one place or motion; this one has {len(moving)}")
        return {moving[0]: places}

    def all_over(self, alive: Tensor) -> bool:
        """Whether no row (N,) bool is alive; of a torch environment never, since that would wait for its device."""
        return not self.native and not bool(alive.any())

    def _tensors(self, values: dict[str, Any]) -> dict[str, Tensor]:
        if self.native:
            return values
        kept = {key: value for key, value in values.items() if not isinstance(value, dict)}
        kept = {key: value for key, value in kept.items() if key[0] != "_" or key == "_target"}
        return {key: self._tensor(value) for key, value in kept.items() if np.asarray(value).dtype.kind in "biuf"}

    def _tensor(self, value: Any) -> Tensor:
        tensor = torch.as_tensor(value, device=self.device)
        return tensor[None] if self.single else tensor

    def _batch(self, value: Any) -> Tensor:
        return torch.as_tensor(value, device=self.device)


def _is_bare(env: Any) -> bool:
    """Whether nothing but Gymnasium's own checks lies around an environment: a wrapper may change what is observed."""
    while env is not env.unwrapped:
        if not isinstance(env, (OrderEnforcing, PassiveEnvChecker)):
            return False
        env = env.env
    return hasattr(env, "whole")
