"""`Copy` and `RepeatCopy`: what is shown when, and that the answers due are what was shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glimpse_env import GlimpseEnv, GlimpseVectorEnv
from glimpse_env.backend import get_backend
from glimpse_env.tasks.copy import Copy
from glimpse_env.tasks.repeat_copy import RepeatCopy, normalised_repeats


def begin(kind: Any, episodes: int = 200, seed: int = 0, **kwargs: Any) -> tuple[Any, dict[str, np.ndarray]]:
    task = kind(get_backend("numpy"), **kwargs)
    return task, task.begin(np.full(episodes, seed), np.arange(episodes))


def watch(env: GlimpseEnv, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
    """All observations of an episode, the last included; targets and scored of its steps; what `reset` told."""
    observation, told = env.reset(seed=seed)
    shown, targets, scored, ended = [observation["bits"]], [], [], False
    while not ended:
        observation, _, ended, _, info = env.step(env.action_space.sample())
        shown.append(observation["bits"])
        targets.append(info["target"])
        scored.append(info["scored"])
    return np.stack(shown), np.stack(targets), np.array(scored), told


@pytest.mark.parametrize("length", [1, 2, 5])
def test_vectors_then_a_delimiter_then_silence(length: int) -> None:
    env = GlimpseEnv("Copy-v0", bits=3, min_length=length, max_length=length)
    shown, targets, scored, told = watch(env, seed=length)
    assert told == {"length": length}
    assert shown.shape == (2 * length + 2, 4)
    assert shown[:, 3].tolist() == [0] * length + [1] + [0] * (length + 1)
    assert not shown[length:, :3].any()
    assert scored.tolist() == [False] * (length + 1) + [True] * length
    assert not targets[: length + 1].any()
    np.testing.assert_array_equal(targets[length + 1 :], shown[:length, :3])


def test_the_sequence_is_said_again_and_again_and_then_it_is_over() -> None:
    env = GlimpseEnv("RepeatCopy-v0", bits=4, min_length=3, max_length=3, min_repeats=2, max_repeats=2,
                     trained_repeats=(1, 10))  # fmt: skip
    shown, targets, scored, told = watch(env, seed=0)
    assert told == {"length": 3, "repeats": 2}
    assert shown.shape == (3 + 1 + 2 * 3 + 1 + 1, 6)
    assert shown[:, 4].tolist() == [0, 0, 0, 1, *[0] * 8]
    assert shown[3, 5] == pytest.approx((2 - 5.5) / 8.25**0.5)
    assert not np.delete(shown[:, 5], 3).any()
    assert not shown[3:, :4].any()
    assert scored.tolist() == [False] * 4 + [True] * 7
    for repeat in (0, 1):
        np.testing.assert_array_equal(targets[4 + 3 * repeat : 7 + 3 * repeat, :4], shown[:3, :4])
    assert not targets[:10, 4].any()
    assert targets[10].tolist() == [0, 0, 0, 0, 1]


def test_every_episode_asks_for_what_it_showed() -> None:
    _, state = begin(Copy, seed=1)
    for row, length in enumerate(state["length"]):
        np.testing.assert_array_equal(
            state["shown"][row, :length, :8], state["target"][row, length + 1 : 2 * length + 1]
        )
        assert state["shown"][row, length:].sum() == 1
        assert state["scored"][row].sum() == length
    _, state = begin(RepeatCopy, seed=1)
    for row, (length, repeats) in enumerate(zip(state["length"], state["repeats"], strict=True)):
        said = np.tile(state["shown"][row, :length, :8], (repeats, 1))
        np.testing.assert_array_equal(state["target"][row, length + 1 : length + 1 + length * repeats, :8], said)
        assert state["target"][row, ..., 8].nonzero()[0].tolist() == [length + 1 + length * repeats]
        assert state["steps"][row] == length + length * repeats + 2


@pytest.mark.parametrize("kind", [Copy, RepeatCopy])
def test_bits_are_fair_and_depend_on_nothing(kind: Any) -> None:
    _, state = begin(kind, 2000, min_length=5, max_length=5)
    bits = state["shown"][:, :5, :8].reshape(2000, 40)
    assert set(np.unique(bits)) == {0, 1}
    assert (abs(bits.mean(axis=0) - 0.5) < 4.5 * 0.5 / 2000**0.5).all()
    correlations = np.corrcoef(bits, rowvar=False) - np.eye(40)
    assert abs(correlations).max() < 5 / 2000**0.5
    assert len(np.unique(bits, axis=0)) == 2000


def test_lengths_and_repeats_are_uniform() -> None:
    for low, high in ((1, 20), (3, 7)):
        length = begin(Copy, 4000, min_length=low, max_length=high)[1]["length"]
        assert chi_square(length, low, high) < 60
    state = begin(RepeatCopy, 4000)[1]
    assert chi_square(state["length"], 1, 10) < 35
    assert chi_square(state["repeats"], 1, 10) < 35
    assert chi_square(state["length"] * 10 + state["repeats"] - 11, 0, 99) < 165  # independent of each other


def chi_square(draws: np.ndarray, low: int, high: int) -> float:
    """Pearson's statistic of integers against the uniform distribution over [low, high], all of which must occur."""
    counts = np.bincount(draws - low, minlength=high - low + 1)
    assert len(counts) == high - low + 1
    assert counts.all()
    expected = len(draws) / len(counts)
    return float(((counts - expected) ** 2 / expected).sum())


