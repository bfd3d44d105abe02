"""Flat actions in place of `Dict` ones: for single environments and for vectors, and for the libraries that ask."""

from __future__ import annotations

import json
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import FlattenObservation

from glimpse_env.action_maps import DiscreteMap, FlatMap, GridMap
from glimpse_env.observation_maps import OneHotMap, RowMap
from glimpse_env.wrappers import (
    DiscreteAction,
    FlatAction,
    FlatObservation,
    GridAction,
    OneHotObservation,
    VectorDiscreteAction,
    VectorFlatAction,
    VectorFlatObservation,
    VectorGridAction,
    VectorOneHotObservation,
)

PAIRS = {
    "grid": (GridAction, VectorGridAction),
    "discrete": (DiscreteAction, VectorDiscreteAction),
    "box": (FlatAction, VectorFlatAction),
    "one hot": (OneHotObservation, VectorOneHotObservation),
    "row": (FlatObservation, VectorFlatObservation),
}
ACTIONS = ("grid", "discrete", "box")


def looking(answer: spaces.Space, motion: int = 2, low: Any = -1, high: Any = 1) -> spaces.Dict:
    """An action space with a gaze."""
    return spaces.Dict({"location": spaces.Box(low, high, (motion,), np.float32), "answer": answer})


SPACES = {
    "image": looking(spaces.Discrete(10)),
    "story": looking(spaces.Discrete(6), 1),
    "bits": spaces.Dict({"answer": spaces.MultiBinary(5)}),
    "text": spaces.Dict({"answer": spaces.Discrete(7)}),
    "uneven": looking(spaces.Discrete(3, start=4), 3, -2, 5),
    "looking at bits": looking(spaces.MultiBinary(4)),
    "several": looking(spaces.MultiDiscrete([3, 4, 2], start=[0, 5, 1])),
    "stopping": spaces.Dict({**looking(spaces.Discrete(3)).spaces, "stop": spaces.Discrete(2)}),
    "stopping at bits": spaces.Dict({"answer": spaces.MultiBinary(3), "stop": spaces.Discrete(2)}),
}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("batch", [(), (6,), (2, 3)])
def test_a_grid_goes_there_and_back(name: str, batch: tuple[int, ...]) -> None:
    space = SPACES[name]
    map = GridMap(space, 5)
    flat = np.random.default_rng(0).integers(0, map.space.nvec, (*batch, *map.space.shape))
    action = map.to_dict(flat)
    np.testing.assert_array_equal(map.from_dict(action), flat)
    assert action["answer"].shape == (*batch, *(space["answer"].shape or ()))
    if not batch:
        assert space.contains(action)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("batch", [(), (6,), (2, 3)])
def test_a_number_goes_there_and_back(name: str, batch: tuple[int, ...]) -> None:
    map = DiscreteMap(SPACES[name], 5)
    numbers = np.random.default_rng(0).integers(0, map.space.n, batch)
    action = map.to_dict(numbers)
    np.testing.assert_array_equal(map.from_dict(action), numbers)
    if not batch:
        assert SPACES[name].contains(action)
        assert SPACES[name].contains(map.to_dict(int(numbers)))


def test_a_number_is_a_row_of_the_grid() -> None:
    """All actions of the grid, each once, and the answer changes fastest."""
    map, grid = DiscreteMap(SPACES["image"], (3, 4)), GridMap(SPACES["image"], (3, 4))
    assert map.space == spaces.Discrete(120)
    rows = grid.from_dict(map.to_dict(np.arange(120)))
    np.testing.assert_array_equal(rows, list(np.ndindex(3, 4, 10)))
    assert DiscreteMap(SPACES["text"]).space == spaces.Discrete(7)
    assert DiscreteMap(SPACES["text"]).to_dict(3) == {"answer": 3}
    assert DiscreteMap(SPACES["bits"]).to_dict(6)["answer"].tolist() == [0, 0, 1, 1, 0]


