"""A task from outside: registered once, it is a single and a vector environment like those of the package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv

import glimpse_env
from glimpse_env import TASKS, GlimpseEnv, GlimpseVectorEnv
from glimpse_env.backend import Backend
from glimpse_env.retina import Retina
from glimpse_env.rng import Array, draw_words, integers
from glimpse_env.tasks import FACES
from glimpse_env.tasks.base import box
from glimpse_env.tasks.image_task import ImageTask
from glimpse_env.tasks.records import Outcome, State

ID = "glimpse_env:Glimpse/AskedSearch-v0"
WORDS = ("<padding>", "<unknown>", "bright", "dark", "where")
ROWS = 4


class AskedSearch(ImageTask):
    """Say the class of an image and whether it is as bright as the question says; stop as soon as that is known."""

    def __init__(self, backend: Backend, *, num_glimpses: int = 4, **images: Any) -> None:
        super().__init__(backend, **images)
        self.horizon, self.retina, self.words, self.max_answers = num_glimpses, Retina((4, 4), 2), WORDS, num_glimpses
        self.roles = {"glimpse": "glimpse", "place": "place", "question": "tokens"}
        self.action_roles = {"location": "place", "answer": "classes", "stop": "stop"}
        self.gazes = ("random", "oracle")
        classes = len(self.answer_names)
        self.observation_space = spaces.Dict(
            {
                "glimpse": box(0, 1, (2, self.images.shape[1], 4, 4)),
                "place": box(-1, 1, (2,)),
                "question": spaces.Box(0, len(WORDS) - 1, (3,), np.int64),
            }
        )
        self.action_space = spaces.Dict(
            {
                "location": box(-1, 1, (2,)),
                "answer": spaces.MultiDiscrete([classes, 2], start=[0, 5]),
                "stop": spaces.Discrete(2),
            }
        )

    def begin(self, seeds: Array, episodes: Array) -> State:
        xp, scenes = self.backend.xp, self.compose(seeds, episodes)
        bright = integers(draw_words(seeds, episodes, 1, 7)[:, 0], 2)
        target = xp.stack([xp.take(self.labels, scenes.index, axis=0), 5 + bright], axis=1)
        location = xp.zeros((seeds.shape[0], 2), dtype=xp.float32, device=self.backend.device)
        return {**self.presented(scenes.canvas), "target": target, "location": location, "time": xp.zeros_like(seeds)}

    def observe(self, state: State) -> dict[str, Array]:
        xp = self.backend.xp
        question = xp.stack([state["target"][:, 1] - 3, state["time"] * 0 + 4, state["time"] * 0], axis=1)
        return {"glimpse": self.glimpse(state), "place": self.backend.copy(state["location"]), "question": question}

    def act(self, state: State, action: dict[str, Array]) -> Outcome:
        xp, time = self.backend.xp, state["time"] + 1
        ended = (action["stop"] == 1) | (time >= self.horizon)
        correct = xp.all(action["answer"] == state["target"], axis=1)
        reward = xp.astype(correct & ended, xp.float32)
        location = self.backend.clip(action["location"], -1.0, 1.0)
        state = {**state, "time": time, "location": location}
        info = {**self.info(state), "scored": self.backend.copy(ended), "correct": correct}
        return Outcome(state, reward, ended, info)

    def info(self, state: State) -> dict[str, Array]:
        return {"target": self.backend.copy(state["target"])}

    def render(self, state: State, row: int, mode: str) -> np.ndarray:
        return np.zeros((8, 8, 3), np.uint8)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    images = np.random.default_rng(0).integers(0, 256, (9, 6, 6), dtype=np.uint8)
    defaults = {"dataset": None, "images": images, "labels": np.arange(9) % 3, "size": 12, "split": "all"}
    glimpse_env.register_task("AskedSearch-v0", AskedSearch, **defaults)
    yield
    del TASKS["AskedSearch-v0"]
    for face in FACES:
        del gym.registry[f"Glimpse/AskedSearch{face}-v0"]


def assert_same(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            assert_same(ours[key], value)
        return
    ours = ours.numpy() if isinstance(ours, torch.Tensor) else ours
    np.testing.assert_array_equal(ours, theirs)


def test_it_is_an_environment_that_gymnasium_has_no_complaint_about() -> None:
    env = gym.make(ID)
    assert isinstance(env.unwrapped, GlimpseEnv)
    assert env.spec is not None
    assert env.spec.max_episode_steps is None
    assert env.metadata["action_roles"] == {"location": "place", "answer": "classes", "stop": "stop"}
    check_env(env.unwrapped)
    assert gym.make(ID, num_glimpses=2).metadata["horizon"] == 2


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_the_vector_environment_equals_single_ones(backend: str, mode: str) -> None:
    """Rows stop at different times, as the actions say."""
    ours = gym.make_vec(ID, num_envs=ROWS, backend=backend, autoreset_mode=mode)
    theirs = gym.make_vec(ID, num_envs=ROWS, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
    assert type(ours.unwrapped) is GlimpseVectorEnv
    assert isinstance(theirs.unwrapped, SyncVectorEnv)
    assert_same(ours.reset(seed=3)[0], theirs.reset(seed=3)[0])
    theirs.action_space.seed(1)
    stops = 0
    for _ in range(30):
        action = theirs.action_space.sample()
        action["stop"] &= np.random.default_rng(stops).integers(0, 2, ROWS)
        tensors = {key: torch.as_tensor(value) for key, value in action.items()}
        found, expected = ours.step(tensors if backend == "torch" else action), theirs.step(action)
        for one, other in zip(found[:4], expected[:4], strict=True):
            assert_same(one, other)
        for key in ("target", "scored", "correct"):
            if f"_{key}" in expected[4]:
                assert_same(found[4][key], expected[4][key])
        ended = expected[2]
        stops += int(ended.any() and not ended.all())
        if mode == "Disabled" and ended.any():
            masks = [{"reset_mask": torch.as_tensor(ended) if backend == "torch" else ended}, {"reset_mask": ended}]
            assert_same(ours.reset(options=masks[0])[0], theirs.reset(options=dict(masks[1]))[0])
    assert stops > 3


def test_worker_processes_need_not_register_it() -> None:
    ours = gym.make_vec(ID, num_envs=2)
    theirs = gym.make_vec(ID, num_envs=2, vectorization_mode="async", vector_kwargs={"context": "spawn"})
    try:
        assert_same(ours.reset(seed=3)[0], theirs.reset(seed=3)[0])
    finally:
        theirs.close()


@pytest.mark.parametrize("face", ["single", "numpy", "torch"])
@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("answer", [3, 5], r"'answer' must be from \[0, 5\] to below \[3, 7\], got"),
        ("answer", [0, 4], "'answer' must be from"),
        ("answer", [0.0, 5.0], "'answer' must hold integers, got .*float"),
        ("answer", [0], r"'answer' must have shape \(.*2,?\), got \(.*1,?\)"),
        ("stop", 2, r"'stop' must be in \[0, 2\)"),
        ("stop", 1.0, "'stop' must hold integers, got .*float"),
        ("stop", True, "'stop' must hold integers, got .*bool"),
        ("stop", [1], "'stop' must have shape"),
    ],
    ids=str,
)
def test_what_is_no_action_is_refused(part: str, value: Any, message: str, face: str) -> None:
    action: dict[str, Any] = {"location": [0.0, 0.0], "answer": [0, 5], "stop": 0, part: value}
    env: Any = gym.make(ID).unwrapped if face == "single" else gym.make_vec(ID, num_envs=2, backend=face)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(action if face == "single" else {key: [given, given] for key, given in action.items()})


@pytest.mark.parametrize(
    ("name", "task", "error", "message"),
    [
        ("AskedSearch-v0", AskedSearch, ValueError, "the name 'AskedSearch-v0' is taken"),
        ("MNIST-v0", AskedSearch, ValueError, "the name 'MNIST-v0' is taken"),
        ("MNIST-Box-v0", AskedSearch, ValueError, "the name 'MNIST-Box-v0' is taken"),
        ("Mine", AskedSearch, ValueError, "ends in \"-v\" and a number, got 'Mine'"),
        ("Mine/Own-v0", AskedSearch, ValueError, 'ends in "-v" and a number'),
        ("Mine-v0", GlimpseEnv, TypeError, r"must be a subclass of glimpse_env\.tasks\.Task, got .*GlimpseEnv"),
    ],
)
def test_what_cannot_be_registered_is_refused(name: str, task: Any, error: type[Exception], message: str) -> None:
    before = dict(gym.registry), dict(TASKS)
    with pytest.raises(error, match=message):
        glimpse_env.register_task(name, task)
    assert (dict(gym.registry), dict(TASKS)) == before


def test_a_task_with_a_part_without_a_role_cannot_be_made() -> None:
    class Nameless(AskedSearch):
        def __init__(self, backend: Backend, **images: Any) -> None:
            super().__init__(backend, **images)
            self.roles = {"glimpse": "glimpse", "place": "place"}

    row = TASKS["AskedSearch-v0"]._replace(task=Nameless)
    with pytest.raises(ValueError, match=r"the space has \['glimpse', 'place', 'question'\]"):
        GlimpseEnv(row)
