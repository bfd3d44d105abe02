"""The vector environment against Gymnasium's own over single environments, bit for bit."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from glimpse_env import GlimpseEnv, GlimpseVectorEnv

MODES = [mode.value for mode in AutoresetMode]
ROWS = 3


def make(task: tuple[str, dict[str, Any]], num_envs: int = ROWS, place: str = "numpy", **kwargs: Any) -> Any:
    """The native vector environment, made to speak NumPy wherever it lives."""
    if place != "numpy":
        kwargs |= {"backend": "torch", "device": place}
    env = gym.make_vec(task[0], num_envs=num_envs, **task[1], **kwargs)
    assert type(env) is GlimpseVectorEnv
    env.action_space.seed(0)
    return env if place == "numpy" else Translated(env, place)


def make_sync(task: tuple[str, dict[str, Any]], mode: str) -> SyncVectorEnv:
    return gym.make_vec(
        task[0], num_envs=ROWS, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **task[1]
    )


class Translated:
    """A torch environment as one of NumPy, which differs from it in nothing but what its docstring says."""

    def __init__(self, env: GlimpseVectorEnv, place: str) -> None:
        self.env, self.place = env, place

    def __getattr__(self, name: str) -> Any:
        return getattr(self.env, name)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        options = dict(options or {})
        if "reset_mask" in options:
            options["reset_mask"] = torch.as_tensor(options["reset_mask"], device=self.place)
        return self._to_numpy(self.env.reset(seed=seed, options=options))

    def step(self, actions: dict[str, np.ndarray]) -> Any:
        tensors = {key: torch.as_tensor(value, device=self.place) for key, value in actions.items()}
        observations, rewards, *flags, infos = self._to_numpy(self.env.step(tensors))
        assert rewards.dtype == np.float32
        if "final_obs" in infos:
            final, rows = np.full(self.env.num_envs, None, dtype=object), infos["_final_obs"]
            for row in np.flatnonzero(rows):
                final[row] = {key: value[row] for key, value in infos["final_obs"].items()}
            infos["final_obs"] = final
        if self.env.autoreset_mode == AutoresetMode.DISABLED and not infos["_is_success"].any():
            del infos["is_success"], infos["_is_success"]
        return observations, rewards.astype(np.float64), *flags, infos

    def _to_numpy(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._to_numpy(part) for key, part in value.items()}
        if isinstance(value, tuple):
            return tuple(self._to_numpy(part) for part in value)
        assert value.device.type == self.place
        return value.cpu().numpy()


def assert_same(ours: Any, theirs: Any) -> None:
    """Of the same types, keys, shapes and bits."""
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        ours, theirs = tuple(ours.values()), tuple(theirs[key] for key in ours)
    if isinstance(ours, np.ndarray):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        if ours.dtype != object:
            np.testing.assert_array_equal(ours, theirs)
            return
    if isinstance(ours, (tuple, np.ndarray)):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
    else:
        assert ours is theirs is None


def random_reset(rng: np.random.Generator, must: np.ndarray) -> dict[str, Any]:
    """Arguments of `reset` that begin at least the rows `must`, of every kind there is."""
    seed = [None, int(rng.integers(2**40)), rng.integers(2**63, size=ROWS).tolist(), None][rng.integers(4)]
    if isinstance(seed, list):
        seed[rng.integers(ROWS)] = None
    options: dict[str, Any] = {}
    if rng.random() < 0.8:
        mask = must | (rng.random(ROWS) < 0.4)
        mask[rng.integers(ROWS)] = True
        options["reset_mask"] = mask
    if rng.random() < 0.3:
        options["episode"] = int(rng.integers(2**40))
    return {"seed": seed, "options": options}


def lengths(task: tuple[str, dict[str, Any]], seed: int) -> np.ndarray:
    """Of the first episode of each row, (ROWS,)."""
    return make(task).task.lengths(seed + np.arange(ROWS), np.zeros(ROWS, np.int64))


def first_mode(task: tuple[str, dict[str, Any]]) -> str:
    return make(task).metadata["render_modes"][0]


@pytest.mark.parametrize("mode", MODES)
def test_it_equals_gymnasiums_own(task: tuple[str, dict[str, Any]], mode: str, place: str) -> None:
    """Through random steps, resets of all rows or some, in the middle of an episode or after it, of every kind."""
    ours, theirs = make(task, place=place, autoreset_mode=mode), make_sync(task, mode)
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata == theirs.metadata
    rng = np.random.default_rng(len(mode))
    ours_now = ours.reset(seed=5)
    assert_same(ours_now, theirs.reset(seed=5))
    assert ours.observation_space.contains(ours_now[0])
    ended, target, succeeded = np.zeros(ROWS, dtype=bool), ours_now[1].get("target"), []
    for _ in range(70):
        if rng.random() < 0.1 or (mode == "Disabled" and ended.any()):
            arguments = random_reset(rng, must=ended)
            ours_now = ours.reset(**arguments)
            assert_same(ours_now, theirs.reset(**{**arguments, "options": dict(arguments["options"])}))
            ended &= ~arguments["options"].get("reset_mask", np.ones(ROWS, dtype=bool))
        else:
            action = ours.action_space.sample()
            if hasattr(ours.task, "due"):
                target = ours.task.backend.to_numpy(ours.task.due(ours._state)[0])
            if ours.task.stops:
                target = ours.task.backend.to_numpy(ours.task.info(ours._state)["target"])
            patient = hasattr(ours.task, "due") or ours.task.stops
            share = 0.8 if patient else 0.1 if ours.task.answers_act else 0.5
            knows = rng.random(ROWS) < share
            action["answer"] = np.where(knows.reshape(-1, *[1] * (target.ndim - 1)), target, action["answer"])
            ours_now = ours.step(action)
            assert_same(ours_now, theirs.step(action))
            ended = ours_now[2]
        infos = ours_now[-1]
        if "_target" in infos and target.ndim == 1:
            target = np.where(infos["_target"], infos["target"], target)
        results = infos.get("final_info", infos)
        if "_is_success" in results:
            succeeded += results["is_success"][results["_is_success"]].tolist()
    assert {False, True} == set(succeeded)


def test_rows_end_together_and_apart() -> None:
    """The test above is worth something only if its rows do both; here they do by construction."""
    images = {"images": np.zeros((2, 4, 4), np.uint8), "labels": [0, 1], "split": "all", "patch": 2, "num_glimpses": 2}
    task = ("glimpse_env:Glimpse/Classify-v0", images)
    for mode, apart in itertools.product(MODES, (False, True)):
        ours, theirs = make(task, autoreset_mode=mode), make_sync(task, mode)
        assert_same(ours.reset(seed=0), theirs.reset(seed=0))
        ended = np.zeros(ROWS, dtype=bool)
        kinds = set()
        for step in range(7):
            if (apart and step == 1) or (mode == "Disabled" and ended.any()):
                mask = ended if ended.any() else np.arange(ROWS) == 1
                arguments = [{"options": {"reset_mask": mask.copy()}} for _ in range(2)]
                assert_same(ours.reset(**arguments[0]), theirs.reset(**arguments[1]))
            action = ours.action_space.sample()
            results = ours.step(action)
            assert_same(results, theirs.step(action))
            ended = results[2]
            kinds.add((ended.any(), ended.all()))
        assert kinds == ({(False, False), (True, False)} if apart else {(False, False), (True, True)})


@pytest.mark.parametrize("mode", MODES)
def test_what_is_returned_is_the_callers_own(mode: str, place: str, task: tuple[str, dict[str, Any]]) -> None:
    """No memory is returned twice, and the environment keeps none of it: one may write to it and nothing changes."""
    env, other = (make(task, place=place, autoreset_mode=mode) for _ in range(2))
    if place != "numpy":
        env, other = env.env, other.env
    action = env.action_space.sample()

    def leaves(value: Any) -> list[Any]:
        if isinstance(value, dict):
            value = tuple(value.values())
        if isinstance(value, tuple) or (isinstance(value, np.ndarray) and value.dtype == object):
            return [leaf for part in value for leaf in leaves(part)]
        return [] if value is None else [value]

    def start(leaf: Any) -> int:
        return leaf.data_ptr() if isinstance(leaf, torch.Tensor) else leaf.__array_interface__["data"][0]

    calls = [("reset", {"seed": 0}), *[("step", {"actions": action})] * int(lengths(task, 0).min())]
    calls += [("reset", {}) if mode == "Disabled" else ("step", {"actions": action})]
    calls += [("reset", {"options": {"reset_mask": np.arange(ROWS) == 0}}), ("step", {"actions": action})]
    kept = []
    for name, arguments in calls:
        ours, theirs = (leaves(getattr(face, name)(**arguments)) for face in (env, other))
        assert all(bool((one == two).all()) for one, two in zip(ours, theirs, strict=True))
        for leaf in ours:
            leaf[...] = 0
        kept += ours
    assert len({start(leaf) for leaf in kept}) == len(kept)


def test_worker_processes_play_the_same() -> None:
    """Spawned ones, which must find the environment by its name."""
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 6), dtype=np.uint8)
    kwargs = {"images": images, "labels": np.arange(4), "split": "all", "patch": 3, "num_glimpses": 2, "size": 9}
    task = ("glimpse_env:Glimpse/Classify-v0", kwargs)
    ours = make(task, num_envs=2)
    theirs = gym.make_vec(
        task[0], num_envs=2, vectorization_mode="async", vector_kwargs={"context": "spawn"}, **task[1]
    )
    try:
        assert_same(ours.reset(seed=3), theirs.reset(seed=3))
        for _ in range(4):
            action = ours.action_space.sample()
            assert_same(ours.step(action), theirs.step(action))
    finally:
        theirs.close()


def test_a_test_set_is_the_same_however_many_play_it(task: tuple[str, dict[str, Any]], host_place: str) -> None:
    """It is a range of episode numbers of one seed."""

    def observations(num_envs: int) -> dict[str, np.ndarray]:
        env = make(task, num_envs, host_place)
        parts = []
        for first in range(0, 12, num_envs):
            options = {"episode": np.arange(first, first + num_envs)}
            parts.append(env.reset(seed=[6] * num_envs, options=options))
        merged = {key: np.concatenate([part[0][key] for part in parts]) for key in parts[0][0]}
        return {**merged, **{key: np.concatenate([part[1][key] for part in parts]) for key in parts[0][1]}}

    assert_same(observations(3), observations(12))
    assert_same(observations(1), observations(4))
    assert_same(observations(1), observations(12))


def test_the_callers_options_are_left_as_they_are(task: tuple[str, dict[str, Any]]) -> None:
    """Gymnasium's own takes the mask out, which misleads its wrappers."""
    env = make(task)
    env.reset(seed=0)
    options = {"reset_mask": np.array([True, False, False]), "episode": np.arange(ROWS)}
    before = {key: value.copy() for key, value in options.items()}
    env.reset(options=options)
    assert_same(options, before)


