"""Every row of `TASKS` as a single environment: what Gymnasium and the libraries around it ask of one."""

from __future__ import annotations

import importlib
import itertools
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

import glimpse_env
from glimpse_env import TASKS, GlimpseEnv
from tests.conftest import leaves

ROOT = Path(glimpse_env.__file__).parents[1]


def make(task: tuple[str, dict[str, Any]], **kwargs: Any) -> GlimpseEnv:
    """The environment itself, without Gymnasium's wrappers."""
    env = gym.make(task[0], **task[1], **kwargs).unwrapped
    assert isinstance(env, GlimpseEnv)
    env.action_space.seed(0)
    return env


def first_mode(task: tuple[str, dict[str, Any]]) -> str:
    return make(task).metadata["render_modes"][0]


def start(env: GlimpseEnv, action: Any, **kwargs: Any) -> list[np.ndarray]:
    """What `reset` and a first step show: the first observation of a text may be a delimiter."""
    return leaves((env.reset(**kwargs)[0], env.step(action)[0]), np.ndarray)


def finish(env: GlimpseEnv) -> list[tuple[Any, ...]]:
    """What the environment answers to random actions until the episode ends."""
    results = [env.step(env.action_space.sample())]
    while not results[-1][2]:
        results.append(env.step(env.action_space.sample()))
    return results


def play(env: gym.Env, actions: list[Any]) -> list[tuple[Any, ...]]:
    """What the environment answers to the actions, with a reset after each end."""
    results: list[tuple[Any, ...]] = []
    for action in actions:
        results.append(env.step(action))
        if results[-1][2]:
            results.append(env.reset())
    return results


def test_gymnasium_has_no_complaint(every_task: tuple[str, dict[str, Any]]) -> None:
    check_env(make(every_task))


def test_stable_baselines_has_no_complaint_but_about_its_own_limits(task: tuple[str, dict[str, Any]]) -> None:
    """It has no Dict actions, no image of more than three dimensions, no image of floats, and no matrix."""
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        checker.check_env(make(task), skip_render_check=False)
    shapes = tuple(f"Your observation {key} has an unconventional shape" for key in ("glimpse", "periphery"))
    images = tuple(f"It seems that your observation {what} is an image" for what in ("overview", "space overview"))
    small = "The minimal resolution for an image is 36x36"
    limits = ("The action space is not based off a numpy array", *shapes, *images, small)
    unexpected = [str(complaint.message) for complaint in complaints if not str(complaint.message).startswith(limits)]
    assert unexpected == []


def test_an_episode_ends_when_the_task_says(task: tuple[str, dict[str, Any]]) -> None:
    env = make(task)
    episodes = np.arange(12)
    lengths = env.task.lengths(np.full(12, 3), episodes)
    assert (lengths.shape, lengths.dtype) == ((12,), np.int64)
    assert 1 <= lengths.min() <= lengths.max() <= env.metadata["horizon"]
    for episode, length in zip(episodes.tolist(), lengths.tolist(), strict=True):
        observation, info = env.reset(**({"seed": 3} if episode == 0 else {}))
        assert observation in env.observation_space
        assert "is_success" not in info
        results = finish(env)
        assert len(results) <= length if env.task.stops else len(results) == length
        for step, (observation, reward, terminated, truncated, info) in enumerate(results, 1):
            assert observation in env.observation_space
            assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)
            assert (terminated, truncated) == (step == len(results), False)
            assert ("is_success" in info) == terminated
            assert {"target", "scored", "correct"} <= info.keys()
            assert (type(info["scored"]), type(info["correct"])) == (bool, bool)
            assert 0 <= reward <= (info["scored"] or env.task.judges)  # what was said before the end earns its share
        assert info["is_success"] is info["correct"]
        assert info["is_success"] == (sum(result[1] for result in results) > 1 - 1e-6)


def test_the_next_step_needs_a_reset(task: tuple[str, dict[str, Any]]) -> None:
    env = make(task)
    action = env.action_space.sample()
    with pytest.raises(RuntimeError, match=r"reset\(\)"):
        env.step(action)
    env.reset(seed=0)
    finish(env)
    with pytest.raises(RuntimeError, match=r"reset\(\)"):
        env.step(action)
    env.reset()
    env.step(action)


def test_nothing_returned_is_returned_again(task: tuple[str, dict[str, Any]]) -> None:
    env = make(task)
    results = [env.reset(seed=0), *play(env, [env.action_space.sample() for _ in range(env.metadata["horizon"] + 2)])]
    for one, other in itertools.combinations([leaves(result, np.ndarray) for result in results], 2):
        assert not any(np.shares_memory(a, b) for a, b in itertools.product(one, other))


def test_a_caller_may_write_to_what_it_got(task: tuple[str, dict[str, Any]]) -> None:
    env, other = make(task), make(task)
    ours, theirs = [env.reset(seed=1)], [other.reset(seed=1)]
    while len(ours[-1]) == 2 or not ours[-1][2]:
        for array in leaves(ours[-1], np.ndarray):
            array[...] = 0
        action = env.action_space.sample()
        ours.append(env.step(action))
        theirs.append(other.step(action))
        assert data_equivalence(ours[-1], theirs[-1], exact=True)