def test_more_actions_than_libraries_can_tell_apart_are_refused() -> None:
    assert DiscreteMap(spaces.Dict({"answer": spaces.MultiBinary(24)})).space == spaces.Discrete(2**24)
    with pytest.raises(ValueError, match=r"has 33,554,432 actions, and 16,777,216 are the most.* GridAction"):
        DiscreteMap(spaces.Dict({"answer": spaces.MultiBinary(25)}))


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("batch", [(), (6,)])
def test_scores_go_there_and_back(name: str, batch: tuple[int, ...]) -> None:
    space = SPACES[name]
    map = FlatMap(space)
    many = space if not batch else gym.vector.utils.batch_space(space, batch[0])
    many.seed(0)
    action = many.sample()
    back = map.to_dict(map.from_dict(action))
    assert set(back) == set(action)
    np.testing.assert_array_equal(back["answer"], action["answer"])
    if "location" in action:
        np.testing.assert_allclose(back["location"], action["location"], atol=1e-5)


def test_a_cell_is_looked_at_in_its_centre() -> None:
    map = GridMap(SPACES["image"], (3, 4))
    assert map.space == spaces.MultiDiscrete([3, 4, 10])
    action = map.to_dict([[1, 0, 7], [2, 3, 0]])
    np.testing.assert_allclose(action["location"], [[0, -0.75], [2 / 3, 0.75]], atol=1e-7)
    assert action["answer"].tolist() == [7, 0]
    nearest = map.from_dict({"location": [[-0.3, 0.1], [1.0, -1.0]], "answer": [2, 3]})
    assert nearest.tolist() == [[1, 2, 2], [2, 0, 3]]


def test_an_uneven_space_is_covered() -> None:
    action = GridMap(SPACES["uneven"], 7).to_dict([0, 3, 6, 2])
    np.testing.assert_allclose(action["location"], [-1.5, 1.5, 4.5])
    assert action["answer"] == 6
    np.testing.assert_allclose(FlatMap(SPACES["uneven"]).to_dict([-1, 0, 1, 0, 0, 1])["location"], [-2, 1.5, 5])


def test_the_highest_score_is_the_answer_and_bits_are_signs() -> None:
    map = FlatMap(SPACES["story"])
    assert map.space == spaces.Box(-1, 1, (7,), np.float32)
    action = map.to_dict(np.asarray([[0.5, -1, -0.2, -0.1, -0.3, -1, -1], [9.0, 0, 1, 1, 0, 0, 0]]))
    assert action["answer"].tolist() == [2, 1]
    assert action["location"].tolist() == [[0.5], [1.0]]
    assert FlatMap(SPACES["bits"]).to_dict([0.1, 0, -0.1, 1, -1])["answer"].tolist() == [1, 0, 0, 1, 0]


def test_several_answers_are_dimensions_and_scores_of_their_own() -> None:
    grid, flat = GridMap(SPACES["several"], 5), FlatMap(SPACES["several"])
    assert grid.space == spaces.MultiDiscrete([5, 5, 3, 4, 2])
    assert grid.to_dict([2, 2, 1, 3, 0])["answer"].tolist() == [1, 8, 1]
    assert flat.space == spaces.Box(-1, 1, (2 + 3 + 4 + 2,), np.float32)
    assert flat.to_dict([0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1])["answer"].tolist() == [2, 6, 2]


def test_without_a_gaze_there_is_only_the_answer() -> None:
    assert GridMap(SPACES["text"], 9).space == spaces.MultiDiscrete([7])
    assert GridMap(SPACES["bits"], 9).space == spaces.MultiDiscrete([2] * 5)
    assert set(GridMap(SPACES["text"], 9).to_dict([3])) == {"answer"}


@pytest.mark.parametrize("kind", PAIRS)
def test_every_task_passes_the_checks(task: tuple[str, dict[str, Any]], kind: str) -> None:
    env = PAIRS[kind][0](gym.make(task[0], **task[1]))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is different from the unwrapped version.*")
        check_env(env, skip_render_check=True)