def test_longer_episodes_begin_with_the_same_vectors() -> None:
    """So that a table over lengths compares like with like."""
    short, long = (begin(Copy, min_length=n, max_length=n)[1]["shown"] for n in (20, 120))
    np.testing.assert_array_equal(short[:, :20], long[:, :20])


def test_the_number_of_repeats_is_shown_normalised() -> None:
    _, state = begin(RepeatCopy, 4000)
    told = state["shown"][np.arange(4000), state["length"], 9]
    assert abs(told.mean()) < 0.06
    assert abs(told.std() - 1) < 0.06
    np.testing.assert_allclose(told, (state["repeats"] - 5.5) / np.arange(1, 11).std(), rtol=1e-6)
    assert normalised_repeats(3, (2, 2)).tolist() == [-2, -1, 0, 1]  # no variance to normalise
    for low, high in ((1, 10), (20, 20), (11, 30)):
        task, state = begin(RepeatCopy, min_repeats=low, max_repeats=high, trained_repeats=(1, 10))
        space = task.observation_space["bits"]
        assert ((space.low <= state["shown"]) & (state["shown"] <= space.high)).all()
        assert space.high[-1] == pytest.approx((high - 5.5) / 8.25**0.5)


def test_a_picture_of_an_episode() -> None:
    env = GlimpseEnv("RepeatCopy-v0", bits=2, min_length=1, max_length=1, min_repeats=1, max_repeats=1,
                     render_mode="ansi")  # fmt: skip
    env.reset(seed=0)
    vector = "".join("▁█"[int(bit)] for bit in env.task.observe(env._state)["bits"][0, :2])
    answers = [[0, 0, 0], [0, 0, 0], [1, 1, 0], [0, 0, 1]]
    for answer in answers:
        env.step({"answer": answer})
    assert env.render().splitlines() == [
        "step  shown   answer  target",
        f"1     {vector}▁",
        "2     ▁▁█ ×1",
        f"3     ▁▁▁     ██▁     {vector}▁     " + ("right" if vector == "██" else "wrong"),
        "4     ▁▁▁     ▁▁█     ▁▁█     right",
    ]


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("Copy-v0", {"bits": 0}, "bits must be an integer of at least 1, got 0"),
        ("Copy-v0", {"bits": 2.5}, "bits must be an integer"),
        ("Copy-v0", {"min_length": 0}, "min_length and max_length must be integers with 1 <= min_length <= max_length"),
        ("Copy-v0", {"min_length": 21}, "got 21 and 20"),
        ("Copy-v0", {"max_length": 7.0}, "got 1 and 7.0"),
        ("RepeatCopy-v0", {"bits": -1}, "bits must be"),
        ("RepeatCopy-v0", {"max_length": 0}, "1 <= min_length <= max_length, got 1 and 0"),
        ("RepeatCopy-v0", {"min_repeats": 11}, "1 <= min_repeats <= max_repeats, got 11 and 10"),
        ("RepeatCopy-v0", {"trained_repeats": (5, 2)}, r"trained_repeats must be \(least, largest\) .* got \(5, 2\)"),
        ("RepeatCopy-v0", {"trained_repeats": (1, 2, 3)}, "trained_repeats must be"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused(name: str, kwargs: dict[str, Any], message: str) -> None:
    for face in (GlimpseEnv, GlimpseVectorEnv):
        with pytest.raises(ValueError, match=message):
            face(name, **kwargs)
