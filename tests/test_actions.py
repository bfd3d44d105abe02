"""Actions: what is refused changes nothing, and what is taken is the environment's own, without a gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode

from glimpse_env.tasks.actions import check_action
from tests.conftest import leaves, plain

FACES = ("single", *(f"{backend} {mode.value}" for backend in ("numpy", "torch") for mode in AutoresetMode))
ROWS = 3


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    """A single environment, or a vector on a backend in a mode."""
    return request.param


def make(task: tuple[str, dict[str, Any]], face: str) -> Any:
    if face == "single":
        return gym.make(task[0], **task[1]).unwrapped
    backend, mode = face.split()
    return gym.make_vec(task[0], num_envs=ROWS, backend=backend, autoreset_mode=mode, **task[1])


def sample(env: Any, seed: int = 0) -> dict[str, Any]:
    """An action, of arrays that are writeable or of tensors."""
    env.action_space.seed(seed)
    convert = torch.as_tensor if env.task.backend.name == "torch" else np.array
    return {key: convert(value) for key, value in env.action_space.sample().items()}


def wrong_values(space: spaces.Space, right: Any) -> Iterator[Any]:
    """What is no such part of an action: of every kind of wrong."""
    array = np.asarray(right)
    yield from (None, "left", object(), [[1], [1, 2]], array[..., None], array.astype(np.complex64))
    yield np.zeros((0, *array.shape[1:]), array.dtype)
    if isinstance(space, spaces.Box):
        yield from (array + np.float32(np.nan), array + np.float32(np.inf), np.full_like(array, 1e300, np.float64))
        yield array.astype(np.int64)
    else:
        whole = array.astype(np.int64)
        yield from (whole - 2**20, whole + 2**20, array.astype(np.float32), np.full(array.shape, 2**70, object))


def test_a_refused_action_changes_nothing(task: tuple[str, dict[str, Any]], face: str) -> None:
    env, other = make(task, face), make(task, face)
    env.reset(seed=4)
    other.reset(seed=4)
    parts = env.task.action_space.spaces
    for step in range(2):
        right = sample(env, step)
        wrong: list[Any] = [None, right["answer"], {}, {**right, "speed": 1}]
        wrong += [{**right, key: value} for key in parts for value in wrong_values(parts[key], right[key])]
        for action in wrong:
            with pytest.raises(ValueError, match="action"):
                env.step(action)
        assert data_equivalence(plain(env.step(right)), plain(other.step(right)), exact=True)
    assert data_equivalence(plain(env.reset()), plain(other.reset()), exact=True)


def test_what_the_caller_does_with_its_arrays_afterwards_changes_nothing(
    task: tuple[str, dict[str, Any]], face: str
) -> None:
    env, other = make(task, face), make(task, face)
    for each in (env, other):
        each.reset(seed=4)
    for step in range(2):
        action, same = sample(env, step), sample(other, step)
        checked = check_action(env.task, action, () if face == "single" else (ROWS,))
        assert data_equivalence(plain(env.step(action)), plain(other.step(same)), exact=True)
        for value in action.values():
            value[...] = 1
        unlike = [key for key in action if not (plain(checked)[key] == plain(same)[key]).all()]
        assert unlike == []
    options = {"episode": np.int64(3) if face == "single" else np.arange(ROWS)}
    env.reset(options=options)
    other.reset(options=options)
    if face != "single":
        options["episode"][:] = 7
    assert data_equivalence(plain(env.reset()), plain(other.reset()), exact=True)


def test_an_action_that_carries_a_gradient_leaves_it_behind(task: tuple[str, dict[str, Any]], face: str) -> None:
    """On NumPy too, to which torch gives no array of such a tensor."""
    env, other = make(task, face), make(task, face)
    for each in (env, other):
        each.reset(seed=4)
    weight = torch.ones((), requires_grad=True)
    for step in range(2):
        action = {key: torch.as_tensor(value) for key, value in sample(env, step).items()}
        bound = {key: value * weight if value.is_floating_point() else value for key, value in action.items()}
        results = env.step(bound)
        assert data_equivalence(plain(results), plain(other.step(action)), exact=True)
        assert not any(tensor.requires_grad for tensor in leaves((results, env._state), torch.Tensor))


@pytest.mark.parametrize("mode", [mode.value for mode in AutoresetMode])
def test_inference_mode_may_come_and_go(task: tuple[str, dict[str, Any]], mode: str) -> None:
    """Torch lets nobody write to a tensor of its inference mode outside of it, nor train on one."""
    env, other = make(task, f"torch {mode}"), make(task, f"torch {mode}")
    other.reset(seed=4)
    with torch.inference_mode():
        env.reset(seed=4)
    for step in range(3):
        action = sample(env, step)
        if mode == "Disabled":
            env.reset(options={"episode": step})
            other.reset(options={"episode": step})
        with torch.inference_mode(step == 1):
            results = env.step(action)
        assert data_equivalence(plain(results), plain(other.step(action)), exact=True)
        assert not any(tensor.is_inference() for tensor in leaves(results, torch.Tensor))


def test_numbers_of_episodes_and_masks_may_be_tensors(task: tuple[str, dict[str, Any]], face: str) -> None:
    env, other = make(task, face), make(task, face)
    if face == "single":
        given: dict[str, Any] = {"episode": torch.tensor(5)}
        same: dict[str, Any] = {"episode": 5}
    else:
        same = {"episode": [4, 5, 6], "reset_mask": [True, False, True]}
        given = {key: torch.tensor(value) for key, value in same.items()}
    for each, options in ((env, given), (other, same)):
        each.reset(seed=1)
        each.first = each.reset(options=options)
    assert data_equivalence(plain(env.first), plain(other.first), exact=True)
