"""Wrappers for libraries that do not take `Dict` actions, `Dict` observations or categories.

| action | single | vector | see |
|---|---|---|---|
| `Discrete` | `DiscreteAction` | `VectorDiscreteAction` | `DiscreteMap` |
| `MultiDiscrete` | `GridAction` | `VectorGridAction` | `GridMap` |
| `Box` | `FlatAction` | `VectorFlatAction` | `FlatMap` |

| observation | single | vector | see |
|---|---|---|---|
| `Box` of one dimension | `FlatObservation` | `VectorFlatObservation` | `RowMap` |
| `Dict` without categories | `OneHotObservation` | `VectorOneHotObservation` | `OneHotMap` |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorActionWrapper, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from glimpse_env.action_maps import ActionMap, DiscreteMap, FlatMap, Grid, GridMap
from glimpse_env.observation_maps import OneHotMap, RowMap


class _SingleAction(gym.ActionWrapper, RecordConstructorArgs):
    """An environment whose actions go through `map`."""

    def __init__(self, env: gym.Env, map: ActionMap, **arguments: Any) -> None:
        RecordConstructorArgs.__init__(self, **arguments)
        gym.ActionWrapper.__init__(self, env)
        self.map, self.action_space = map, map.space

    def action(self, action: Any) -> dict[str, np.ndarray]:
        """The action for the environment."""
        return self.map.to_dict(action)


class _VectorAction(VectorActionWrapper):
    """A vector environment whose actions go through `map`."""

    def __init__(self, env: VectorEnv, map: ActionMap) -> None:
        super().__init__(env)
        self.map, self.single_action_space = map, map.space
        self.action_space = batch_space(map.space, env.num_envs)
        self.autoreset_mode = env.metadata.get("autoreset_mode")  # TorchRL reads it here

    def actions(self, actions: Any) -> dict[str, np.ndarray]:
        """The action for the environment."""
        return self.map.to_dict(actions)


class GridAction(_SingleAction):
    """`MultiDiscrete` actions: see `GridMap`."""

    def __init__(self, env: gym.Env, grid: Grid = 9) -> None:
        super().__init__(env, GridMap(env.action_space, grid), grid=grid)


class DiscreteAction(_SingleAction):
    """`Discrete` actions: see `DiscreteMap`."""

    def __init__(self, env: gym.Env, grid: Grid = 9) -> None:
        super().__init__(env, DiscreteMap(env.action_space, grid), grid=grid)


class FlatAction(_SingleAction):
    """`Box` actions: see `FlatMap`."""

    def __init__(self, env: gym.Env) -> None:
        super().__init__(env, FlatMap(env.action_space))


class VectorGridAction(_VectorAction):
    """`MultiDiscrete` actions for a vector environment: see `GridMap`."""

    def __init__(self, env: VectorEnv, grid: Grid = 9) -> None:
        super().__init__(env, GridMap(env.single_action_space, grid))


class VectorDiscreteAction(_VectorAction):
    """`Discrete` actions for a vector environment: see `DiscreteMap`."""

    def __init__(self, env: VectorEnv, grid: Grid = 9) -> None:
        super().__init__(env, DiscreteMap(env.single_action_space, grid))


class VectorFlatAction(_VectorAction):
    """`Box` actions for a vector environment: see `FlatMap`."""

    def __init__(self, env: VectorEnv) -> None:
        super().__init__(env, FlatMap(env.single_action_space))


class _SingleObservation(gym.ObservationWrapper, RecordConstructorArgs):
    """An environment whose observations go through `seen`."""

    def __init__(self, env: gym.Env, seen: OneHotMap | RowMap) -> None:
        RecordConstructorArgs.__init__(self)
        gym.ObservationWrapper.__init__(self, env)
        self.seen, self.observation_space = seen, seen.space

    def observation(self, observation: Any) -> Any:
        """The observation of the environment, as this space has it."""
        return self.seen(observation)


class _VectorObservation(VectorWrapper):
    """A vector environment whose observations go through `seen`, the last ones of "SameStep" mode too.

    Gymnasium's `VectorObservationWrapper` leaves those out, and refuses that mode.
    """

    def __init__(self, env: VectorEnv, seen: OneHotMap | RowMap) -> None:
        super().__init__(env)
        self.seen: Callable[[Any], Any] = seen
        self.single_observation_space: spaces.Space = seen.space
        self.observation_space = batch_space(seen.space, env.num_envs)
        self.autoreset_mode = env.metadata.get("autoreset_mode")  # TorchRL reads it here

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """As the environment's."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return self.seen(observations), infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """As the environment's."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        if "final_obs" in infos:
            for row in np.flatnonzero(infos["_final_obs"]):
                infos["final_obs"][row] = self.seen(infos["final_obs"][row])
        return self.seen(observations), rewards, terminated, truncated, infos


class OneHotObservation(_SingleObservation):
    """Categories as columns of 0 and 1: see `OneHotMap`."""

    def __init__(self, env: gym.Env) -> None:
        super().__init__(env, OneHotMap(env.observation_space))


class FlatObservation(_SingleObservation):
    """`Box` observations: see `RowMap`."""

    def __init__(self, env: gym.Env) -> None:
        super().__init__(env, RowMap(env.observation_space))


class VectorOneHotObservation(_VectorObservation):
    """Categories as columns of 0 and 1 for a vector environment: see `OneHotMap`."""

    def __init__(self, env: VectorEnv) -> None:
        super().__init__(env, OneHotMap(env.single_observation_space))


class VectorFlatObservation(_VectorObservation):
    """`Box` observations for a vector environment: see `RowMap`."""

    def __init__(self, env: VectorEnv) -> None:
        super().__init__(env, RowMap(env.single_observation_space))
