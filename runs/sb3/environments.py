"""The environments of a training with Stable-Baselines3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym
from gymnasium.vector import VectorEnv
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

from agents.nearest import refusing_arguments
from agents.options import parse_options
from glimpse_env.sb3 import GymVecEnv
from glimpse_env.tasks import TASKS
from glimpse_env.wrappers import VectorFlatAction, VectorGridAction
from runs.environments import split_kwargs, task_name

if TYPE_CHECKING:
    from runs.train_sb3 import Options


def make_env(options: Options, split: str, count: int, **overrides: Any) -> VectorEnv:
    """The Glimpse environment with `count` rows on NumPy, whose actions are flat."""
    name = task_name(options.id)
    assert name is not None
    kwargs = split_kwargs(name, split, {**parse_options(options.task_kwargs), **overrides})
    with refusing_arguments(TASKS[name].task):
        env = gym.make_vec(f"glimpse_env:Glimpse/{name}", num_envs=count, **kwargs)
    if options.action == "box":
        return VectorFlatAction(env)
    return VectorGridAction(env, options.grid[0] if len(options.grid) == 1 else options.grid)


def make_training_env(options: Options) -> VecEnv:
    """The environment to train in, as Stable-Baselines3 takes it: Glimpse's natively, others by its own means.

    Raises:
        ValueError: for an unknown id, or arguments that it does not take.
    """
    if task_name(options.id) is not None:
        return VecMonitor(GymVecEnv(make_env(options, "train", options.envs, autoreset_mode="SameStep")))
    try:
        return make_vec_env(options.id, options.envs, env_kwargs=dict(parse_options(options.task_kwargs)))
    except (gym.error.Error, TypeError) as error:
        raise ValueError(f"{options.id}: {error}") from error