def test_the_mode_is_told_where_libraries_look(task: tuple[str, dict[str, Any]]) -> None:
    for mode in AutoresetMode:
        env = make(task, autoreset_mode=mode)
        assert env.autoreset_mode is env.metadata["autoreset_mode"] is mode
    assert make(task).autoreset_mode is AutoresetMode.NEXT_STEP
    assert "autoreset_mode" not in GlimpseVectorEnv.metadata
    assert "autoreset_mode" not in GlimpseEnv.metadata


def test_a_pickled_environment_goes_on_alike(task: tuple[str, dict[str, Any]], host_place: str) -> None:
    env = make(task, place=host_place, autoreset_mode="SameStep")
    env.reset(seed=1)
    env.step(env.action_space.sample())
    inner = env if host_place == "numpy" else env.env
    copy = pickle.loads(pickle.dumps(inner))
    copy = copy if host_place == "numpy" else Translated(copy, host_place)
    actions = [env.action_space.sample() for _ in range(env.metadata["horizon"] + 1)]
    ours = [env.step(action) for action in actions]
    for result, action in zip(ours, actions, strict=True):
        assert_same(copy.step(action), result)


def test_frames_are_those_of_the_single_environments(task: tuple[str, dict[str, Any]], host_place: str) -> None:
    mode = first_mode(task)
    env = make(task, place=host_place, render_mode=mode)
    singles = [gym.make(task[0], render_mode=mode, **task[1]) for _ in range(ROWS)]
    env.reset(seed=2)
    for row, single in enumerate(singles):
        single.reset(seed=2 + row)
    for _ in range(3):
        action = env.action_space.sample()
        env.step(action)
        for row, single in enumerate(singles):
            single.step({key: value[row] for key, value in action.items()})
        frames = env.render()
        assert type(frames) is tuple
        for frame, single in zip(frames, singles, strict=True):
            np.testing.assert_array_equal(frame, single.render())
    assert make(task).render() is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"seed": -1}, ValueError, "seed must be an integer of at least 0, got -1"),
        ({"seed": [1, 2, -3]}, ValueError, "at least 0, got -3"),
        ({"seed": [1, 2, 0.5]}, ValueError, "must be an integer"),
        ({"seed": [1, 2]}, ValueError, "2 seeds for 3 environments: pass one each"),
        ({"options": {"episode": -1}}, ValueError, r"episode.* at least 0, or \(3,\) of them, got -1"),
        ({"options": {"episode": [1, 2]}}, ValueError, "episode"),
        ({"options": {"episode": [1.0, 2.0, 3.0]}}, ValueError, "episode"),
        ({"options": {"reset_mask": np.ones(2, dtype=bool)}}, ValueError, r"reset_mask.* must be \(3,\)"),
        ({"options": {"reset_mask": np.zeros(3, dtype=bool)}}, ValueError, "at least one True"),
        ({"options": {"reset_mask": [False] * 3}}, ValueError, "at least one True"),
        ({"options": {"reset_mask": np.ones(3)}}, TypeError, "reset_mask.* must be boolean, got float64"),
        ({"options": {"reset_mask": [1, 0, 1]}}, TypeError, "must be boolean"),
    ],
    ids=str,
)
def test_a_refused_reset_changes_nothing(
    arguments: dict[str, Any], error: type[Exception], message: str, host_place: str, noise_digits: None
) -> None:
    task = ("glimpse_env:Glimpse/MNIST-v0", {})
    env, other = make(task, place=host_place), make(task, place=host_place)
    env.reset(seed=5)
    other.reset(seed=5)
    arguments = {**arguments, "options": {"episode": 7, **arguments.get("options", {})}}
    with pytest.raises(error, match=message):
        (env if host_place == "numpy" else env.env).reset(**{"seed": 9, **arguments})
    action = env.action_space.sample()
    assert_same(env.step(action), other.step(action))
    assert_same(env.reset(), other.reset())


