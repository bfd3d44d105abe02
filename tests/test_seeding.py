"""Gymnasium's seeds: an unseeded run can be had again by `np_random_seed`."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

ROWS = 3


def single(task: tuple[str, dict[str, Any]]) -> gym.Env:
    return gym.make(task[0], **task[1])


def vector(task: tuple[str, dict[str, Any]], **kwargs: Any) -> Any:
    return gym.make_vec(task[0], num_envs=ROWS, **task[1], **kwargs)


def shown(env: Any, *, seed: Any = None) -> list[Any]:
    """The first observations of four episodes, and what a step of each shows: the first may say little."""
    env.action_space.seed(0)
    results = []
    for number in range(4):
        results.append(env.reset(**({"seed": seed} if number == 0 and seed is not None else {})))
        results.append(env.step(env.action_space.sample()))
    return results


def test_an_unseeded_run_can_be_had_again(task: tuple[str, dict[str, Any]]) -> None:
    env = single(task)
    first = shown(env)
    seed = env.np_random_seed
    assert seed == env.unwrapped.np_random_seed
    assert type(seed) is int
    assert data_equivalence(shown(single(task), seed=seed), first, exact=True)
    assert data_equivalence(shown(env, seed=seed), first, exact=True)


def test_a_seed_is_known_before_the_first_reset(task: tuple[str, dict[str, Any]]) -> None:
    env, envs = single(task), vector(task)
    seed, seeds = env.np_random_seed, envs.np_random_seed
    assert data_equivalence(shown(env), shown(single(task), seed=seed), exact=True)
    assert data_equivalence(shown(envs), shown(vector(task), seed=list(seeds)), exact=True)


def test_a_seed_that_was_given_is_said() -> None:
    env = gym.make("glimpse_env:Glimpse/Copy-v0")
    env.reset(seed=12)
    env.reset()
    assert env.np_random_seed == 12
    env.reset(seed=2**63 - 1)
    assert env.np_random_seed == 2**63 - 1


def test_a_generator_of_ones_own_draws_the_seeds(task: tuple[str, dict[str, Any]]) -> None:
    for make in (single, vector):
        runs = []
        for begin in (False, True):
            env = make(task)
            if begin:
                env.reset(seed=1)
                env.step(env.action_space.sample())
            env.unwrapped.np_random = np.random.default_rng(3)
            runs.append(shown(env))
            assert data_equivalence(runs[-1], shown(make(task), seed=env.np_random_seed), exact=True)
        assert data_equivalence(runs[0], runs[1], exact=True)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_the_rows_of_a_vector_have_the_seeds_of_gymnasiums_own(task: tuple[str, dict[str, Any]], backend: str) -> None:
    ours = vector(task, backend=backend)
    theirs = vector(task, vectorization_mode="sync")
    for seed in (4, [1, None, 3], None):
        ours.reset(seed=seed)
        theirs.reset(seed=seed)
        assert ours.np_random_seed == theirs.np_random_seed
    mask = np.array([True, False, True])
    ours.reset(seed=9, options={"reset_mask": mask.copy()})
    theirs.reset(seed=9, options={"reset_mask": mask.copy()})
    assert ours.np_random_seed == theirs.np_random_seed == (9, 5, 11)


def test_an_unseeded_vector_can_be_had_again(task: tuple[str, dict[str, Any]]) -> None:
    env = vector(task)
    first = shown(env)
    seeds = env.np_random_seed
    assert len(set(seeds)) == ROWS
    assert data_equivalence(shown(vector(task), seed=seeds), first, exact=True)
    assert data_equivalence(shown(vector(task, vectorization_mode="sync"), seed=list(seeds)), first, exact=True)
