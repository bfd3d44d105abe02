"""`Glimpse/<Name>-Discrete-v0` and `-Box-v0`: every task with flat observations and actions, by its id alone."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

import glimpse_env
from glimpse_env.tasks import TASKS
from glimpse_env.tasks.copy import Copy

FLAT = {"Discrete": spaces.Discrete, "Box": spaces.Box}


def id_of(task: tuple[str, dict[str, Any]], face: str) -> str:
    """The flat id of a task."""
    return task[0].replace("-v0", f"-{face}-v0")


@pytest.mark.parametrize("face", FLAT)
def test_every_task_has_flat_spaces(every_task: tuple[str, dict[str, Any]], face: str) -> None:
    env = gym.make(id_of(every_task, face), **every_task[1])
    assert type(env.action_space) is FLAT[face]
    assert isinstance(env.observation_space, spaces.Box)
    assert (env.observation_space.dtype, len(env.observation_space.shape)) == (np.float32, 1)
    envs = gym.make_vec(id_of(every_task, face), 2, **every_task[1])
    assert isinstance(envs.unwrapped, glimpse_env.GlimpseVectorEnv)
    assert envs.single_observation_space == env.observation_space
    assert envs.single_action_space == env.action_space


@pytest.mark.parametrize("face", FLAT)
def test_gymnasium_has_no_complaint(task: tuple[str, dict[str, Any]], face: str) -> None:
    env = gym.make(id_of(task, face), **task[1])
    env.action_space.seed(0)
    env.reset(seed=0)
    ended = False
    while not ended:
        *_, ended, _, info = env.step(env.action_space.sample())
    assert info["is_success"] in (True, False)
    check_env(gym.make(id_of(task, face), disable_env_checker=True, **task[1]).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("face", FLAT)
def test_a_vector_does_as_single_environments_do(task: tuple[str, dict[str, Any]], face: str) -> None:
    native = gym.make_vec(id_of(task, face), 3, **task[1])
    sync = SyncVectorEnv([lambda: gym.make(id_of(task, face), **task[1])] * 3)
    assert native.action_space == sync.action_space
    native.action_space.seed(1)
    np.testing.assert_array_equal(native.reset(seed=5)[0], sync.reset(seed=5)[0], strict=True)
    for _ in range(20):
        action = native.action_space.sample()
        for one, two in zip(native.step(action)[:4], sync.step(action)[:4], strict=True):
            np.testing.assert_array_equal(one, two)


def test_it_is_made_anew_from_its_spec() -> None:
    env = gym.make("glimpse_env:Glimpse/Copy-Discrete-v0", bits=3)
    assert env.action_space == spaces.Discrete(8)
    assert env.spec is not None
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert str(again) == str(env)
    assert again.action_space == env.action_space
    np.testing.assert_array_equal(again.reset(seed=0)[0], env.reset(seed=0)[0])


def test_the_grid_is_an_argument(noise_digits: None) -> None:
    id = "glimpse_env:Glimpse/MNIST-Discrete-v0"
    assert gym.make(id).action_space == spaces.Discrete(9 * 9 * 10)
    assert gym.make(id, grid=(3, 2)).action_space == spaces.Discrete(60)
    assert gym.make_vec(id, 2, grid=3).single_action_space == spaces.Discrete(90)


def test_workers_need_nothing_but_the_name() -> None:
    env = AsyncVectorEnv([lambda: gym.make("glimpse_env:Glimpse/Copy-Discrete-v0")] * 2)
    env.reset(seed=0)
    assert env.step(env.action_space.sample())[0].shape == (2, 9)
    env.close()


def test_a_task_of_ones_own_has_them_too() -> None:
    glimpse_env.register_task("Mine-v3", Copy, bits=2)
    try:
        assert gym.make("Glimpse/Mine-Discrete-v3").action_space == spaces.Discrete(4)
        assert gym.make("Glimpse/Mine-Box-v3").action_space == spaces.Box(-1, 1, (2,))
        assert "Mine-Box-v3" not in TASKS
    finally:
        del TASKS["Mine-v3"]
        for face in ("", "-Discrete", "-Box"):
            del gym.registry[f"Glimpse/Mine{face}-v3"]