def test_the_first_reset_begins_every_row(task: tuple[str, dict[str, Any]], host_place: str) -> None:
    env = make(task, place=host_place)
    with pytest.raises(RuntimeError, match=r"call reset\(\)"):
        env.step(env.action_space.sample())
    with pytest.raises(RuntimeError, match="first reset must begin every row"):
        env.reset(seed=5, options={"reset_mask": np.arange(ROWS) == 1})
    env.reset(seed=5, options={"reset_mask": np.ones(ROWS, dtype=bool)})
    assert_same(env.reset(seed=5), make(task).reset(seed=5))


@pytest.mark.parametrize("place", ["numpy", "cpu"])
def test_without_autoreset_rows_that_ended_stay_ended(task: tuple[str, dict[str, Any]], place: str) -> None:
    """NumPy refuses to step them; torch goes on, they earn nothing, and a reset by mask begins them again."""
    steps = lengths(task, 5) + (np.arange(ROWS) == 1)
    env = make(task, place=place, autoreset_mode="Disabled")
    env.reset(seed=5)
    env.step(env.action_space.sample())
    env.reset(options={"reset_mask": np.arange(ROWS) == 1, "episode": 0})
    for _ in range(steps.min() - 1):
        *_, ended, _, _ = env.step(env.action_space.sample())
    assert ended.tolist() == (steps == steps.min()).tolist()
    if place == "numpy":
        with pytest.raises(RuntimeError, match=r'reset.*"reset_mask": ended rows'):
            env.step(env.action_space.sample())
        env.reset(options={"reset_mask": ended})
        env.step(env.action_space.sample())
        return
    seen = ended.copy()
    for _ in range(steps.max() - steps.min() + 2):
        over = seen.copy()
        _, rewards, ended, _, infos = env.env.step(env.env.action_space.sample())
        assert not rewards[torch.from_numpy(over)].any()
        assert not (ended.numpy() & over).any()
        for key in ("target", "scored", "correct"):
            assert infos[f"_{key}"].tolist() == (~over).tolist()
            assert not infos[key][torch.from_numpy(over)].any()
        seen |= ended.numpy()
    assert seen.all()
    env.reset(options={"reset_mask": np.arange(ROWS) == 2})
    *_, infos = env.step(env.action_space.sample())
    assert infos["_target"].tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"num_envs": 0}, "num_envs must be at least 1, got 0"),
        ({"render_mode": "tactile"}, "render_mode must be one of .*rgb_array.* got 'tactile'"),
        ({"autoreset_mode": "LastStep"}, "'LastStep' is not a valid AutoresetMode"),
        ({"backend": "jax"}, """backend must be "numpy" or "torch", got 'jax'"""),
        ({"device": "cuda"}, "backend=\"numpy\" has no device 'cuda'"),
        ({"backend": "torch", "device": "abacus"}, "unknown device 'abacus'"),
        pytest.param(
            {"backend": "torch", "device": "cuda"},
            "this machine has no CUDA device",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one"),
        ),
    ],
    ids=str,
)
def test_what_cannot_be_made_is_refused(kwargs: dict[str, Any], message: str, noise_digits: None) -> None:
    with pytest.raises(ValueError, match=message):
        GlimpseVectorEnv("MNIST-v0", **kwargs)
