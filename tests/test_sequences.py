"""What the tasks of pure recall share: what counts, what it earns, and how it is told."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from glimpse_env import GlimpseEnv, GlimpseVectorEnv
from glimpse_env.backend import get_backend
from glimpse_env.tasks import make_task
from glimpse_env.tasks.sequence import SequenceTask

NAMES = ["Copy-v0", "RepeatCopy-v0", "AssociativeRecall-v0", "MQAR-v0"]
NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
CHANCE = {"MQAR-v0": 1 / 8192}
"""How often a random answer, or a random bit of it, is right; elsewhere a half."""


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def begin(name: str, episodes: int = 50, seed: int = 0, **kwargs: Any) -> tuple[SequenceTask, dict[str, np.ndarray]]:
    task = make_task(name, get_backend("numpy"), **kwargs)
    assert isinstance(task, SequenceTask)
    return task, task.begin(np.full(episodes, seed), np.arange(episodes))


def play(task: SequenceTask, state: dict[str, Any], answer: Any) -> tuple[dict[str, Any], np.ndarray, list[Any]]:
    """The last state, the return of each row and the outcomes of answering `answer(state)` until all rows ended."""
    earned, outcomes = np.zeros(len(state["time"])), []
    for step in range(task.horizon):
        outcome = task.act(state, {"answer": answer(state)})
        earned += np.where(state["steps"] > step, outcome.reward, 0)
        outcomes.append(outcome)
        state = outcome.state
    assert outcome.terminated.all()
    return state, earned, outcomes


def test_who_answers_right_earns_one(name: str) -> None:
    task, state = begin(name)
    _, earned, outcomes = play(task, state, lambda state: task.due(state)[0])
    np.testing.assert_allclose(earned, 1, rtol=1e-6)
    for step, outcome in enumerate(outcomes, 1):
        scored, ended = state["scored"][:, step - 1], state["steps"] == step
        np.testing.assert_array_equal(outcome.terminated, state["steps"] <= step)
        np.testing.assert_array_equal(outcome.info["scored"], scored)
        np.testing.assert_array_equal(outcome.info["correct"], scored | (state["steps"] <= step))
        assert ((outcome.reward > 0) == scored).all()
        assert not task.observe(outcome.state)[next(iter(task.observation_space))][ended].any()


def test_only_the_answers_that_count_are_paid(name: str) -> None:
    """Wrong everywhere else, and right where it counts; and the other way round."""
    task, state = begin(name)

    def answer(state: dict[str, Any], when: bool) -> np.ndarray:
        target, scored = task.due(state)
        wrong = 1 - target if target.ndim == 2 else (target + 1) % 8192
        return np.where((scored == when).reshape(-1, *[1] * (target.ndim - 1)), target, wrong)

    _, earned, outcomes = play(task, state, lambda state: answer(state, True))
    np.testing.assert_allclose(earned, 1, rtol=1e-6)
    assert outcomes[-1].info["correct"].all()
    _, earned, outcomes = play(*begin(name), lambda state: answer(state, False))
    assert not earned.any()
    assert not any(outcome.info["correct"].any() for outcome in outcomes)


def test_one_mistake_costs_its_share_and_the_episode(name: str) -> None:
    task, state = begin(name)
    first = state["scored"].argmax(axis=1)

    def answer(state: dict[str, Any]) -> np.ndarray:
        target = task.due(state)[0]
        slip = state["time"] == first
        if target.ndim == 1:
            return np.where(slip, target - 1, target)
        target[:, 0] ^= slip
        return target

    _, earned, outcomes = play(task, state, answer)
    parts = state["scored"].sum(axis=1) * (state["target"].shape[2] if state["target"].ndim == 3 else 1)
    np.testing.assert_allclose(earned, 1 - 1 / parts, atol=1e-6)
    for step, outcome in enumerate(outcomes):
        during = state["steps"] > step + 1
        expected = state["scored"][:, step] & (first != step) & during
        np.testing.assert_array_equal(outcome.info["correct"], expected)


def test_random_answers_earn_what_chance_pays(name: str) -> None:
    task, state = begin(name, 600)
    space = gym.vector.utils.batch_space(task.action_space, 600)
    space.seed(0)
    earned = play(task, state, lambda state: space.sample()["answer"])[1]
    assert abs(earned.mean() - CHANCE.get(name, 0.5)) < 4 * max(earned.std(), 0.02) / 600**0.5


def test_what_is_answered_changes_nothing_that_is_shown(name: str) -> None:
    (task, one), (_, other) = begin(name), begin(name)
    for _ in range(task.horizon):
        one = task.act(one, {"answer": task.due(one)[0]}).state
        other = task.act(other, {"answer": np.zeros_like(task.due(other)[0])}).state
        for key, seen in task.observe(one).items():
            np.testing.assert_array_equal(seen, task.observe(other)[key])


def test_steps_after_an_end_are_silent(name: str) -> None:
    """As on a GPU, which does not look whether a row has ended."""
    task, state = begin(name)
    last = play(task, state, lambda state: task.due(state)[0])[0]
    for _ in range(3):
        target, scored = task.due(last)
        assert not target.any()
        assert not scored.any()
        outcome = task.act(last, {"answer": target})
        assert outcome.terminated.all()
        assert not outcome.reward.any()
        last = outcome.state


def test_lengths_are_told_without_beginning(name: str) -> None:
    task, state = begin(name, 500, seed=3)
    lengths = task.lengths(np.full(500, 3), np.arange(500))
    np.testing.assert_array_equal(lengths, state["steps"])
    assert lengths.max() == task.horizon
    assert (state["scored"].sum(axis=1) > 0).all()
    assert not (state["scored"] & (np.arange(task.horizon + 1) >= lengths[:, None])).any()
    assert state["scored"][np.arange(500), lengths - 1].all() or name == "MQAR-v0"


@pytest.mark.parametrize("place", ["cpu", pytest.param("cuda", marks=[pytest.mark.cuda, NO_CUDA])])
def test_torch_draws_and_pays_the_same_bits(name: str, place: str) -> None:
    task, state = begin(name, 40, seed=9)
    other = make_task(name, get_backend("torch", place))
    seeds, episodes = (torch.as_tensor(array, device=place) for array in (np.full(40, 9), np.arange(40)))
    theirs = other.begin(seeds, episodes)
    np.testing.assert_array_equal(other.lengths(seeds, episodes).cpu(), state["steps"])
    space = gym.vector.utils.batch_space(task.action_space, 40)
    space.seed(0)
    for _ in range(task.horizon):
        assert state.keys() == theirs.keys()
        for key in state:
            assert str(theirs[key].dtype) == f"torch.{state[key].dtype}"
            np.testing.assert_array_equal(theirs[key].cpu(), state[key])
        right, other_half = task.due(state)[0], np.arange(40).reshape(-1, *[1] * (state["target"].ndim - 2)) % 2
        answer = np.where(other_half, space.sample()["answer"], right)
        outcome = task.act(state, {"answer": answer})
        told = other.act(theirs, {"answer": torch.as_tensor(answer, device=place)})
        np.testing.assert_array_equal(told.reward.cpu(), outcome.reward)
        assert outcome.reward.dtype == np.float32
        state, theirs = outcome.state, told.state


def test_a_text_shows_no_answer_before_it_is_given(name: str) -> None:
    env = gym.make(f"glimpse_env:Glimpse/{name}", render_mode="ansi").unwrapped
    env.reset(seed=2)
    given, ended = 0, False
    while not ended:
        text = env.render()
        assert sum(line.endswith(("right", "wrong")) for line in text.splitlines()) == given
        _, _, ended, _, info = env.step(env.action_space.sample())
        given += info["scored"]
    lines = env.render().splitlines()
    assert [line.split()[0] for line in lines] == ["step", *map(str, range(1, len(lines)))]
    assert sum(line.endswith(("right", "wrong")) for line in lines) == given > 0
    for line in lines:
        if line.endswith(("right", "wrong")):
            answer, target, verdict = line.split()[2:]
            assert (answer == target) == (verdict == "right")


@pytest.mark.parametrize("face", ["single", "numpy", "torch"])
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([0, 1, 2], "'answer' must hold bits, 0 or 1, got"),
        ([0, -1, 1], "must hold bits, 0 or 1"),
        ([0, 256, 1], "must hold bits, 0 or 1"),
        ([0.0, 1.0, 1.0], "'answer' must hold integers or bools, got .*float"),
        ([0, 1], r"'answer' must have shape \(.*3,?\), got \(.*2,?\)"),
        (1, "'answer' must have shape"),
    ],
    ids=str,
)
def test_what_is_not_bits_is_refused(answer: Any, message: str, face: str) -> None:
    env: Any = (
        GlimpseEnv("Copy-v0", bits=3) if face == "single" else GlimpseVectorEnv("Copy-v0", 2, backend=face, bits=3)
    )
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step({"answer": answer if face == "single" else [answer, answer]})


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint8, np.int64])
def test_bits_are_bools_or_integers_of_any_kind(dtype: Any) -> None:
    env, twin = (GlimpseEnv("Copy-v0", bits=3, min_length=2, max_length=2) for _ in range(2))
    env.reset(seed=0)
    twin.reset(seed=0)
    for bits in ([0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1], [1, 0, 1]):
        ours = env.step({"answer": np.array(bits, dtype)})
        assert ours[1] == twin.step({"answer": bits})[1]
    assert env.task.act(env._state, {"answer": np.zeros((1, 3), np.int8)}).state["answers"].dtype == np.int8