@pytest.mark.parametrize("kind", ACTIONS)
def test_every_task_passes_stable_baselines3_checks(task: tuple[str, dict[str, Any]], kind: str) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():  # it advises a features extractor for glimpses: agents.sb3 has one
        warnings.filterwarnings("ignore", "Your observation (glimpse|periphery) has an unconventional shape")
        warnings.filterwarnings("ignore", "It seems that your observation (space )?overview is an image")
        warnings.filterwarnings("ignore", "The minimal resolution for an image is 36x36")
        checker.check_env(PAIRS[kind][0](gym.make(task[0], **task[1]).unwrapped))


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_a_vector_does_as_single_environments_do(task: tuple[str, dict[str, Any]], kind: str, mode: str) -> None:
    single, vector = PAIRS[kind]
    native = vector(gym.make_vec(task[0], num_envs=3, autoreset_mode=mode, **task[1]))
    sync = SyncVectorEnv([lambda: single(gym.make(task[0], **task[1]))] * 3, autoreset_mode=mode)
    assert native.single_action_space == sync.single_action_space
    assert native.action_space == sync.action_space
    assert native.observation_space == sync.observation_space
    native.action_space.seed(1)
    same_observation(native.reset(seed=5)[0], sync.reset(seed=5)[0])
    ended = 0
    for _ in range(30):
        action = native.action_space.sample()
        one, two = native.step(action), sync.step(action)
        same_observation(one[0], two[0])
        assert one[0] in native.observation_space
        for part in (1, 2, 3):
            np.testing.assert_array_equal(one[part], two[part])
        for row in np.flatnonzero(one[4].get("_final_obs", [])):
            same_observation(one[4]["final_obs"][row], two[4]["final_obs"][row])
            ended += 1
    assert bool(ended) == (mode == "SameStep")


def same_observation(one: Any, two: Any) -> None:
    """Two observations are alike, value by value and type by type."""
    if isinstance(two, dict):
        assert one.keys() == two.keys()
        for key in two:
            np.testing.assert_array_equal(one[key], two[key], strict=True)
    else:
        np.testing.assert_array_equal(one, two, strict=True)


def test_a_row_is_what_gymnasium_flattens(task: tuple[str, dict[str, Any]]) -> None:
    ours, theirs = FlatObservation(gym.make(task[0], **task[1])), FlattenObservation(gym.make(task[0], **task[1]))
    for bound in ("low", "high"):
        wanted = getattr(theirs.observation_space, bound).astype(np.float32)
        np.testing.assert_array_equal(getattr(ours.observation_space, bound), wanted)
    seen, flattened = ours.reset(seed=0)[0], theirs.reset(seed=0)[0]
    assert seen.dtype == np.float32
    np.testing.assert_array_equal(seen, flattened.astype(np.float32))


def test_categories_are_columns_of_0_and_1() -> None:
    parts = {
        "kind": spaces.Discrete(3, start=5),
        "words": spaces.MultiDiscrete([4, 2]),
        "place": spaces.Box(-1, 1, (2,)),
    }
    map, row = OneHotMap(spaces.Dict(parts)), RowMap(spaces.Dict(parts))
    assert {name: space.shape for name, space in map.space.items()} == {"kind": (3,), "words": (4, 2), "place": (2,)}
    one = {"kind": np.int64(6), "words": np.array([3, 1]), "place": np.array([0.5, -0.5], np.float32)}
    seen = map(one)
    assert seen in map.space
    assert seen["kind"].tolist() == [0, 1, 0]
    assert seen["words"].T.tolist() == [[0, 0, 0, 1], [0, 1, 0, 0]]
    assert seen["place"] is one["place"]
    assert row(one).tolist() == [0, 1, 0, 0.5, -0.5, 0, 0, 0, 1, 0, 1, 0, 0]  # kind, place, words
    many = {name: np.stack([value, value]) for name, value in one.items()}
    assert map(many) in gym.vector.utils.batch_space(map.space, 2)
    np.testing.assert_array_equal(row(many), [row(one)] * 2)


