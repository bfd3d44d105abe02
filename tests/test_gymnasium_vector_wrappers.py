"""Every vector wrapper of Gymnasium over every kind of spaces, on both backends and in every mode.

Over NumPy it does what it does over `SyncVectorEnv`. Over torch it does the same, or raises: never other numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import wrappers as single_wrappers
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers import vector as wrappers

from tests.conftest import id_and_arguments

MODES = [mode.value for mode in AutoresetMode]
N = 3


class Row(NamedTuple):
    """How a wrapper is put around a vector environment, and where it cannot be.

    Attributes:
        wrap: the wrapped environment; beneath the wrapper is what it needs, where it needs a `Box`.
        modes: the autoreset modes that the wrapper takes; it refuses the others when it is made.
        torch: whether it works on tensors. Those that do not raise at their first step.
    """

    wrap: Callable[[Any], VectorEnv]
    modes: tuple[str, ...] = ("NextStep", "Disabled")
    torch: bool = True


def flat(env: Any) -> VectorEnv:
    return wrappers.FlattenObservation(env)


def same_action(env: Any) -> VectorEnv:
    return wrappers.VectorizeTransformAction(
        env, single_wrappers.TransformAction, func=lambda action: action, action_space=env.single_action_space
    )


def halve(env: Any) -> VectorEnv:
    return wrappers.VectorizeTransformReward(env, single_wrappers.TransformReward, func=lambda reward: reward / 2)


ALL = tuple(MODES)

ROWS: dict[str, Row] = {
    # Observations: none of them takes "SameStep", in which they would leave `final_obs` as it is.
    "TransformObservation": Row(lambda env: wrappers.TransformObservation(env, dict)),
    "VectorizeTransformObservation": Row(
        lambda env: wrappers.VectorizeTransformObservation(env, single_wrappers.FlattenObservation)
    ),
    "FlattenObservation": Row(flat),
    "FilterObservation": Row(
        lambda env: wrappers.FilterObservation(env, list(env.single_observation_space)[:1]), torch=False
    ),  # raises where it drops no part, because it would write to the tensors by NumPy
    "ReshapeObservation": Row(
        lambda env: wrappers.ReshapeObservation(flat(env), (1, *(flat(env).single_observation_space.shape or ())))
    ),
    "NormalizeObservation": Row(lambda env: wrappers.NormalizeObservation(flat(env)), modes=("NextStep",)),
    # Actions. Gymnasium's own array for the transformed actions is NumPy's.
    "TransformAction": Row(lambda env: wrappers.TransformAction(env, dict), modes=ALL),
    "VectorizeTransformAction": Row(same_action, modes=ALL, torch=False),
    # Rewards and episodes.
    "TransformReward": Row(lambda env: wrappers.TransformReward(env, lambda reward: reward / 2), modes=ALL),
    "VectorizeTransformReward": Row(halve, modes=ALL),
    "ClipReward": Row(lambda env: wrappers.ClipReward(env, 0.0, 0.5), modes=ALL, torch=False),  # by NumPy's way out
    "NormalizeReward": Row(wrappers.NormalizeReward, modes=ALL, torch=False),
    "RecordEpisodeStatistics": Row(wrappers.RecordEpisodeStatistics, modes=ALL, torch=False),
    "DictInfoToList": Row(wrappers.DictInfoToList, modes=ALL, torch=False),
}

TAKEN = [(name, mode) for name, row in ROWS.items() for mode in row.modes]
"""Each wrapper, in each mode that it takes."""

BOX_ONLY: dict[str, Callable[[Any], VectorEnv]] = {
    "DtypeObservation": lambda env: wrappers.DtypeObservation(env, np.float64),
    "RescaleObservation": lambda env: wrappers.RescaleObservation(env, 0.0, 1.0),
    "GrayscaleObservation": wrappers.GrayscaleObservation,
    "ResizeObservation": lambda env: wrappers.ResizeObservation(env, (4, 4)),
    "ClipAction": wrappers.ClipAction,
    "RescaleAction": lambda env: wrappers.RescaleAction(env, np.float32(0), np.float32(1)),
}
"""Wrappers that refuse a Dict when they are made."""

CONVERSIONS = {"ArrayConversion", "NumpyToTorch"}
"""These have a test of their own."""

NEED_A_PACKAGE = {"RecordVideo": "moviepy", "HumanRendering": "pygame", "JaxToNumpy": "jax", "JaxToTorch": "jax"}
"""Wrappers that are not tried here, and what they need."""


def to_numpy(env: Any) -> VectorEnv:
    """A torch environment as one of NumPy, for wrappers that compute by NumPy."""
    return wrappers.ArrayConversion(env, env_xp=torch, target_xp=np)


@pytest.fixture(params=["Classify-v0", "BabiGaze-v0", "Copy-v0"])
def kind(request: pytest.FixtureRequest, folders: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """A task of images, one of words with a gaze, and one of bits: what a wrapper does depends on the spaces alone."""
    return id_and_arguments(request.param, folders)


def test_no_wrapper_is_left_out() -> None:
    assert set(wrappers.__all__) <= ROWS.keys() | BOX_ONLY.keys() | CONVERSIONS | NEED_A_PACKAGE.keys()


def make(task: tuple[str, dict[str, Any]], mode: str, face: str) -> Any:
    if face == "sync":
        kwargs: dict[str, Any] = {"vectorization_mode": "sync", "vector_kwargs": {"autoreset_mode": mode}}
    else:
        kwargs = {"backend": face, "autoreset_mode": mode}
    return gym.make_vec(task[0], num_envs=N, **task[1], **kwargs)


def plain(value: Any) -> Any:
    """Tensors as arrays, and infos without what torch has otherwise: keys of no row, and final observations."""
    if isinstance(value, dict):
        value = {key: plain(part) for key, part in value.items() if key != "t"}  # the time of day, of episodes
        if "_is_success" in value and not value["_is_success"].any():
            del value["is_success"], value["_is_success"]
        if isinstance(value.get("final_obs"), np.ndarray):
            ended = [row for row in value["final_obs"] if row is not None]
            value["final_obs"] = {key: np.stack([row[key] for row in ended]) for key in ended[0]}
        elif "_final_obs" in value:
            value["final_obs"] = {key: part[value["_final_obs"]] for key, part in value["final_obs"].items()}
        return value
    if isinstance(value, (tuple, list)):
        return tuple(map(plain, value))
    return value.cpu().numpy().copy() if isinstance(value, torch.Tensor) else copy.deepcopy(value)


def play(env: Any, actions: list[dict[str, np.ndarray]], tensors: bool = False) -> list[Any]:
    """What a wrapped environment answers to the actions, with resets by mask where it does not reset itself."""
    disabled = env.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    results = [plain(env.reset(seed=3))]
    for action in actions:
        given = {key: torch.as_tensor(value) for key, value in action.items()} if tensors else copy.deepcopy(action)
        results.append(plain(env.step(given)))
        ended = results[-1][2]
        if disabled and ended.any():
            results.append(plain(env.reset(options={"reset_mask": ended.copy()})))
    return results


def sample(env: Any, count: int = 8) -> list[dict[str, np.ndarray]]:
    env.action_space.seed(0)
    return [env.action_space.sample() for _ in range(count)]


def assert_alike(ours: list[Any], theirs: list[Any]) -> None:
    """The same numbers, but for the precision of rewards and of what is computed of them."""
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert_close(one, other)


def assert_close(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = tuple(one.values()), tuple(other[key] for key in one)
    if isinstance(one, tuple):
        assert len(one) == len(other)
        for part, others in zip(one, other, strict=True):
            assert_close(part, others)
    elif isinstance(one, np.ndarray) and one.dtype != object:
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    else:
        assert data_equivalence(one, other)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.modes != ALL])
def test_a_mode_is_refused(name: str) -> None:
    for mode in set(MODES) - set(ROWS[name].modes):
        for face in ("numpy", "torch"):
            env = make(("glimpse_env:Glimpse/Copy-v0", {}), mode, face)
            with pytest.raises((ValueError, AssertionError), match="autoreset_mode"):
                ROWS[name].wrap(env)


@pytest.mark.parametrize(("name", "mode"), TAKEN)
def test_numpy_is_as_gymnasiums_own(name: str, mode: str, kind: tuple[str, dict[str, Any]]) -> None:
    row, env = ROWS[name], make(kind, mode, "numpy")
    actions = sample(env)
    ours = play(row.wrap(env), actions)
    if (name, mode) != ("RecordEpisodeStatistics", "Disabled"):  # which forgets all rows where Gymnasium's own is
        assert_alike(ours, play(row.wrap(make(kind, mode, "sync")), actions))


def test_statistics_of_episodes_are_right_where_rows_are_reset_by_mask(kind: tuple[str, dict[str, Any]]) -> None:
    env = make(kind, "Disabled", "numpy")
    steps, returns = np.zeros(N, int), np.zeros(N)
    for result in play(wrappers.RecordEpisodeStatistics(env), sample(env, 30)):
        if len(result) == 2:
            continue
        _, reward, ended, _, infos = result
        steps, returns = steps + 1, returns + reward
        if ended.any():
            np.testing.assert_array_equal(infos["episode"]["l"][ended], steps[ended])
            np.testing.assert_allclose(infos["episode"]["r"][ended], returns[ended])
            steps[ended], returns[ended] = 0, 0


@pytest.mark.parametrize(("name", "mode"), TAKEN)
def test_torch_is_the_same_or_raises(name: str, mode: str, kind: tuple[str, dict[str, Any]]) -> None:
    row, env = ROWS[name], make(kind, mode, "torch")
    actions = sample(env)
    try:
        found = play(row.wrap(env), actions, tensors=True)
    except (TypeError, RuntimeError, AssertionError, DeprecationWarning):
        parts = env.single_observation_space.values()
        categories = any(isinstance(part, gym.spaces.MultiDiscrete) for part in parts)
        assert not row.torch or categories  # of which Gymnasium makes rows of 0 and 1 by NumPy
        return
    assert row.torch or name == "FilterObservation"
    assert_alike(found, play(row.wrap(make(kind, mode, "numpy")), actions))


@pytest.mark.parametrize(
    "name", ["FlattenObservation", "VectorizeTransformObservation", "ReshapeObservation", "NormalizeObservation"]
)
def test_words_are_flattened_over_a_conversion(name: str) -> None:
    """Over tensors it warns and raises: Gymnasium makes rows of 0 and 1 by NumPy."""
    ours, theirs = (make(("glimpse_env:Glimpse/MQAR-v0", {}), "NextStep", face) for face in ("torch", "numpy"))
    with pytest.raises((DeprecationWarning, TypeError)):
        ROWS[name].wrap(ours).reset(seed=3)
    actions = sample(ours)
    assert_alike(play(ROWS[name].wrap(to_numpy(ours)), actions), play(ROWS[name].wrap(theirs), actions))


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        (name, mode)
        for name, mode in TAKEN
        if not ROWS[name].torch
        and (name, mode) != ("DictInfoToList", "SameStep")  # whose final observations are a dict
    ],
)
def test_what_computes_by_numpy_works_over_a_conversion(name: str, mode: str, kind: tuple[str, dict[str, Any]]) -> None:
    row, env = ROWS[name], make(kind, mode, "torch")
    actions = sample(env)
    assert_alike(play(row.wrap(to_numpy(env)), actions), play(row.wrap(make(kind, mode, "numpy")), actions))


@pytest.mark.parametrize("name", BOX_ONLY)
def test_what_needs_a_box_says_so(name: str) -> None:
    for face in ("numpy", "torch"):
        env = make(("glimpse_env:Glimpse/MQAR-v0", {}), "NextStep", face)
        with pytest.raises((TypeError, AssertionError), match=f"{name} requires a Box.*, got .*Dict"):
            BOX_ONLY[name](env)


@pytest.mark.parametrize("mode", MODES)
def test_conversions(mode: str, kind: tuple[str, dict[str, Any]]) -> None:
    """From tensors to arrays in every mode; from arrays to tensors, but for Gymnasium's arrays of objects."""
    env = make(kind, mode, "torch")
    actions = sample(env)
    expected = play(make(kind, mode, "numpy"), actions)
    assert_alike(play(to_numpy(env), actions), expected)
    wrapped = wrappers.NumpyToTorch(make(kind, mode, "numpy"))
    if mode != "SameStep":
        assert_alike(play(wrapped, actions, tensors=True), expected)