@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=lambda module: module.__name__)
def test_a_pickled_environment_goes_on_alike(task: tuple[str, dict[str, Any]], pickler: Any) -> None:
    env = make(task, render_mode=first_mode(task))
    env.reset(seed=4)
    actions = [env.action_space.sample() for _ in range(env.metadata["horizon"] + 3)]
    play(env, actions[:2])
    copy = pickle.loads(pickler.dumps(env))
    ours = play(env, actions)  # before the copy's: they must not share a state
    assert data_equivalence(ours, play(copy, actions), exact=True)
    np.testing.assert_array_equal(env.render(), copy.render())


def test_frames_are_pictures_of_one_size_or_texts(task: tuple[str, dict[str, Any]]) -> None:
    env = make(task, render_mode=first_mode(task))
    with pytest.raises(RuntimeError, match=r"reset\(\)"):
        env.render()
    env.reset(seed=0)
    frames = [env.render()]
    terminated = False
    while not terminated:
        terminated = env.step(env.action_space.sample())[2]
        frames.append(env.render())
    if env.render_mode == "ansi":
        assert {type(frame) for frame in frames} == {str}
        assert len(set(frames[:-1])) == len(frames) - 1
        return
    assert {(frame.shape, frame.dtype.name) for frame in frames} == {(frames[0].shape, "uint8")}
    assert frames[0].ndim == 3
    assert frames[0].shape[2] == 3
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(frames, 2))


def test_rendering_says_what_it_lacks(task: tuple[str, dict[str, Any]]) -> None:
    env = make(task)
    env.reset(seed=0)
    with pytest.warns(UserWarning, match=f'render_mode="{first_mode(task)}"'):
        assert env.render() is None
    with pytest.raises(ValueError, match=rf"render_mode must be one of .*{first_mode(task)}.* got 'tactile'"):
        GlimpseEnv(task[0].split("/")[1], render_mode="tactile", **task[1])


def test_the_documentation_has_all_of_gymnasiums_sections(task: tuple[str, dict[str, Any]]) -> None:
    text = make(task).__doc__ or ""
    for section in (
        "Description", "Action Space", "Observation Space", "Rewards", "Starting State", "Episode End", "Arguments",
        "Vectorized environment", "Version History",
    ):  # fmt: skip
        assert f"## {section}\n" in text


def test_seeds_and_episodes_can_be_chosen(task: tuple[str, dict[str, Any]]) -> None:
    env = make(task)
    walk = [env.reset(seed=8), env.reset(), env.reset()]
    assert data_equivalence(env.reset(options={"episode": 1}), walk[1], exact=True)
    assert data_equivalence(env.reset(), walk[2], exact=True)
    assert data_equivalence(env.reset(seed=8, options={"episode": 2}), walk[2], exact=True)
    assert data_equivalence(env.reset(seed=8), walk[0], exact=True)
    action = env.action_space.sample()
    starts = [start(env, action, seed=seed) for seed in range(8)] + [start(env, action) for _ in range(8)]
    assert len({b"".join(array.tobytes() for array in shown) for shown in starts}) > 8
    largest = env.reset(seed=2**63 - 1, options={"episode": 2**63 - 1})
    assert largest[0] in env.observation_space


def test_an_unseeded_environment_takes_a_seed_of_its_own(task: tuple[str, dict[str, Any]]) -> None:
    action = make(task).action_space.sample()
    starts = [[start(make(task), action) for _ in range(6)] for _ in range(2)]
    assert not data_equivalence(starts[0], starts[1], exact=True)


def test_a_refused_reset_changes_nothing(task: tuple[str, dict[str, Any]]) -> None:
    env, other = make(task), make(task)
    env.reset(seed=5)
    other.reset(seed=5)
    for seed in (-1, 0.5):
        with pytest.raises(gym.error.Error, match=r"(?i)seed must be"):
            env.reset(seed=seed)  # type: ignore[arg-type]
    for episode in (-1, 1.0, [1, 2], 2**63, True):
        with pytest.raises(
            ValueError, match=r"'episode'\] must be an integer of at least 0, got " + re.escape(str(episode))
        ):
            env.reset(seed=1, options={"episode": episode})
    action = env.action_space.sample()
    assert data_equivalence(env.step(action), other.step(action), exact=True)
    assert data_equivalence(env.reset(), other.reset(), exact=True)


@pytest.mark.parametrize("name", TASKS)
def test_a_registration_is_plain_data(name: str) -> None:
    spec = gym.spec(f"Glimpse/{name}")
    assert EnvSpec.from_json(spec.to_json()) == spec
    assert spec.max_episode_steps is None  # the horizon is the task's, and Gymnasium's would truncate


def test_a_second_import_registers_nothing_again() -> None:
    before = dict(gym.registry)
    importlib.reload(glimpse_env)
    assert gym.registry == before
    assert all(gym.registry[name] is spec for name, spec in before.items())


def test_a_fresh_process_makes_an_environment_without_torch() -> None:
    code = """
import sys
import gymnasium as gym
import numpy as np
env = gym.make("glimpse_env:Glimpse/Classify-v0", images=np.zeros((10, 9, 9), np.uint8), labels=[0] * 10, patch=3)
env.reset(seed=0)
env.step(env.action_space.sample())
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, check=True, timeout=120)


def test_an_unknown_task_is_answered_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="unknown task 'Chess-v0'; the tasks are MNIST-v0, "):
        GlimpseEnv("Chess-v0")