@pytest.mark.parametrize(
    "space", [spaces.Box(0, 1, (3,)), spaces.Dict(), spaces.Dict({"a": spaces.Tuple([spaces.Discrete(2)])})], ids=str
)
def test_other_observations_are_refused(space: spaces.Space) -> None:
    for kind in (OneHotMap, RowMap):
        with pytest.raises(ValueError, match="the observation must be a Dict of Box, Discrete, MultiDiscrete"):
            kind(space)


def test_tensors_are_refused(task: tuple[str, dict[str, Any]]) -> None:
    pytest.importorskip("torch")
    env = gym.make_vec(task[0], 2, backend="torch", **task[1])
    for kind in (VectorOneHotObservation, VectorFlatObservation):
        with pytest.raises(TypeError, match='make env with backend="numpy", got Tensor'):
            kind(env).reset(seed=0)


def test_the_gaze_goes_where_the_cell_is(noise_digits: None) -> None:
    env = GridAction(gym.make("glimpse_env:Glimpse/MNIST-v0"), grid=5)
    env.reset(seed=0)
    observation = env.step(np.asarray([0, 3, 9]))[0]
    np.testing.assert_allclose(observation["location"], [-0.8, 0.4], atol=1e-6)


def test_a_wrapped_environment_is_made_anew_from_its_spec(noise_digits: None) -> None:
    env = GridAction(gym.make("glimpse_env:Glimpse/MNIST-v0"), grid=(3, 5))
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert isinstance(again, GridAction)
    assert again.action_space == env.action_space
    assert json.loads(env.spec.to_json())["additional_wrappers"]


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(3),
        spaces.Dict({"location": spaces.Box(-1, 1, (2,))}),
        spaces.Dict({"answer": spaces.Box(-1, 1, (2,))}),
        spaces.Dict({"answer": spaces.Discrete(3), "stop": spaces.Discrete(3)}),
        spaces.Dict({"answer": spaces.Discrete(3), "other": spaces.Discrete(2)}),
        spaces.Dict({"answer": spaces.MultiBinary((2, 2))}),
        looking(spaces.Discrete(3), 2, -np.inf, np.inf),
        spaces.Dict({"answer": spaces.Discrete(3), "location": spaces.Box(-1, 1, (2, 2))}),
        spaces.Dict({"answer": spaces.Discrete(3), "location": spaces.Discrete(2)}),
    ],
    ids=str,
)
def test_other_spaces_are_refused(space: spaces.Space) -> None:
    for kind in (GridMap, DiscreteMap, FlatMap):
        with pytest.raises(ValueError, match="the action must be a Dict of 'answer', Discrete, MultiDiscrete or"):
            kind(space)


@pytest.mark.parametrize("grid", [0, -1, (3,), (3, 3, 3), (3, 0), 2.5, True, "nine"])
def test_a_grid_of_another_form_is_refused(grid: Any) -> None:
    with pytest.raises(ValueError, match="grid must be a number of cells, or 2 of them"):
        GridMap(SPACES["image"], grid)


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        (GridMap, [0, 0]),
        (GridMap, [9, 0, 0]),
        (GridMap, [-1, 0, 0]),
        (GridMap, [0, 0, 10]),
        (GridMap, [0.5, 0, 1]),
        (GridMap, {"location": [0, 0], "answer": 1}),
        (DiscreteMap, 810),
        (DiscreteMap, -1),
        (DiscreteMap, 1.0),
        (DiscreteMap, [3, 810]),
        (FlatMap, [0.0] * 11),
        (FlatMap, [np.nan] * 12),
        (FlatMap, 0.5),
    ],
)
def test_actions_outside_the_space_are_refused(kind: Any, action: Any) -> None:
    with pytest.raises(ValueError, match=r"an action must be in (MultiDiscrete|Discrete|Box)"):
        kind(SPACES["image"]).to_dict(action)
