"""`MQAR` against Zoology's definition."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from glimpse_env import GlimpseEnv, GlimpseVectorEnv
from glimpse_env.backend import get_backend
from glimpse_env.rng import draw_words
from glimpse_env.tasks.mqar import MQAR, draw_gaps, gap_weights

SWEEP = [(64, 4), (128, 8), (256, 16), (512, 64)]


def begin(episodes: int = 100, seed: int = 0, **kwargs: Any) -> tuple[MQAR, dict[str, np.ndarray]]:
    task = MQAR(get_backend("numpy"), **kwargs)
    return task, task.begin(np.full(episodes, seed), np.arange(episodes))


@pytest.mark.parametrize("filled", [True, False])
@pytest.mark.parametrize(("length", "pairs"), [*SWEEP, (16, 4), (4, 1)])
def test_each_key_is_asked_for_once(length: int, pairs: int, filled: bool) -> None:
    task, state = begin(length=length, pairs=pairs, random_non_queries=filled)
    assert task.horizon == length
    tokens = state["shown"][:, :length, 0]
    keys, values = tokens[:, 0 : 2 * pairs : 2], tokens[:, 1 : 2 * pairs : 2]
    assert keys.min() >= 1
    assert keys.max() < 4096 <= values.min()
    assert values.max() < 8192
    for found in (keys, values):
        assert all(len(set(row)) == pairs for row in found.tolist())
    assert (state["scored"].sum(axis=1) == pairs).all()
    assert not state["target"][~state["scored"]].any()
    rows, places = state["scored"].nonzero()
    assert (places >= 2 * pairs).all()
    assert (places < length).all()
    assert not (places % 2).any()
    asked = tokens[rows, places].reshape(-1, pairs)
    np.testing.assert_array_equal(np.sort(asked), np.sort(keys))
    value_of = [dict(zip(*pair, strict=True)) for pair in zip(keys.tolist(), values.tolist(), strict=True)]
    answers = [[value_of[row][key] for key in asked[row]] for row in range(len(asked))]
    np.testing.assert_array_equal(state["target"][rows, places].reshape(-1, pairs), answers)
    others = tokens[:, 2 * pairs :][~state["scored"][:, 2 * pairs : length]]
    assert others.any() == (filled and len(others) > 0)


def test_one_episode_token_by_token() -> None:
    env = GlimpseEnv("MQAR-v0", length=8, pairs=2, vocabulary=12, random_non_queries=False)
    observation, told = env.reset(seed=1)
    assert told == {}
    tokens, targets, scored, ended = [], [], [], False
    while not ended:
        tokens += observation["tokens"].tolist()
        observation, _, ended, _, info = env.step({"answer": 0})
        targets.append(info["target"])
        scored.append(info["scored"])
    first, second = tokens[0:2], tokens[2:4]
    expected = [first, second] if tokens[4] == first[0] else [second, first]
    assert tokens[4:] == [expected[0][0], 0, expected[1][0], 0]
    assert targets == [0, 0, 0, 0, expected[0][1], 0, expected[1][1], 0]
    assert scored == [False] * 4 + [True, False] * 2


def test_an_answer_is_worth_its_share_of_the_pairs() -> None:
    task, state = begin(50, pairs=5, length=30)
    for step in range(30):
        right = task.due(state)[0]
        outcome = task.act(state, {"answer": right})
        np.testing.assert_array_equal(outcome.reward, state["scored"][:, step] * np.float32(1 / 5))
        state = outcome.state


def test_gaps_fall_with_the_power_law() -> None:
    """The first pair's gap against p(g), by chi-square; with one pair it is the only one."""
    for power in (0.01, 1.0, 2.0):
        _, state = begin(20000, length=42, pairs=1, power=power, random_non_queries=False)
        counts = np.bincount((state["scored"].argmax(axis=1) - 2) // 2, minlength=20)
        weights = power * np.arange(1, 21) ** (power - 1)
        expected = 20000 * weights / weights.sum()
        assert ((counts - expected) ** 2 / expected).sum() < 43.8  # 0.999 of chi-square with 19 degrees of freedom


def test_gaps_are_drawn_one_after_the_other_without_replacement() -> None:
    """Every ordered choice against its probability p1 · p2 / (1 − p1) · … ."""
    weights = gap_weights(4, 0.01)
    p = weights / weights.sum()
    np.testing.assert_allclose(p, np.arange(1, 5) ** -0.99 / (np.arange(1, 5) ** -0.99).sum(), atol=1e-8)
    n = 24000
    gaps = draw_gaps(draw_words(np.zeros(n, np.int64), np.arange(n), 3), weights)
    counts, expected = [], []
    for order in permutations(range(4), 3):
        counts.append((gaps == order).all(axis=1).sum())
        left = 1 - np.cumsum([0, *p[list(order[:-1])]])
        expected.append(n * np.prod(p[list(order)] / left))
    assert sum(counts) == n
    assert ((np.array(counts) - expected) ** 2 / expected).sum() < 49.7  # 0.999 with 23 degrees of freedom


def test_a_word_chooses_the_place_whose_weight_it_falls_in() -> None:
    words = np.array([[0, 0, 0], [2**31 - 1, 2**32 - 1, 5], [2**31, 0, 2**32 - 1], [3 * 2**30, 2**30, 2**31]])
    gaps = draw_gaps(words, np.array([2, 1, 1]))
    assert gaps.tolist() == [[0, 1, 2], [0, 2, 1], [1, 0, 2], [2, 0, 1]]


def test_all_places_are_taken_where_there_are_no_more() -> None:
    _, state = begin(200, length=64, pairs=16)
    assert state["scored"][:, 32:64:2].all()


def test_keys_values_and_fillers_are_uniform() -> None:
    n = 6000
    _, state = begin(n, length=16, pairs=2, vocabulary=22)
    tokens = state["shown"][:, :16, 0]
    for column, low, high in ((0, 1, 11), (2, 1, 11), (1, 11, 22), (3, 11, 22)):
        counts = np.bincount(tokens[:, column], minlength=22)
        assert counts.sum() == counts[low:high].sum()
        expected = n / (high - low)
        assert ((counts[low:high] - expected) ** 2 / expected).sum() < 29.6  # 0.999 with 10
    fillers = np.bincount(tokens[:, 5::2].ravel(), minlength=22)  # no query has an odd place
    expected = fillers.sum() / 22
    assert ((fillers - expected) ** 2 / expected).sum() < 46.8  # 0.999 with 21


def test_a_vocabulary_of_as_many_keys_as_pairs() -> None:
    _, state = begin(500, length=16, pairs=4, vocabulary=10)
    np.testing.assert_array_equal(np.sort(state["shown"][:, 0:8:2, 0]), np.tile(np.arange(1, 5), (500, 1)))
    assert len(np.unique(state["shown"][:, 0:8:2, 0], axis=0)) == 24
    assert len(np.unique(state["shown"][:, 1:8:2, 0], axis=0)) == 120


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"length": 63}, "length must be even and at least 4 \\* pairs = 16, got 63"),
        ({"length": 14}, "at least 4 \\* pairs = 16, got 14"),
        ({"length": 0}, "length must be an integer of at least 1, got 0"),
        ({"pairs": 0}, "pairs must be an integer of at least 1, got 0"),
        ({"pairs": 17}, "at least 4 \\* pairs = 68, got 64"),
        ({"pairs": 2.0}, "pairs must be an integer"),
        ({"vocabulary": 9}, "vocabulary must be from 2 \\* pairs \\+ 2 = 10, .* got 9"),
        ({"vocabulary": 2**31 + 1}, "to 2\\*\\*31, got 2147483649"),
        ({"power": 0}, "power must be a positive number, got 0"),
        ({"power": float("nan")}, "power must be a positive number, got nan"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused(kwargs: dict[str, Any], message: str) -> None:
    for face in (GlimpseEnv, GlimpseVectorEnv):
        with pytest.raises(ValueError, match=message):
            face("MQAR-v0", **kwargs)
