"""Every wrapper of Gymnasium over every environment: it works, or refuses at once, for the reason in the table."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import wrappers
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import data_equivalence

from glimpse_env.wrappers import FlatAction


class Row(NamedTuple):
    """How a wrapper is put around an environment, and where it cannot be.

    Attributes:
        wrap: the wrapped environment; beneath the wrapper is what it needs, where it needs a `Box`.
        refuses: "", "text" (environments that draw no frames) or "all", which it refuses when it is made or first used.
        tensors: whether it gives and takes tensors.
        warns: whether Gymnasium warns of how it casts the bounds of its own Box.
    """

    wrap: Callable[[gym.Env], gym.Env]
    refuses: str = ""
    tensors: bool = False
    warns: bool = False


def flat(env: gym.Env) -> gym.Env:
    return wrappers.FlattenObservation(env)


def shape(env: gym.Env) -> tuple[int, ...]:
    return env.observation_space.shape or ()


def frames(env: gym.Env) -> gym.Env:
    return wrappers.AddRenderObservation(env, render_only=True)


def limited(env: gym.Env) -> gym.Env:
    return wrappers.TimeLimit(env, 50)


ROWS: dict[str, Row] = {
    # Observations. Those that are put on `flat` take a Box alone, and refuse a Dict when they are made.
    "DelayObservation": Row(lambda env: wrappers.DelayObservation(env, 1)),
    "DtypeObservation": Row(lambda env: wrappers.DtypeObservation(flat(env), np.float64), warns=True),
    "DiscretizeObservation": Row(lambda env: wrappers.DiscretizeObservation(flat(env), 2, multidiscrete=True)),
    "FilterObservation": Row(lambda env: wrappers.FilterObservation(env, list(env.observation_space)[:1])),
    "FlattenObservation": Row(flat),
    "FrameStackObservation": Row(lambda env: wrappers.FrameStackObservation(env, 2)),
    "TransformObservation": Row(lambda env: wrappers.TransformObservation(env, dict, env.observation_space)),
    "MaxAndSkipObservation": Row(lambda env: wrappers.MaxAndSkipObservation(flat(env), 2)),
    "NormalizeObservation": Row(lambda env: wrappers.NormalizeObservation(flat(env))),
    "ReshapeObservation": Row(
        lambda env: wrappers.ReshapeObservation(flat(env), (1, *flat(env).observation_space.shape))
    ),
    "RescaleObservation": Row(
        lambda env: wrappers.RescaleObservation(flat(env), np.float32(-1), np.float32(1)), warns=True
    ),
    # Its own name for the time, "time", is taken in environments of glimpses, and it says so.
    "TimeAwareObservation": Row(lambda env: wrappers.TimeAwareObservation(limited(env), dict_time_key="step")),
    # Frames.
    "AddRenderObservation": Row(lambda env: wrappers.AddRenderObservation(env, render_only=False), "text"),
    "GrayscaleObservation": Row(lambda env: wrappers.GrayscaleObservation(frames(env)), "text"),
    "ResizeObservation": Row(lambda env: wrappers.ResizeObservation(frames(env), (8, 8)), "text"),
    "AddWhiteNoise": Row(lambda env: wrappers.AddWhiteNoise(env, 0.1), "text"),
    "ObstructView": Row(lambda env: wrappers.ObstructView(env, 0.2, 2), "text"),
    "RenderCollection": Row(wrappers.RenderCollection),
    "AtariPreprocessing": Row(wrappers.AtariPreprocessing, "all"),  # is for the emulator alone
    # Actions: those that are put on `FlatAction` take a Box alone.
    "ClipAction": Row(lambda env: wrappers.ClipAction(FlatAction(env))),
    "DiscretizeAction": Row(lambda env: wrappers.DiscretizeAction(FlatAction(env), 2, multidiscrete=True)),
    "RescaleAction": Row(lambda env: wrappers.RescaleAction(FlatAction(env), np.float32(0), np.float32(1))),
    "TransformAction": Row(lambda env: wrappers.TransformAction(env, dict, env.action_space)),
    "StickyAction": Row(lambda env: wrappers.StickyAction(env, 0.5)),
    "RepeatAction": Row(lambda env: wrappers.RepeatAction(env, 2)),
    # Rewards and episodes.
    "ClipReward": Row(lambda env: wrappers.ClipReward(env, 0, 0.5)),
    "TransformReward": Row(lambda env: wrappers.TransformReward(env, float)),
    "NormalizeReward": Row(wrappers.NormalizeReward),
    "TimeLimit": Row(lambda env: wrappers.TimeLimit(env, 2)),
    "Autoreset": Row(wrappers.Autoreset),
    "PassiveEnvChecker": Row(wrappers.PassiveEnvChecker),
    "OrderEnforcing": Row(wrappers.OrderEnforcing),
    "RecordEpisodeStatistics": Row(wrappers.RecordEpisodeStatistics),
    # Arrays of other libraries.
    "ArrayConversion": Row(lambda env: wrappers.ArrayConversion(env, np, torch), tensors=True),
    "NumpyToTorch": Row(lambda env: wrappers.NumpyToTorch(env), tensors=True),
}

NEED_A_PACKAGE = {"RecordVideo": "moviepy", "HumanRendering": "pygame", "JaxToNumpy": "jax", "JaxToTorch": "jax"}
"""Wrappers that are not tried here, and what they need."""


def test_no_wrapper_is_left_out() -> None:
    assert set(wrappers.__all__) - {"vector"} <= ROWS.keys() | NEED_A_PACKAGE.keys()


def own_modes(task: tuple[str, dict[str, Any]]) -> list[str]:
    return gym.make(task[0], **task[1]).metadata["render_modes"]


def make(task: tuple[str, dict[str, Any]], mode: str | None = None) -> gym.Env:
    """With frames or text: by `mode`, or as the environment has it first."""
    return gym.make(task[0], render_mode=mode or own_modes(task)[0], **task[1])


def wrap(row: Row, env: gym.Env) -> gym.Env:
    with warnings.catch_warnings():
        if row.warns:
            warnings.simplefilter("ignore")
        return row.wrap(env)


def play(env: gym.Env, row: Row, steps: int = 8) -> list[Any]:
    """What a wrapped environment answers to random actions, all in its space."""

    def seen(observation: Any) -> Any:
        if row.tensors:
            return {key: value.numpy() for key, value in observation.items()}
        assert observation in env.observation_space
        return observation

    env.action_space.seed(0)
    results: list[Any] = [seen(env.reset(seed=3)[0])]
    for _ in range(steps):
        action = env.action_space.sample()
        if row.tensors:
            action = {key: torch.as_tensor(value) for key, value in action.items()}
        observation, reward, terminated, truncated, info = env.step(action)
        assert np.isfinite(float(reward))
        assert "target" in info or isinstance(env, wrappers.Autoreset)
        results.append((seen(observation), float(reward), bool(terminated), bool(truncated)))
        if (terminated or truncated) and not isinstance(env, wrappers.Autoreset):
            results.append(seen(env.reset()[0]))
    env.render()
    return results


@pytest.mark.parametrize("name", [name for name in ROWS if name in wrappers.__all__])
def test_a_wrapper_works_or_refuses(name: str, task: tuple[str, dict[str, Any]]) -> None:
    row, env = ROWS[name], make(task)
    if row.refuses == "all" or (row.refuses == "text" and env.render_mode == "ansi"):
        with pytest.raises((TypeError, ValueError, AttributeError, AssertionError)):
            play(row.wrap(env), row)
        return
    wrapped, again = wrap(row, env), wrap(row, make(task))
    results = play(wrapped, row)
    if name != "AddWhiteNoise":
        assert data_equivalence(play(again, row), results, exact=True)


def test_every_id_takes_every_wrapper(every_task: tuple[str, dict[str, Any]]) -> None:
    """The ids that differ from one above in numbers only, too; in each render mode; a step each."""
    for mode in own_modes(every_task):
        for name, row in ROWS.items():
            if name in wrappers.__all__ and row.refuses != "all" and (row.refuses, mode) != ("text", "ansi"):
                play(wrap(row, make(every_task, mode)), row, steps=1)


def test_time_needs_another_name_where_there_is_one(task: tuple[str, dict[str, Any]]) -> None:
    env = limited(make(task))
    if "time" in env.observation_space.spaces:
        with pytest.raises((ValueError, AssertionError), match="time"):
            wrappers.TimeAwareObservation(env)
    aware = wrappers.TimeAwareObservation(env, flatten=False, dict_time_key="step")
    observation, _ = aware.reset(seed=0)
    assert observation.keys() == env.observation_space.spaces.keys() | {"step"}


def test_a_video_needs_frames_and_text_has_none(task: tuple[str, dict[str, Any]], tmp_path: Any) -> None:
    env = make(task)
    if env.render_mode != "ansi":
        return
    for wrapper in (wrappers.HumanRendering, lambda env: wrappers.RecordVideo(env, str(tmp_path))):
        with pytest.raises((ValueError, AssertionError), match="ansi"):
            wrapper(env)


@pytest.mark.parametrize("mode", ["human", "rgb_array", "rgb_array_list", "ansi", "ansi_list"])
def test_a_render_mode_is_made_or_refused_as_asked_for(mode: str, task: tuple[str, dict[str, Any]]) -> None:
    """`human` shows frames in a window, by Gymnasium's wrapper: text has none."""
    own = own_modes(task)
    if mode.removesuffix("_list") in own:
        assert gym.make(task[0], render_mode=mode, **task[1]).render_mode == mode
    elif mode == "human" and "rgb_array" in own:
        with pytest.warns(UserWarning, match="HumanRendering wrapper is being applied"):
            env = gym.make(task[0], render_mode=mode, **task[1])
        assert isinstance(env, wrappers.HumanRendering)
    else:
        with (
            pytest.warns(UserWarning, match=f"render_mode='{mode}' that is not in the possible"),
            pytest.raises(ValueError, match=rf"render_mode must be one of \('{own[0]}',\) or None, got '{mode}'"),
        ):
            gym.make(task[0], render_mode=mode, **task[1])


def test_a_spec_makes_the_environment_again(every_task: tuple[str, dict[str, Any]]) -> None:
    """Through its wrappers; and through JSON, where there is no array among the arguments."""
    env = wrappers.TimeLimit(FlatAction(make(every_task)), 3)
    assert env.spec is not None
    results = play(env, ROWS["TimeLimit"])
    assert data_equivalence(play(gym.make(env.spec), ROWS["TimeLimit"]), results, exact=True)
    if "images" in every_task[1]:
        with pytest.raises(TypeError, match="not JSON serializable"):
            env.spec.to_json()
        return
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert data_equivalence(play(again, ROWS["TimeLimit"]), results, exact=True)
