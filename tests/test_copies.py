"""Copies and saved states go on alike, share what never changes, and are small."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

import glimpse_env
from glimpse_env.image_set import ImageSet
from glimpse_env.sharing import shared
from tests.conftest import plain

FACES = ("single", "numpy", "torch")
ROWS = 3
SMALL = 100_000
"""Bytes that the pickle of an environment with a named data set may have."""


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    return request.param


def make(task: tuple[str, dict[str, Any]], face: str, **kwargs: Any) -> Any:
    if face == "single":
        return gym.make(task[0], **task[1], **kwargs)
    return gym.make_vec(task[0], num_envs=ROWS, backend=face, **task[1], **kwargs)


def play(env: Any, steps: int, seed: int = 0) -> tuple[Any, ...]:
    """What an environment answers to random actions, and to `reset` after each end."""
    space = copy.deepcopy(env.action_space)
    space.seed(seed)
    results: list[Any] = []
    for _ in range(steps):
        results.append(plain(env.step(space.sample())))
        if results[-1][2] is True:
            results.append(plain(env.reset()))
    return tuple(results)


def same(one: Any, other: Any) -> bool:
    return data_equivalence(one, other, exact=True)


# ---- copies


def test_a_deep_copy_goes_on_alike_and_shares_the_task(task: tuple[str, dict[str, Any]], face: str) -> None:
    env = make(task, face)
    env.reset(seed=2)
    play(env, 1)
    twin = copy.deepcopy(env)
    assert twin.unwrapped.task is env.unwrapped.task
    ours = play(env, 12)
    assert same(ours, play(twin, 12))


def test_every_copy_shares_the_arrays_that_the_user_gave() -> None:
    """Gymnasium copies the spec for each wrapper."""
    images = np.zeros((50, 30, 30), np.uint8)
    kwargs = {"images": images, "labels": np.arange(50) % 2, "split": "all", "patch": 4}
    env = gym.wrappers.TimeLimit(gym.make("glimpse_env:Glimpse/Classify-v0", **kwargs), 4)
    assert env.spec is not None
    again = gym.make(env.spec)
    for each in (env, copy.deepcopy(env), again):
        assert np.shares_memory(each.spec.kwargs["images"], images)
        assert np.shares_memory(each.unwrapped.task.images, images)
    envs = gym.make_vec("glimpse_env:Glimpse/Classify-v0", num_envs=2, **kwargs)
    assert np.shares_memory(gym.make_vec(copy.deepcopy(envs.spec)).unwrapped.task.images, images)
    assert images.flags.writeable
    env.reset(seed=0)
    assert len(pickle.dumps(env)) < images.nbytes + SMALL  # once, and not for each wrapper
    assert same(play(pickle.loads(pickle.dumps(env)), 2), play(env, 2))


def test_what_is_computed_from_a_shared_array_is_copied() -> None:
    array = shared({"images": np.zeros(3)})["images"]
    assert copy.deepcopy(array) is array
    result = array + 1
    twin = copy.deepcopy(result)
    result[0] = 7
    assert type(twin) is np.ndarray
    assert twin.tolist() == [1, 1, 1]


def test_shared_arrays_stay_shared_and_read_only_in_a_pickle() -> None:
    kwargs = {"images": np.zeros((50, 30, 30), np.uint8), "labels": np.arange(50) % 2, "split": "all", "patch": 4}
    env = pickle.loads(pickle.dumps(gym.make("glimpse_env:Glimpse/Classify-v0", **kwargs)))
    for each in (env, copy.deepcopy(env), gym.make(env.spec)):
        assert np.shares_memory(each.spec.kwargs["images"], env.unwrapped.task.images)
        assert not each.spec.kwargs["images"].flags.writeable


@pytest.mark.parametrize("name", ["MNIST-v0", "ClutteredMNIST-v0", "ClutteredMNIST100-v0", "Babi-v0", "BabiGaze-v0"])
@pytest.mark.parametrize("rows", [None, 2])
def test_a_pickle_has_no_data_set(
    name: str, rows: int | None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    kwargs = {"data": request.getfixturevalue("real_babi")} if name.startswith("Babi") else {}
    images = np.random.default_rng(0).integers(0, 256, (1_000, 1, 28, 28), dtype=np.uint8)
    digits = ImageSet(images, np.arange(1_000) % 10, tuple("0123456789"))
    monkeypatch.setattr("glimpse_env.tasks.image_task.load_dataset", lambda name, split: digits)
    env = gym.make_vec(f"Glimpse/{name}", num_envs=rows, **kwargs) if rows else gym.make(f"Glimpse/{name}", **kwargs)
    env.reset(seed=0)
    size = len(pickle.dumps(env))
    assert size < (SMALL if rows is None else rows * SMALL)
    assert same(play(pickle.loads(pickle.dumps(env)), 9), play(env, 9))


GO_ON = """
import pickle
import sys
env = pickle.load(open(sys.argv[1], "rb"))
print(float(env.step({"location": [0.1, 0.2], "answer": 0})[0]["glimpse"].sum()), env.render().sum())
"""


@pytest.mark.parametrize("form", ["arrays", "npz"])
def test_a_fresh_process_goes_on(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which lies in another folder than the path is relative to."""
    monkeypatch.chdir(tmp_path)
    images, labels = np.random.default_rng(0).integers(0, 256, (40, 9, 9), dtype=np.uint8), np.arange(40) % 4
    np.savez("own.npz", images=images, labels=labels)
    kwargs: dict[str, Any] = {"images": images, "labels": labels} if form == "arrays" else {"images": "own.npz"}
    env = gym.make("glimpse_env:Glimpse/Classify-v0", patch=3, render_mode="rgb_array", **kwargs)
    env.reset(seed=3)
    Path("env.pkl").write_bytes(pickle.dumps(env))
    root = str(Path(glimpse_env.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", GO_ON, str(tmp_path / "env.pkl")],
        env={**os.environ, "PYTHONPATH": root}, cwd=root, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = env.step({"location": np.float32([0.1, 0.2]), "answer": np.int64(0)})[0]["glimpse"]
    assert done.stdout.split() == [str(float(seen.sum())), str(env.render().sum())]


def test_a_pickle_whose_data_has_changed_is_refused(tmp_path: Path) -> None:
    images, labels = np.random.default_rng(0).integers(0, 256, (40, 9, 9), dtype=np.uint8), np.arange(40) % 4
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    env = gym.make("glimpse_env:Glimpse/Classify-v0", patch=3, images=str(tmp_path / "own.npz"))
    content = pickle.dumps(env)
    pickle.loads(content)
    images[0, 0, 0] ^= 1
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    with pytest.raises(ValueError, match="Classify was pickled with other data"):
        pickle.loads(content)
    (tmp_path / "own.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"own\.npz does not exist"):
        pickle.loads(content)


def test_a_fingerprint_tells_tasks_apart_and_not_backends(task: tuple[str, dict[str, Any]]) -> None:
    ours = make(task, "single").unwrapped.task
    assert ours.fingerprint == make(task, "numpy").task.fingerprint == make(task, "torch").task.fingerprint
    assert ours.fingerprint == pickle.loads(pickle.dumps(ours)).fingerprint
    if "images" in task[1]:
        other = {**task[1], "images": 255 - task[1]["images"]}
        assert make((task[0], other), "single").unwrapped.task.fingerprint != ours.fingerprint


def test_a_fingerprint_does_not_depend_on_where_the_data_lie(tmp_path: Path) -> None:
    images, labels = np.random.default_rng(0).integers(0, 256, (40, 9, 9), dtype=np.uint8), np.arange(40) % 4
    found = set()
    for name in ("one.npz", "other.npz"):
        np.savez(tmp_path / name, images=images, labels=labels)
        task = ("glimpse_env:Glimpse/Classify-v0", {"images": str(tmp_path / name), "patch": 3})
        found.add(make(task, "single").unwrapped.task.fingerprint)
    assert len(found) == 1


# ---- saved states


def test_a_saved_state_can_be_returned_to_any_number_of_times(task: tuple[str, dict[str, Any]], face: str) -> None:
    env = make(task, face)
    env.reset(seed=2)
    play(env, 1)
    saved = env.unwrapped.save_state()
    kept = pickle.dumps(plain(tuple(saved)))
    futures = [play(env, 12)]
    for state in (saved, saved, pickle.loads(pickle.dumps(saved))):
        env.unwrapped.restore_state(state)
        futures.append(play(env, 12))
    assert all(same(future, futures[0]) for future in futures)
    assert pickle.dumps(plain(tuple(saved))) == kept
    env.reset(seed=77)
    env.unwrapped.restore_state(saved)
    assert same(play(env, 12, seed=1), play(restored(make(task, face), saved), 12, seed=1))


def restored(env: Any, saved: Any) -> Any:
    """Another environment, in this state."""
    env.reset(seed=5)
    env.unwrapped.restore_state(saved)
    return env


def test_an_ended_episode_is_saved_as_ended(task: tuple[str, dict[str, Any]]) -> None:
    env = make(task, "single")
    env.reset(seed=2)
    before, terminated = env.unwrapped.save_state(), False
    while not terminated:
        terminated = env.step(env.action_space.sample())[2]
    after = env.unwrapped.save_state()
    env.unwrapped.restore_state(before)
    env.step(env.action_space.sample())
    env.unwrapped.restore_state(after)
    with pytest.raises(RuntimeError, match="ended"):
        env.step(env.action_space.sample())


def test_a_saved_state_fits_the_other_backend(task: tuple[str, dict[str, Any]]) -> None:
    ours, theirs = make(task, "numpy"), make(task, "torch")
    ours.reset(seed=2)
    ours.step(ours.action_space.sample())
    restored(theirs, ours.unwrapped.save_state())
    back = restored(make(task, "numpy"), theirs.unwrapped.save_state())
    assert same(play(ours, 12), play(back, 12))


@pytest.mark.parametrize("face", FACES)
def test_what_is_no_state_of_this_environment_is_refused(face: str) -> None:
    env = make(("glimpse_env:Glimpse/Copy-v0", {}), face)
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        env.unwrapped.save_state()
    env.reset(seed=1)
    saved = env.unwrapped.save_state()
    longer = make(("glimpse_env:Glimpse/Copy-v0", {"max_length": 21}), face)
    longer.reset(seed=1)
    rows = gym.make_vec("glimpse_env:Glimpse/Copy-v0", num_envs=ROWS + 1)
    rows.reset(seed=1)
    for other, message in (
        (longer.unwrapped.save_state(), "with the same arguments"),
        (rows.unwrapped.save_state(), f"the state has {ROWS + 1} rows, and this environment"),
        (None, "not a state that save_state"),
    ):
        with pytest.raises(ValueError, match=message):
            env.unwrapped.restore_state(other)
    expected = play(env, 5)
    env.unwrapped.restore_state(saved)
    assert same(play(env, 5), expected)
