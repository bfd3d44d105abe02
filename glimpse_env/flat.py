"""Any task with flat observations and actions, by its id alone: for scripts that only call `gym.make(id)`.

Of `Glimpse/<Name>-v0`, `Glimpse/<Name>-Discrete-v0` has `Discrete` actions and `Glimpse/<Name>-Box-v0` has `Box` ones;
the observation of both is one row of float32. `register_task` registers them with every task.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv

from glimpse_env.action_maps import Grid
from glimpse_env.env import GlimpseEnv
from glimpse_env.vector_env import GlimpseVectorEnv
from glimpse_env.wrappers import (
    DiscreteAction,
    FlatAction,
    FlatObservation,
    VectorDiscreteAction,
    VectorFlatAction,
    VectorFlatObservation,
)


def discrete_env(*, grid: Grid = 9, **kwargs: Any) -> gym.Env:
    """`GlimpseEnv` with a row as observation, and a number as action: see `RowMap`, `DiscreteMap`."""
    return DiscreteAction(FlatObservation(GlimpseEnv(**kwargs)), grid)


def discrete_vector_env(*, grid: Grid = 9, **kwargs: Any) -> VectorEnv:
    """`GlimpseVectorEnv` with rows as observations, and numbers as actions: see `RowMap`, `DiscreteMap`."""
    return VectorDiscreteAction(VectorFlatObservation(GlimpseVectorEnv(**kwargs)), grid)


def box_env(**kwargs: Any) -> gym.Env:
    """`GlimpseEnv` with a row as observation, and a row as action: see `RowMap`, `FlatMap`."""
    return FlatAction(FlatObservation(GlimpseEnv(**kwargs)))


def box_vector_env(**kwargs: Any) -> VectorEnv:
    """`GlimpseVectorEnv` with rows as observations, and rows as actions: see `RowMap`, `FlatMap`."""
    return VectorFlatAction(VectorFlatObservation(GlimpseVectorEnv(**kwargs)))
